"""What a plugin author's tests import: contracts to prove, tiny real checkpoints, fake models, awkward records.

- Contracts: `check_component`, `check_reader` and `check_writer` prove them and return a ContractReport, or raise
  ContractError, which lists each ContractFault. COMPONENT_CHECKS, READER_CHECKS and WRITER_CHECKS name what they try.
- Models: `tiny_checkpoint` saves real ones with random weights, of the families in CLASSIFIERS, EXTRACTORS, SEQ2SEQ and
  VISION; `fake_classifier` and `fake_embedder` need neither weights nor torch.
- Records: ORDINARY_RECORDS, AWKWARD_RECORDS, AWKWARD_TEXTS, `huge_record`.
- Plugins: `write_plugin` writes one to a folder, `installed` installs what lies there, `frail_plugin` fails on demand.

Importing it imports neither spaCy nor torch nor pytest; what needs them does when it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mmpipe.testing.checkpoints import CLASSIFIERS, EXTRACTORS, SEQ2SEQ, tiny_checkpoint
from mmpipe.testing.contract import ContractError, ContractFault, ContractReport
from mmpipe.testing.distributions import installed, write_plugin
from mmpipe.testing.frail import frail_plugin
from mmpipe.testing.records import AWKWARD_RECORDS, ORDINARY_RECORDS, huge_record
from mmpipe.testing.texts import AWKWARD_TEXTS
from mmpipe.testing.vision_checkpoints import VISION

if TYPE_CHECKING:
    from mmpipe.testing.component_contract import COMPONENT_CHECKS, check_component
    from mmpipe.testing.fakes import fake_classifier, fake_embedder
    from mmpipe.testing.file_contracts import READER_CHECKS, WRITER_CHECKS, check_reader, check_writer

__all__ = [
    "AWKWARD_RECORDS",
    "AWKWARD_TEXTS",
    "CLASSIFIERS",
    "COMPONENT_CHECKS",
    "EXTRACTORS",
    "ORDINARY_RECORDS",
    "READER_CHECKS",
    "SEQ2SEQ",
    "VISION",
    "WRITER_CHECKS",
    "ContractError",
    "ContractFault",
    "ContractReport",
    "check_component",
    "check_reader",
    "check_writer",
    "fake_classifier",
    "fake_embedder",
    "frail_plugin",
    "huge_record",
    "installed",
    "tiny_checkpoint",
    "write_plugin",
]

_LAZY = {
    "check_component": "component_contract",
    "COMPONENT_CHECKS": "component_contract",
    "check_reader": "file_contracts",
    "check_writer": "file_contracts",
    "READER_CHECKS": "file_contracts",
    "WRITER_CHECKS": "file_contracts",
    "fake_classifier": "fakes",
    "fake_embedder": "fakes",
}


def __dir__() -> list[str]:
    """What is imported later, too, so that `help` shows it."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import what needs spaCy only when it is asked for (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module 'mmpipe.testing' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mmpipe.testing.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
