"""What a reader promises: every record once, named for good, as a stream; what is broken costs itself alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from mmpipe.corpus.source import Item
from mmpipe.errors import NoInputError, RecordError
from mmpipe.plain import plain
from mmpipe.testing.checks.files import ReaderSubject
from mmpipe.testing.checks.snapshot import shown
from mmpipe.testing.checks.subject import told
from mmpipe.testing.contract import Check, NotChecked, Problem, check

_TEXTS = (
    "The soup was cold.",
    "I love it 😍👍🏽 👨‍👩‍👧‍👦 so much 🇨🇭",
    "这部电影很好看。我非常喜欢！",
    "ภาพยนตร์เรื่องนี้สนุกมาก",
    "הסרט היה great ומצחיק.",
    "a\u0301e\u0308o\u0302 combining, 𝔄𝔅 outside the basic plane",
    "quotes \" and ' and commas, semicolons; tabs\t| pipes",
    "never again",
)
RECORDS = tuple({"id": f"r{index}", "text": text} for index, text in enumerate(_TEXTS))
_LAZY_BYTES = 1 << 20


def _records(subject: ReaderSubject) -> Sequence[dict[str, Any]]:
    return RECORDS[1:2] if subject.is_single else RECORDS


def _content(subject: ReaderSubject) -> bytes:
    return subject.encode(_records(subject))


def _read(subject: ReaderSubject, content: bytes, **options: Any) -> list[Item]:
    try:
        return subject.items(content, **options)
    except Exception as error:
        raise NotChecked(f"the reader raised {told(error)}; see `reads`") from error


@check("reads", "each record of a file comes as one Item, as it stands there, in order, Unicode and all")
def reads(subject: ReaderSubject) -> Iterator[Problem]:
    records = _records(subject)
    try:
        items = subject.items(_content(subject))
    except Exception as error:
        yield Problem(f"raised {told(error)}", "mend what the error names")
        return
    step = "yield one mmpipe.corpus.source.Item a record"
    if wrong := [item for item in items if not isinstance(item, Item)]:
        yield Problem(f"yielded {shown(wrong[0])}", step)
        return
    if len(items) != len(records):
        yield Problem(f"gave {len(items)} items of {len(records)} records", step)
        return
    for item, record in zip(items, records, strict=True):
        if item.error is not None or not isinstance(item.record, dict):
            yield Problem(f"could not read it: {item.error}", "read every character of Unicode", item.origin)
            continue
        for key in subject.keys:
            if item.record.get(key) != record[key]:
                got = f"{key!r} is {shown(item.record.get(key))}, not {shown(record[key])}"
                yield Problem(got, "decode as UTF-8, keep order, strip nothing", item.origin)


@check("plain-records", "a record is plain JSON data")
def plain_records(subject: ReaderSubject) -> Iterator[Problem]:
    for item in _read(subject, _content(subject)):
        try:
            plain(item.record, item.origin)
        except RecordError as error:
            yield Problem(error.what, "make it strings, numbers, true, false, null, lists or objects", item.origin)


@check("origins", "each item has an origin of its own, which begins with the name of its source")
def origins(subject: ReaderSubject) -> Iterator[Problem]:
    seen: set[str] = set()
    for item in _read(subject, _content(subject), name="named"):
        step = 'make it f"{source.name}:{line}"; it is the id of a record that has none'
        if not isinstance(item.origin, str) or not item.origin.startswith(f"named{subject.suffix}"):
            yield Problem(f"the origin {item.origin!r} does not begin with the source's name", step)
        elif item.origin in seen:
            yield Problem(f"two items have the origin {item.origin!r}", step, item.origin)
        seen.add(item.origin)


@check("stable", "to read a file again gives the same items")
def stable(subject: ReaderSubject) -> Iterator[Problem]:
    content = _content(subject)
    first, second = (_read(subject, content) for _ in range(2))
    if len(first) != len(second):
        yield Problem(f"{len(first)} items the first time, {len(second)} the second", "keep nothing between files")
        return
    for one, other in zip(first, second, strict=True):
        for name in ("origin", "record", "offset", "n_bytes"):
            if getattr(one, name) != getattr(other, name):
                got = f"{name} is {shown(getattr(other, name))} the second time, {shown(getattr(one, name))} the first"
                yield Problem(got, "derive ids from where a record stands: no time, no random number", one.origin)


@check("progress", "n_bytes never goes back, and never beyond the file")
def progress(subject: ReaderSubject) -> Iterator[Problem]:
    content, reached = _content(subject), 0
    for item in _read(subject, content):
        if not reached <= item.n_bytes <= len(content):
            got = f"n_bytes is {item.n_bytes} after {reached}, in a file of {len(content)}"
            yield Problem(got, "say how far into the file the reader is; 0 where that is not known", item.origin)
        reached = max(reached, item.n_bytes)


@check("lazy", "the first item comes before the file has been read to its end")
def lazy(subject: ReaderSubject) -> Iterator[Problem]:
    if subject.is_single:
        raise NotChecked("a file is one record")
    sizes = [len(subject.encode(RECORDS * n)) for n in (1, 51)]
    n_times = max(51, 50 * _LAZY_BYTES // max(1, sizes[1] - sizes[0]))
    content = subject.encode([{**record, "id": f"r{n}"} for n in range(n_times) for record in RECORDS])
    source = subject.source(content, "large")
    stream = iter(subject.read(source))
    try:
        next(stream, None)
    except Exception as error:
        raise NotChecked(f"the reader raised {told(error)} in a large file") from error
    n_read = sum(opened.n_read for opened in source.opened)
    if not source.opened:
        raise NotChecked("it does not use source.open(), so that nothing is known of how far it reads")
    if n_read >= len(content):
        got = f"all {len(content):,} bytes of a file were read before its first item came"
        yield Problem(got, "read a line or a block at a time; if the format forbids that, skip this check")
    if hasattr(stream, "close"):
        stream.close()
    if any(not opened.closed for opened in source.opened):
        yield Problem("the file stays open when reading is broken off", "with source.open() as stream: ...")


@check(
    "broken-record", "a record that cannot be read becomes an item with an error that names its place; the rest goes on"
)
def broken_record(subject: ReaderSubject) -> Iterator[Problem]:
    if subject.broken is None:
        raise NotChecked("no `broken` file was given")
    step = "yield Item(origin, error=RecordError(what, where=origin, next_step=...), raw=what_stood_there)"
    try:
        items = subject.items(subject.broken, "broken")
    except Exception as error:
        yield Problem(f"one broken record ended the file: {told(error)}", step)
        return
    failed = [item for item in items if item.error is not None]
    if not failed:
        yield Problem(f"no item of {len(items)} has an error", step)
        return
    for item in failed:
        error = item.error
        if not isinstance(error, RecordError):
            yield Problem(f"the error is {told(error)}, no RecordError", step, item.origin)
        elif not error.where or not error.next_step:
            yield Problem(f"the error says no place or no next step: {told(error)}", step, item.origin)
        if item.raw is None:
            yield Problem("the item does not hold what stood there (raw)", step, item.origin)
    if not subject.is_single and (items[0].error is not None or items[-1].error is not None):
        where = "behind" if items[-1].error is not None else "before"
        yield Problem(f"no record {where} the broken one was read", "go on with the next record", failed[0].origin)


@check("empty-file", "an empty file has no records, or is refused with a NoInputError or an item that says so")
def empty_file(subject: ReaderSubject) -> Iterator[Problem]:
    for content in dict.fromkeys((b"", *(() if subject.is_single else (subject.encode([]),)))):
        try:
            items = subject.items(content, "empty")
        except NoInputError:
            continue
        except Exception as error:
            got = f"a file of {len(content)} bytes without records raised {told(error)}"
            yield Problem(got, "end without an item, or raise mmpipe.errors.NoInputError")
            continue
        if any(item.error is None for item in items) and not subject.is_single:
            yield Problem(f"a file without records gave {len(items)} items", "give none")


@check("any-bytes", "bytes that are no such file give items with errors, or a NoInputError")
def any_bytes(subject: ReaderSubject) -> Iterator[Problem]:
    content, dice = _content(subject), random.Random(0)
    cases = {"cut off in the middle": content[: len(content) // 2], "of random bytes": dice.randbytes(2_000)}
    cases |= {
        "of NUL characters": bytes(500),
        "with a damaged byte": _damaged(content),
        "in Latin-1": "é\n".encode("latin-1") * 3,
    }
    for name, data in cases.items():
        try:
            items = subject.items(data, "odd")
            bad = next((item for item in items if item.error is None and not isinstance(item.record, dict)), None)
            if bad is not None:
                got = f"a file {name} gave an item with neither record nor error"
                yield Problem(got, "give one of them", bad.origin)
        except NoInputError:
            continue
        except Exception as error:
            got = f"a file {name} raised {told(error)}"
            yield Problem(got, "yield an Item with a RecordError, or raise mmpipe.errors.NoInputError")


def _damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + b"\xff\xfe\x00" + content[middle + 3 :]


@check("packed", "a file packed as .gz, .xz or .zst gives the same records")
def packed_files(subject: ReaderSubject) -> Iterator[Problem]:
    content = _content(subject)
    wanted = [item.record for item in _read(subject, content)]
    for packing in ("gz", "xz", "zst"):
        step = "read from source.open(), which unpacks, not from source.path"
        try:
            found = [item.record for item in subject.items(content, packing=packing)]
        except Exception as error:
            yield Problem(f"a .{packing} file raised {told(error)}", step)
            continue
        same = [{key: record.get(key) for key in subject.keys if key != "id"} for record in wanted if record]
        if [{key: record.get(key) for key in subject.keys if key != "id"} for record in found if record] != same:
            yield Problem(f"a .{packing} file gave other records", step)


CHECKS: tuple[Check, ...] = (
    reads,
    plain_records,
    origins,
    stable,
    progress,
    lazy,
    broken_record,
    empty_file,
    any_bytes,
    packed_files,
)
