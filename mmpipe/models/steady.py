"""Linear layers that give a row the same bits in any company, on a processor.

Matrix libraries take another path, which rounds otherwise, for few rows: fewer than 4 on AMD's processors, than 16 on
Intel's. An encoder seldom meets it, as it has many tokens; a classification head sees one row a text. (A decoder's rows
are few as well, but there this costs as much again as it gives: words, unlike scores, change only where two are as
likely as rounding.)

On Intel's, threads change roundings, too, and MKL has a mode against all of it ("Obtaining Numerically Reproducible
Results" in oneMKL's developer guide), as fast as without it where it was measured. It is read once, before the first
product: where torch has multiplied before mmpipe.models is imported, or the user has set MKL_CBWR, the padding of heads
is what is left.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmpipe.runtime.device import is_intel

MIN_ROWS = 16


if torch.backends.cpu.get_cpu_capability() == "AVX512" and is_intel():
    os.environ.setdefault("MKL_CBWR", "AVX512,STRICT")


class SteadyLinear(nn.Linear):
    """A linear layer that never multiplies fewer than `MIN_ROWS` rows; what it adds, it takes off again."""

    def forward(self, input: Tensor) -> Tensor:
        n_rows = input.shape[:-1].numel()
        if n_rows >= MIN_ROWS:
            return super().forward(input)
        rows = functional.pad(input.reshape(n_rows, input.shape[-1]), (0, 0, 0, MIN_ROWS - n_rows))
        return super().forward(rows)[:n_rows].reshape(*input.shape[:-1], self.out_features)


def steady(module: nn.Module) -> nn.Module:
    """The same module, its plain linear layers made steady in place."""
    for part in module.modules():
        if type(part) is nn.Linear:
            part.__class__ = SteadyLinear
    return module
