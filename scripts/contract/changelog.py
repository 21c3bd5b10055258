"""What has changed in the contract since the last release, and whether the changelog names it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from contract.tree import ROOT

CHANGELOG = ROOT / "CHANGELOG.md"


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Name -> "added", "changed" or "removed".

    What comes or goes with its class or factory is not told apart from it, nor the list of fields from a field.
    """
    found = {name: "removed" for name in before if name not in now}
    found |= {name: "changed" if name in before else "added" for name in now if before.get(name) != now[name]}
    whole = {name for name, how in found.items() if how != "changed"}
    owners = {name.rpartition(".")[0] for name in whole}
    implied = {name for name in owners & found.keys() - whole if "dataclass(" in before[name] + now[name]}
    implied |= {name for name in found if any(name.startswith(f"{owner}.") for owner in whole)}
    return {name: how for name, how in sorted(found.items()) if name not in implied}


def unreleased(text: str, version: str) -> str:
    """The part of a changelog above the heading of a version; all of it where that has none."""
    return re.split(rf"^## \[?v?{re.escape(version)}\b", text, maxsplit=1, flags=re.MULTILINE)[0]


def unnamed(changed: Mapping[str, str], text: str) -> list[str]:
    """The changed names that do not stand in backticks in a text.

    A name may be shortened from its front: `find_answers` for mmpipe.models.answer.find_answers, but a member stands
    with its class, `TransformerPipe.score`, and a setting with its component, `mmpipe_qa.top_k`.
    """
    told = set(re.findall(r"`([\w.]+)(?:\([^`]*\))?`", text))
    return [name for name in changed if not told & spellings(name)]


def spellings(name: str) -> set[str]:
    """The ways to write a name of the contract."""
    kind, _, bare = name.rpartition(" ")
    if kind in ("architecture", "reader", "batcher") or "." not in bare:
        return {bare}
    parts = bare.split(".")
    if kind == "factory":
        return {bare}
    # CamelCase before the last part: a class and its member.
    n_last = 2 if parts[-2][0].isupper() else 1
    return {".".join(parts[i:]) for i in range(len(parts) - n_last + 1)}


def line(changed: Mapping[str, str]) -> str:
    """Lines that name all of it, to be made into sentences for users."""
    told = []
    for how in ("added", "changed", "removed"):
        names = [min(spellings(name), key=len) for name in changed if changed[name] == how]
        if names:
            told.append(f"- {how.capitalize()}: " + ", ".join(f"`{name}`" for name in dict.fromkeys(names)) + ".")
    return "\n".join(told)
