"""Caption-small, stage 1: what the frozen, early part of MobileNetV2 makes of several views of every image.

A view is a random crop (area and aspect ratio vary, as in Szegedy et al. 2015), mirrored half of the time, with
jittered brightness, contrast and colour, squashed to a square. Computing the early blocks once and keeping their
output (14 x 14 x 96, fp16, one .npy file a view) lets the later stages train the late blocks at a fifth of the cost.
View 0 is the plain image. A finished file is never computed again, so the command can be repeated after a stop.

    python caption_small_views.py --data DIR --work WORK --views 8
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance

from mmpipe.models.grid_encoder import Backbone, GridEncoderConfig, SameConv
from mmpipe.runtime.device import multiplies_bf16

EARLY = 13  # blocks whose output is kept: the last ones on the 14 x 14 grid


def read_rows(data: Path, split: str) -> list[dict]:
    """The images of a split with their captions, in the file's order."""
    with gzip.open(data / "captions" / f"flickr8k_{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def load_backbone(data: Path) -> Backbone:
    """MobileNetV2 with the ImageNet weights of the archive; its convolutions are in the order of the graph."""
    arrays = np.load(data / "vision" / "mobilenet_v2_1.0_224_dequant.npz")
    backbone = Backbone(GridEncoderConfig()).eval()
    convolutions = [module for module in backbone.modules() if isinstance(module, SameConv)]
    with torch.no_grad():
        for i, convolution in enumerate(convolutions):
            convolution.weight.copy_(torch.from_numpy(arrays[f"conv{i:02d}.weight"].astype(np.float32)))
            convolution.bias.copy_(torch.from_numpy(arrays[f"conv{i:02d}.bias"]))
    return backbone


def augment(image: Image.Image, size: int, rng: random.Random, least_area: float) -> Image.Image:
    """A random view of an image, `size` pixels square."""
    width, height = image.size
    for _ in range(10):
        area = width * height * rng.uniform(least_area, 1.0)
        ratio = 2 ** rng.uniform(-0.45, 0.45)
        w, h = (area * ratio) ** 0.5, (area / ratio) ** 0.5
        if w <= width and h <= height:
            break
    else:
        w, h = width, height
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    image = image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + w, top + h))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(0.75, 1.25))
    return image


def pixels(image: Image.Image) -> torch.Tensor:
    """RGB / 127.5 - 1, channels first."""
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1)


def write_view(
    path: Path, rows: list[dict], images: zipfile.ZipFile, backbone: Backbone, view: int, size: int, area: float
) -> None:
    """Compute one view of all images and put its file in place once it is whole."""
    rng = random.Random(1000 + view)
    dtype = next(backbone.parameters()).dtype
    out = np.empty((len(rows), 96, size // 16, size // 16), np.float16)
    for start in range(0, len(rows), 32):
        batch = []
        for row in rows[start : start + 32]:
            image = Image.open(io.BytesIO(images.read(row["image"]))).convert("RGB")
            plain = view == 0
            batch.append(image.resize((size, size), 2) if plain else augment(image, size, rng, area))
        x = torch.stack([pixels(image) for image in batch]).to(dtype).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            out[start : start + len(batch)] = backbone.early(x, EARLY).float().contiguous().numpy()
    partial = path.with_suffix(".partial.npy")
    np.save(partial, out)
    partial.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with captions/ and vision/")
    parser.add_argument("--work", type=Path, required=True, help="where views and checkpoints go")
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--least-area", type=float, default=0.6, help="smallest share of the image that a crop keeps")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    backbone = load_backbone(args.data).to(memory_format=torch.channels_last)
    is_auto = args.precision == "auto"
    if args.precision == "bf16" or (is_auto and multiplies_bf16(torch.device("cpu"))):
        backbone = backbone.to(torch.bfloat16)
    rows = read_rows(args.data, "train")
    with zipfile.ZipFile(args.data / "captions" / "flickr8k_images_192.zip") as images:
        for view in range(args.views):
            path = args.work / f"view{view:02d}.npy"
            if not path.exists():
                write_view(path, rows, images, backbone, view, args.size, args.least_area)
                print(path, flush=True)


if __name__ == "__main__":
    main()
