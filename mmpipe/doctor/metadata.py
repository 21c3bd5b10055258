"""Damaged metadata: one distribution's can end every program that asks for entry points, spaCy and mmpipe included."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions

from mmpipe.doctor.finding import Finding


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Each distribution whose METADATA or entry_points.txt cannot be read, or that is installed twice."""
    places: dict[str, list[str]] = defaultdict(list)
    n_faults = 0
    for distribution in distributions():
        name, where = _named(distribution), str(getattr(distribution, "_path", "an unknown place"))
        places[re.sub(r"[-_.]+", "-", name).lower()].append(where)
        why = _damage(distribution)
        if why is not None:
            n_faults += 1
            mend = f"pip install --force-reinstall --no-deps {name}   or remove {where}"
            yield Finding("metadata", name, "error", f"{why} ({where})", mend)
    for name, found in sorted(places.items()):
        # One folder that is on the path twice is one installation.
        if len(set(found)) > 1 and name.startswith(("mmpipe", "spacy", "torch", "transformers", "thinc", "numpy")):
            what = f"is installed {len(set(found))} times; the first counts: {', '.join(dict.fromkeys(found))}"
            yield Finding(
                "metadata", name, "warning", what, f"pip uninstall {name}   until none is left, then install it"
            )
    if not n_faults:
        yield Finding("metadata", "distributions", "ok", f"{len(places)} have readable metadata")


def _damage(distribution: Distribution) -> str | None:
    try:
        if not distribution.metadata["Name"] or not distribution.version:
            return "METADATA has no name or version"
    except Exception as error:
        return f"METADATA cannot be read: {type(error).__name__}: {error}"
    try:
        for point in distribution.entry_points:
            if not point.name or not re.match(r"[\w.]+\s*(:\s*[\w.]+)?\s*(\[.*\])?\s*$", point.value):
                return f"entry_points.txt has {point.name!r} = {point.value!r}, which names no code"
    except Exception as error:
        return f"entry_points.txt cannot be read: {type(error).__name__}: {error}"
    return None


def _named(distribution: Distribution) -> str:
    try:
        name = distribution.metadata["Name"]
    except Exception:
        name = None
    path = getattr(distribution, "_path", None)
    return str(name or (path.name.partition("-")[0] if path is not None else "unknown"))
