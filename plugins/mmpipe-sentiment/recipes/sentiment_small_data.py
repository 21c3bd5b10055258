"""The texts that `sentiment_small.py` trains on: phrases and sentences with grades, facts, joined passages."""

import gzip
import json
import random
import re
from pathlib import Path

TARGETS = (0.02, 0.15, 0.5, 0.85, 0.98)  # probability of "positive" for each grade
DRAWN = {
    # stage: graded sentences, polar phrases, neutral phrases, facts, passages, copies of the ordinary sentences
    "phrases": (8_544, 60_000, 12_000, 2_000, 0, 0),
    "passages": (8_544, 20_000, 4_000, 2_000, 9_000, 0),
    "ordinary": (1_500, 4_000, 500, 300, 800, 4),
}
"""What an epoch of each stage draws."""
ORDINARY = Path(__file__).parent / "ordinary_sentences.jsonl"
"""420 sentences as people write them in reviews, written for this project: 0 negative, 1 neutral, 2 positive."""
Example = tuple[str, float]  # text, probability of "positive"


def read_rows(path: Path) -> list[dict]:
    """Read a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def ordinary_spelling(text: str) -> str:
    """Undo treebank tokenisation: brackets, quotes, clitics and the spaces before punctuation."""
    text = text.replace("-LRB-", "(").replace("-RRB-", ")").replace("`` ", '"').replace(" ''", '"')
    text = re.sub(r" (n't|'(?:s|re|ve|ll|d|m)\b)", r"\1", text, flags=re.I)
    text = re.sub(r"(^| )` ", r"\1'", text)
    text = re.sub(r"\b(can) not\b", r"\1not", text, flags=re.I)
    return re.sub(r"\( ", "(", re.sub(r" ([.,;:!?)%]|\.\.\.)(?=[ \"')]|$)", r"\1", text))


def augment(text: str, rng: random.Random) -> str:
    """Vary what carries no sentiment: the final full stop, and treebank or ordinary spelling."""
    if text.endswith(" .") and rng.random() < 0.15:
        text = text[:-2]
    elif text[-1:].isalnum() and rng.random() < 0.25:
        text += " ."
    return ordinary_spelling(text) if rng.random() < 0.5 else text


def wiki_sentences(path: Path) -> list[str]:
    """Return the distinct sentences of 5 to 30 words in the paragraphs of a SQuADShifts file."""
    contexts = sorted({row["context"] for row in read_rows(path)})
    sentences = (s.strip() for text in contexts for s in re.split(r"(?<=[a-z0-9]\.) (?=[A-Z])", text))
    return sorted({s for s in sentences if s.endswith(".") and 5 <= len(s.split()) <= 30})


def passages(pool: list[Example], count: int, rng: random.Random) -> list[Example]:
    """Join 2 to 7 sentences of a pool into a text of several sentences, as ordinary reviews are.

    Most of its sentences agree; its last one, where reviews pass judgement, always does. The target lies nearer
    to certainty the larger the agreeing share is.
    """
    sides = {
        True: [example for example in pool if example[1] > 0.5],
        False: [example for example in pool if example[1] < 0.5],
    }
    drawn: list[Example] = []
    for _ in range(count):
        is_positive = rng.random() < 0.5
        n_sents = rng.randint(2, 7)
        n_agreeing = max(1, round(n_sents * rng.choice((0.5, 0.65, 0.8, 1.0, 1.0))))
        body = rng.choices(sides[is_positive], k=n_agreeing - 1) + rng.choices(pool, k=n_sents - n_agreeing)
        rng.shuffle(body)
        chosen = [*body, rng.choice(sides[is_positive])]
        agreement = sum((target > 0.5) == is_positive for _, target in chosen if target != 0.5) / n_sents
        sure = 0.5 + 0.46 * max(agreement, 0.4)
        drawn.append((" ".join(augment(text, rng) for text, _ in chosen), sure if is_positive else 1 - sure))
    return drawn


def draw_epochs(data: Path, epochs: int, size: int, seed: int, stage: str) -> list[list[Example]]:
    """Draw the batches of all epochs: whole sentences, and a fresh share of phrases and facts each time.

    A batch holds texts of similar length: texts are sorted inside pools of 50 batches, batches then shuffled.
    """
    phrases, sentences = (
        [(row["text"], TARGETS[row["label"]]) for row in read_rows(data / "sentiment" / name)]
        for name in ("phrases5_train.jsonl.gz", "sst5_train.jsonl.gz")
    )
    polar = [phrase for phrase in phrases if phrase[1] != 0.5]
    neutral = [phrase for phrase in phrases if phrase[1] == 0.5]
    facts = [(text, 0.5) for text in wiki_sentences(data / "qa" / "squadshifts_new_wiki.jsonl.gz")]
    lines = [json.loads(line) for line in ORDINARY.read_text("utf-8").splitlines()]
    ordinary = [(line["text"], (0.04, 0.5, 0.96)[line["label"]]) for line in lines]
    plan: list[list[Example]] = []
    for epoch in range(epochs):
        rng = random.Random(seed * 1000 + epoch)
        n_sentences, n_polar, n_neutral, n_facts, n_passages, n_copies = DRAWN[stage]
        # Where all sentences are wanted they keep their order: the order of the drawing is part of the recipe.
        some = sentences if n_sentences == len(sentences) else rng.sample(sentences, n_sentences)
        drawn = some + rng.sample(polar, n_polar) + rng.sample(neutral, n_neutral) + rng.sample(facts, n_facts)
        drawn = [(augment(text, rng), target) for text, target in drawn]
        drawn += passages(some + facts[:300] + n_copies * ordinary, n_passages, rng)
        drawn += n_copies * ordinary
        rng.shuffle(drawn)
        pools = [drawn[i : i + size * 50] for i in range(0, len(drawn), size * 50)]
        for pool in pools:
            pool.sort(key=lambda example: len(example[0]))
        batches = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
        random.Random(seed * 1000 + epoch).shuffle(batches)
        plan += batches
    return plan
