"""Malformed pipelines: never a traceback; a place and a next step each time."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmpipe.config import read_pipeline
from mmpipe.errors import MmpipeError
from mmpipe.loading import build, spacy_entry_points
from mmpipe.plugins import get_plugins

CFG = '[nlp]\nlang = "en"\npipeline = ["s"]\n[components]\n[components.s]\nfactory = "sentencizer"\n'
TREE: dict[str, Any] = {
    "nlp": {"lang": "en", "pipeline": ["s", "tone"], "batch_size": 8},
    "components": {
        "s": {"factory": "sentencizer", "overwrite": False, "punct_chars": ["."]},
        "tone": {"factory": "mmpipe_sentiment", "field": "tone", "model": {"name": "nowhere", "device": "cpu"}},
    },
}
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)
FILES: dict[str, str | bytes] = {
    "binary.cfg": bytes(range(256)),
    "utf16.cfg": CFG.encode("utf-16"),
    "latin.cfg": CFG.replace("en", "é").encode("latin-1"),
    "empty.cfg": "",
    "blank.cfg": " \n\n\t",
    "nul.cfg": CFG + "\0",
    "section twice.cfg": CFG + '[nlp]\nlang = "de"\n',
    "key twice.cfg": CFG + 'factory = "ner"\n',
    "no section.cfg": "lang = en\n",
    "list not closed.cfg": CFG.replace('["s"]', '["s"'),
    "single quotes.cfg": CFG.replace('["s"]', "['s']"),
    "dot in a name.cfg": CFG + '[components.a.b]\nfactory = "sentencizer"\n',
    "child first.cfg": '[components.s.model]\nname = "x"\n[components.s]\nfactory = "ner"\n[nlp]\nlang = "en"\n',
    "value and section.cfg": CFG + "model = 1\n[components.s.model]\nx = 1\n",
    "loop.cfg": CFG + "[variables]\nx = ${variables.y}\ny = ${variables.x}\n",
    "leads nowhere.cfg": CFG.replace('"en"', "${a.b}"),
    "not closed.cfg": CFG.replace('"en"', "${"),
    "itself.cfg": CFG.replace('"en"', "${nlp.lang}"),
    "section for string.cfg": CFG.replace('"en"', "${nlp}"),
    "empty.toml": "",
    "not a table.toml": "nlp = 1",
    "twice.toml": "[nlp]\nlang = 'en'\n[nlp]\n",
    "date.toml": "[nlp]\nlang = 2020-01-01\n",
    "time.toml": "[nlp]\nlang = 07:32:00\n",
    "nan.toml": "[nlp]\nlang = 'en'\nbatch_size = nan\n",
    "inf.toml": "[nlp]\nlang = 'en'\nbatch_size = inf\n",
    "binary.toml": b"\xff\xfe",
    "deep.toml": "a = " + "[" * 5000 + "]" * 5000,
    "empty.yaml": "",
    "list.yaml": "- a",
    "tag.yaml": "!!python/object/apply:os.system ['true']",
    "own tag.yaml": "nlp: !mine {lang: en}",
    "bomb.yaml": BOMB,
    "circle.yaml": "nlp: &a\n  lang: en\n  x: *a\n",
    "date.yaml": "nlp: {lang: 2020-01-01}",
    "no.yaml": "nlp: {lang: no, pipeline: []}",
    "twice.yaml": "nlp: {lang: en}\nnlp: {lang: de}",
    "number.yaml": "1: 2\nnlp: {lang: en}",
    "null.yaml": "nlp:\ncomponents:\n",
    "tab.yaml": "nlp:\n\tlang: en",
    "two documents.yaml": "a: 1\n---\nb: 2\n",
    "deep.yaml": "[" * 1500,
    "set.yaml": "nlp: !!set {a, b}",
    "bytes.yaml": "nlp: {lang: !!binary aGVsbG8=}",
    "control.yaml": "nlp: \x01",
    "unknown anchor.yaml": "nlp: *x",
    "list as key.yaml": "? [a, b]\n: c\n",
    "empty.json": "",
    "list.json": "[]",
    "nan.json": '{"nlp": {"lang": "en", "batch_size": NaN}}',
    "deep.json": "[" * 100_000,
    "deep tree.json": '{"a":' * 900 + "1" + "}" * 900,
    "comma.json": '{"nlp": {"lang": "en",}}',
    "twice.json": '{"nlp": {"lang": "en", "lang": "de"}}',
    "surrogate.json": '{"nlp": {"lang": "\\ud800"}}',
    "surrogate key.json": '{"nlp": {"\\ud800": "en"}}',
    "digits.json": '{"nlp": {"lang": "en", "batch_size": ' + "9" * 5000 + "}}",
    "empty key.json": '{"": 1}',
    "truncated.json": '{"nlp": {"lang": "en"',
    "folder.cfg/x": "",
    "endings.ini": CFG,
    "no ending": CFG,
}
SOURCES: dict[str, Any] = {
    "nothing": "",
    "number": 5,
    "none": None,
    "list": [],
    "no such file": "nowhere.cfg",
    "NUL": "a\0b",
    "long": "x" * 5000,
    "no such name": "sentimnt",
    "empty dict": {},
}
LANGUAGES = ["", "lex_attrs", "en.stop_words", "../x", "no", "EN", "e n", "\0", "multi", "de ", "punctuation", "größe"]
NAMES = ["a.b", "", "a]b", "a\nb", " a", "[a]", "a=b"]


def faults_of(source: Any, overrides: Any = None) -> list[MmpipeError]:
    """What `mmpipe validate` would say, error by error; empty for a valid pipeline."""
    plugins = get_plugins()
    try:
        with spacy_entry_points(plugins):
            found = read_pipeline(source, overrides, plugins)
            if not found.faults:
                build(found)
    except MmpipeError as error:
        return [error]
    return list(found.faults)  # type: ignore[arg-type]


def check(faults: list[Any]) -> None:
    for fault in faults:
        assert fault.where and fault.what and fault.next_step, fault
        assert "Traceback" not in str(fault)
        assert len(str(fault)) < 3000


def malformed(source: Any, overrides: Any = None) -> list[Any]:
    faults = faults_of(source, overrides)
    assert faults, f"{source!r} was taken for valid"
    check(faults)
    return faults


@pytest.mark.parametrize("name", FILES)
def test_malformed_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    content = FILES[name]
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    named = tmp_path / Path(name).parts[0]
    faults = malformed(named)
    if isinstance(faults[0], MmpipeError):
        assert str(named) in str(faults[0])


@pytest.mark.parametrize("name", SOURCES)
def test_malformed_source(name: str) -> None:
    malformed(SOURCES[name])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_unknown_language(lang: str) -> None:
    (fault,) = malformed({"nlp": {"lang": lang, "pipeline": []}})
    assert fault.where == "nlp.lang" and repr(lang) in fault.what


@pytest.mark.parametrize("lang", ["ja", "ko", "th", "vi"])
def test_language_without_its_package(lang: str) -> None:
    faults = faults_of({"nlp": {"lang": lang, "pipeline": []}})
    check(faults)
    if faults:
        assert f"nlp.lang = {lang!r}" in faults[0].where and "pip install" in faults[0].next_step


@pytest.mark.parametrize("name", NAMES)
def test_unusable_component_name(name: str) -> None:
    tree = {"nlp": {"lang": "en", "pipeline": [name]}, "components": {name: {"factory": "sentencizer"}}}
    malformed(tree)


def test_unicode_component_name_is_usable() -> None:
    name = "größe 名"
    assert not faults_of({"nlp": {"lang": "en", "pipeline": [name]}, "components": {name: {"factory": "sentencizer"}}})


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = [(*path, key) for key in tree] if isinstance(tree, dict) else []
    return [p for place in inner for p in [place, *_places(_get(TREE, place), place)]]


def _get(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    tree = copy.deepcopy(TREE)
    _get(tree, path[:-1])[path[-1]] = value
    return tree


WRONG: list[Any] = [
    None,
    True,
    -1,
    1.5,
    "\x00",
    [],
    ["x", 1],
    [[]],
    {"a": 1},
    {"@get": "x"},
    {"@architectures": 7},
    {"": 1},
]


@pytest.mark.parametrize("path", _places(TREE), ids=".".join)
def test_wrong_type_at_every_key(path: tuple[str, ...]) -> None:
    seen = [faults_of(_changed(path, value)) for value in WRONG]
    for faults in seen:
        check(faults)
    assert sum(map(bool, seen)) >= len(WRONG) // 2
    assert not faults_of(TREE)


@pytest.mark.parametrize("path", _places(TREE), ids=".".join)
def test_misspelt_key_at_every_level(path: tuple[str, ...]) -> None:
    tree = copy.deepcopy(TREE)
    parent, key = _get(tree, path[:-1]), path[-1]
    parent[key + "x"] = parent.pop(key)
    faults = malformed(tree)
    if key == "factory":
        assert any(fault.next_step == "rename 'factoryx' to 'factory'" for fault in faults)
    elif path != ("components", key):
        (fault,) = [fault for fault in faults if fault.where.endswith(f"{key}x")]
        assert f"did you mean {key!r}" in fault.next_step


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
QUIET = settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@settings(QUIET, max_examples=120)
@given(path=st.sampled_from(_places(TREE)), value=JSON)
def test_mutated_tree(path: tuple[str, ...], value: Any) -> None:
    check(faults_of(_changed(path, value)))


@settings(QUIET, max_examples=120)
@given(
    suffix=st.sampled_from([".cfg", ".toml", ".yaml", ".json"]),
    start=st.integers(0, 300),
    length=st.integers(0, 8),
    junk=st.binary(max_size=6) | st.sampled_from([b"[", b"${", b'"', b"\n\n", b"&a", b"]", b"=", b"{", b"\\u"]),
)
def test_mutated_file(suffix: str, start: int, length: int, junk: bytes, tmp_path_factory: Any) -> None:
    text = spelt(TREE, suffix).encode()
    file = tmp_path_factory.mktemp("x") / f"p{suffix}"
    file.write_bytes(text[:start] + junk + text[start + length :])
    check(faults_of(file))


@settings(QUIET, max_examples=60)
@given(overrides=st.dictionaries(st.text(max_size=8) | st.just("nlp.x") | st.just("nlp.lang.x"), JSON, max_size=2))
def test_mutated_overrides(overrides: dict[str, Any]) -> None:
    check(faults_of(TREE, overrides))


@pytest.mark.parametrize("overrides", [[1], 5, "a.b=c", {"a": 1}, {"..": 1}, {"nlp.lang.x": 1}, {"nlp.lang": object()}])
def test_malformed_overrides(overrides: Any) -> None:
    malformed(TREE, overrides)


def spelt(tree: dict[str, Any], suffix: str) -> str:
    import yaml
    from confection import Config

    if suffix == ".cfg":
        return Config(tree).to_str()
    if suffix == ".json":
        return json.dumps(tree)
    if suffix == ".yaml":
        return yaml.safe_dump(tree)
    return _toml(tree)


def _toml(tree: dict[str, Any], path: str = "") -> str:
    lines = [f"[{path}]"] if path else []
    lines += [f"{key} = {json.dumps(value)}" for key, value in tree.items() if not isinstance(value, dict)]
    inner = [_toml(value, f"{path}.{key}".strip(".")) for key, value in tree.items() if isinstance(value, dict)]
    return "\n".join([*lines, *inner]) + "\n"


@pytest.mark.parametrize("command", ["validate", "config", "run"])
@pytest.mark.parametrize("name", ["binary.cfg", "empty.json", "bomb.yaml", "surrogate.json", "single quotes.cfg"])
def test_the_command_line_shows_no_traceback(command: str, name: str, tmp_path: Path, mmpipe: Any) -> None:
    content = FILES[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    rest = [tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl"] if command == "run" else []
    found = mmpipe(command, tmp_path / name, *rest)
    assert found.code == 3 and "next:" in found.out + found.err and "Traceback" not in found.err
    assert not (tmp_path / "out.jsonl").exists()
