"""Greedy and beam search in which an input leaves the batch once it has ended. The texts are those of `generate` for
each input alone: in transformers before 5, those that have ended may change for as long as others of a batch go on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mmpipe.models.encoder_layer import become
from mmpipe.models.likelihood import Likelihood
from mmpipe.models.shared_reading import share_reading
from mmpipe.models.steps import Steps

_ROW_BY_ROW = frozenset({
    "ExponentialDecayLengthPenalty",
    "ForcedBOSTokenLogitsProcessor",
    "ForcedEOSTokenLogitsProcessor",
    "InfNanRemoveLogitsProcessor",
    "LogitNormalization",
    "MinLengthLogitsProcessor",
    "MinNewTokensLengthLogitsProcessor",
    "NoBadWordsLogitsProcessor",
    "NoRepeatNGramLogitsProcessor",
    "RepetitionPenaltyLogitsProcessor",
    "SequenceBiasLogitsProcessor",
    "SuppressTokensAtBeginLogitsProcessor",
    "SuppressTokensLogitsProcessor",
})  # fmt: skip
"""Of transformers, what looks at one row at a time."""
_STOPS = frozenset({"MaxLengthCriteria", "EosTokenCriteria"})
_NOTHING = -1.0e9
"""The score of a beam that is none."""
LEAVING = 8
"""Inputs leave when they are one in so many, or more: what the others go on with is copied then."""


_OF_SEARCH = ("synced_gpus", "streamer")
"""What `generate` hands on that is not for the model."""


class Searching(nn.Module):
    """In place of a model that generates. What is not known here it searches as before."""

    def _sample(
        self, input_ids: Tensor, logits_processor: Any, stopping_criteria: Any, generation_config: Any, **options: Any
    ) -> Any:
        given = (logits_processor, stopping_criteria, generation_config)
        steps = _steps(self, given, options, n_beams=1)
        return super()._sample(input_ids, *given, **options) if steps is None else _greedy(steps, input_ids, *given)

    def _beam_search(
        self, input_ids: Tensor, logits_processor: Any, stopping_criteria: Any, generation_config: Any, **options: Any
    ) -> Any:
        given = (logits_processor, stopping_criteria, generation_config)
        steps = _steps(self, given, options, n_beams=generation_config.num_beams)
        if steps is None:
            return super()._beam_search(input_ids, *given, **options)
        return _Beams(steps, input_ids, *given).search()


def _steps(module: nn.Module, given: tuple[Any, Any, Any], options: dict[str, Any], *, n_beams: int) -> Steps | None:
    """The steps of a search; None where something of it is not known here."""
    processors, stops, config = given
    inputs = {name: value for name, value in options.items() if name not in _OF_SEARCH}
    is_known = (
        not config.do_sample
        and not any(options.get(name) for name in _OF_SEARCH)
        and all(isinstance(one, Likelihood) or type(one).__name__ in _ROW_BY_ROW for one in processors)
        and {type(one).__name__ for one in stops} <= _STOPS
        and not config.return_dict_in_generate
        and not getattr(config, "low_memory", None)
        and not getattr(config, "prefill_chunk_size", None)
        and config.num_return_sequences == 1
        and Steps.can_do(module, inputs)
    )
    return Steps(module, config, inputs, n_beams) if is_known else None


def _tell(processors: Any, inputs: Tensor) -> None:
    """Which inputs there still are, to who counts rows."""
    for one in processors:
        if isinstance(one, Likelihood):
            one.inputs = inputs.tolist()


def _is_time(is_open: Tensor) -> bool:
    """Whether enough inputs have ended."""
    n_ended = len(is_open) - int(is_open.sum())
    return n_ended * LEAVING >= len(is_open)


def _greedy(steps: Steps, ids: Tensor, processors: Any, stops: Any, config: Any) -> Tensor:
    """(n_inputs, length of the longest): the likeliest token at each place, and padding after an end."""
    inputs = torch.arange(len(ids), device=ids.device)
    is_open = torch.ones_like(inputs, dtype=torch.bool)
    filler = config._pad_token_tensor if config._pad_token_tensor is not None else ids.new_tensor(0)
    found: list[Tensor | None] = [None] * len(ids)
    while True:
        token = processors(ids, steps.logits(ids)).argmax(-1)
        ids = torch.cat((ids, torch.where(is_open, token, filler)[:, None]), 1)
        is_open &= ~stops(ids, None)
        if _is_time(is_open):
            for row in (~is_open).nonzero().flatten().tolist():
                found[inputs[row]] = ids[row]
            left = is_open.nonzero().flatten()
            if not len(left):
                return nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=int(filler))  # type: ignore[arg-type]
            steps.go_on(left, left)
            ids, inputs, is_open = ids[left], inputs[left], is_open[left]
            _tell(processors, inputs)


class _Beams:
    """The beams of all inputs.

    Of the n_inputs that are still there: `ids` of the running ones, (n_inputs, n_beams, length), and their `scores`,
    sums of log-probabilities, (n_inputs, n_beams); the best that `ended`, (n_inputs, n_beams, max_length), with `final`
    scores by length and whether there are any, `has_ended`.
    """

    def __init__(self, steps: Steps, ids: Tensor, processors: Any, stops: Any, config: Any) -> None:
        self.steps, self.processors, self.stops, self.config = steps, processors, stops, config
        n, ends = steps.n_beams, config._eos_token_tensor
        self.n_prompt = ids.shape[1]
        self.n_candidates = max(2, 1 + (0 if ends is None else len(ends))) * n
        # As `generate` fills up: by the padding token, unless that is 0 or none.
        self.filler = -1 if ends is None else int(config._pad_token_tensor or ends[0])
        self.ids = ids.unflatten(0, (-1, n))
        n_inputs = len(self.ids)
        self.scores = torch.zeros((n_inputs, n), device=ids.device)
        self.scores[:, 1:] = _NOTHING  # The first is all of them at the beginning.
        self.final = torch.full_like(self.scores, _NOTHING)
        self.has_ended = torch.zeros_like(self.scores, dtype=torch.bool)
        self.ended = ids.new_full((n_inputs, n, config.max_length), self.filler)
        self.inputs = torch.arange(n_inputs, device=ids.device)
        self.is_open = torch.ones_like(self.inputs, dtype=torch.bool)
        self.found = ids.new_full((n_inputs, config.max_length), self.filler)
        self.n_longest = 0

    def search(self) -> Tensor:
        """(n_inputs, length of the longest): the best of each, filled up."""
        while True:
            beams = self._step()
            rows = torch.arange(len(beams), device=beams.device)[:, None] * self.steps.n_beams + beams
            left = None
            if _is_time(self.is_open):
                self.found[self.inputs[~self.is_open]] = self.ended[~self.is_open, 0]
                left = self.is_open.nonzero().flatten()
                if not len(left):
                    return self.found[:, : self.n_longest]
                self._keep(left)
                rows = rows[left]
            self.steps.go_on(rows.flatten(), left)

    def _keep(self, left: Tensor) -> None:
        for name in ("ids", "scores", "final", "has_ended", "ended", "inputs", "is_open"):
            setattr(self, name, getattr(self, name)[left])
        _tell(self.processors, self.inputs)

    def _step(self) -> Tensor:
        """One token more; which beam each of the running ones goes on from, (n_inputs, n_beams)."""
        n = self.steps.n_beams
        flat = self.ids.flatten(0, 1)
        told = self.processors(flat, self.steps.logits(flat).log_softmax(-1))
        sums = (told.unflatten(0, (-1, n)) + self.scores[:, :, None]).flatten(1)
        sums, places = sums.topk(self.n_candidates)
        beams, tokens = places // told.shape[1], places % told.shape[1]
        candidates = torch.cat((_pick(self.ids, beams), tokens[:, :, None]), 2)
        is_end = self.stops(candidates.flatten(0, 1), None).unflatten(0, (-1, self.n_candidates))
        self._end(candidates, sums, is_end)
        sums = sums + is_end * _NOTHING
        chosen = sums.topk(n).indices
        self.ids, self.scores = _pick(candidates, chosen), sums.gather(1, chosen)
        self.is_open &= self._may_improve() & ~is_end.all(1)
        return beams.gather(1, chosen)

    def _end(self, candidates: Tensor, sums: Tensor, is_end: Tensor) -> None:
        """Keep the best of those that have ended, these among them."""
        n, length = self.steps.n_beams, candidates.shape[2]
        is_new = is_end & self.is_open[:, None]
        is_new[:, n:] = False  # Those behind the best are there to go on from.
        if not is_new.any():
            return
        scores = sums / (length - self.n_prompt) ** self.config.length_penalty
        scores = torch.cat((self.final, scores.masked_fill(~is_new, 2 * _NOTHING)), 1)
        whole = nn.functional.pad(candidates, (0, self.ended.shape[2] - length), value=self.filler)
        self.final, best = scores.topk(n)
        self.ended = _pick(torch.cat((self.ended, whole), 1), best)
        self.has_ended = torch.cat((self.has_ended, is_new), 1).gather(1, best)
        self.n_longest = length

    def _may_improve(self) -> Tensor:
        """(n_inputs,): whether a running beam may become better than the worst that ended, as `generate` judges it."""
        stopping, penalty = self.config.early_stopping, self.config.length_penalty
        is_full = self.has_ended.all(1) if stopping is True else torch.zeros_like(self.is_open)
        length = self.config.max_length if stopping == "never" and penalty > 0 else self.ids.shape[2]
        best = self.scores[:, :1] / (length - self.n_prompt) ** penalty
        worst = torch.where(self.has_ended, self.final.min(1, keepdim=True).values, _NOTHING)
        return (best > worst).any(1) & ~is_full


def _pick(rows: Tensor, places: Tensor) -> Tensor:
    """Of (n_inputs, n, length), the rows at (n_inputs, m): (n_inputs, m, length)."""
    return rows.gather(1, places[:, :, None].expand(-1, -1, rows.shape[2]))


def searching(module: nn.Module) -> nn.Module:
    """The same module; whatever in it generates lets those leave that have ended; beams share what they read."""
    from transformers import GenerationMixin

    share_reading(module)
    for part in list(module.modules()):
        if isinstance(part, GenerationMixin):
            become(part, Searching, type(part).__name__)
    return module
