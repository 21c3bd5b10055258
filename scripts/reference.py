"""Write the pages of docs/reference from the code: docstrings, signatures, defaults, the help of the commands.

python scripts/reference.py          # after a change of any of these
python scripts/reference.py --check  # whether there is something to do; exits with 1 then
"""

from __future__ import annotations

import argparse
import difflib
import functools
import sys

from contract.pages import architectures, cli, components, config, hooks, python
from contract.tree import ROOT

FOLDER = ROOT / "docs" / "reference"
PAGES = {module.__name__.rpartition(".")[2]: module.page for module in (architectures, cli, components, config, hooks)}
PAGES |= {f"python/{name}": functools.partial(python.page, name) for name in python.names()}


def differences(name: str) -> str:
    """How a page differs from what the code says it should be; "" where it does not."""
    file = FOLDER / f"{name}.md"
    there = file.read_text("utf-8") if file.exists() else ""
    lines = difflib.unified_diff(
        there.splitlines(), PAGES[name]().splitlines(), f"docs/reference/{name}.md", "the code", lineterm="", n=1
    )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    stale = {name: told for name in PAGES if (told := differences(name))}
    for name, told in stale.items():
        print(told if is_check else f"written: docs/reference/{name}.md")
        if not is_check:
            (FOLDER / f"{name}.md").write_text(PAGES[name](), "utf-8")
    sys.exit(bool(stale) and is_check)
