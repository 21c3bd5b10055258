"""Summaries that are written, by a model of BART's shape with random weights: nothing of its kind is shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from ours import BATCH_SIZES, device, loaded
from race import Way, compare, share
from texts import mixed_texts

from mmpipe.testing import tiny_checkpoint

N_WORDS = 40
"""Of each summary: weights that learnt nothing never end one."""
SHAPE = {"d_model": 512, "encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048}
SHAPE |= {f"{part}_{name}": n for part in ("encoder", "decoder") for name, n in (("layers", 6), ("attention_heads", 8))}


def write(folder: Path, rounds: int, n: int) -> None:
    """Summaries of 40 tokens, by four beams, and of as many texts as these are beams by greedy search."""
    model = checkpoint(folder)
    pipe = transformers.pipeline("summarization", model=model, device=device())
    for search, options in (("greedy", {"num_beams": 1}), ("4 beams", {"num_beams": 4, "early_stopping": True})):
        texts = mixed_texts(4 * n // options["num_beams"])

        def theirs(size: int, options: dict[str, Any] = options, texts: list[str] = texts) -> list[str]:
            with torch.inference_mode():
                found = pipe(texts, batch_size=size, truncation=True, max_new_tokens=N_WORDS, **options)
            return [one["summary_text"] for one in found]

        others = [Way(f"pipeline(), batch size {size}", lambda size=size, do=theirs: do(size)) for size in BATCH_SIZES]
        ours = []
        for backend in ("torch", "ctranslate2") if device() == "cpu" else ("torch",):
            settings = {"@architectures": "mmpipe.Seq2Seq.v1", "backend": backend, "long_text": "truncate", **options}
            nlp = loaded("mmpipe_summariser", model, model=settings)
            ours.append(
                Way(
                    f"mmpipe, {backend}, fp32",
                    lambda nlp=nlp, texts=texts: [doc._.summary["text"] for doc in nlp.pipe(texts, batch_size=256)],
                )
            )
        compare(
            f"write: {len(texts)} texts, {N_WORDS} tokens each, {search}",
            others,
            ours,
            len(texts),
            rounds,
            lambda way, wanted=others[0]: f"{share(way.outputs, wanted.outputs):.1%} of texts",
        )


def checkpoint(folder: Path) -> str:
    """The small one that tests use, with larger layers."""
    tiny_checkpoint(folder, "bart", max_tokens=512)
    config = transformers.AutoConfig.from_pretrained(folder)
    config.update({**SHAPE, "num_hidden_layers": SHAPE["encoder_layers"], "init_std": 0.1})
    torch.manual_seed(0)
    made = transformers.BartForConditionalGeneration(config)
    made.save_pretrained(folder)
    file = folder / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "max_new_tokens": N_WORDS}))
    return str(folder)
