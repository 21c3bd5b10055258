"""Folders of images: a file a record, with what a sidecar says of it; what a sidecar says wrongly is not lost."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mmpipe.corpus.source import Item, find_inputs
from mmpipe.errors import NoInputError
from mmpipe.plugins import discover

PLUGINS = discover(environ={"MMPIPE_PLUGINS": ""})


def items(*names: object) -> list[Item]:
    return [item for given in find_inputs([str(name) for name in names], PLUGINS) for item in given]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "sub/c.webp", "sub/deep/d.tiff", ".hidden.png"):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / name).write_bytes(b"not looked at")
    return tmp_path / "pictures"


def test_a_folder(folder: Path) -> None:
    names = ["a.JPG", "b.png", "sub/c.webp", "sub/deep/d.tiff"]
    assert [item.record for item in items(folder)] == [{"id": name, "image": name} for name in names]
    given = find_inputs([str(folder)], PLUGINS)
    assert {one.source.root for one in given} == {folder}


def test_sidecars(folder: Path) -> None:
    lines = [
        '{"image": "a.JPG", "captions": ["one", "two"], "text": "t"}',
        '{"image": "./sub/c.webp", "id": "c", "captions": ["far"]}',
        '{"image": "b.png"}',
    ]
    (folder / "captions.jsonl").write_text("\n".join(lines))
    (folder / "sub" / "captions.csv").write_text("image,captions\nc.webp,near\ndeep/d.tiff,d\n")
    assert [item.record for item in items(folder)] == [
        {"id": "a.JPG", "image": "a.JPG", "captions": ["one", "two"], "text": "t"},
        {"id": "b.png", "image": "b.png"},
        {"id": "sub/c.webp", "image": "sub/c.webp", "captions": "near"},
        {"id": "sub/deep/d.tiff", "image": "sub/deep/d.tiff", "captions": "d"},
    ]


def test_what_a_sidecar_says_wrongly(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    wrong = ["{", '{"captions": ["x"]}', '{"image": "gone.png"}', '{"image": "b.png"}', '{"image": 5}']
    (folder / "captions.jsonl").write_text('{"image": "b.png", "captions": ["b"]}\n' + "\n".join(wrong))
    with caplog.at_level(logging.WARNING, "mmpipe"):
        found = items(folder)
    bad = [item for item in found if item.error is not None]
    assert [item.origin for item in bad] == [f"captions.jsonl:{number}" for number in range(2, 7)]
    assert all(item.error.next_step and (item.record or item.raw) for item in bad)
    assert len(found) == 4 + 5 and caplog.text.count("5 of its records cannot be used") == 1


def test_a_sidecar_that_changes_is_read_again(folder: Path) -> None:
    sidecar = folder / "captions.csv"
    for caption in ("one", "another"):
        sidecar.write_text(f"image,captions\nb.png,{caption}\n")
        (found,) = items(folder / "b.png")
        assert found.record == {"id": "b.png", "image": "b.png", "captions": caption}


def test_a_table_of_captions_without_images_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "captions.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.png").touch()
    assert [item.record for item in items(tmp_path)] == [{"text": "a"}, {"id": "two/a.png", "image": "two/a.png"}]


def test_standard_input_holds_none() -> None:
    with pytest.raises(NoInputError, match="holds no images"):
        list(find_inputs(["-"], PLUGINS, reader="images")[0])
