"""What is public explains itself: its docstrings send nobody to a module that is private."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("griffe")

from contract.public import public
from contract.tree import find

NAMED = re.compile(r"\bmmpipe(?:\.\w+)+|\b\w+\.py\b")
# Names of architectures and the like are registered, not imported.
REGISTERED = re.compile(r"\.v\d+$")


def documented(thing: Any) -> Iterator[Any]:
    """What has a docstring that a reader of the thing sees: itself, and what its class lets be called."""
    if thing.docstring is not None:
        yield thing
    for name, member in thing.members.items() if thing.is_class else ():
        if not member.is_alias and (not name.startswith("_") or name in ("__init__", "__call__")):
            yield from documented(member)


def private(text: str, modules: set[str], names: set[str]) -> list[str]:
    """The modules and files of ours that a text names and nobody may count on. A public name has public members."""
    found = [name for name in NAMED.findall(text) if not REGISTERED.search(name) and name not in modules]
    return [name for name in found if not any(f"{name}.".startswith(f"{one}.") for one in names)]


def test_docstrings_point_to_what_is_public() -> None:
    modules = {row.module for row in public()}
    names = {f"{row.module}.{name}" for row in public() for name in row.names}
    things = [one for one in map(find, [*modules, *names]) if one is not None]
    told = {one.path: private(one.docstring.value, modules, names) for thing in things for one in documented(thing)}
    assert len(told) > 150
    assert {path: names for path, names in told.items() if names} == {}


def test_one_that_does_not_is_seen() -> None:
    text = "see mmpipe.component, mmpipe.load, mmpipe.errors.Fault.told, `mmpipe.QA.v1`, mmpipe.component.own, table.py"
    found = private(text, {"mmpipe", "mmpipe.component"}, {"mmpipe.load", "mmpipe.errors.Fault"})
    assert found == ["mmpipe.component.own", "table.py"]
