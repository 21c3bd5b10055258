"""CIDEr-D against the numbers of its authors' code and against the paper's formula; BLEU against sacrebleu."""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import re
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import sacrebleu

import mmpipe
from mmpipe.errors import RecordError
from mmpipe.metrics.caption import Caption, Image, bare
from mmpipe.metrics.cider import CiderD

# What people said of each image, and what three machines might.
IMAGES = {
    "beach.jpg": [
        "A brown dog runs along the beach.",
        "A dog is running on the wet sand near the sea.",
        "The dog runs by the water's edge.",
    ],
    "kitchen.jpg": [
        "Two women are cooking in a small kitchen.",
        "A woman stirs a pot while another woman chops onions.",
        "Two people cook together in a kitchen.",
    ],
    "bike.jpg": [
        "A man in a red helmet rides a mountain bike down a rocky hill.",
        "A cyclist rides down a steep, rocky trail.",
        "A man on a bike goes down a hill.",
    ],
    "snow.jpg": [
        "Three children build a snowman in the garden.",
        "Children are playing in the snow.",
        "Three kids in winter coats stand around a snowman.",
    ],
    "street.jpg": [
        "A crowd of people walks across a busy street at night.",
        "People cross the street under bright signs.",
        "A busy crossing in a city at night with many people.",
    ],
}
MACHINES = {
    "good": [
        "A brown dog is running on the beach.",
        "Two women cook in a kitchen.",
        "A man rides a mountain bike down a rocky hill.",
        "Three children are playing in the snow.",
        "A crowd of people crosses a street at night.",
    ],
    "poor": [
        "a dog",
        "a man in a red shirt in a red shirt in a red shirt is in a kitchen",
        "A dog runs through the water",
        "",
        "People.",
    ],
    "copied": [captions[1] for captions in IMAGES.values()],
}
REFERENCES = list(IMAGES.values())
AUTHORS = {
    # pycocoevalcap 1.2 of PyPI, Cider().compute_score, on lower-case runs of letters and digits.
    "good": [2.4696572391, 1.6625093841, 3.0846556985, 3.6832623876, 1.9702994388],
    "poor": [0.6433657839, 0.0642937608, 0.0, 0.0, 0.208207636],
    "copied": [3.5970110333, 3.3333333333, 3.8496079183, 3.6796995951, 3.4990857592],
}


@pytest.mark.parametrize("machine", MACHINES)
def test_equals_the_authors_code(machine: str) -> None:
    found = CiderD(REFERENCES).score_each(MACHINES[machine], REFERENCES)
    assert found.tolist() == pytest.approx(AUTHORS[machine], abs=1e-9)
    assert CiderD(REFERENCES).score(MACHINES[machine], REFERENCES) == pytest.approx(np.mean(AUTHORS[machine]))


def by_the_paper(candidate: list, references: list[list], all_references: list[list[list]]) -> float:
    """Vedantam et al. 2015, equations 1 and 3 to 5, sum by sum."""

    def grams(words: list, n: int) -> Counter:
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    def vector(words: list, n: int) -> dict:
        images = [set().union(*(grams(words, n) for words in of_image)) for of_image in all_references]
        return {
            gram: count * math.log(len(images) / max(1, sum(gram in of_image for of_image in images)))
            for gram, count in grams(words, n).items()
        }

    total = 0.0
    for n in range(1, 5):
        of_candidate = vector(candidate, n)
        for reference in references:
            of_reference = vector(reference, n)
            norms = math.hypot(*of_candidate.values()) * math.hypot(*of_reference.values())
            clipped = sum(min(w, of_reference.get(g, 0.0)) * of_reference.get(g, 0.0) for g, w in of_candidate.items())
            penalty = math.exp(-((len(candidate) - len(reference)) ** 2) / (2 * 6.0**2))
            total += penalty * clipped / norms if norms else 0.0
    return 10 * total / 4 / len(references)


def test_equals_the_papers_formula_on_word_numbers() -> None:
    rng = random.Random(0)

    def caption() -> list[int]:
        return [min(int(rng.expovariate(0.15)), 60) for _ in range(rng.randint(0, 14))]

    references = [[caption() for _ in range(rng.randint(1, 5))] for _ in range(30)]
    candidates = [rng.choice([caption(), rng.choice(of_image)[1:]]) for of_image in references]
    wanted = [by_the_paper(c, r, references) for c, r in zip(candidates, references, strict=True)]
    found = CiderD(references).score_each(candidates, references)
    assert found.tolist() == pytest.approx(wanted, abs=1e-9)
    assert min(wanted) == 0 and max(wanted) > 3


def test_document_frequencies_may_be_of_other_images() -> None:
    """A reward is counted with those of the training captions."""
    words = [[re.findall(r"\w+", c.lower().replace("'", " ")) for c in of_image] for of_image in REFERENCES]
    scorer = CiderD(words[1:])
    (found,) = scorer.score_each([MACHINES["good"][0]], REFERENCES[:1])
    candidate = re.findall(r"\w+", MACHINES["good"][0].lower())
    assert found == pytest.approx(by_the_paper(candidate, words[0], words[1:]))
    assert scorer.score_each([MACHINES["good"][0]], REFERENCES[:1], remember=False)[0] == found


def test_quick_enough_for_a_reward() -> None:
    rng = random.Random(0)
    references = [[[rng.randrange(2000) for _ in range(11)] for _ in range(5)] for _ in range(200)]
    candidates = [rng.choice(of_image)[:4] + rng.choice(of_image)[3:] for of_image in references]
    scorer = CiderD(references)
    scorer.score_each(candidates, references)
    seconds = min(_seconds(lambda: scorer.score_each(candidates, references)) for _ in range(5))
    assert len(candidates) / seconds > 1000


def _seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(machine: list[str]) -> list:
    metric, pairs = Caption(), []
    for (path, captions), text in zip(IMAGES.items(), machine, strict=True):
        gold = metric.read_gold({"image": path, "captions": captions})
        pairs += metric.pairs(gold, [{"image": path, "text": text, "score": -0.1}])
    return pairs


@pytest.mark.parametrize("machine", MACHINES)
def test_equals_sacrebleu(machine: str) -> None:
    found = Caption().measure(paired(MACHINES[machine]))
    said, streams = MACHINES[machine], list(zip(*REFERENCES, strict=True))
    assert found["bleu4_cased"] == pytest.approx(sacrebleu.corpus_bleu(said, streams).score)
    plain = sacrebleu.corpus_bleu(
        [" ".join(re.findall("[a-z0-9]+", t.lower())) for t in said],
        [[" ".join(re.findall("[a-z0-9]+", t.lower())) for t in stream] for stream in streams],
        tokenize="none",
        force=True,
    )
    assert found["bleu4"] == pytest.approx(plain.score)
    assert found["length_ratio"] == pytest.approx(plain.ratio)
    assert found["cider_d"] == pytest.approx(np.mean(AUTHORS[machine]))
    assert found["sacrebleu"] == sacrebleu.__version__


def test_resampling_is_the_corpus_figure_of_those_chosen() -> None:
    pairs = paired(MACHINES["good"])
    chosen = [0, 3, 3, 4, 1, 1]
    streams = list(zip(*(REFERENCES[i] for i in chosen), strict=True))
    wanted = sacrebleu.corpus_bleu([MACHINES["good"][i] for i in chosen], streams).score
    assert Caption().recounter(pairs)(np.array(chosen))["bleu4_cased"] == pytest.approx(wanted)


def test_the_shipped_captions(tmp_path: Path) -> None:
    """Real predictions, counted again by sacrebleu and by the paper's formula."""
    pytest.importorskip("mmpipe_multimodal")
    if not (data := os.environ.get("MMPIPE_DATA")):
        pytest.skip("MMPIPE_DATA names no data")
    metric, pairs = Caption(), []
    with gzip.open(Path(data) / "captions/flickr8k_dev.jsonl.gz", "rt", encoding="utf-8") as stream:
        found = [json.loads(line) for line, _ in zip(stream, range(16), strict=False)]
    with zipfile.ZipFile(Path(data) / "captions/flickr8k_images_192.zip") as archive:
        archive.extractall(tmp_path, [row["image"] for row in found])
    nlp = mmpipe.load("caption", {"components.caption.model.device": "cpu"})
    docs = list(nlp.pipe(mmpipe.make_docs(nlp, [{"image": row["image"]} for row in found], root=tmp_path)))
    for row, doc in zip(found, docs, strict=True):
        pairs += metric.pairs(metric.read_gold(row), doc._.captions)
    said = [bare(doc._.captions[0]["text"]) for doc in docs]
    streams = [[bare(row["captions"][i]) for row in found] for i in range(5)]
    figures = metric.measure(pairs)
    wanted = sacrebleu.corpus_bleu(said, streams, tokenize="none", force=True).score
    assert figures["bleu4"] == pytest.approx(wanted) and wanted > 5
    references = [[one.split() for one in of_image] for of_image in zip(*streams, strict=True)]
    by_formula = [by_the_paper(text.split(), own, references) for text, own in zip(said, references, strict=True)]
    assert figures["cider_d"] == pytest.approx(np.mean(by_formula)) and figures["cider_d"] > 0.1


def test_letters_and_digits_only() -> None:
    assert bare("A man 's T-shirt, No. 9!") == "a man s t shirt no 9"
    assert bare("Ein Mädchen_x") == "ein mädchen x"


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ({"image": "a.jpg"}, None),
        ({"image": "a.jpg", "captions": {}}, None),
        ({"image": "a.jpg", "captions": ["x", "y"]}, [("a.jpg", ("x", "y"))]),
        ({"image": "a.jpg", "captions": "x"}, [("a.jpg", ("x",))]),
        ({"images": ["a.jpg", "b.jpg"], "captions": [["x"], "y"]}, [("a.jpg", ("x",)), ("b.jpg", ("y",))]),
        ({"images": ["a.jpg"], "captions": ["x", "y"]}, [("a.jpg", ("x", "y"))]),
        ({"image": "a.jpg", "images": ["b.jpg"], "captions": ["x", ["y"]]}, [("a.jpg", ("x",)), ("b.jpg", ("y",))]),
        ({"images": ["a.jpg", "b.jpg"], "captions": {"b.jpg": "y"}}, [("b.jpg", ("y",))]),
    ],
)
def test_shapes_of_gold(record: dict, wanted: list | None) -> None:
    found = Caption().read_gold(record)
    assert found is None if wanted is None else [(one.path, one.captions) for one in found] == wanted


@pytest.mark.parametrize("captions", [5, [], [""], [5], [["x"]]])
def test_malformed(captions: object) -> None:
    with pytest.raises(RecordError, match=r"record 'x'.*'captions' must be"):
        Caption().read_gold({"id": "x", "image": "a.jpg", "captions": captions})
    with pytest.raises(RecordError, match="list of 2 lists"):
        Caption().read_gold({"images": ["a.jpg", "b.jpg"], "captions": [["x"]]})


def test_an_image_without_a_caption_is_named() -> None:
    with pytest.raises(RecordError, match=r"'b\.jpg'; of: 'a\.jpg'"):
        Caption().pairs([Image("b.jpg", ("x",))], [{"image": "a.jpg", "text": "x"}])
