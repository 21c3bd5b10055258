"""What mmpipe stands on: is it installed, and do versions fit each other?"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions

from mmpipe.doctor.finding import Finding

ROOTS = ("mmpipe", "spacy", "thinc", "spacy-transformers", "torch", "transformers", "tokenizers", "huggingface-hub")
"""Distributions whose requirements are checked, beside those of installed plugins."""
OUTDATED = {
    "torch": ("2.6", "older ones unpickle objects when spaCy's weights are loaded; see SECURITY.md"),
}


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Versions, and every requirement of ROOTS and of plugins that is not met."""
    from packaging.markers import default_environment
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    yield Finding("packages", "python", "ok", f"{platform.python_version()} at {sys.executable}")
    installed = _installed()
    roots = [*ROOTS, *sorted(name for name in installed if name.startswith("mmpipe-"))]
    marked = {**default_environment(), "extra": ""}
    told: set[tuple[str, str]] = set()
    for root in roots:
        if root not in installed:
            continue
        faults = 0
        for text in installed[root].requires or ():
            try:
                wanted = Requirement(text)
                if wanted.marker is not None and not wanted.marker.evaluate(marked):
                    continue
                name = canonicalize_name(wanted.name)
                found = installed[name].version if name in installed else None
                fits = found is not None and wanted.specifier.contains(Version(found), prereleases=True)
            except (InvalidRequirement, InvalidVersion):
                continue
            if fits or (root, name) in told:
                continue
            told.add((root, name))
            faults += 1
            is_there = "is not installed" if found is None else f"{found} is installed"
            what = f"{root} {installed[root].version} needs {name}{wanted.specifier}, and {name} {is_there}"
            mend = f"pip install '{name}{wanted.specifier}'"
            if root == "spacy-transformers" and name == "transformers":
                mend += "   or: pip uninstall spacy-transformers (mmpipe runs without it)"
            yield Finding("packages", name, "error", what, mend)
        if not faults and not _is_outdated(root, installed):
            yield Finding("packages", root, "ok", str(installed[root].version))
    for name in ("mmpipe", "spacy", "thinc", "torch", "transformers"):
        if name not in installed and not any(other == name for _, other in told):
            yield Finding("packages", name, "error", "is not installed", f"pip install {name}")
    for name, (least, why) in OUTDATED.items():
        if _is_outdated(name, installed):
            what = f"{name} {installed[name].version} is older than {least}: {why}"
            yield Finding("packages", name, "warning", what, f"pip install '{name}>={least}'")


def _is_outdated(name: str, installed: Mapping[str, Distribution]) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return name in OUTDATED and name in installed and Version(installed[name].version) < Version(OUTDATED[name][0])
    except InvalidVersion:
        return False


def _installed() -> dict[str, Distribution]:
    """Canonical name -> distribution, the first on the path; broken ones are left to `metadata`."""
    from packaging.utils import canonicalize_name

    found: dict[str, Distribution] = {}
    for distribution in distributions():
        try:
            name, version = distribution.metadata["Name"], distribution.version
        except Exception:
            continue
        if name and version:
            found.setdefault(canonicalize_name(name), distribution)
    return found
