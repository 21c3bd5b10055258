"""docs/plugin-api.md says which public modules import torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("griffe")

from contract.public import public

# thinc imports torch where it is there, and that is no doing of ours; so it is looked at who cannot do without.
PROGRAM = """
import importlib, json, sys

sys.modules |= {"torch": None, "transformers": None}
found = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        assert error.name in ("torch", "transformers"), (name, error)
        found.append(name)
print(json.dumps(found))
"""


def test_the_page_says_what_imports_torch() -> None:
    names = [row.module for row in public()]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [row.module for row in public() if row.imports_torch] == json.loads(done.stdout)
    assert {"mmpipe.component", "mmpipe.learning"} <= set(json.loads(done.stdout)) < set(names)
