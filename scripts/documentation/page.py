"""The listings of a Markdown page, in order, with what the page says of each.

    ```python title="acme/component.py"     a file of the reader's folder
    ```diff title="pyproject.toml"          a change of such a file
    ```console                              commands behind `$ `, each with what it prints
    ```python                               a script
    ```text                                 what the listing right before it prints
    ```ini                                  a config; a part of one is laid over the last whole one of the page

An indented block shows commands that nobody runs. A comment before a listing says more of it:

    <!-- not run: it needs a GPU -->        the reason is a must
    <!-- exit code: 3 -->                   what its commands end with, where that is not 0
    <!-- onto: sentiment -->                the pipeline, or config file, that a part of a config is laid over
    <!-- given: ... -->                     Python that brings what the page takes for granted
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from markdown_it import MarkdownIt

_COMMENT = re.compile(r"<!--\s*(not run|exit code|onto|given):\s*(.*?)\s*-->", flags=re.DOTALL)
_TITLE = re.compile(r'\btitle="([^"]+)"')


@dataclass(frozen=True)
class Listing:
    """A listing, or a comment `given`, whose language is that word; an indented block has none.

    line: where it begins, from 1. section: the heading of second rank that it stands under.
    excuse: why it is not run. onto: what a part of a config is laid over. exit_code: of each of its commands.
    """

    page: Path
    line: int
    language: str
    text: str
    section: str = ""
    title: str | None = None
    excuse: str | None = None
    onto: str | None = None
    exit_code: int = 0

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def listings(page: Path) -> list[Listing]:
    """All of a page. Raises ValueError for a comment that belongs to no listing."""
    found: list[Listing] = []
    section, said = "", {}
    tokens = MarkdownIt("commonmark").parse(page.read_text("utf-8"))
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "heading_open" and token.tag == "h2" and following is not None:
            section = following.content
        if token.type == "html_block":
            for kind, text in _COMMENT.findall(token.content):
                if kind == "given":
                    found.append(Listing(page, line, "given", text + "\n", section))
                else:
                    said[kind] = text
            continue
        if token.type == "fence":
            language, _, options = token.info.strip().partition(" ")
            title = _TITLE.search(options)
            one = Listing(page, line, language or "text", token.content, section, title[1] if title else None)
            one = replace(one, excuse=said.pop("not run", None), onto=said.pop("onto", None))
            found.append(replace(one, exit_code=int(said.pop("exit code", 0))))
        elif token.type == "code_block":
            found.append(Listing(page, line, "", token.content, section, excuse=said.pop("not run", None)))
        if said and token.level == 0 and token.nesting >= 0 and token.type != "inline":
            raise ValueError(f"{page.name}:{line}: no listing follows the comment {next(iter(said))!r}")
    return found
