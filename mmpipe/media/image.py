"""From bytes to an upright RGB image. The only file that knows Pillow, which it imports when the first image opens."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mmpipe.errors import ModelError, RecordError
from mmpipe.media.location import shortened
from mmpipe.media.policy import MediaPolicy
from mmpipe.media.reference import read_reference

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION = 0x0112
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
"""Pillow's names of the formats that are read. Others of its readers start programs or are seldom looked at."""


def open_image(reference: Mapping[str, Any], policy: MediaPolicy, where: str) -> Image:
    """The image behind a media reference: RGB, upright, its first frame, what is transparent on white.

    Raises RecordError where it cannot be had (see read_reference) or decoded, and ModelError without Pillow.
    """
    data = read_reference(reference, policy, where)
    return decode(data, shortened(str(reference["path"])), policy.max_pixels, where)


def decode(data: bytes, name: str, max_pixels: int, where: str) -> Image:
    """The image that bytes hold, as `open_image` describes it.

    name: how errors call it. Its size is read, and held against `max_pixels`, before anything is decoded.
    """
    pil = _pillow()
    if not data:
        raise _cannot_decode(name, "the file is empty", where)
    try:
        # Warnings about EXIF data, and of a pixel limit of Pillow's own; twice as much is its error.
        with warnings.catch_warnings(), io.BytesIO(data) as stream:
            warnings.simplefilter("ignore")
            with pil.Image.open(stream, formats=[name for name in FORMATS if name in pil.Image.OPEN]) as opened:
                _check_size(opened.size, name, max_pixels, where)
                opened.load()
                return _rgb(_upright(opened, pil.Image), pil.Image)
    except RecordError:
        raise
    except pil.UnidentifiedImageError:
        raise _cannot_decode(name, f"it is no image of a known kind ({', '.join(FORMATS)})", where) from None
    except Exception as error:  # Damaged files make Pillow's readers raise all kinds.
        said = " ".join(str(error).split()) or type(error).__name__
        raise _cannot_decode(name, said, where) from None


def _check_size(size: tuple[int, int], name: str, max_pixels: int, where: str) -> None:
    width, height = size
    if width * height > max_pixels:
        raise RecordError(
            f"image {name} has {width:,} x {height:,} pixels, more than max_pixels = {max_pixels:,}",
            where=where,
            next_step="raise max_pixels in the component that opens images, or make the image smaller",
        )
    if not width * height:
        raise _cannot_decode(name, "it has no pixels", where)


def _upright(image: Image, pil: Any) -> Image:
    """The image turned as the camera said, where that can be read.

    `ImageOps.exif_transpose` also writes all else that the camera said anew, and fails where that is damaged.
    """
    turns = pil.Transpose
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # As damaged files make Pillow's readers raise.
        orientation = None
    method = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_270,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_90,
    }.get(orientation)
    return image if method is None else image.transpose(method)


def _rgb(image: Image, pil: Any) -> Image:
    if image.mode.startswith(("I", "F")):
        deep, clear = np.asarray(image), image.info.get("transparency")
        values = _eight_bits(deep, image.mode)
        image = pil.fromarray(values if clear is None else np.where(deep == clear, np.uint8(255), values))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = pil.alpha_composite(pil.new("RGBA", image.size, (255, 255, 255, 255)), image)
    return image.convert("RGB")


def _eight_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Deep greyscale in 8 bits: 16-bit integers by their full range, floating point by the range that occurs."""
    if mode.startswith("I"):
        is_wide = mode.startswith("I;16") or values.max() > 255
        return (np.clip(values, 0, 65535) // 257 if is_wide else np.clip(values, 0, 255)).astype(np.uint8)
    values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = min(values.min(), 0.0), max(values.max(), 1.0)
    return ((values - low) / (high - low) * 255).round().astype(np.uint8)


def _cannot_decode(name: str, why: str, where: str) -> RecordError:
    return RecordError(
        f"image {name} cannot be decoded: {why}",
        where=where,
        next_step="open it in an image viewer, save it anew as JPEG or PNG, or leave the record out",
    )


def _pillow() -> Any:
    try:
        import PIL.Image
    except ImportError:
        raise ModelError("Pillow, which opens images, is not installed", next_step="pip install pillow") from None
    PIL.Image.init()
    return PIL
