"""PDF: a record a page, or a file; with images of the pages where they are asked for. Needs the extra `pdf`.

Text is what the file holds as text. Pages that were scanned have none: take their images.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmpipe.corpus.source import Item, Source
from mmpipe.errors import MmpipeError, NoInputError, RecordError

IMAGE_DPI = 150
# A hyphen at the end of a line in the middle of a word, as PDFium marks it.
_SPLIT_WORD = re.compile("[\x02\ufffe]\n?")


def read(source: Source) -> Iterator[Item]:
    """One item a page: `text`, `page` from 1, `n_pages`, `file`. A file that cannot be opened gives an error."""
    yield from _pages(source, with_images=False)


def read_images(source: Source) -> Iterator[Item]:
    """The same with an `image` of the page: a PNG of 150 dots an inch in the folder `.<name>.pages` beside the file.

    Raises MmpipeError where that folder cannot be written to, and NoInputError for standard input.
    """
    if source.path is None:
        raise NoInputError(
            "images of pages are put beside the file, and standard input is none",
            where=source.name,
            next_step="name the file",
        )
    yield from _pages(source, with_images=True)


def read_whole(source: Source) -> Iterator[Item]:
    """One item: the `text` of all pages, an empty line between them, and `n_pages`."""
    texts = []
    for item in _pages(source, with_images=False):
        if item.error is not None:
            yield Item(source.name, error=item.error, raw=item.raw, n_bytes=source.size, offset=0)
            return
        texts.append(item.record[source.text_key])
    record = {"id": source.name, source.text_key: "\n\n".join(texts), "n_pages": len(texts)}
    yield Item(source.name, record, n_bytes=source.size, offset=0)


def _pages(source: Source, *, with_images: bool) -> Iterator[Item]:
    pdfium = _pdfium()
    with source.open_seekable() as stream:
        try:
            document = pdfium.PdfDocument(stream)
        except pdfium.PdfiumError as error:
            said = f"cannot be opened as PDF: {error}"
            step = "take its password off first" if "password" in str(error).lower() else "check the file"
            problem = RecordError(said, where=source.name, next_step=step)
            yield Item(source.name, error=problem, raw=said, n_bytes=source.size, offset=0)
            return
        with contextlib.closing(document):
            n_pages = len(document)
            for index in range(n_pages):
                origin = f"{source.name}:{index + 1}"
                n_bytes = source.size * (index + 1) // n_pages
                try:
                    with contextlib.closing(document[index]) as page:
                        text = _text(page)
                        image = {"image": _image(page, source, index)} if with_images else {}
                except pdfium.PdfiumError as error:
                    said = f"page {index + 1} cannot be read: {error}"
                    problem = RecordError(said, where=origin, next_step="check the file")
                    yield Item(origin, error=problem, raw=said, n_bytes=n_bytes, offset=index)
                    continue
                place = {"page": index + 1, "n_pages": n_pages, "file": source.name}
                record = {"id": origin, source.text_key: text, **image, **place}
                yield Item(origin, record, n_bytes=n_bytes, offset=index)


def _text(page: Any) -> str:
    with contextlib.closing(page.get_textpage()) as given:
        text = given.get_text_range(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return _SPLIT_WORD.sub("", text)


def _image(page: Any, source: Source, index: int) -> str:
    """The page's image, relative to the corpus folder; made anew only where the file is younger."""
    path: Path = source.path
    image = path.parent / f".{path.name}.pages" / f"{index + 1:04d}.png"
    try:
        if not image.is_file() or image.stat().st_mtime_ns < path.stat().st_mtime_ns:
            image.parent.mkdir(exist_ok=True)
            part = image.with_name(f"{image.name}.{os.getpid()}.part")
            page.render(scale=IMAGE_DPI / 72).to_pil().save(part, format="PNG")
            os.replace(part, image)
    except OSError as error:
        raise MmpipeError(
            f"the image of a page cannot be written: {error.strerror}",
            where=str(image),
            next_step="put the PDF where it can be written beside it, or use --reader pdf",
        ) from None
    return image.relative_to(source.root).as_posix()


def _pdfium() -> Any:
    try:
        import pypdfium2
    except ImportError as error:
        raise MmpipeError(
            f"PDF needs a package that is not here: {error}", next_step="pip install 'mmpipe[pdf]'"
        ) from None
    return pypdfium2
