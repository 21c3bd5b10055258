"""Check that the plugins in plugins/ import only what docs/plugin-api.md calls public; exits with 1 otherwise."""

from __future__ import annotations

import sys

from contract.imports import GUIDANCE, lint, private_names

if __name__ == "__main__":
    status = lint()
    if names := private_names():
        print("Names that are private:", *names, GUIDANCE, sep="\n  ")
    sys.exit(bool(status or names))
