"""A torch module behind `torch.compile`: kernels made for it when it first runs, with lengths left free."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mmpipe.runtime.cache import SharedCache

_COMPILED: SharedCache[CompiledModule] = SharedCache()


class CompiledModule(nn.Module):
    """Called as the module that it is made of. The last bits of its outputs may depend on the company in a batch."""

    libraries = ("torch",)

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._run = torch.compile(module, dynamic=True)

    def forward(self, **inputs: torch.Tensor) -> Any:
        return self._run(**inputs)


def compiled_module(module: nn.Module) -> CompiledModule:
    """The compiled one of a module, the same for all who share that."""
    return _COMPILED.get(id(module), lambda: CompiledModule(module))
