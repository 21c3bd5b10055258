"""Files that records name: found below their corpus and allowed roots, unchanged, within limits; nowhere else."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from mmpipe.errors import RecordError
from mmpipe.media.policy import MediaPolicy
from mmpipe.media.reference import make_reference, read_reference

POLICY = MediaPolicy()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    (root / "img").mkdir(parents=True)
    (root / "img" / "a.png").write_bytes(b"one")
    (root / "b.png").write_bytes(b"")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "c.png").write_bytes(b"three")
    os.symlink(tmp_path / "shared" / "c.png", root / "link.png")
    os.symlink(root / "img" / "a.png", tmp_path / "shared" / "back.png")
    return root


@pytest.mark.parametrize("path", ["img/a.png", "b.png", "img/../b.png", "{root}/b.png"])
def test_a_reference_is_json_and_leads_back_to_the_bytes(corpus: Path, path: str) -> None:
    path = path.format(root=corpus)
    reference = make_reference(path, corpus, POLICY, "record 1")
    data = (corpus / path).read_bytes()
    assert reference == {
        "path": path,
        "root": str(corpus),
        "sha256": hashlib.sha256(data).hexdigest(),
        "media_type": "image/png",
        "size": len(data),
    }
    assert read_reference(json.loads(json.dumps(reference)), POLICY, "record 1") == data


def test_a_relative_root_is_remembered_whole(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(corpus.parent)
    reference = make_reference("b.png", Path("corpus"), POLICY, "record")
    monkeypatch.chdir("/")
    assert read_reference(reference, POLICY, "record") == b""


OUTSIDE = ["../shared/c.png", "link.png", "{shared}/c.png", "img/../../shared/c.png"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_outside_the_corpus_only_where_a_root_allows(corpus: Path, path: str) -> None:
    shared = corpus.parent / "shared"
    path = path.format(shared=shared)
    for policy in (POLICY, MediaPolicy(roots=(str(corpus / "img"),)), MediaPolicy(roots=(f"{shared}-not",))):
        with pytest.raises(RecordError, match="lies outside the corpus folder and the allowed roots") as caught:
            make_reference(path, corpus, policy, "record 1")
        assert "roots" in caught.value.next_step
    allowed = MediaPolicy(roots=(str(shared),))
    reference = make_reference(path, corpus, allowed, "record 1")
    assert read_reference(reference, allowed, "record 1") == b"three"
    with pytest.raises(RecordError, match="lies outside"):
        read_reference(reference, POLICY, "record 1")


def test_a_link_out_of_a_root_is_no_way_out(corpus: Path) -> None:
    """The link stands in the allowed folder, and what it leads to does not."""
    elsewhere = corpus.parent / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(RecordError, match="lies outside"):
        make_reference("../shared/back.png", elsewhere, MediaPolicy(roots=(str(corpus.parent / "shared"),)), "r")


@pytest.mark.parametrize(
    "path",
    ["data:image/png;base64,iVBORw0KGgo", "file:///etc/hostname", "file:b.png", "ftp://example.org/a.png", "s3://b/a"],
)
def test_other_schemes_are_never_opened(corpus: Path, path: str) -> None:
    everything = MediaPolicy(roots=("/",), allow_urls=True)
    with pytest.raises(RecordError, match="are not opened"):
        make_reference(path, corpus, everything, "record 1")
    with pytest.raises(RecordError, match="are not opened"):
        read_reference({"path": path, "root": "/", "sha256": "0"}, everything, "record 1")


def test_a_web_address_needs_leave_and_is_not_fetched_for_its_reference(corpus: Path) -> None:
    url = "https://example.invalid/a/b.JPG?size=2"
    with pytest.raises(RecordError, match="allow_urls is not set"):
        make_reference(url, corpus, POLICY, "record 1")
    reference = make_reference(url, corpus, MediaPolicy(allow_urls=True), "record 1")
    assert reference == {"path": url, "root": None, "sha256": None, "media_type": "image/jpeg", "size": None}
    with pytest.raises(RecordError, match="allow_urls is not set"):
        read_reference(reference, POLICY, "record 1")
    with pytest.raises(RecordError, match="no host"):
        make_reference("http:a.png", corpus, MediaPolicy(allow_urls=True), "record 1")


def test_a_colon_in_a_name_is_no_scheme(corpus: Path) -> None:
    (corpus / "photo 12:30.png").write_bytes(b"noon")
    assert make_reference("photo 12:30.png", corpus, POLICY, "record")["size"] == 4
    (corpus / "note:a.png").write_bytes(b"note")
    assert make_reference("note:a.png", corpus, POLICY, "record")["size"] == 4


def test_a_changed_file_is_an_error(corpus: Path) -> None:
    reference = make_reference("img/a.png", corpus, POLICY, "record 1")
    (corpus / "img" / "a.png").write_bytes(b"ONE")
    with pytest.raises(RecordError, match="has changed since the record was read"):
        read_reference(reference, POLICY, "record 1")
    (corpus / "img" / "a.png").unlink()
    with pytest.raises(RecordError, match="cannot be read: No such file"):
        read_reference(reference, POLICY, "record 1")


def test_a_corpus_that_moved_is_found_below_the_roots(corpus: Path) -> None:
    reference = make_reference("img/a.png", corpus, POLICY, "record 1")
    moved = corpus.rename(corpus.parent / "moved")
    with pytest.raises(RecordError, match="cannot be read") as caught:
        read_reference(reference, POLICY, "record 1")
    assert "roots" in caught.value.next_step
    empty = corpus.parent / "empty"
    empty.mkdir()
    assert read_reference(reference, MediaPolicy(roots=(str(empty), str(moved))), "record 1") == b"one"


def test_of_a_corpus_that_moved_also_what_lies_beside_it(corpus: Path) -> None:
    shared = corpus.parent / "shared"
    reference = make_reference("../shared/c.png", corpus, MediaPolicy(roots=(str(shared),)), "record 1")
    moved = corpus.parent.rename(corpus.parent.with_name("moved"))
    policy = MediaPolicy(roots=(str(moved / "corpus"), str(moved / "shared")))
    assert read_reference(reference, policy, "record 1") == b"three"
    with pytest.raises(RecordError, match="lies outside"):
        read_reference(reference, MediaPolicy(roots=(str(moved / "corpus"),)), "record 1")


@pytest.mark.parametrize("reference", [{}, {"path": "b.png"}, {"path": "b.png", "root": "/", "sha256": None}])
def test_a_reference_without_its_hash_opens_nothing(reference: dict) -> None:
    with pytest.raises(RecordError, match="media reference has no"):
        read_reference(reference, MediaPolicy(roots=("/",)), "record 1")


def test_size_is_limited_before_and_while_reading(corpus: Path) -> None:
    (corpus / "large.png").write_bytes(b"x" * 3_000_000)
    with pytest.raises(RecordError, match=r"larger than max_bytes = 2,999,999"):
        make_reference("large.png", corpus, MediaPolicy(max_bytes=2_999_999), "record 1")
    reference = make_reference("large.png", corpus, MediaPolicy(max_bytes=3_000_000), "record 1")
    with pytest.raises(RecordError, match="larger than max_bytes"):
        read_reference(reference, MediaPolicy(max_bytes=1000), "record 1")


def test_what_never_ends_is_not_read(corpus: Path) -> None:
    os.mkfifo(corpus / "pipe.png")
    found: list[Exception] = []

    def read() -> None:
        try:
            make_reference("pipe.png", corpus, POLICY, "record 1")
        except RecordError as error:
            found.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive() and "it is a pipe, a socket or a device" in str(found[0])
    with pytest.raises(RecordError, match="it is a folder"):
        make_reference("img", corpus, POLICY, "record 1")
    with pytest.raises(RecordError, match="a pipe, a socket or a device"):
        make_reference("/dev/zero", corpus, MediaPolicy(roots=("/dev",)), "record 1")
