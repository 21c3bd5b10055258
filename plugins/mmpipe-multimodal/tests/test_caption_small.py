"""The shipped model, on real photos."""

from __future__ import annotations

import gzip
import json
import os
import re
import zipfile
from pathlib import Path

import pytest
import sacrebleu
from PIL import Image
from spacy.language import Language
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

import mmpipe
import mmpipe.models.grid_encoder

MODEL = Path(__file__).parents[1] / "src" / "mmpipe_multimodal" / "models" / "caption-small"
FLICKR = Path(os.environ.get("MMPIPE_DATA", ".")) / "captions"
N_PHOTOS = 96

pytestmark = pytest.mark.skipif(not (MODEL / "model.safetensors").exists(), reason="caption-small is not there yet")


@pytest.fixture(scope="module")
def nlp() -> Language:
    return mmpipe.load("caption", {"components.caption.model.device": "cpu"})


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    """A folder, and the first records of the dev split whose photos are in it."""
    file = FLICKR / "flickr8k_dev.jsonl.gz"
    if "MMPIPE_DATA" not in os.environ or not file.exists():
        pytest.skip("MMPIPE_DATA names no folder that holds captions/flickr8k_dev.jsonl.gz")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line, _ in zip(lines, range(N_PHOTOS), strict=False)]
    root = tmp_path_factory.mktemp("photos")
    with zipfile.ZipFile(FLICKR / "flickr8k_images_192.zip") as archive:
        for record in records:
            archive.extract(record["image"], root)
    return root, [{"image": record["image"], "gold": record["captions"]} for record in records]


def bare(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def test_bleu_on_photos_that_it_was_not_trained_on(nlp: Language, photos: tuple[Path, list[dict]]) -> None:
    root, records = photos
    docs = list(nlp.pipe(mmpipe.make_docs(nlp, records, root=root)))
    written = [bare(doc._.captions[0]["text"]) for doc in docs]
    gold = [[bare(record["gold"][k]) for record in records] for k in range(5)]
    # Of all 1,000 its card tells; 96 stray by about two points.
    assert sacrebleu.corpus_bleu(written, gold, tokenize="none").score >= 18
    for text in written:
        words = text.split()
        runs = list(zip(words, words[1:], words[2:], strict=False))
        assert len(runs) == len(set(runs)), f"it repeats itself: {text}"


def test_it_is_a_plain_hugging_face_checkpoint(nlp: Language, photos: tuple[Path, list[dict]]) -> None:
    root, records = photos
    model, tokenizer = AutoModelForImageTextToText.from_pretrained(MODEL), AutoTokenizer.from_pretrained(MODEL)
    processor = AutoImageProcessor.from_pretrained(MODEL)
    for record in records[:3]:
        pixels = processor(images=Image.open(root / record["image"]), return_tensors="pt")["pixel_values"]
        text = tokenizer.decode(model.float().generate(pixel_values=pixels)[0], skip_special_tokens=True)
        doc = nlp(mmpipe.make_doc(nlp, record, root=root))
        assert doc._.captions[0]["text"] == text.strip()


def test_the_card_and_the_size_of_what_is_shipped() -> None:
    assert sum(file.stat().st_size for file in MODEL.iterdir()) <= 40_000_000
    card = (MODEL / "README.md").read_text("utf-8").lower()
    assert all(
        word in card for word in ("licence", "research and education", "flickr8k", "bleu-4", "cider", "apache-2.0")
    )
