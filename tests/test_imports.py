"""What importing costs, and that imports run one way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "spacy", "thinc", "numpy", "huggingface_hub"}
HEAVY |= {"pydantic", "matplotlib", "sklearn", "sacrebleu", "rouge_score", "peft"}
ROOT = Path(__file__).parents[1]


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
