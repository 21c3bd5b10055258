"""How good the three ways are on news, beside baselines: prints a table.

    python measure_topics.py DATA -o DIR

DATA holds summaries/bbc_extractive.jsonl.gz (BBC news with five topics). Every method reads the same: a headline and
the first 40 words under it. 250 texts judge; 320 others train, 50 more choose the best step of the training, and
8 of the 320 a topic are the examples of the methods that take a few. DIR gets the files and the trained pipeline.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

import mmpipe

DESCRIPTIONS = {
    "business": "companies, markets, jobs and the economy",
    "entertainment": "films, music, television and celebrities",
    "politics": "government, elections, parties and parliament",
    "sport": "matches, athletes, teams and tournaments",
    "technology": "computers, phones, software and the internet",
}
N_TEST, N_DEV, N_TRAIN, N_EXAMPLES, N_WORDS = 250, 50, 320, 8, 40
Rows = list[dict[str, str]]


def read(data: Path) -> Rows:
    """Distinct texts in an order of a fixed seed."""
    with gzip.open(data / "summaries" / "bbc_extractive.jsonl.gz", "rt", encoding="utf-8") as stream:
        found = [json.loads(line) for line in stream]
    texts = {}
    for row in found:
        text = f"{row['title']}. {' '.join(row['article'].split()[:N_WORDS])}"
        texts.setdefault(text, "technology" if row["topic"] == "tech" else row["topic"])
    rows = [{"text": text, "label": label} for text, label in texts.items()]
    random.Random(0).shuffle(rows)
    return rows


def zero_shot(labels: Any, texts: list[str]) -> list[str]:
    component = {"factory": "mmpipe_zero_shot", "labels": labels}
    nlp = mmpipe.load({"nlp": {"lang": "en", "pipeline": ["topics"]}, "components": {"topics": component}})
    return [doc._.topics["label"] for doc in nlp.pipe(texts)]


def trained(folder: Path, train: Rows, dev: Rows, texts: list[str]) -> list[str]:
    for name, rows in (("train", train), ("dev", dev)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    recipe = Path(__file__).with_name("news_topics.cfg")
    paths = [f"--paths.{name}={folder / name}.jsonl" for name in ("train", "dev")]
    command = [sys.executable, "-m", "mmpipe", "train", str(recipe), "-o", str(folder / "trained"), "--force", *paths]
    subprocess.run(command, check=True)
    return [doc._.topics["label"] for doc in mmpipe.load(folder / "trained" / "model-best").pipe(texts)]


def nearest(said: dict[str, list[str]], texts: list[str]) -> list[str]:
    """The label whose texts' mean TF-IDF vector, weighed by those texts alone, has the largest cosine."""
    vectoriser = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit([t for own in said.values() for t in own])
    means = np.stack([np.asarray(vectoriser.transform(own).mean(axis=0))[0] for own in said.values()])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return [list(said)[i] for i in (vectoriser.transform(texts) @ means.T).argmax(axis=1)]


def regression(train: Rows, texts: list[str]) -> list[str]:
    vectoriser = TfidfVectorizer(stop_words="english", sublinear_tf=True)
    features = vectoriser.fit_transform([row["text"] for row in train])
    model = LogisticRegression(C=10.0, max_iter=1000).fit(features, [row["label"] for row in train])
    return list(model.predict(vectoriser.transform(texts)))


def answers(folder: Path, train: Rows, dev: Rows, texts: list[str]) -> Iterator[tuple[str, int, list[str]]]:
    """Method, labelled texts that it was given, and its labels."""
    of_label = {label: [row["text"] for row in train if row["label"] == label] for label in DESCRIPTIONS}
    few = {label: own[:N_EXAMPLES] for label, own in of_label.items()}
    n_few = N_EXAMPLES * len(few)
    both = {label: {"description": said, "examples": few[label]} for label, said in DESCRIPTIONS.items()}
    yield "the commonest label", len(train), [Counter(row["label"] for row in train).most_common(1)[0][0]] * len(texts)
    yield "TF-IDF, nearest description", 0, nearest({label: [said] for label, said in DESCRIPTIONS.items()}, texts)
    yield "embeddings, names", 0, zero_shot(list(DESCRIPTIONS), texts)
    yield "embeddings, descriptions", 0, zero_shot(DESCRIPTIONS, texts)
    yield "TF-IDF, nearest centroid", n_few, nearest(few, texts)
    yield "embeddings, descriptions and examples", n_few, zero_shot(both, texts)
    yield "TF-IDF, nearest centroid", len(train), nearest(of_label, texts)
    yield "TF-IDF, logistic regression", len(train), regression(train, texts)
    yield "trained (news_topics.cfg)", len(train), trained(folder, train, dev, texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    rows = read(given.data)
    test, dev, train = rows[:N_TEST], rows[N_TEST:][:N_DEV], rows[N_TEST + N_DEV :][:N_TRAIN]
    gold = [row["label"] for row in test]
    print(f"{len(test)} texts, {len(set(gold))} topics\n")
    print("| method | labelled texts | accuracy | macro F1 |\n|---|---|---|---|", flush=True)
    for method, n_labelled, said in answers(given.output, train, dev, [row["text"] for row in test]):
        figures = accuracy_score(gold, said), f1_score(gold, said, average="macro", zero_division=0)
        print(f"| {method} | {n_labelled} | {figures[0]:.3f} | {figures[1]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
