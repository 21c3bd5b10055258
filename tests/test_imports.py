"""What importing costs, and that imports run one way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "spacy", "thinc", "numpy", "huggingface_hub"}
HEAVY |= {"pydantic", "matplotlib", "sklearn", "sacrebleu", "rouge_score", "peft"}
ROOT = Path(__file__).parents[1]
# What `mmpipe --help` imports of mmpipe. Whatever is added here makes every command start later.
START = {"mmpipe", "mmpipe.builtin", "mmpipe.cli", "mmpipe.cli.exit_codes", "mmpipe.cli.main", "mmpipe.cli.start"}
START |= {"mmpipe.deprecation", "mmpipe.errors", "mmpipe.hookspecs", "mmpipe.import_error", "mmpipe.installed"}
START |= {"mmpipe.names", "mmpipe.plugins", "mmpipe.redaction", "mmpipe.registry", "mmpipe.spec_check", "mmpipe.specs"}
# Light beside HEAVY, and yet each takes a good part of the time that `mmpipe --help` does.
SLOW = {"rich", "importlib.metadata", "pkg_resources", "email", "zipfile", "tomllib", "json", "yaml", "asyncio"}
SLOW |= {"concurrent", "multiprocessing", "http", "urllib.request", "sqlite3", "jinja2", "packaging", "pygments"}
COMMAND_LINE = "from mmpipe.cli.start import main; main()"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "mmpipe", "--help"],
        ["-m", "mmpipe", "--version"],
        ["-m", "mmpipe", "plugins", "list"],
        ["-c", "import mmpipe"],
    ],
)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "mmpipe" in imported
    assert not imported & HEAVY


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (["--help"], set()),
        (["plugins", "list"], {"mmpipe.cli.plugins", "mmpipe.cli.plugins_new", "mmpipe.cli.table"}),
    ],
)
def test_the_start_imports_little(command: list[str], more: set[str]) -> None:
    imported = modules_of(COMMAND_LINE, *command)
    assert {name for name in imported if f"{name}.".startswith("mmpipe.")} == START | more
    assert not {name for name in imported if name.startswith("mmpipe_") and "." in name}, "more than a plugin's hooks"
    slow = {name for name in imported if any(f"{name}.".startswith(f"{other}.") for other in SLOW)}
    assert not slow - modules_of("import typer, pluggy")


def test_what_is_imported_is_not_searched_for_garbage() -> None:
    """When Python exits it looks for garbage in all that it has, but for what is frozen."""
    program = "import gc; atexit.register(lambda: print(gc.get_freeze_count() > len(gc.get_objects())));"
    assert run(program + COMMAND_LINE, "--help").stdout.splitlines()[-1] == "True"


def modules_of(program: str, *arguments: str) -> set[str]:
    """The modules that a fresh Python has when the program ends."""
    return set(
        run(f"atexit.register(lambda: print(*sys.modules)); {program}", *arguments).stdout.split("\n")[-2].split()
    )


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"import atexit, sys; {program}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def test_public_names() -> None:
    import mmpipe

    assert all(getattr(mmpipe, name) is not None for name in mmpipe.__all__)
    assert set(mmpipe.__all__) <= set(dir(mmpipe))
    assert mmpipe.__version__
    with pytest.raises(AttributeError, match="nothing"):
        _ = mmpipe.nothing


@pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="not in the repository")
def test_import_contracts() -> None:
    pytest.importorskip("importlinter")
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
