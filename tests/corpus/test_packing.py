"""Packing: what was packed comes back, equal contents are equal bytes, and no damage is taken for the end."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
import zstandard

from mmpipe.corpus.packing import DamageError, pack, packed, unpack
from mmpipe.corpus.source import find_inputs
from mmpipe.errors import NoInputError
from mmpipe.plugins import discover

PLUGINS = discover(environ={"MMPIPE_PLUGINS": ""})
PACKINGS = ["gz", "xz", "zst"]
DATA = b"".join(b'{"text": "line %d"}\n' % number for number in range(20_000))


def packed_bytes(data: bytes, packing: str | None) -> bytes:
    stream = io.BytesIO()
    with pack(stream, packing) as inner:
        for start in range(0, len(data), 1000):
            inner.write(data[start : start + 1000])
    assert not stream.closed
    return stream.getvalue()


@pytest.mark.parametrize("packing", [*PACKINGS, None])
def test_there_and_back(packing: str | None) -> None:
    stored = packed_bytes(DATA, packing)
    assert (len(stored) < len(DATA) / 5) is bool(packing)
    stream = io.BytesIO(stored)
    with unpack(stream, packing) as inner:
        assert inner.readline() == b'{"text": "line 0"}\n'
        assert inner.read() == DATA[19:]
    assert stream.closed


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("data", [b"", b"a"])
def test_little(packing: str, data: bytes) -> None:
    assert unpack(io.BytesIO(packed_bytes(data, packing)), packing).read() == data


@pytest.mark.parametrize("packing", PACKINGS)
def test_equal_contents_are_equal_bytes_at_any_time(
    packing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = packed_bytes(DATA, packing)
    monkeypatch.setattr(time, "time", lambda: 1e9)
    with (tmp_path / "a name").open("wb") as stream, pack(stream, packing) as inner:
        inner.write(DATA)
    assert (tmp_path / "a name").read_bytes() == stored


@pytest.mark.parametrize("packing", PACKINGS)
def test_several_in_a_row_are_one(packing: str) -> None:
    parts = [packed_bytes(part, packing) for part in (b"one\n", b"", b"two\n")]
    assert unpack(io.BytesIO(b"".join(parts)), packing).read() == b"one\ntwo\n"


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_cut_is_seen(packing: str) -> None:
    stored = packed_bytes(b"some text, and more of it\n" * 3, packing)
    for end in range(1, len(stored)):
        with pytest.raises(DamageError):
            unpack(io.BytesIO(stored[:end]), packing).read()


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_changed_byte_is_seen(packing: str) -> None:
    stored = bytearray(packed_bytes(DATA, packing))
    stored[len(stored) // 2] ^= 0xFF
    with pytest.raises(DamageError, match=rf"\.{packing} data is damaged"):
        unpack(io.BytesIO(bytes(stored)), packing).read()


def test_what_unpacks_to_very_much_is_read_in_parts() -> None:
    stored = zstandard.ZstdCompressor().compress(bytes(2**26))
    stream = unpack(io.BytesIO(stored), "zst")
    assert sum(len(stream.read(2**20)) for _ in range(2**6)) == 2**26 and stream.read() == b""


def test_an_exception_leaves_no_whole_file() -> None:
    stream = io.BytesIO()
    with pytest.raises(KeyError), pack(stream, "gz") as inner:
        inner.write(b"half")
        raise KeyError
    with pytest.raises(DamageError):
        unpack(io.BytesIO(stream.getvalue() or b"\x1f\x8b"), "gz").read()


def test_names() -> None:
    assert packed("a.jsonl.GZ") == ("a.jsonl", "gz") and packed("b.xz") == ("b", "xz")
    assert packed("c.tar.zst") == ("c.tar", "zst") and packed("d.jsonl") == ("d.jsonl", None)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.json", "r.TSV"])
def test_sources(packing: str, name: str, tmp_path: Path) -> None:
    content = {"r.jsonl": '{"text": "a"}\n', "r.csv": "text\na\n", "r.json": '[{"text": "a"}]', "r.TSV": "text\na\n"}
    path = tmp_path / f"{name}.{packing}"
    path.write_bytes(packed_bytes(content[name].encode(), packing))
    (given,) = find_inputs([str(path)], PLUGINS)
    assert [item.record for item in given] == [{"text": "a"}] and given.source.size == 0


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_damaged_source_ends_with_an_error_and_one_that_is_none_is_no_input(packing: str, tmp_path: Path) -> None:
    path = tmp_path / f"r.jsonl.{packing}"
    path.write_bytes(packed_bytes(DATA, packing)[:-30])
    (given,) = find_inputs([str(path)], PLUGINS)
    *good, bad = list(given)
    assert good and all(item.record for item in good)
    assert bad.error is not None and "damaged" in bad.error.what and good[-1].origin in bad.error.what
    path.write_bytes(b'{"text": "not packed"}\n')
    with pytest.raises(NoInputError, match="damaged"):
        list(given)
