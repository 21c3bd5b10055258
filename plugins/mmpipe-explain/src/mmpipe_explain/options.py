"""How something is explained: the settings that the methods share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mmpipe import ConfigError, ModelError
from mmpipe.models.attribution import Probe

Method = Literal["integrated_gradients", "gradient_x_input", "occlusion"]
Unit = Literal["token", "word", "piece", "sentence"]
Baseline = Literal["auto", "mask", "pad", "zero", "delete"]
Score = Literal["margin", "logit"]

BASELINES: dict[Method, tuple[Baseline, ...]] = {
    "integrated_gradients": ("auto", "mask", "pad", "zero"),
    "gradient_x_input": ("auto", "zero"),
    "occlusion": ("auto", "mask", "pad", "delete"),
}
"""What each method can hold a text against."""


@dataclass(frozen=True)
class Options:
    """method: see mmpipe_explain.gradients and mmpipe_explain.occlusion.

    unit: what a weight belongs to: a spaCy token, a word between white space, a piece of the model's tokenizer, or a
        sentence.
    baseline: what stands in for the words: the tokenizer's mask or padding token, zero embeddings, or nothing
        ("delete"). "auto" is the first of these that the method and the tokenizer have; gradient x input is always
        held against zero.
    score: what is attributed of a classifier with exclusive labels: "margin", the label's logit less that of the
        likeliest other one, or "logit", the label's alone.
    n_steps, max_steps, tolerance: integrated gradients begin with n_steps and double them, up to max_steps, until the
        weights sum to the difference of the scores within tolerance, in units of the score (logits).
    batch_tokens: tokens in one pass of the model; None: the model's own setting.
    """

    method: Method = "integrated_gradients"
    unit: Unit = "token"
    baseline: Baseline = "auto"
    score: Score = "margin"
    n_steps: int = 32
    max_steps: int = 256
    tolerance: float = 0.01
    batch_tokens: int | None = None

    def check(self, where: str) -> None:
        """Raises ConfigError, naming the section `where`, for settings that do not go together."""
        # Where spaCy alone builds the component, nothing else looks at these.
        for name, kind in (("method", Method), ("unit", Unit), ("baseline", Baseline), ("score", Score)):
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(
                    f"there is no {name} {getattr(self, name)!r}",
                    where=f"{where}.{name}",
                    next_step=f"use one of {', '.join(get_args(kind))}",
                )
        if self.baseline not in BASELINES[self.method]:
            raise ConfigError(
                f"{self.method} cannot be held against {self.baseline!r}",
                where=f"{where}.baseline",
                next_step=f"use one of {', '.join(BASELINES[self.method])}",
            )
        if self.max_steps < self.n_steps:
            raise ConfigError(
                f"max_steps = {self.max_steps} is less than n_steps = {self.n_steps}",
                where=f"{where}.max_steps",
                next_step="raise it, or lower n_steps",
            )

    def baseline_of(self, probe: Probe) -> tuple[Baseline, int | None]:
        """What "auto" is for this model, and the token's id; None for "zero" and "delete".

        Raises ModelError where the tokenizer has no such token, and for deleting from what an extractor reads.
        """
        if self.method == "gradient_x_input":
            return "zero", None
        wanted = BASELINES[self.method][1:] if self.baseline == "auto" else (self.baseline,)
        for name in wanted:
            if name == "delete" and probe.kind == "extractor":
                break  # An answer's own words would be gone, and with them the logits that are explained.
            if name in ("zero", "delete"):
                return name, None
            token_id = probe.token_id(name)  # type: ignore[arg-type]
            if token_id is not None:
                return name, token_id
        raise ModelError(
            f"{self.method} with baseline = {self.baseline!r} is not possible on model {probe.name!r}",
            next_step="it has no such token, or it finds answers, from which nothing can be deleted; take another of "
            f"{', '.join(BASELINES[self.method][1:])}",
        )
