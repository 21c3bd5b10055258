"""All checks in order, each on its own: one that fails is a finding, and the others go on."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mmpipe.doctor.finding import LEVELS, Finding, Level

SCHEMA = "mmpipe.doctor.v1"
CHECKS = ("packages", "metadata", "imports", "plugins", "models", "caches", "extras")


@dataclass(frozen=True)
class Examination:
    """findings: in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The worst level of all findings."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="ok")

    def as_dict(self) -> dict[str, Any]:
        """What `mmpipe doctor --json` prints: {"schema", "level", "findings": [{"check", "name", "level", ...}]}."""
        return {"schema": SCHEMA, "level": self.level, "findings": [asdict(finding) for finding in self.findings]}


def examine(checks: Iterable[str] = CHECKS, environ: Mapping[str, str] | None = None) -> Examination:
    """Look at the installation. checks: names of CHECKS. environ: of this process, if None."""
    environ = os.environ if environ is None else environ
    return Examination(tuple(finding for name in checks for finding in _carried_out(name, environ)))


def _carried_out(name: str, environ: Mapping[str, str]) -> list[Finding]:
    found: list[Finding] = []
    try:
        check: Callable[[Mapping[str, str]], Iterable[Finding]] = importlib.import_module(f"mmpipe.doctor.{name}").check
        for finding in check(environ):
            found.append(finding)
    except Exception as error:
        said = f"the check could not be finished: {type(error).__name__}: {' '.join(str(error).split())}"
        mend = "pip install --force-reinstall mmpipe" if isinstance(error, ImportError) else "mmpipe --debug doctor"
        found.append(Finding(name, "check", "error", said, mend))
    return found
