"""How the rate of a classifier changes with the number of documents, their length, the components and the workers, and
what share of the machine's own matrix products it reaches.

    python benchmarks/scaling.py [documents] [length] [components] [shared] [workers] [peak] [operators] [around]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from chosen import parsed, parser_of
from ours import BATCH_SIZES, loaded, settings
from race import Way, fastest, race, spread
from tasks.caption import pictures
from tasks.write import checkpoint
from texts import CORPORA, mixed_texts
from transformers.modeling_outputs import SequenceClassifierOutput

import mmpipe
from mmpipe.models.transformer import shim_of
from mmpipe.runtime.device import DTYPES

SHORT = {"median_words": 12.0, "spread": 0.4}


def rate(nlp: Any, texts: list[str]) -> float:
    """Documents a second, after one window to warm up."""
    list(nlp.pipe(texts[:64], batch_size=64))
    began = time.perf_counter()
    for _ in nlp.pipe(texts, batch_size=256):
        pass
    return len(texts) / (time.perf_counter() - began)


def table(title: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    print(f"\n## {title}\n\n| {columns} |\n|{'---|' * len(rows[0])}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


def documents() -> None:
    nlp, rows = loaded("mmpipe_sentiment"), []
    for n in (100, 1000, 10_000, 100_000):
        rows.append((f"{n:,}", f"{rate(nlp, mixed_texts(n, **SHORT)):.1f}"))
    table("number of documents, of about 12 words", "documents | documents a second", rows)


def length() -> None:
    nlp, rows = loaded("mmpipe_sentiment"), []
    for n_words in (10, 30, 100, 300):
        texts = mixed_texts(max(2000 // n_words, 20), median_words=n_words, spread=0.0)
        n_tokens = sum(len(ids) for ids in shim_of(nlp.get_pipe("ours").model).tokenizer(texts)["input_ids"])
        found = rate(nlp, texts)
        rows.append((n_words, f"{found:.1f}", f"{found * n_tokens / len(texts):,.0f}"))
    table("length of the texts", "words | documents a second | tokens a second", rows)


def components() -> None:
    texts, rows = mixed_texts(300, **SHORT), []
    for n in (1, 2, 4):
        names = [f"part{number}" for number in range(n)]
        parts = {name: {"factory": "mmpipe_sentiment", "field": name, "cats_prefix": name} for name in names}
        nlp = mmpipe.load({"nlp": {"lang": "en", "pipeline": names}, "components": parts})
        rows.append((n, f"{rate(nlp, texts):.1f}"))
    table("number of classifiers, on the same weights", "components | documents a second", rows)


def shared() -> None:
    """Sentiment and a summary of each text: by a model each, and by heads on one encoder."""
    texts, rows = mixed_texts(200), []
    parts = {"sentencizer": {"factory": "sentencizer"}, "sentiment": {"factory": "mmpipe_sentiment"}}
    parts["summary"] = {"factory": "mmpipe_summariser", "n_sentences": 3}
    apart = mmpipe.load({"nlp": {"lang": "en", "pipeline": list(parts)}, "components": parts})
    together = mmpipe.load(CORPORA / "one_pass/pipeline")
    ways = [
        Way(name, lambda nlp=nlp: list(nlp.pipe(texts, batch_size=256)))
        for name, nlp in (("a model each", apart), ("one encoder for both", together))
    ]
    race(ways, 3)
    for way in ways:
        rows.append((way.name, f"{len(texts) / statistics.median(way.seconds):.1f}", spread(ways[0], way)))
    table("sentiment and summary", "models | documents a second | times as fast", rows)


def workers() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        source = Path(name, "in.jsonl")
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in mixed_texts(3000, **SHORT)), "utf-8")
        for n in (0, 1, 2):
            command = ["run", "sentiment", str(source), "-o", f"{name}/out{n}", "--workers", str(n)]
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "mmpipe", *command], check=True, capture_output=True)
            rows.append((n, f"{3000 / (time.perf_counter() - began):.1f}"))
    table("workers of `mmpipe run`, 3,000 documents, starting included", "workers | documents a second", rows)


def peak() -> None:
    """A classifier at 128 tokens beside matrix products of the shapes that it multiplies most."""
    rows = []
    for name, setting in settings().items():
        if setting["precision"] not in DTYPES:
            continue  # In torch there is nothing to set it beside.
        nlp = loaded("mmpipe_sentiment", model=setting)
        shim = shim_of(nlp.get_pipe("ours").model)
        module, n_tokens, config = shim.module, 16 * 128, shim.config
        inputs = {"input_ids": torch.randint(1000, 20_000, (16, 128)), "attention_mask": torch.ones(16, 128).long()}
        inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])
        a = torch.randn(n_tokens, config.hidden_size).to(DTYPES[setting["precision"]])
        b = torch.randn(config.hidden_size, config.intermediate_size).to(a.dtype)
        with torch.inference_mode():
            best = 2 * n_tokens * b.numel() / seconds(lambda a=a, b=b: a @ b)
            took = seconds(lambda module=module, inputs=inputs: module(**inputs))
        width, inner, n_layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
        # Per token and layer: four projections, two of the feed-forward part, scores and their sums over 128 tokens. Of
        # the last layer, two projections: the rest is computed for a few tokens of each text.
        a_layer = 4 * width**2 + 2 * width * inner + 2 * 128 * width
        work = 2 * n_tokens * ((n_layers - 1) * a_layer + 2 * width**2)
        shown = (f"{best / 1e9:.0f}", f"{work / took / 1e9:.0f}", f"{work / took / best:.0%}")
        rows.append((name, *shown))
    table(
        "share of the matrix-product peak, 16 texts of 128 tokens",
        "mmpipe | torch's products, GFLOP/s | reached | share",
        rows,
    )


def operators() -> None:
    """Where torch's time goes, in a classifier, in captions and in summaries that four beams write."""
    texts, rows = mixed_texts(200), []
    with tempfile.TemporaryDirectory() as name:
        files = pictures(Path(name, "pictures"), 64)
        classifier, captions = loaded("mmpipe_sentiment"), loaded("mmpipe_caption")
        records = [{"image": file.name} for file in files]

        def caption() -> None:
            list(captions.pipe(mmpipe.make_docs(captions, records, root=files[0].parent), batch_size=256))

        model = {"@architectures": "mmpipe.Seq2Seq.v1", "long_text": "truncate", "num_beams": 4, "early_stopping": True}
        writer = loaded("mmpipe_summariser", checkpoint(Path(name, "writer")), model=model)
        for of, do in (
            ("a classifier", lambda: list(classifier.pipe(texts, batch_size=256))),
            ("captions", caption),
            ("written summaries", lambda: list(writer.pipe(texts[:12], batch_size=256))),
        ):
            do()
            with torch.profiler.profile() as profile:
                do()
            found = sorted(profile.key_averages(), key=lambda one: -one.self_cpu_time_total)
            whole = sum(one.self_cpu_time_total for one in found)
            rows += [(of, one.key, f"{one.self_cpu_time_total / whole:.0%}", one.count) for one in found[:5]]
    table("where torch's time goes", "in | operator | share of the time | calls", rows)


def around() -> None:
    """A classifier whose model takes no time: tokenizing, batches and results, which bound what any device can do."""
    nlp, texts = loaded("mmpipe_sentiment"), mixed_texts(1000)
    shim = shim_of(nlp.get_pipe("ours").model)
    model = transformers.AutoModelForSequenceClassification.from_config(shim.config)
    pipe = transformers.pipeline("text-classification", model=model, tokenizer=shim.tokenizer, device="cpu")

    def nothing(input_ids: torch.Tensor, **_: Any) -> Any:
        return SequenceClassifierOutput(logits=torch.zeros(len(input_ids), shim.config.num_labels))

    shim.module.forward = model.forward = nothing
    ways = [
        Way(f"pipeline(), batch size {n}", lambda n=n: pipe(texts, batch_size=n, truncation=True)) for n in BATCH_SIZES
    ]
    ways.append(Way("mmpipe", lambda: list(nlp.pipe(texts, batch_size=256))))
    ways.append(Way("of that, the model's tokenizer", lambda: shim.tokenizer(texts)))
    ways.append(Way("of that, spaCy's tokenizer", lambda: list(map(nlp.make_doc, texts))))
    race(ways, 5)
    best = fastest(ways[: len(BATCH_SIZES)])
    rows = [(way.name, f"{len(texts) / statistics.median(way.seconds):.0f}", spread(best, way)) for way in ways]
    table("a classifier whose model takes no time", "way | documents a second | times as fast", rows)


def seconds(do: Callable[[], Any]) -> float:
    """The least of several, each long enough to be timed."""
    do()
    found = []
    for _ in range(7):
        began, n = time.perf_counter(), 0
        while time.perf_counter() - began < 0.3:
            do()
            n += 1
        found.append((time.perf_counter() - began) / n)
    return min(found)


TABLES = {one.__name__: one for one in (documents, length, components, shared, workers, peak, operators, around)}


def main() -> None:
    for name in parsed(parser_of(__doc__, "TABLE", TABLES)).names:
        TABLES[name]()


if __name__ == "__main__":
    main()
