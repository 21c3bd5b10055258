"""`mmpipe plugins new`: what it writes where, what it asks, and what it refuses."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

AUTHOR = ("--author", "Ada Lovelace <ada@example.org>")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_writes_into_a_folder_of_its_name_and_says_what_next(mmpipe: Callable) -> None:
    found = mmpipe("plugins", "new", "Acme_Tone", "--kind", "component", *AUTHOR)
    assert found.code == 0, found.err
    listed, _, told = found.out.partition("\n\n")
    files = {path.as_posix() for path in Path("mmpipe-acme-tone").rglob("*") if path.is_file()}
    assert set(listed.splitlines()) == files
    assert {"README.md", "LICENSE", ".gitignore", "pyproject.toml", "ci.yml"} <= {Path(file).name for file in files}
    assert "cd mmpipe-acme-tone" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["acme tone", "-k", "component"], "take a name such as 'acme-tone'"),
        (["acme", "-k", "componnt"], "did you mean 'component'"),
        (["acme"], "kinds: component, reader, writer, metric, pipeline, command, model"),
        ([], "mmpipe plugins new NAME --kind KIND"),
        (["acme", "-k", "reader", "--licence", "MTI"], "did you mean 'MIT'"),
        (["acme", "-k", "reader", "--licence", "WTFPL"], "replace LICENSE"),
        (["acme", "-k", "reader", "--author", "<a@b.org>"], "'Ada Lovelace <ada@example.org>'"),
        (["acme", "-k", "reader", "--author", "Ada\nLovelace"], "no author"),
        (["sentiment", "-k", "component"], "pip uninstall mmpipe-sentiment"),
        (["csv", "-k", "reader"], "choose another name"),
    ],
)
def test_what_cannot_be_is_a_usage_error_that_says_what_to_do(
    mmpipe: Callable, arguments: list[str], told: str
) -> None:
    found = mmpipe("plugins", "new", *arguments)
    # A terminal's frame, and its line breaks, stand between the words.
    said = " ".join(re.sub("[│╭╮╰╯─]", " ", found.err).split())
    assert found.code == 2 and told in said, found.err
    assert not list(Path().iterdir())


def test_a_folder_that_holds_something_is_left_alone(mmpipe: Callable) -> None:
    Path("mmpipe-acme").mkdir()
    Path("mmpipe-acme/notes.txt").write_text("mine")
    found = mmpipe("plugins", "new", "acme", "-k", "writer", *AUTHOR)
    assert found.code == 1 and "holds files already" in found.err and "--output" in found.err
    assert [path.name for path in Path("mmpipe-acme").iterdir()] == ["notes.txt"]
    assert mmpipe("plugins", "new", "acme", "-k", "writer", "-o", "mmpipe-acme/notes.txt", *AUTHOR).code == 1


def test_a_clone_that_holds_nothing_yet_is_filled(mmpipe: Callable) -> None:
    Path("clone/.git").mkdir(parents=True)
    assert mmpipe("plugins", "new", "acme", "-k", "writer", "-o", "clone", *AUTHOR).code == 0
    assert Path("clone/pyproject.toml").is_file()


def test_a_terminal_is_asked_until_the_answers_will_do() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mmpipe", "plugins", "new", "--author", "Ada"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        os.write(ours, b"acme tone\nsentiment\nacme-tone\nreader, poem\nreader,writer\nmit\n")
        out, err = process.communicate(timeout=120)
    for end in (ours, theirs):
        os.close(end)
    assert process.returncode == 0, err
    assert (
        "take a name such as 'acme-tone'" in err
        and "mmpipe-sentiment 0.1.0 is installed" in err
        and "there is no kind 'poem'" in err
    )
    assert "mmpipe-acme-tone/tests/test_writer.py" in out
    assert Path("mmpipe-acme-tone/LICENSE").read_text().startswith("MIT License")


def test_its_help_is_quick() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "mmpipe", "plugins", "new", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "mmpipe.cli.plugins_new" in imported
    assert not {name.partition(".")[0] for name in imported} & {"torch", "spacy", "numpy", "jinja2", "transformers"}
    assert "mmpipe.scaffold.project" not in imported
