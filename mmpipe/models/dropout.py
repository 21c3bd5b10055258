"""The dropout rates of a module, wherever its authors keep them."""

from __future__ import annotations

from torch import nn


class Dropouts:
    """All rates above zero in a module: those of `nn.Dropout`, and numbers that a layer hands to `dropout` itself.

    A rate of zero was somebody's decision (attention without dropout is faster) and stays zero.
    """

    def __init__(self, module: nn.Module) -> None:
        self._places = [
            (part, name)
            for part in module.modules()
            for name, value in vars(part).items()
            if _names_a_rate(part, name) and isinstance(value, float) and 0.0 < value < 1.0
        ]

    def set(self, rate: float) -> None:
        """Give every one of them that rate, 0 to below 1."""
        for part, name in self._places:
            setattr(part, name, rate)

    def __len__(self) -> int:
        return len(self._places)


def _names_a_rate(part: nn.Module, name: str) -> bool:
    return (isinstance(part, nn.modules.dropout._DropoutNd) and name == "p") or "dropout" in name
