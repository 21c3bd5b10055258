"""Entry points found by mmpipe's own short way: those that importlib.metadata finds."""

from __future__ import annotations

import importlib.metadata
import sys
import zipfile
from pathlib import Path

import pytest

from mmpipe.installed import canonicalize_name, installed_entry_points, installed_version
from mmpipe.testing import write_plugin


@pytest.mark.parametrize("group", ["mmpipe", "spacy_factories", "console_scripts", "pytest11", "nobody-has-this"])
def test_the_same_as_importlib(group: str) -> None:
    found = {(p.name, p.value, p.distribution, p.version) for p in installed_entry_points(group)}
    theirs = importlib.metadata.entry_points(group=group)
    assert found == {(p.name, p.value, p.dist.name, p.dist.version) for p in theirs if p.dist}


def test_versions_are_those_of_importlib() -> None:
    for name in ("mmpipe", "pluggy", "typing-extensions"):
        assert installed_version(name) == importlib.metadata.version(name)
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        installed_version("nobody-has-this")


def test_names_in_their_normal_form() -> None:
    packaging = pytest.importorskip("packaging.utils")
    for name in ("Mmpipe_QA", "a.b-_c", "zope.interface"):
        assert canonicalize_name(name) == packaging.canonicalize_name(name)


def test_objects_load_as_importlib_loads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(tmp_path, "loads", "class Outer:\n    inner = 7\n", factories=("loads_one",))
    points = tmp_path / "mmpipe_loads-1.0.dist-info/entry_points.txt"
    points.write_text(
        "; a comment\n[mmpipe]\na = loads_plugin:Outer.inner\nb=loads_plugin [extra]\n[spacy_factories]\nx = y:z\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    ours = {p.name: p for p in installed_entry_points("mmpipe") if p.distribution == "mmpipe-loads"}
    theirs = {p.name: p for p in importlib.metadata.entry_points(group="mmpipe") if p.dist.name == "mmpipe-loads"}
    assert ours.keys() == theirs.keys() == {"a", "b"}
    assert all(ours[name].load() is theirs[name].load() for name in ours)
    assert ours["a"].factories == ("x",)


def test_the_first_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("1.0", "2.0"):
        folder = tmp_path / version
        folder.mkdir()
        write_plugin(folder, "twice", "", version=version)
        monkeypatch.syspath_prepend(str(folder))
    assert [p.version for p in installed_entry_points("mmpipe") if p.name == "twice"] == ["2.0"]


def test_damaged_files_hurt_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(tmp_path, "damaged", "", metadata="\0\0 no headers")
    write_plugin(tmp_path, "whole", "")
    (tmp_path / "mmpipe_damaged-1.0.dist-info/entry_points.txt").write_bytes(
        b"= ?\n[mmpipe]\n\xff\xfe no sense\nd = d_plugin\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {p.name: (p.distribution, p.version) for p in installed_entry_points("mmpipe")}
    assert found["d"] == ("", "")
    assert found["whole"] == ("mmpipe-whole", "1.0")


def test_archives_are_left_to_importlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    write_plugin(folder, "zipped", "here = 1\n")
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    monkeypatch.syspath_prepend(str(tmp_path / "zipped.zip"))
    point = next(p for p in installed_entry_points("mmpipe") if p.name == "zipped")
    assert point.load().here == 1
    assert "zipped.zip" in point.load().__file__
    assert str(tmp_path / "zipped.zip") in sys.path
