"""The licences that a new plugin may have."""

from __future__ import annotations

from mmpipe.errors import MmpipeError
from mmpipe.names import nearest

LICENCES: dict[str, str] = {
    "Apache-2.0": "Apache-2.0",
    "MIT": "MIT",
    "BSD-3-Clause": "BSD-3-Clause",
    "proprietary": "LicenseRef-Proprietary",
}
"""What `--licence` takes -> the SPDX expression. `templates/licences/` holds the text of each."""


def find_licence(name: str) -> str:
    """The key of LICENCES that is meant, in any case. Raises MmpipeError for one that has no text here."""
    found = {licence.lower(): licence for licence in LICENCES}.get(name.strip().lower())
    if found is None:
        raise MmpipeError(
            f"there is no text of the licence {name!r} here",
            where="--licence",
            next_step=f"{nearest(name, LICENCES, listing='take one of')}; for another one, take one of these, then "
            "replace LICENSE, and `license` in pyproject.toml, by yours",
        )
    return found
