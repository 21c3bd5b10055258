"""Each example of docs/reference/hooks.md, installed as a plugin and seen to take effect."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("griffe")

from contract.imports import private_names_in
from contract.pages.hooks import EXAMPLES, files_of
from contract.signatures import hooks

import mmpipe
from mmpipe.plugins import get_plugins
from mmpipe.testing import write_plugin

PIPELINE = {"nlp": {"lang": "en", "pipeline": ["sentencizer"]}}
LINES = [{"id": "a", "text": "One two. Three."}, {"id": "b", "text": "Four."}, {"id": "c", "text": "five six"}]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """`install("mmpipe_readers")`: the example of a hook is a plugin of this process; its folder."""
    site, before = tmp_path / "site", set(sys.modules)
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)
    Path("p.json").write_text(json.dumps(PIPELINE))
    Path("in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))

    def installed(hook: str) -> Path:
        code, *others = files_of(hook)
        name = code.stem.removesuffix("_plugin")
        write_plugin(site, name, code.read_text("utf-8"), files={file.name: file.read_text("utf-8") for file in others})
        get_plugins.cache_clear()
        (plugin,) = [plugin for plugin in get_plugins().plugins if plugin.name == name]
        assert (plugin.status, plugin.error, plugin.warnings) == ("loaded", None, [])
        return site

    yield installed
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(site)):
            del sys.modules[name]
    get_plugins.cache_clear()


def records(file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]


def test_components(install: Callable[[str], Path]) -> None:
    install("mmpipe_components")
    tree = {"nlp": {"lang": "en", "pipeline": ["loud"]}, "components": {"loud": {"factory": "acme_loudness"}}}
    assert mmpipe.load(tree)("STOP that now!")._.loudness == 1.5 / 4
    assert mmpipe.load(tree, {"components.loud.mark_weight": 3.0})("STOP that now!")._.loudness == 1.0
    with pytest.raises(mmpipe.ConfigError, match="mark_weight"):
        mmpipe.load(tree, {"components.loud.mark_weihgt": 3.0})


def test_pipelines(install: Callable[[str], Path]) -> None:
    install("mmpipe_pipelines")
    assert [sent.text for sent in mmpipe.load("acme-clauses")("One; two. Three").sents] == ["One;", "two.", "Three"]


def test_models(install: Callable[[str], Path]) -> None:
    pytest.importorskip("mmpipe_sentiment")
    from mmpipe.testing import tiny_checkpoint

    tiny_checkpoint(install("mmpipe_models") / "acme-tone", "bert", labels=("formal", "friendly"))
    model = {"name": "mmpipe/acme-tone", "precision": "fp32", "device": "cpu"}
    tree = {"nlp": {"lang": "en", "pipeline": ["tone"]}}
    nlp = mmpipe.load(tree | {"components": {"tone": {"factory": "mmpipe_sentiment", "model": model}}})
    assert set(nlp("a good film")._.sentiment["scores"]) == {"formal", "friendly"}


MAILBOX = b"""From a@example.org Mon Jan  1 00:00:00 2024
Subject: Kettle
Content-Type: text/plain

It leaks.

From b@example.org Mon Jan  1 00:00:01 2024
Subject: Picture
Content-Type: image/png

no text
"""


def test_readers(install: Callable[[str], Path], command_line: Callable[..., tuple]) -> None:
    install("mmpipe_readers")
    Path("letters.mbox").write_bytes(MAILBOX)
    assert command_line("run", "p.json", "letters.mbox", "-o", "out.jsonl")[0] == 4
    assert records("out.jsonl") == [{"id": "letters.mbox:1", "text": "It leaks.", "subject": "Kettle"}]
    (failure,) = records("out.errors.jsonl")
    assert (failure["origin"], failure["message"]) == ("letters.mbox:2", "the message has no plain text")


def test_writers(install: Callable[[str], Path], command_line: Callable[..., tuple]) -> None:
    install("mmpipe_writers")
    Path("in.jsonl").write_text('{"id": "a", "text": "One."}\n{"id": "b"}\n')
    assert command_line("run", "p.json", "in.jsonl", "-o", "out", "--format", ".md")[0] == 4
    (shard,) = Path("out").glob("shard*.md")
    assert shard.read_text() == "## a\n\nOne.\n\n"
    (failure,) = records("out/quarantine.jsonl")
    assert failure["record"]["id"] == "b" and "a result without text cannot be written" in failure["message"]
    # Into one file, too, where nothing is refused.
    Path("in.jsonl").write_text('{"id": "a", "text": "One."}\n')
    assert command_line("run", "p.json", "in.jsonl", "-o", "out.md")[0] == 0
    assert Path("out.md").read_text() == "## a\n\nOne.\n\n"


def test_metrics(install: Callable[[str], Path], command_line: Callable[..., tuple]) -> None:
    install("mmpipe_metrics")
    results = [{"text": "x", "n_errors": 3, "found": 5}, {"text": "y", "n_errors": 1, "found": 1}]
    Path("r.jsonl").write_text("".join(json.dumps(result) + "\n" for result in results))
    options = ["--metric", "found=acme-count", "--bootstrap", "0", "--json"]
    status, out, said = command_line("evaluate", "--results", "r.jsonl", *options)
    assert status == 0, said
    assert json.loads(out)["tasks"]["found"]["figures"] == {"mean_error": 1.0}
    Path("r.jsonl").write_text('{"text": "x", "n_errors": "many", "found": 5}\n')
    assert "must be a whole number" in "".join(map(str, command_line("evaluate", "--results", "r.jsonl", *options)))


def test_engines(
    install: Callable[[str], Path], command_line: Callable[..., tuple], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("mmpipe_engines")
    monkeypatch.setenv("ACME_PAUSE_SECONDS", "0.01")
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    for engine in ("local", "acme-gentle"):
        done = command_line("run", "p.json", "in.jsonl", "-o", engine, "--engine", engine, "--shard-size", "1")
        assert done[0] == 0, done
    assert pauses.count(0.01) == 3
    shards = [[f.read_bytes() for f in sorted(Path(engine).glob("shard*"))] for engine in ("local", "acme-gentle")]
    assert len(shards[0]) == 3 and shards[0] == shards[1]


def test_commands(install: Callable[[str], Path], command_line: Callable[..., tuple]) -> None:
    install("mmpipe_commands")
    assert "Count the words of results." in command_line("--help")[1]
    assert command_line("acme-words", "in.jsonl")[:2] == (0, "6\n")
    assert command_line("acme-words", "in.jsonl", "--least", "4")[1] == "4\n"
    status, _, said = command_line("acme-words", "nowhere.jsonl")
    assert status == 1 and "name what `mmpipe run` wrote" in said


def test_run_started(
    install: Callable[[str], Path], command_line: Callable[..., tuple], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("mmpipe_run_started")
    monkeypatch.setenv("ACME_LEAST_FREE_GB", "1e12")
    status, _, said = command_line("run", "p.json", "in.jsonl", "-o", "out")
    assert status == 1 and "make room" in said and not list(Path("out").glob("shard*"))
    monkeypatch.setenv("ACME_LEAST_FREE_GB", "0")
    assert command_line("run", "p.json", "in.jsonl", "-o", "out")[0] == 0
    assert list(Path("out").glob("shard*"))


def test_batch_done(install: Callable[[str], Path], command_line: Callable[..., tuple]) -> None:
    install("mmpipe_batch_done")
    assert command_line("run", "p.json", "in.jsonl", "-o", "out", "-b", "1")[0] == 0
    told = json.loads(Path("pulse.main.json").read_text())
    assert told == {"process": "main", "n_read": 3, "n_written": 3, "n_failed": 0, "n_skipped": 0}


def test_document_failed(install: Callable[[str], Path], command_line: Callable[..., tuple]) -> None:
    install("mmpipe_document_failed")
    with Path("in.jsonl").open("a") as file:
        file.write("no JSON\n")
    assert command_line("run", "p.json", "in.jsonl", "-o", "out")[0] == 4
    assert Path("alarm.log").read_text() == "in.jsonl:4 None None RecordError\n"
    _told_in("mmpipe_document_failed", records("out/quarantine.jsonl")[0])


def test_shard_written(install: Callable[[str], Path], command_line: Callable[..., tuple]) -> None:
    install("mmpipe_shard_written")
    assert command_line("run", "p.json", "in.jsonl", "-o", "out", "--shard-size", "2")[0] == 0
    shards = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(Path("out").glob("shard*"))]
    assert Path("ledger.txt").read_text() == f"out 0 2 {shards[0]}\nout 1 1 {shards[1]}\n"
    from mmpipe.corpus.manifest import ShardEntry

    _told_in("mmpipe_shard_written", [field.name for field in fields(ShardEntry)])


def test_run_ended(install: Callable[[str], Path], command_line: Callable[..., tuple]) -> None:
    install("mmpipe_run_ended")
    assert command_line("run", "p.json", "in.jsonl", "-o", "out.jsonl")[0] == 0
    assert Path("bell.txt").read_text() == "p.json: 3 written, 0 failed, is_whole=True\n"


def _told_in(hook: str, keys: Any) -> None:
    """The hook's docstring names every key that its argument has."""
    (told,) = [found.docstring.value for found in hooks() if found.name == hook]
    words = set(told.replace(",", " ").replace(":", " ").split())
    assert [key for key in keys if key not in words] == []


def test_every_hook_has_an_example_that_is_run() -> None:
    names = {hook.name for hook in hooks()}
    assert {folder.name for folder in EXAMPLES.iterdir()} == names
    assert not [name for name in names if f"test_{name.removeprefix('mmpipe_')}" not in globals()]


def test_examples_import_only_what_is_public() -> None:
    assert [name for file in EXAMPLES.rglob("*.py") for name in private_names_in(file, is_alone=True)] == []
