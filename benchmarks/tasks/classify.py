"""Labels of texts of mixed lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import spacy
import torch
import transformers
from ours import BATCH_SIZES, device, loaded, saved, settings
from race import Way, compare, share
from texts import mixed_texts


def classify(folder: Path, rounds: int, n: int) -> None:
    """Labels of texts of mixed lengths, no longer than the model."""
    model, texts = saved("mmpipe_sentiment", folder), mixed_texts(n)
    pipe = transformers.pipeline("text-classification", model=model, device=device())
    others = [
        Way(
            f"pipeline(), batch size {size}",
            lambda size=size: [one["label"] for one in pipe(texts, batch_size=size, truncation=True)],
        )
        for size in BATCH_SIZES
    ]
    # On a GPU it needs CuPy, which nothing else here does.
    hf = spacy_huggingface(model) if device() == "cpu" else None
    if hf is not None:
        for size in BATCH_SIZES:
            others.append(
                Way(
                    f"spacy-huggingface-pipelines, batch size {size}",
                    lambda size=size: [max(doc.cats, key=doc.cats.get) for doc in hf.pipe(texts, batch_size=size)],
                )
            )
    others.append(Way("a bare loop, one text at a time", lambda: bare_labels(pipe.model, pipe.tokenizer, texts)))
    ours = []
    for name, setting in settings().items():
        nlp = loaded("mmpipe_sentiment", model, model={**setting, "long_text": "truncate"})
        ours.append(
            Way(
                f"mmpipe, {name}",
                lambda nlp=nlp: [doc._.sentiment["label"] for doc in nlp.pipe(texts, batch_size=256)],
            )
        )
    compare(
        f"classify: {n} texts, 1 label each",
        others,
        ours,
        n,
        rounds,
        lambda way: f"{share(way.outputs, others[0].outputs):.1%} of labels",
    )


def bare_labels(model: Any, tokenizer: Any, texts: list[str]) -> list[str]:
    """What anybody would write by hand."""
    found = []
    with torch.inference_mode():
        for text in texts:
            logits = model(**tokenizer(text, truncation=True, return_tensors="pt").to(model.device)).logits
            found.append(model.config.id2label[int(logits.argmax())])
    return found


def spacy_huggingface(model: str) -> Any:
    """A blank pipeline with spacy-huggingface-pipelines' text classifier; None where that is not installed."""
    try:
        import spacy_huggingface_pipelines  # noqa: F401
    except ImportError:
        print("(spacy-huggingface-pipelines is not installed: pip install 'mmpipe[bench]')")
        return None
    nlp = spacy.blank("en")
    nlp.add_pipe("hf_text_pipe", config={"model": model})
    return nlp
