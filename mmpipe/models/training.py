"""A torch module that learns: what a model block's `training` table says, and the state of one training."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import torch
from pydantic import ConfigDict, Field
from thinc.api import Optimizer
from torch import Tensor, nn
from typing_extensions import TypedDict

from mmpipe.config.tables import CheckedAs
from mmpipe.errors import ConfigError, ModelError
from mmpipe.models.adapter import Adapter, add_adapter
from mmpipe.models.dropout import Dropouts
from mmpipe.runtime.device import multiplies_bf16

USUAL_AVERAGE_DECAY = 0.9999
"""Decay of the running average where `use_averages` asks for one and no `average_decay` is set; thinc's own."""
OPTIMIZER, AVERAGE = "optimizer/", "average/"


class TrainingTable(TypedDict, total=False):
    """The `training` table of a model block; every key may be left out.

    precision: of the arithmetic, the weights staying in fp32: "fp32", "bf16" (autocast), or "auto": bf16 where the
        hardware multiplies it.
    frozen: patterns (`*.embeddings.*`) of names of parameters that stay as they are.
    adapter: train a LoRA adapter instead of the weights; see mmpipe.models.adapter.Adapter.
    average_decay: decay, 0 to below 1, of a running average of the weights (Polyak & Juditsky 1992), which then
        predicts and is saved in place of the last weights; short memory at first, as in thinc.
    label_smoothing: share of each target, 0 to below 1, that is spread over all classes or words.
    saved_precision: "fp32", or "fp16": half the size on disk, each weight rounded to 11 bits.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    precision: Literal["auto", "fp32", "bf16"]
    frozen: list[str]
    adapter: Adapter
    average_decay: Annotated[float, Field(ge=0, lt=1)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    saved_precision: Literal["fp32", "fp16"]


Training = Annotated[dict[str, Any], CheckedAs(TrainingTable)]
"""What an architecture annotates its parameter `training` with: a TrainingTable."""


class Trainer:
    """The training of one module: its optimizer, accumulated gradients, and the running average of its weights.

    module: what learns, in fp32. shown: what predicts and is saved: the running average, or the module itself.
    """

    def __init__(self, module: nn.Module, options: Training, device: torch.device, *, where: str) -> None:
        """Freeze and adapt the module. Raises ModelError where a pattern fits no parameter, or nothing can learn."""
        self.options, self.device = options, device
        _freeze(module, options.get("frozen", []), where)
        self._dropouts = Dropouts(module)  # An adapter has a rate of its own.
        adapter = options.get("adapter")
        self.module = module if adapter is None else add_adapter(module, adapter, where=where)
        self.module.eval()
        self.shown = self.module
        self.is_active = False
        self._optimizer: torch.optim.Optimizer | None = None
        self._n_examples = self._n_steps = 0
        if not self.parameters:
            raise ModelError("every parameter is frozen: there is nothing to train", where=where, next_step=_UNFREEZE)

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """What learns, by name."""
        return {name: parameter for name, parameter in self.module.named_parameters() if parameter.requires_grad}

    @contextmanager
    def active(self, dropout: float) -> Iterator[nn.Module]:
        """The module in training mode, under autocast where bf16 is wanted."""
        self._dropouts.set(dropout)
        self.module.train()
        for part in self.module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and not any(
                p.requires_grad for p in part.parameters()
            ):
                part.eval()  # Its statistics are weights, too.
        self.is_active = True
        try:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                yield self.module
        finally:
            self.is_active = False
            self.module.eval()

    @property
    def precision(self) -> str:
        """Of the arithmetic: "fp32" or "bf16"."""
        wanted = self.options.get("precision", "auto")
        return ("bf16" if multiplies_bf16(self.device) else "fp32") if wanted == "auto" else wanted

    def backward(self, loss: Tensor, n_examples: int) -> None:
        """Add the gradient of a mean loss over so many examples to what is there."""
        (loss * n_examples).backward()
        self._n_examples += n_examples

    def backward_from(self, outputs: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Add the gradient of a sum, of which it is known what it is at some outputs; a step takes the sum, too."""
        torch.autograd.backward(list(outputs), list(gradients))
        self._n_examples = 1

    def step(self, sgd: Optimizer) -> None:
        """Update the weights with the mean gradient over all examples since the last step.

        sgd: a thinc Optimizer: `learn_rate`, `beta1`, `beta2` and `eps` are torch's AdamW's (Loshchilov & Hutter
            2019); `L2` is its decoupled weight decay, of matrices only, or with `L2_is_weight_decay = false` a part
            of the gradient; `grad_clip` bounds the norm of all gradients together; `use_averages` keeps an average.
        """
        if not self._n_examples:
            return
        learning = [p for p in self.parameters.values() if p.grad is not None]
        for parameter in learning:
            parameter.grad.div_(self._n_examples)  # type: ignore[union-attr]
            if sgd.L2 and not sgd.L2_is_weight_decay and parameter.ndim > 1:
                parameter.grad.add_(parameter.detach(), alpha=sgd.L2)  # type: ignore[union-attr]
        if sgd.grad_clip:
            nn.utils.clip_grad_norm_(learning, sgd.grad_clip)
        decay = self._average_decay(sgd)
        if decay is not None and self.shown is self.module:
            self._start_average()
        optimizer = self._optimizer or self._make_optimizer(sgd)
        for group in optimizer.param_groups:
            group.update(lr=float(sgd.learn_rate), betas=(float(sgd.b1), float(sgd.b2)), eps=float(sgd.eps))
            group["weight_decay"] = float(sgd.L2) if sgd.L2_is_weight_decay and group["is_decayed"] else 0.0
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self._n_examples, self._n_steps = 0, self._n_steps + 1
        if decay is not None:
            self._update_average(min(decay, (1 + self._n_steps) / (10 + self._n_steps)))

    def state(self) -> dict[str, Tensor]:
        """Everything that `load_state` needs to go on: what learns, buffers, moments and average, on the processor."""
        found = {**self.parameters, **dict(self.module.named_buffers())}
        if self._optimizer is not None:
            for name, parameter in self.parameters.items():
                of_parameter = self._optimizer.state.get(parameter, {})
                found |= {f"{OPTIMIZER}{name}/{key}": torch.as_tensor(value) for key, value in of_parameter.items()}
        if self.shown is not self.module:
            shown = {**dict(self.shown.named_parameters()), **dict(self.shown.named_buffers())}
            found |= {AVERAGE + name: tensor for name, tensor in shown.items() if name in found}
        found["n_steps"] = torch.tensor(self._n_steps)
        return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in found.items()}

    def load_state(self, state: Mapping[str, Tensor], sgd: Optimizer) -> None:
        """Go on from where `state` was taken, by an optimizer of the same settings."""
        parameters = self.parameters
        if any(name.startswith(AVERAGE) for name in state):
            self._start_average()
        with torch.no_grad():
            for prefix, module in (("", self.module), (AVERAGE, self.shown)):
                for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
                    if prefix + name in state:
                        tensor.copy_(state[prefix + name])
        moments: dict[str, dict[str, Tensor]] = {}
        for key, tensor in state.items():
            if key.startswith(OPTIMIZER):
                name, _, kind = key.removeprefix(OPTIMIZER).rpartition("/")
                # torch keeps the count of steps on the processor.
                moments.setdefault(name, {})[kind] = tensor.clone() if kind == "step" else tensor.to(self.device)
        optimizer = self._make_optimizer(sgd)
        for name, of_parameter in moments.items():
            optimizer.state[parameters[name]] = of_parameter
        self._n_steps = int(state["n_steps"])

    def _make_optimizer(self, sgd: Optimizer) -> torch.optim.Optimizer:
        is_adam = sgd.use_radam or (sgd.b1 > 0 and sgd.b2 > 0)
        if not is_adam:
            raise ConfigError(
                "transformers are trained with Adam or RAdam, not with plain gradient descent",
                where="training.optimizer",
                next_step='set @optimizers = "Adam.v1"',
            )
        matrices = [p for p in self.parameters.values() if p.ndim > 1]
        vectors = [p for p in self.parameters.values() if p.ndim <= 1]
        groups = [{"params": matrices, "is_decayed": True}, {"params": vectors, "is_decayed": False}]
        groups = [group for group in groups if group["params"]]
        kind: Any = torch.optim.RAdam if sgd.use_radam else torch.optim.AdamW
        self._optimizer = kind(groups, **({"decoupled_weight_decay": True} if sgd.use_radam else {}))
        return self._optimizer

    def _average_decay(self, sgd: Optimizer) -> float | None:
        own = self.options.get("average_decay")
        return USUAL_AVERAGE_DECAY if own is None and sgd.averages is not None else own

    def _start_average(self) -> None:
        # What does not learn is one and the same in both.
        shared = {id(p): p for p in self.module.parameters() if not p.requires_grad}
        self.shown = copy.deepcopy(self.module, shared)
        self.shown.requires_grad_(False)

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        averaged = dict(self.shown.named_parameters())
        for name, parameter in self.parameters.items():
            averaged[name].lerp_(parameter, 1 - decay)
        for mine, theirs in zip(self.shown.buffers(), self.module.buffers(), strict=True):
            mine.copy_(theirs)


def _freeze(module: nn.Module, patterns: list[str], where: str) -> None:
    names = [name for name, _ in module.named_parameters()]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            shown = ", ".join(sorted({".".join(name.split(".")[:2]) for name in names})[:6])
            raise ModelError(
                f"frozen = {pattern!r} fits the name of no parameter",
                where=where,
                next_step=f"names begin with {shown}, ...; * stands for any characters",
            )
    for name, parameter in module.named_parameters():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)


_UNFREEZE = "leave something out of `frozen` in the model's `training` table"
