"""The component: summaries made of a document's own sentences, or written by a sequence-to-sequence model."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from mmpipe import ConfigError
from mmpipe.component import TransformerPipe, sentences
from mmpipe.learning import record_of
from mmpipe.models import listener_ranker, ranker, seq2seq
from mmpipe.models.ranker import Ranking
from mmpipe.models.seq2seq import Generation
from mmpipe_summariser.gold import shares, summaries_of
from mmpipe_summariser.selection import select_sentences

DEFAULT_N_SENTENCES = 3
_FULL_STOPS_WITHOUT_SPACE = "。！？｡"
_OPENING, _CLOSING = "“‘「『（《【\"'(", "”’」』）》】\"')"


def is_extractive(model: Model) -> bool:
    """Whether the model ranks sentences; otherwise it writes text."""
    return model.name.startswith("mmpipe.SentenceRanker.") or listener_ranker.listens(model)


class Summariser(TransformerPipe):
    """Writes `doc._.summary = {text, sentences, coverage}`; extractive sentences also to `doc.spans[spans_key]`.

    sentences: the chosen sentences in document order, {start, end, score} in characters; empty for a written
    summary. coverage: the share of the text that the model read (0 to 1).

    At most one of `n_sentences`, `ratio` and `max_tokens` sets the length of an extractive summary. A written summary
    takes its length from the model's own options (`max_new_tokens`, ...).

    n_sentences: at most so many sentences; 3 where no length is set.
    ratio: this share of the sentences, over 0 and up to 1, at least one sentence.
    max_tokens: as many sentences as fit in so many tokens of the model.
    diversity: weight against repetition, 0 (none) to 1 (maximal marginal relevance).
    spans_key: the key of `doc.spans` that chosen sentences go to.
    field, save_weights: see TransformerPipe.
    Raises ConfigError where more than one length is set.
    """

    metric = "summary"
    result_type: ClassVar[Any] = {"text": "string", "sentences": "json", "coverage": "float"}

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "summary",
        *,
        field: str = "summary",
        n_sentences: int | None = None,
        ratio: float | None = None,
        max_tokens: int | None = None,
        diversity: float = 0.1,
        spans_key: str = "summary",
        save_weights: bool = True,
    ) -> None:
        lengths = {"n_sentences": n_sentences, "ratio": ratio, "max_tokens": max_tokens}
        chosen = {key: value for key, value in lengths.items() if value is not None}
        if len(chosen) > 1:
            raise ConfigError(
                f"{' and '.join(chosen)} are set", where=f"components.{name}", next_step="set one length only"
            )
        if chosen and not is_extractive(model):
            raise ConfigError(
                f"{next(iter(chosen))} counts sentences to choose, and {model.name} writes its own",
                where=f"components.{name}.{next(iter(chosen))}",
                next_step="set max_new_tokens in the model block",
            )
        super().__init__(
            vocab,
            model,
            name,
            field=field,
            save_weights=save_weights,
            diversity=diversity,
            spans_key=spans_key,
            **lengths,
        )

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None) -> None:
        """See LearningPipe; a model that listens to a shared encoder gets a new head."""
        if listener_ranker.listens(self.model):
            self._check_gold(get_examples())
            self.model.initialize(X=[example.predicted for example in islice(get_examples(), 10)])
            return
        super().initialize(get_examples, nlp=nlp)

    def has_gold(self, example: Example) -> bool:
        return bool(summaries_of(record_of(example))) and bool(example.predicted.text.strip())

    def loss(self, examples: Sequence[Example]) -> torch.Tensor:
        """See mmpipe.models.ranker.loss and mmpipe.models.seq2seq.loss; the gold is that of mmpipe_summariser.gold.

        Raises ConfigError where nothing has found the sentences that are to be ranked.
        """
        if not is_extractive(self.model):
            texts = [example.predicted.text for example in examples]
            return seq2seq.loss(self.model, texts, [summaries_of(record_of(example))[0] for example in examples])
        documents = self._sentences(examples)
        targets = [shares(of_doc, record_of(e)) for of_doc, e in zip(documents, examples, strict=True)]
        return ranker.loss(self.model, documents, targets)

    def get_loss(self, examples: Iterable[Example], scores: Sequence[Ranking]) -> tuple[float, list[np.ndarray]]:
        """See mmpipe.models.listener_ranker.loss: of a model that listens to a shared encoder."""
        examples = list(examples)
        targets = [
            shares(of_doc, record_of(example)) if self.has_gold(example) else np.zeros(len(of_doc), dtype=np.float32)
            for of_doc, example in zip(self._sentences(examples), examples, strict=True)
        ]
        return listener_ranker.loss(scores, targets)

    def _sentences(self, examples: Sequence[Example]) -> list[list[str]]:
        if not all(example.predicted.has_annotation("SENT_START") for example in examples):
            raise ConfigError(
                "a summary is chosen of sentences, and nothing has found any",
                where=f"components.{self.name}",
                next_step="list the component that finds them in training.annotating_components",
            )
        return [[sent.text for sent in sentences(example.predicted)] for example in examples]

    def predict(self, docs: Iterable[Doc]) -> Sequence[Ranking | Generation]:
        """A ranking of each document's sentences, or the text written for it."""
        if listener_ranker.listens(self.model):
            return self.model.predict(list(docs))
        if is_extractive(self.model):
            return self.model.predict([[sent.text for sent in sentences(doc)] for doc in docs])
        return self.model.predict([doc.text for doc in docs])

    def set_annotations(self, docs: Iterable[Doc], predictions: Sequence[Ranking | Generation]) -> None:
        for doc, prediction in zip(docs, predictions, strict=True):
            if isinstance(prediction, Generation):
                result: dict[str, Any] = {"text": prediction.text, "sentences": []}
            else:
                result = self._extract(doc, prediction)
            doc._.set(self.field, result | {"coverage": prediction.coverage})

    def _extract(self, doc: Doc, ranking: Ranking) -> dict[str, Any]:
        sents = sentences(doc)
        readable = [i for i, n in enumerate(ranking.n_pieces) if n > 0]
        # A stray mark or emoji that the sentencizer split off is no sentence to show.
        readable = [i for i in readable if any(c.isalnum() for c in sents[i].text)] or readable
        lengths = {
            "n_sents": self.cfg["n_sentences"],
            "ratio": self.cfg["ratio"],
            "max_tokens": self.cfg["max_tokens"],
        }
        if all(value is None for value in lengths.values()):
            lengths["n_sents"] = DEFAULT_N_SENTENCES
        picked = select_sentences(
            ranking.scores[readable],
            ranking.embeddings[readable],
            ranking.n_pieces[readable],
            diversity=self.cfg["diversity"],
            **lengths,
        )
        chosen = [readable[i] for i in picked]
        spans = [Span(doc, sents[i].start, sents[i].end) for i in chosen]
        scores = [float(ranking.scores[i]) for i in chosen]
        key = self.cfg["spans_key"]
        doc.spans[key] = SpanGroup(doc, name=key, attrs={"scores": scores}, spans=spans)
        return {
            "text": _join([span.text for span in spans]),
            "sentences": [
                {"start": span.start_char, "end": span.end_char, "score": score}
                for span, score in zip(spans, scores, strict=True)
            ],
        }


def _join(texts: Sequence[str]) -> str:
    """The sentences as running text: a space between them, none after a Chinese or Japanese full stop."""
    joined = ""
    for text in (" ".join(text.split()) for text in texts):
        joined += " " * bool(joined and not _is_seamless(joined, text)) + text
    return joined


def _is_seamless(before: str, after: str) -> bool:
    stop = before.rstrip(_CLOSING)[-1:]
    if stop == "…":  # Latin script has it too, and puts a space after it.
        return unicodedata.east_asian_width(after.lstrip(_OPENING)[:1] or " ") == "W"
    return stop in _FULL_STOPS_WITHOUT_SPACE
