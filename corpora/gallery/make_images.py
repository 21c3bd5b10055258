"""Write the pictures of this corpus to images/, from two installed packages that bring them under open licences.

    python corpora/gallery/make_images.py

Run it once; `make run` does. A picture that is there already is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SIDE = 480
"""The longer side of each picture, in pixels."""

# Name: package, file, SHA-256. A package that changes a picture may change its licence with it.
SOURCES = {
    "astronaut": ("skimage", "data/astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
    "camera": ("skimage", "data/camera.png", "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a"),
    "chelsea": ("skimage", "data/chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
    "china": (
        "sklearn",
        "datasets/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    ),
    "clock": ("skimage", "data/clock_motion.png", "f029226b28b642e80113d86622e9b215ee067a0966feaf5e60604a1e05733955"),
    "coffee": ("skimage", "data/coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
    "flower": (
        "sklearn",
        "datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    ),
    "hubble": (
        "skimage",
        "data/hubble_deep_field.jpg",
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    ),
    "rocket": ("skimage", "data/rocket.jpg", "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c"),
}
DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}


def find(name: str) -> Path:
    """The file of a picture in its package. Raises SystemExit that says what to install."""
    package, file, wanted = SOURCES[name]
    spec = importlib.util.find_spec(package)
    path = Path(next(iter(spec.submodule_search_locations or []))) / file if spec else None
    if path is None or not path.is_file():
        sys.exit(f"{name}: {DISTRIBUTIONS[package]} is not installed\n  next: pip install {DISTRIBUTIONS[package]}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wanted:
        sys.exit(f"{name}: {path} is another picture than the one whose licence is known (SHA-256 {found})")
    return path


def make_images(folder: Path) -> None:
    """Write every picture that is not there as a JPEG, its longer side SIDE pixels at most."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for name in SOURCES:
        target = folder / f"{name}.jpg"
        if not target.exists():
            with Image.open(find(name)) as picture:
                picture = picture.convert("RGB")
                picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
                picture.save(target, quality=90)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=HERE / "images", help="where to write them")
    make_images(parser.parse_args().folder)
