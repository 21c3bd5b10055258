"""Extractive summaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import spacy
from ours import device, loaded, saved, settings
from race import Way, compare, share
from texts import mixed_texts


def summarise(folder: Path, rounds: int, n: int) -> None:
    """Extractive summaries, beside the encoding alone of the same sentences."""
    from sentence_transformers import SentenceTransformer, models

    model, texts = saved("mmpipe_summariser", folder), mixed_texts(n)
    splitter = spacy.blank("en")
    splitter.add_pipe("sentencizer")
    sentences = [str(sent) for doc in splitter.pipe(texts) for sent in doc.sents]
    words = models.Transformer(model)
    encoder = SentenceTransformer(
        modules=[words, models.Pooling(words.get_word_embedding_dimension())], device=device()
    )
    others = [
        Way("sentence-transformers' encode, batch size 32", lambda: encoder.encode(sentences, show_progress_bar=False))
    ]
    ours = []
    for name, setting in settings().items():
        own = loaded("mmpipe_summariser", model, model=setting)

        def run(own: Any = own) -> list[str]:
            return [doc._.summary["text"] for doc in own.pipe(texts, batch_size=256)]

        ours.append(Way(f"mmpipe, {name}", run))
    compare(
        f"summarise: {n} texts, {len(sentences)} sentences",
        others,
        ours,
        n,
        rounds,
        lambda way: (
            f"{share(way.outputs, ours[0].outputs):.1%} of summaries as in fp32" if way in ours else "vectors only"
        ),
    )
