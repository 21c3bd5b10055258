"""Every sort of image file becomes upright RGB, or a named error; held against Pillow's and numpy's own arithmetic."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmpipe.errors import RecordError
from mmpipe.media.image import decode, open_image
from mmpipe.media.policy import MAX_PIXELS, MediaPolicy
from mmpipe.media.reference import make_reference

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255)


def quarters(*colours: Any, mode: str = "RGB") -> Image.Image:
    """Four colours, from the top left in rows, 8 x 6 pixels."""
    image = Image.new(mode, (8, 6))
    for colour, box in zip(colours, [(0, 0, 4, 3), (4, 0, 8, 3), (0, 3, 4, 6), (4, 3, 8, 6)], strict=True):
        image.paste(colour, box)
    return image


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def opened(data: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    image = decode(data, "'a.png'", max_pixels, "record 7")
    assert image.mode == "RGB"
    return np.asarray(image)


def corners(data: bytes) -> list[tuple[int, ...]]:
    values = opened(data)
    return [tuple(values[y, x].tolist()) for y in (0, -1) for x in (0, -1)]


PLAIN = quarters(RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_formats_without_loss(kind: str) -> None:
    assert corners(saved(PLAIN, kind)) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 95, "subsampling": 0}), ("WEBP", {"quality": 95})])
def test_formats_with_loss(kind: str, options: dict[str, Any]) -> None:
    large = PLAIN.resize((64, 48), Image.Resampling.NEAREST)
    assert np.abs(np.array(corners(saved(large, kind, **options))) - [RED, GREEN, BLUE, WHITE]).max() <= 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_the_camera_said_about_up(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = PLAIN
    for method in {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }.get(orientation, []):
        stored = stored.transpose(method)
    data = saved(stored, exif=exif)
    if orientation > 1:
        assert Image.open(io.BytesIO(data)).getexif()[0x0112] == orientation
    assert corners(data) == [RED, GREEN, BLUE, WHITE]
    assert opened(data).shape == (6, 8, 3)


def test_damaged_camera_data_does_no_harm() -> None:
    stream = io.BytesIO()
    PLAIN.resize((64, 48)).save(stream, "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff" + b"\xfe" * 30)
    assert opened(stream.getvalue()).shape == (48, 64, 3)
    for kind in ("PNG", "WEBP"):
        assert opened(saved(PLAIN, kind, exif=b"no camera data at all")).shape == (6, 8, 3)


def test_a_turn_is_made_though_other_camera_data_is_damaged() -> None:
    """Text where a number belongs: Pillow reads it and cannot write it, as `ImageOps.exif_transpose` would."""
    entries = [(0x0100, 2, 4, b"abc\x00"), (0x0112, 3, 1, b"\x00\x06\x00\x00")]
    directory = b"".join(struct.pack(">HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08" + struct.pack(">H", len(entries)) + directory + bytes(4)
    stored = PLAIN.resize((64, 48), Image.Resampling.NEAREST).transpose(Image.Transpose.ROTATE_90)
    data = saved(stored, "JPEG", exif=exif, quality=95, subsampling=0)
    with pytest.raises(Exception, match="integer"):
        ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert opened(data).shape == (48, 64, 3)
    assert np.abs(np.array(corners(data)) - [RED, GREEN, BLUE, WHITE]).max() <= 12


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_up_is_where_pillow_has_it_in_every_format(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(PLAIN.resize((64, 48), Image.Resampling.NEAREST), kind, exif=exif)
    assert np.array_equal(opened(data), np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))))


def test_what_is_transparent_is_white() -> None:
    half = quarters((*RED, 255), (*RED, 0), (0, 0, 0, 128), (*BLUE, 255), mode="RGBA")
    assert corners(saved(half)) == [RED, WHITE, (127, 127, 127), BLUE]
    grey = quarters((0, 255), (0, 0), (50, 255), (0, 0), mode="LA")
    assert corners(saved(grey)) == [(0, 0, 0), WHITE, (50, 50, 50), WHITE]
    deep = Image.fromarray(np.array([[30_000, 257]], dtype=np.uint16))
    assert opened(saved(deep, transparency=30_000))[0, :, 0].tolist() == [255, 1]


def test_palettes_with_and_without_a_transparent_colour() -> None:
    palette = PLAIN.quantize(4)
    assert corners(saved(palette)) == [RED, GREEN, BLUE, WHITE]
    index = palette.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        assert corners(saved(palette, kind, transparency=index)) == [WHITE, GREEN, BLUE, WHITE]
    assert corners(saved(PLAIN, transparency=GREEN)) == [RED, WHITE, BLUE, WHITE]


def test_cmyk_greyscale_and_black_and_white() -> None:
    cmyk = quarters((0, 255, 255, 0), (0, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 0), mode="CMYK")
    assert corners(saved(cmyk, "TIFF")) == [RED, (0, 0, 0), (0, 255, 255), WHITE]
    assert corners(saved(quarters(0, 60, 120, 255, mode="L"))) == [(0,) * 3, (60,) * 3, (120,) * 3, WHITE]
    assert corners(saved(quarters(0, 1, 1, 0, mode="1"))) == [(0,) * 3, WHITE, WHITE, (0,) * 3]


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    values = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    assert opened(saved(Image.fromarray(values)))[0, :, 0].tolist() == (values[0] // 257).tolist()
    floats = np.array([[0.0, 0.5, 1.0, np.nan]], dtype=np.float32)
    assert opened(saved(Image.fromarray(floats), "TIFF"))[0, :, 0].tolist() == [0, 128, 255, 0]


def test_an_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in (RED, GREEN, BLUE)]
    for kind in ("GIF", "PNG", "TIFF"):
        assert corners(saved(frames[0], kind, save_all=True, append_images=frames[1:])) == [RED] * 4


PNG = saved(PLAIN.resize((300, 200)))
JPEG = saved(PLAIN.resize((300, 200)), "JPEG")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"this is text and no picture", "no image of a known kind"),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 40, "cannot be decoded"),
        (PNG[: len(PNG) // 2], "cannot be decoded"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (JPEG[:10], "cannot be decoded"),
        (PNG[:60] + b"\x00" * 20 + PNG[80:], "cannot be decoded"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of a known kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image of a known kind"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, said: str) -> None:
    with pytest.raises(RecordError) as caught:
        opened(data)
    assert said in str(caught.value)
    assert str(caught.value).startswith("record 7: image 'a.png' ")
    assert caught.value.next_step


def bomb(side: int) -> bytes:
    """A PNG whose header promises side x side pixels; so little is behind it that decoding would fail."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00" * 99))


def test_pixels_are_counted_before_any_is_decoded() -> None:
    with pytest.raises(RecordError, match="has 8,000 x 8,000 pixels, more than max_pixels = 50,000,000"):
        opened(bomb(8_000))
    with pytest.raises(RecordError, match="decompression bomb"):
        opened(bomb(60_000))  # Pillow's own limit comes first.
    assert opened(saved(PLAIN), max_pixels=48).shape == (6, 8, 3)
    with pytest.raises(RecordError, match="max_pixels = 47"):
        opened(saved(PLAIN), max_pixels=47)


def test_an_ordinary_photo_is_as_pillow_decodes_it(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg", quality=80)
    reference = make_reference("a.jpg", tmp_path, MediaPolicy(), "record")
    wanted = ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")).convert("RGB")
    assert np.array_equal(np.asarray(open_image(reference, MediaPolicy(), "record")), np.asarray(wanted))
