"""Every listing of the documentation is run as it stands on its page, or says there why it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("documentation", reason="scripts/ is only in the repository")

from documentation.commands import command_faults  # noqa: E402
from documentation.page import listings  # noqa: E402
from documentation.reader import ListingError, Reader  # noqa: E402

# The pages of docs/reference are made from the code; tests/contract runs what they hold.
MADE = (ROOT / "docs" / "reference").rglob("*.md")
PAGES = sorted({*ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")} - set(MADE))
ALL = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [page for page in PAGES if any(one.language for one in listings(page))], ids=name)
def test_a_reader_can_follow(page: Path, tmp_path: Path, warm: Any) -> None:
    Reader(tmp_path, warm).follow(listings(page))


@pytest.mark.parametrize("page", ALL, ids=name)
def test_commands_are_those_of_mmpipe(page: Path) -> None:
    faults = [f"{one.place}: {said}" for one in listings(page) for said in command_faults(one)]
    assert not faults, "\n".join(faults)


def write(folder: Path, text: str) -> Path:
    (folder / "page.md").write_text(text, "utf-8")
    return folder / "page.md"


WRONG = {
    "a script that fails": "```python\nraise ValueError(1)\n```\n",
    "a script that prints something else": "```python\nprint(2)\n```\n\n```text\n3\n```\n",
    "a command that fails": "```console\n$ mmpipe validate nowhere.cfg\n```\n",
    "a command that prints something else": "```console\n$ mmpipe --version\nmmpipe 99.9\n```\n",
    "a setting that is not there": '```ini\n[nlp]\nlang = "en"\npipeline = ["sentencizer"]\n\n'
    '[components.sentencizer]\nfactory = "sentencizer"\npunct = 1\n```\n',
    "a change of what is not there": '```toml title="a.toml"\nx = 1\n```\n\n'
    '```diff title="a.toml"\n-x = 2\n+x = 3\n```\n',
    "a listing that nobody knows how to run": "```haskell\nmain = pure ()\n```\n",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_listing_is_found(what: str, tmp_path: Path, warm: Any) -> None:
    page = write(tmp_path, WRONG[what])
    with pytest.raises(ListingError, match=r"page\.md:\d+: "):
        Reader(tmp_path, warm).follow(listings(page))


def test_an_option_that_is_not_there_is_found(tmp_path: Path) -> None:
    (one,) = listings(write(tmp_path, "    mmpipe run --restart --rewind a.cfg b.jsonl --components.x.y=1 -o c\n"))
    assert [said.split(";")[0] for said in command_faults(one)] == [
        "mmpipe run --restart --rewind a.cfg b.jsonl --components.x.y=1 -o c: no option --rewind"
    ]


def test_a_comment_without_a_listing_is_found(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"page\.md:3: no listing follows the comment 'not run'"):
        listings(write(tmp_path, "<!-- not run: why -->\n\nProse.\n\n```console\n$ ls\n```\n"))
