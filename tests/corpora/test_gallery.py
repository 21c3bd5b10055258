"""The gallery's pictures come from packages that bring them, and every one of them has its licence in the card."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GALLERY = Path(__file__).parents[2] / "corpora" / "gallery"
HAS_PICTURES = all(importlib.util.find_spec(name) for name in ("skimage", "sklearn", "PIL"))


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GALLERY / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery_make_images", GALLERY / "make_images.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_records_name_the_pictures_and_the_card_their_licences(maker: ModuleType) -> None:
    card = (GALLERY / "README.md").read_text("utf-8")
    known = {f"images/{name}.jpg" for name in maker.SOURCES}
    assert {record["image"] for record in read("gallery.jsonl")} == known
    assert {path for record in read("albums.jsonl") for path in record["images"]} <= known
    assert all(f"\n| `{name}` |" in card for name in maker.SOURCES)
    assert {record["licence"] for record in read("gallery.jsonl")} == {"CC0-1.0", "CC-BY-2.0", "public domain"}


@pytest.mark.skipif(not HAS_PICTURES, reason="scikit-image, scikit-learn and Pillow are not all installed")
def test_the_pictures_are_made_small_and_can_be_opened(maker: ModuleType, tmp_path: Path) -> None:
    from mmpipe.media.image import open_image
    from mmpipe.media.policy import MediaPolicy
    from mmpipe.media.reference import make_reference

    maker.make_images(tmp_path / "images")
    for record in read("gallery.jsonl"):
        image = open_image(make_reference(record["image"], tmp_path, MediaPolicy(), "record"), MediaPolicy(), "record")
        assert 400 <= max(image.size) <= maker.SIDE and (tmp_path / record["image"]).stat().st_size < 100_000


@pytest.mark.skipif(not HAS_PICTURES, reason="scikit-image, scikit-learn and Pillow are not all installed")
def test_another_picture_in_the_package_is_refused(maker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    package, file, digest = maker.SOURCES["chelsea"]
    monkeypatch.setitem(maker.SOURCES, "chelsea", (package, file, "0" * 64))
    with pytest.raises(SystemExit, match="another picture than the one whose licence is known"):
        maker.find("chelsea")
    monkeypatch.setitem(maker.SOURCES, "chelsea", ("skimage", "data/nowhere.png", digest))
    with pytest.raises(SystemExit, match="pip install scikit-image"):
        maker.find("chelsea")


@pytest.mark.parametrize("name", ["pipeline.cfg", "albums.cfg"])
def test_the_pipelines_are_valid(name: str) -> None:
    import mmpipe

    nlp = mmpipe.load(GALLERY / name, weights=False)
    assert nlp.pipe_names[0] == "caption" and nlp.get_pipe("caption").cfg["as_text"] is True
