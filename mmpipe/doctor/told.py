"""`mmpipe doctor` without Typer, Rich or plugins, any of which may be what is broken."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from mmpipe.doctor.examination import CHECKS, Examination, examine
from mmpipe.doctor.finding import LEVELS

HELP = "Check the installation: packages, devices, plugins, models, caches; each fault with the command that mends it."
_SIGNS = {"ok": "ok     ", "warning": "WARNING", "error": "ERROR  "}


def run(arguments: Sequence[str]) -> int:
    """The command; 0 where nothing is an error, else 1."""
    parser = argparse.ArgumentParser("mmpipe doctor", description=HELP, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")
    parser.add_argument("--only", action="append", choices=CHECKS, metavar="CHECK", help=f"One of {', '.join(CHECKS)}.")
    given = parser.parse_args(arguments)
    return report(as_json=given.as_json, only=given.only)


def report(*, as_json: bool, only: Sequence[str] | None = None) -> int:
    """Examine, print, and say how it ended."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    found = examine(only or CHECKS)
    print(json.dumps(found.as_dict(), ensure_ascii=True, indent=2) if as_json else told(found))
    sys.stdout.flush()
    return 1 if found.level == "error" else 0


def told(found: Examination) -> str:
    """For people: a heading a check, a line a finding, and below it the command that mends."""
    lines: list[str] = []
    check = ""
    for finding in found.findings:
        if finding.check != check:
            check = finding.check
            lines.append(f"\n{check}")
        lines.append(f"  {_SIGNS[finding.level]}  {finding.name}: {finding.what}")
        if finding.mend:
            lines.append(f"           $ {finding.mend}")
    counts = {level: sum(finding.level == level for finding in found.findings) for level in LEVELS}
    lines.append(f"\n{counts['error']} errors, {counts['warning']} warnings, {counts['ok']} ok")
    return "\n".join(lines).lstrip("\n")
