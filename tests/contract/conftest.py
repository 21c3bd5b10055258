"""The scripts that read the contract from the source, and copies of the tree that break it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
collect_ignore_glob = []
if (ROOT / "scripts" / "contract").is_dir():
    sys.path.insert(0, str(ROOT / "scripts"))
else:  # An sdist has the tests and not the scripts.
    collect_ignore_glob.append("test_*.py")

_COPIED = (
    "pyproject.toml",
    "CHANGELOG.md",
    "docs/plugin-api.md",
    "docs/reference/**/*",
    "mmpipe/**/*.py",
    "plugins/*/pyproject.toml",
    "plugins/*/src/**/*.py",
    "scripts/**/*.py",
    "tests/contract/*.json",
)


class Tree:
    """A copy of the source tree, without git, to change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for file in (file for pattern in _COPIED for file in ROOT.glob(pattern) if file.is_file()):
            target = folder / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        (self.folder / file).write_text(text.replace(old, new), "utf-8")

    def write(self, file: str, text: str) -> None:
        (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / file).write_text(text, "utf-8")

    def run(self, script: str, *arguments: str) -> tuple[int, str]:
        """Exit status and output of one of the scripts, the copied one."""
        command = [sys.executable, str(self.folder / "scripts" / script), *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree")


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple]:
    """`command_line("run", ...)`: exit status, output, messages."""
    from mmpipe.cli.main import main

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mmpipe", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        sys.stdout.flush()
        return int(left.value.code or 0), *capfd.readouterr()

    return call
