"""What is wrong with a component's settings, before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmpipe import ConfigError
from mmpipe_privacy.finder import KINDS
from mmpipe_privacy.phones import regions

OTHER_KEYS = ("mask", "drop")


def check(settings: Mapping[str, Any], where: str) -> None:
    """Raises ConfigError for kinds, regions and names that there are not, and for settings that contradict each other.

    where: the component's section.
    """
    own = settings["patterns"]
    _check_among(settings["kinds"], KINDS, f"{where}.kinds", "there is no kind")
    _check_among(settings["phone_regions"], sorted(regions()), f"{where}.phone_regions", "there is no region")
    _check_among(settings["policies"], (*KINDS, *own), f"{where}.policies", "nothing finds the kind")
    _check_among([settings["other_keys"]], OTHER_KEYS, f"{where}.other_keys", "it cannot be")
    for kind in own:
        if kind in KINDS or not (kind.isascii() and kind.isidentifier()) or kind.startswith("_"):
            raise ConfigError(
                f"{kind!r} cannot name a pattern",
                where=f"{where}.patterns",
                next_step=f"begin with a letter, go on with letters, digits and _; {', '.join(KINDS)} are taken",
            )
    for key in ("field", "masked_field"):
        if not settings[key].isidentifier() or settings[key] in ("record", "media", "get", "set", "has"):
            raise ConfigError(f"{settings[key]!r} cannot stand in doc._", where=f"{where}.{key}")
    if settings["field"] == settings["masked_field"]:
        raise ConfigError("field and masked_field are one", where=where, next_step="give them two names")
    if settings["pattern_seconds"] <= 0:
        raise ConfigError("must be above 0", where=f"{where}.pattern_seconds", next_step="0.5, say")
    if settings["private"] and settings["keep_values"]:
        raise ConfigError(
            "private and keep_values contradict one another",
            where=f"{where}.keep_values",
            next_step="set one of them to false",
        )


def _check_among(found: Iterable[str], allowed: Iterable[str], where: str, said: str) -> None:
    for one in found:
        if one not in allowed:
            raise ConfigError(f"{said} {one!r}", where=where, next_step=f"choose from {', '.join(allowed)}")
