"""What stands in the place of what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mmpipe import ConfigError
from mmpipe_privacy.normal import normal
from mmpipe_privacy.pseudonyms import Key

KEYED = ("hash", "pseudonym")
_LEFT = 4


class Policies:
    """The replacement of each kind.

    default: of kinds that `each` does not name. each: kind -> policy. key: called once if a policy needs one.
    Raises ConfigError for a policy that there is not, and whatever `key` raises.
    """

    def __init__(self, default: str, each: Mapping[str, str], *, key: Callable[[], Key], where: str) -> None:
        for kind, policy in {"": default, **each}.items():
            if policy not in POLICIES:
                raise ConfigError(
                    f"there is no policy {policy!r}",
                    where=f"{where}.policies.{kind}" if kind else f"{where}.policy",
                    next_step=f"choose one of {', '.join(POLICIES)}",
                )
        self._default, self._each = default, dict(each)
        self._key = key() if {default, *each.values()} & set(KEYED) else None

    def replacement(self, kind: str, value: str) -> str:
        policy = self._each.get(kind, self._default)
        if policy in KEYED:
            assert self._key is not None
            if policy == "pseudonym":
                return self._key.pseudonym(kind, value)
            return f"[{kind.upper()}#{self._key.digest(kind, value)}]"
        return POLICIES[policy](kind, value)


def _mask(kind: str, value: str) -> str:
    return f"[{kind.upper()}]"


def _drop(kind: str, value: str) -> str:
    return ""


def _partial(kind: str, value: str) -> str:
    """The last four letters and digits of a number; what tells least of other kinds: see the README."""
    if kind == "email":
        name, _, host = normal(value).rpartition("@")
        return f"{_starred(name)}@{host}"
    if kind == "url":
        head, slashes, rest = value.partition("://")
        scheme, rest = (head + slashes, rest) if slashes else ("", value)
        host = _until(rest, "/?#").rpartition("@")[2]
        return f"{scheme}{host}" + ("/***" if host != rest else "")
    if kind == "ip":
        return ":".join([*value.split(":")[:2], "*"]) if ":" in value else f"{value.rpartition('.')[0]}.*"
    if kind in ("person", "place", "organisation"):
        return " ".join(f"{word[0]}." for word in value.split())
    n_chars = sum(character.isalnum() for character in value)
    return _starred(value, _LEFT if n_chars >= 2 * _LEFT else 0)


def _starred(value: str, n_left: int = 0) -> str:
    """Letters and digits become `*`, but for so many at the end."""
    n_hidden = sum(character.isalnum() for character in value) - n_left
    told = []
    for character in value:
        n_hidden -= character.isalnum()
        told.append("*" if character.isalnum() and n_hidden >= 0 else character)
    return "".join(told)


def _until(text: str, marks: str) -> str:
    return text[: min((place for place in map(text.find, marks) if place >= 0), default=len(text))]


def _keyed(kind: str, value: str) -> str:
    raise NotImplementedError


POLICIES: dict[str, Callable[[str, str], str]] = {
    "mask": _mask,
    "partial": _partial,
    "hash": _keyed,
    "pseudonym": _keyed,
    "drop": _drop,
}
