"""`mmpipe explain-check`: whether words that were given much weight matter more to the score than any others.

DeYoung et al. 2020, "ERASER: A Benchmark to Evaluate Rationalized NLP Models", call the figure comprehensiveness.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer

import mmpipe
from mmpipe_explain.command import (
    DeviceOption,
    InputsArgument,
    OfOption,
    PipelineArgument,
    ReaderOption,
    TextKeyOption,
    add_explain,
)

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc


@dataclass(frozen=True)
class Fall:
    """By how much a score falls when words are deleted from the text: those of most weight, or others by chance."""

    top: float
    chance: float


def check(
    pipeline: PipelineArgument,
    inputs: InputsArgument,
    of: OfOption = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Words deleted from each text.")] = 3,
    draws: Annotated[int, typer.Option(min=1, help="Random choices of as many words, to compare with.")] = 5,
    limit: Annotated[int, typer.Option(min=1, help="Texts, of more than twice as many words as are deleted.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the random choices.")] = 0,
    device: DeviceOption = None,
    text_key: TextKeyOption = "text",
    reader: ReaderOption = None,
) -> None:
    """Delete the words of most weight from each text, and as many at random, and compare how far the score falls.

    The score is the logit of the most probable label less that of the likeliest other one. For each method: its mean
    fall, and the share of texts in which the words of most weight made it fall further than the random ones on average.
    """
    nlp = mmpipe.load(pipeline, device=device)
    docs = (doc for doc in mmpipe.read_docs(nlp, inputs, reader=reader, text_key=text_key) if len(_words(doc)) > 2 * k)
    chosen = list(islice(docs, limit))
    print(f"{len(chosen)} texts, {k} words deleted; mean fall of the score, in logits")
    print(f"{'method':<22}{'most weight':>12}{'random':>10}{'further in':>14}")
    for method in ("integrated_gradients", "gradient_x_input", "occlusion"):
        add_explain(nlp, {"method": method, "unit": "word", **({"of": of} if of else {})})
        falls = [fall for doc in chosen for fall in falls_of(nlp, doc, k, draws, random.Random(seed))]
        if not falls:
            raise mmpipe.ConfigError(
                "nothing to delete from: no text was explained by a label",
                where=pipeline,
                next_step=f"name a classifier, and texts of more than {2 * k} words",
            )
        further = sum(fall.top > fall.chance for fall in falls) / len(falls)
        means = f"{fmean(fall.top for fall in falls):>12.3f}{fmean(fall.chance for fall in falls):>10.3f}"
        print(f"{method:<22}{means}{further:>14.1%}")


def falls_of(nlp: Language, doc: Doc, k: int, draws: int, chance: random.Random) -> Iterator[Fall]:
    """One for each label that the pipeline's last component, an `mmpipe_explain` by words, explains."""
    from mmpipe.models.classifier import labels

    _, explaining = nlp.components[-1]
    for found in nlp(doc)._.get(explaining.field):
        words = found["tokens"]
        if found["question"] is not None or len(words) <= k:
            continue
        model = nlp.get_pipe(found["component"]).model
        names = labels(model)
        top = sorted(range(len(words)), key=lambda index: -words[index]["weight"])[:k]
        picks = [[], top, *(chance.sample(range(len(words)), k) for _ in range(draws))]
        texts = [without(doc.text, [(words[i]["start"], words[i]["end"]) for i in pick]) for pick in picks]
        scores = []
        for classification in model.predict(texts):
            logits = dict(zip(names, classification.logits.tolist(), strict=True))
            scores.append(logits[found["target"]] - logits.get(found["against"], 0.0))
        whole, of_top, *of_others = scores
        yield Fall(whole - of_top, whole - fmean(of_others))


def without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text without these stretches."""
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + text[end:]
    return text


def _words(doc: Doc) -> list[str]:
    return doc.text.split()
