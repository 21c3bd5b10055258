"""Small files that stand for large trees, deep ones, and numbers without end: an error each, at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

NINE = range(9)
ALIASES = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i + 1}: &a{i + 1} [{','.join([f'*a{i}'] * 9)}]\n" for i in NINE)
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{i + 1}: &a{i + 1} {{<<: [{','.join([f'*a{i}'] * 9)}]}}\n" for i in NINE)
HEAD = '[nlp]\nlang = "en"\n'
STRINGS = (
    HEAD + '[variables]\na0 = "xxxxxxxxxx"\n' + "".join(f'a{i + 1} = "{f"${{variables.a{i}}}" * 10}"\n' for i in NINE)
)
SECTIONS = (
    HEAD
    + '[variables]\n[variables.a0]\nx = "y"\n'
    + "".join(f"[variables.a{i + 1}]\n" + "".join(f"k{j} = ${{variables.a{i}}}\n" for j in NINE) for i in NINE)
)
BOMBS: dict[str, str] = {
    "aliases.yaml": ALIASES,
    "merges.yaml": MERGES,
    "strings.cfg": STRINGS,
    "sections.cfg": SECTIONS,
    "keys.yaml": "".join(f"k{i}: 1\n" for i in range(6_000)) + "k0: 2\n",
    "keys.json": "{" + ",".join(f'"k{i}": 1' for i in range(20_000)) + ',"k19999": 2}',
    "comments.cfg": HEAD + 'x = "' + " #" * 100_000 + "\n",
    "deep.json": '{"a":' * 30_000 + "1" + "}" * 30_000,
    "deep.yaml": "{a: " * 15_000,
    "deep.toml": "a = " + "{a = " * 20_000,
    "dots.toml": "a" + ".a" * 100_000 + " = 1",
    "dots.cfg": "[a" + ".a" * 20_000 + "]\n",
    "number.json": '{"nlp": {"lang": "en", "batch_size": ' + "9" * 4000 + "}}",
    "float.json": '{"nlp": {"lang": "en", "batch_size": 1e999}}',
    "sixty.yaml": "nlp: {batch_size: " + "1:" * 20_000 + "1}",
    "long.json": '{"nlp": {"lang": "' + "x" * 300_000 + '"}}',
    "list.json": '{"nlp": {"pipeline": [' + ",".join(["1"] * 110_000) + "]}}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_an_error_at_once(name: str, tried: Callable, home: Path) -> None:
    (home / name).write_text(BOMBS[name])
    began = time.process_time()
    found = tried(home / name)
    assert found.error is not None and len(found.said) < 4000
    assert time.process_time() - began < 10


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_read(kind: str, tried: Callable, home: Path) -> None:
    file = home / "p.json"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        file.mkdir()
    assert tried(file).error is not None


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/object/new:os.system ['true']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/object:mmpipe.errors.MmpipeError {}",
        "!mine x",
    ],
)
def test_yaml_makes_no_objects(tag: str, tried: Callable, home: Path) -> None:
    (home / "p.yaml").write_text(f"nlp: {{lang: en, pipeline: {tag}}}\n")
    assert "not a valid .yaml file" in tried(home / "p.yaml").said


def test_half_as_large_is_read(tried: Callable, home: Path) -> None:
    """The limits are far from what a pipeline needs."""
    tree = {
        "nlp": {"lang": "en"},
        "variables": {f"v{i}": "x" * 40 for i in range(3_000)} | {"all": "${variables.v0}" * 99},
    }
    (home / "p.json").write_text(json.dumps(tree))
    assert tried(home / "p.json").error is None
