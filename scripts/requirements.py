"""Print what mmpipe, its extras and its plugins require, one a line, without the distributions named.

For an environment that leaves out a dependency which pip would otherwise install: see `make test-transformers5`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent


def requirements(file: Path) -> list[Requirement]:
    """What a pyproject.toml requires, all of its extras included."""
    project = tomllib.loads(file.read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    return [Requirement(text) for listed in (project["dependencies"], *extras) for text in listed]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without", action="append", default=[], metavar="NAME")
    files = [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]
    left_out = {"mmpipe", *parser.parse_args().without}
    print("\n".join(str(found) for file in files for found in requirements(file) if found.name not in left_out))
