"""Caption-small: captions of a split by beam search, their BLEU-4 in both spellings and their CIDEr-D.

Choose settings on `--split held_out` (every 30th training image, unseen in training); flickr8k_dev is for measuring.

    python caption_small_measure.py --data DIR --model caption-small --split dev --out captions.jsonl
"""

from __future__ import annotations

import argparse
import io
import json
import time
import zipfile
from pathlib import Path

import sacrebleu
import torch
from caption_small_text import bare
from caption_small_views import read_rows
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

import mmpipe.models.grid_encoder  # noqa: F401  (makes "mmpipe-grid" known)
from mmpipe.metrics.cider import CiderD


def describe(folder: Path, images: list[Image.Image], batch: int = 25, **options) -> list[str]:
    """Captions of images, in their order."""
    model = VisionEncoderDecoderModel.from_pretrained(folder).float().eval()
    tokenizer, processor = AutoTokenizer.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    captions = []
    for start in range(0, len(images), batch):
        pixels = processor([image.convert("RGB") for image in images[start : start + batch]], return_tensors="pt")
        with torch.inference_mode():
            ids = model.generate(pixels.pixel_values, **options)
        captions += tokenizer.batch_decode(ids, skip_special_tokens=True)
    return captions


def scores(rows: list[dict], captions: list[str]) -> dict[str, float]:
    """BLEU-4 of bare words, BLEU-4 of sentences as written (13a), CIDEr-D of bare words (0 to 10), mean length."""
    plain = [[bare(text) for text in row["captions"]] for row in rows]
    mine = [bare(caption) for caption in captions]
    bleu = sacrebleu.corpus_bleu(mine, [list(texts) for texts in zip(*plain, strict=True)], tokenize="none")
    written = [caption[:1].upper() + caption[1:] + " ." for caption in captions]
    references = [list(texts) for texts in zip(*[row["captions"] for row in rows], strict=True)]
    cased = sacrebleu.corpus_bleu(written, references)
    cider = CiderD(plain).score(mine, plain)
    return {
        "BLEU-4": round(bleu.score, 2),
        "brevity": round(bleu.bp, 3),
        "BLEU-4 cased, punctuated": round(cased.score, 2),
        "CIDEr-D": round(cider, 4),
        "words": round(sum(len(caption.split()) for caption in mine) / len(mine), 2),
        "different": len(set(mine)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--split", choices=["held_out", "dev", "test"], default="held_out")
    parser.add_argument("--out", type=Path, help="where the captions go, one JSON object a line")
    parser.add_argument("--options", type=json.loads, default={}, help="for `generate`, as JSON")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = read_rows(args.data, "train")[::30] if args.split == "held_out" else read_rows(args.data, args.split)
    with zipfile.ZipFile(args.data / "captions" / "flickr8k_images_192.zip") as archive:
        images = [Image.open(io.BytesIO(archive.read(row["image"]))) for row in rows]
    began = time.monotonic()
    captions = describe(args.model, images, **args.options)
    seconds = round(time.monotonic() - began)
    print(json.dumps({"seconds": seconds, **args.options, **scores(rows, captions)}), flush=True)
    if args.out:
        with args.out.open("w", encoding="utf-8") as lines:
            for row, caption in zip(rows, captions, strict=True):
                record = {"image": row["image"], "caption": caption, "references": row["captions"]}
                lines.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
