"""How likely a generated text is, told while it is generated: one step's probabilities are held at a time."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import LogitsProcessor

Prefix = tuple[int, tuple[int, ...]]
"""Which input, and the tokens written for it so far."""


class Likelihood(LogitsProcessor):
    """Follows `generate` of one batch, greedy or with beams.

    The model's own logits are taken where they leave it, before penalties and bans; the tokens that the search
    chose are seen a step later. Beams are known by their tokens, in whatever row they go on.

    n_beams: rows of an input. end_ids: tokens that end a text.
    """

    def __init__(self, n_beams: int, end_ids: Sequence[int]) -> None:
        self.n_beams, self.end_ids = n_beams, list(end_ids)
        self._logits: Tensor | None = None
        self._latest: Tensor | None = None
        self._rows: dict[Prefix, int] = {}
        self._sums: dict[Prefix, float] = {}
        self._ends: dict[Prefix, list[float]] = {}
        self.n_prompt: int | None = None
        self.inputs: Sequence[int] | None = None
        """Which inputs the rows are of, `n_beams` each, in a search that some may leave; None: all."""

    @contextmanager
    def following(self, module: nn.Module) -> Iterator[Likelihood]:
        """While the context lasts, listen to the module whose output has the logits, as this thread calls it."""
        thread = threading.get_ident()

        def listen(_module: nn.Module, _arguments: Any, output: Any) -> None:
            if threading.get_ident() == thread:  # Pipelines in other threads may share the module.
                self._logits = output.logits[:, -1, :]

        handle = module.register_forward_hook(listen)
        try:
            yield self
        finally:
            handle.remove()
            self._logits = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """What `generate` calls before it chooses a token: shapes (n_rows, length) and (n_rows, n_vocab)."""
        if self.n_prompt is None:
            self.n_prompt = input_ids.shape[1]
        written = input_ids[:, self.n_prompt :].tolist()
        of_group = range(len(written)) if self.inputs is None else self.inputs
        prefixes = [(of_group[row // self.n_beams], tuple(tokens)) for row, tokens in enumerate(written)]
        sums = self._advanced(prefixes)
        latest = self._logits.float().log_softmax(-1)
        # At the first step, beams are equal, and the model may have read one for all.
        self._latest = latest.repeat_interleave(len(written) // len(latest), 0)
        self._rows = {prefix: row for row, prefix in enumerate(prefixes)}
        self._sums = sums
        for prefix, ends in zip(prefixes, self._latest[:, self.end_ids].tolist(), strict=True):
            self._ends[prefix] = [sums[prefix] + end for end in ends]
        return scores

    def of(self, sequences: Tensor) -> list[float]:
        """The geometric mean of the probabilities of each text's tokens, its end included: 0 to 1, shape (n_texts,).

        sequences: what `generate` returned, one row an input.
        """
        return [self._of(index, row[self.n_prompt :]) for index, row in enumerate(sequences.tolist())]

    def _of(self, index: int, tokens: list[int]) -> float:
        end = next((i for i, token in enumerate(tokens) if token in self.end_ids), None)
        if end is not None:
            total, n_tokens = self._ends[index, tuple(tokens[:end])][self.end_ids.index(tokens[end])], end + 1
        else:
            total, n_tokens = self._advanced([(index, tuple(tokens))])[index, tuple(tokens)], len(tokens)
        return math.exp(total / max(n_tokens, 1))

    def _advanced(self, prefixes: Sequence[Prefix]) -> dict[Prefix, float]:
        """The sums of log-probabilities after one more token each than at the latest step."""
        if self._latest is None:
            return dict.fromkeys(prefixes, 0.0)
        parents = [(index, tokens[:-1]) for index, tokens in prefixes]
        rows, last = [self._rows[parent] for parent in parents], [tokens[-1] for _, tokens in prefixes]
        added = self._latest[rows, last].tolist()
        return {
            prefix: self._sums[parent] + step for prefix, parent, step in zip(prefixes, parents, added, strict=True)
        }
