"""Captions of pictures."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import transformers
from ours import BATCH_SIZES, device, loaded, saved
from PIL import Image
from race import Way, compare, share
from texts import CORPORA

import mmpipe


def pictures(folder: Path, n: int) -> list[Path]:
    """n distinct pictures cut from those of corpora/gallery, saved as JPEG."""
    draw, found = random.Random(0), []
    rows = [json.loads(line) for line in (CORPORA / "gallery/gallery.jsonl").open(encoding="utf-8")]
    whole = [Image.open(CORPORA / "gallery" / row["image"]).convert("RGB") for row in rows]
    folder.mkdir(parents=True)
    for number in range(n):
        image = whole[number % len(whole)]
        side = draw.uniform(0.6, 0.95)
        width, height = int(image.width * side), int(image.height * side)
        left, top = draw.randrange(image.width - width), draw.randrange(image.height - height)
        found.append(folder / f"{number}.jpg")
        image.crop((left, top, left + width, top + height)).save(found[-1], quality=92)
    return found


def caption(folder: Path, rounds: int, n: int) -> None:
    """One caption a picture, files to text, the shipped model with its own beams."""
    model, files = saved("mmpipe_caption", folder), pictures(folder / "pictures", n)
    pipe = transformers.pipeline("image-to-text", model=model, device=device())
    paths = [str(file) for file in files]

    def theirs(size: int) -> list[str]:
        return [one[0]["generated_text"] for one in pipe(paths, batch_size=size)]

    others = [Way(f"pipeline(), batch size {size}", lambda size=size: theirs(size)) for size in BATCH_SIZES]
    nlp = loaded("mmpipe_caption", model)

    def run() -> list[str]:
        docs = mmpipe.make_docs(nlp, [{"image": file.name} for file in files], root=files[0].parent)
        return [doc._.captions[0]["text"] for doc in nlp.pipe(docs, batch_size=256)]

    def agree(way: Any) -> str:
        return f"{share(way.outputs, others[0].outputs):.1%} of captions"

    compare(f"caption: {n} pictures", others, [Way("mmpipe, fp32", run)], n, rounds, agree)
