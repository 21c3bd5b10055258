"""A project of each kind, of kinds that change one another, and of all, as `mmpipe plugins new` writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mmpipe.scaffold.author import Author
from mmpipe.scaffold.kinds import KINDS, find_kinds
from mmpipe.scaffold.naming import make_names
from mmpipe.scaffold.project import Project, write_project

GIVEN = {
    "component": "Acme-Terms",
    "reader": "mail2text",
    "writer": "mmpipe-md.table",
    "metric": "2-close",
    "pipeline": "Reviews_2024",
    "command": "x",
    "model": "Utterance-Kind",
    "component+pipeline": "acme.list",
    "component+model": "acme-tone-of-2",
    "all": "class",
}
"""Kinds -> a name: with dashes, dots, digits and capitals, of one letter, a keyword."""
AUTHOR = Author('Ada "the \\ first" Łovelace', "ada@example.org")


@pytest.fixture(scope="session")
def make_project() -> Callable[..., Project]:
    """`make_project(kind, name, licence)`; kind: some of KINDS with "+" between, or "all"."""

    def make(kind: str, name: str, licence: str = "Apache-2.0") -> Project:
        return Project(make_names(name), find_kinds(KINDS if kind == "all" else kind.split("+")), AUTHOR, licence)

    return make


@pytest.fixture(scope="session")
def projects(
    make_project: Callable[..., Project], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Project, Path]]:
    """Kinds, as GIVEN names them -> the project and its folder."""
    root = tmp_path_factory.mktemp("projects")
    made = {kind: (make_project(kind, name), root / kind) for kind, name in GIVEN.items()}
    for project, folder in made.values():
        write_project(project, folder)
    return made
