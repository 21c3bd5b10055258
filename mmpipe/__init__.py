"""spaCy pipelines of transformer models: declared in a file, extended by plugins, run over corpora.

Importing this package imports neither spaCy nor torch nor transformers; the functions below do, when called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mmpipe.deprecation import PluginDeprecationWarning
from mmpipe.errors import ConfigError, Fault, MmpipeError, ModelError, PluginError, RecordError, StopRun
from mmpipe.hookspecs import hookimpl
from mmpipe.specs import (
    CommandSpec,
    ComponentSpec,
    EngineSpec,
    MetricSpec,
    ModelSpec,
    PipelineSpec,
    ReaderSpec,
    RunCounts,
    RunInfo,
    WriterSpec,
)

if TYPE_CHECKING:
    from mmpipe.document import make_doc, make_docs, to_record
    from mmpipe.loading import load

__all__ = [
    "CommandSpec",
    "ComponentSpec",
    "ConfigError",
    "EngineSpec",
    "Fault",
    "MetricSpec",
    "MmpipeError",
    "ModelError",
    "ModelSpec",
    "PipelineSpec",
    "PluginDeprecationWarning",
    "PluginError",
    "ReaderSpec",
    "RecordError",
    "RunCounts",
    "RunInfo",
    "StopRun",
    "WriterSpec",
    "hookimpl",
    "load",
    "make_doc",
    "make_docs",
    "to_record",
]

_LAZY = {"load": "loading", "make_doc": "document", "make_docs": "document", "to_record": "document"}


def __getattr__(name: str) -> Any:
    """Import what needs spaCy only when it is asked for (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("mmpipe")
    if name not in _LAZY:
        raise AttributeError(f"module 'mmpipe' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mmpipe.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
