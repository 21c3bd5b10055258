"""PDF: text a page or a file, images of pages where they are asked for, and an error for what cannot be opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmpipe.corpus.source import Item, find_inputs
from mmpipe.errors import MmpipeError, NoInputError
from mmpipe.plugins import discover

pytest.importorskip("pypdfium2", reason="the extra `pdf` is not installed")
PLUGINS = discover(environ={"MMPIPE_PLUGINS": ""})


def pdf(*pages: list[str]) -> bytes:
    """A PDF whose pages hold these lines."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, lines in enumerate(pages):
        shown = " ".join(f"({line}) Tj 0 -20 Td" for line in lines)
        content = f"BT /F1 12 Tf 50 150 Td {shown} ET".encode()
        font = "/Resources << /Font << /F1 3 0 R >> >>"
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] {font} /Contents {5 + 2 * index} 0 R >>".encode()
        )
        bodies.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    return (
        data
        + head
        + table
        + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(bodies) + 1, len(data))
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(["First page.", "Second line."], [], ["Third page."]))
    return path


def items(*names: object, **options: Any) -> list[Item]:
    return [item for given in find_inputs([str(name) for name in names], PLUGINS, **options) for item in given]


def test_pages(file: Path) -> None:
    found = items(file)
    assert found[0].record == {
        "id": "a.pdf:1",
        "text": "First page.\nSecond line.",
        "page": 1,
        "n_pages": 3,
        "file": "a.pdf",
    }
    assert [item.record["text"] for item in found[1:]] == ["", "Third page."]
    assert [item.origin for item in found] == ["a.pdf:1", "a.pdf:2", "a.pdf:3"]
    assert found[-1].n_bytes == file.stat().st_size


def test_whole_files(file: Path) -> None:
    (item,) = items(file, reader="pdf-whole", text_key="body")
    assert item.record == {"id": "a.pdf", "body": "First page.\nSecond line.\n\n\n\nThird page.", "n_pages": 3}


def test_images(file: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    found = items(file, reader="pdf-images")
    names = [item.record["image"] for item in found]
    assert names == [f".a.pdf.pages/{number:04d}.png" for number in (1, 2, 3)]
    with image.open(file.parent / names[0]) as opened:
        assert opened.size == (417, 417) and opened.convert("L").getextrema()[0] < 100
    before = (file.parent / names[0]).stat().st_mtime_ns
    items(file, reader="pdf-images")
    assert (file.parent / names[0]).stat().st_mtime_ns == before
    assert [item.record.get("image") for item in items(file.parent)] == [None] * 3, "images of pages are no corpus"


@pytest.mark.parametrize("reader", ["pdf", "pdf-whole", "pdf-images"])
def test_what_is_no_pdf_among_those_that_are(reader: str, file: Path) -> None:
    (file.parent / "b.pdf").write_bytes(b"text")
    *good, bad = items(file.parent, reader=reader)
    assert all(item.error is None for item in good)
    assert bad.origin == "b.pdf" and "cannot be opened as PDF" in bad.error.what and bad.error.next_step


def test_images_have_to_be_put_somewhere(file: Path) -> None:
    with pytest.raises(NoInputError, match="standard input"):
        items("-", reader="pdf-images")
    (file.parent / ".a.pdf.pages").write_bytes(b"in the way")
    with pytest.raises(MmpipeError, match="cannot be written"):
        items(file, reader="pdf-images")
