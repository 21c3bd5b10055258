"""Write the snapshot of the contract with plugin authors, and say what the changelog has yet to name.

python scripts/public_api.py            # after a change of what is public
python scripts/public_api.py --check    # whether there is something to do; exits with 1 then
python scripts/public_api.py --release  # at a release: this is what later changes are held against
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from contract.changelog import CHANGELOG, changes, line, unnamed, unreleased
from contract.signatures import contract
from contract.tree import ROOT, distributions

FOLDER = ROOT / "tests" / "contract"
CURRENT, RELEASED = FOLDER / "public_api.json", FOLDER / "released_api.json"


def faults(now: dict[str, str]) -> list[str]:
    """What keeps snapshot, changelog and code from agreeing, each with its mend."""
    found = []
    if moved := changes(read(CURRENT)["names"], now):
        listed = "".join(f"\n  {how}: {name}" for name, how in moved.items())
        found.append(f"the contract is not that of {CURRENT.name}; if it should change, run {_COMMAND}:{listed}")
    released = read(RELEASED)
    changed = changes(released["names"], now)
    missing = unnamed(changed, unreleased(CHANGELOG.read_text("utf-8"), released["version"]))
    if missing:
        told = line({name: changed[name] for name in missing})
        found.append(
            f"CHANGELOG.md does not name, under `## Unreleased` above {released['version']}, what has changed in the "
            f"contract. Tell users of it; these lines would do:\n{told}"
        )
    return found


def read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text("utf-8"))


def write(file: Path, now: dict[str, str]) -> None:
    tree = {"version": distributions()[0].version, "names": now}
    file.write_text(json.dumps(tree, ensure_ascii=False, indent=1) + "\n", "utf-8")


_COMMAND = "`python scripts/public_api.py`"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--release", action="store_true")
    arguments = parser.parse_args()
    public = contract()
    if not arguments.check:
        for file in (CURRENT, RELEASED) if arguments.release else (CURRENT,):
            write(file, public)
    told = faults(public)
    print("\n\n".join(told) or f"{len(public)} names; the changelog tells of every change")
    # The snapshot is written all the same: what is left to do is a line for the changelog.
    sys.exit(bool(told))
