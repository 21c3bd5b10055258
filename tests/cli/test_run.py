"""`mmpipe run`: every record accounted for, in order, and an output that is whole or not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.tokens import Doc

from mmpipe.plugins import get_plugins
from mmpipe.testing import write_plugin

RECORDS: list[dict[str, Any]] = [
    {"id": f"r{i}", "text": f"text {i}" + (" bad" if i % 5 == 3 else ""), "stars": i, "deep": {"a": [None, 1.5]}}
    for i in range(23)
]


@pytest.fixture(scope="module", autouse=True)
def _components() -> Iterator[None]:
    for name in ("n_words", "shout", "odd"):
        Doc.set_extension(name, default=None, force=True)

    @Language.component("test_words", assigns=["doc._.n_words"])
    def words(doc: Doc) -> Doc:
        if "bad" in doc.text:
            raise ValueError("a bad\nword")
        doc._.n_words = len(doc)
        return doc

    class Batched:
        """Gives up a whole batch for one document, as some of spaCy's own components do."""

        def __call__(self, doc: Doc) -> Doc:
            return next(iter(self.pipe([doc])))

        def pipe(self, stream: Any, batch_size: int = 8) -> Iterator[Doc]:
            docs = list(stream)
            if any("bad" in doc.text for doc in docs):
                raise RuntimeError("the batch is bad")
            for doc in docs:
                doc._.shout = doc.text.upper()
            yield from docs

    class Handled(Batched):
        """Hands the whole batch to the error handler."""

        name = "test_handled"

        def set_error_handler(self, handler: Any) -> None:
            self.handler = handler

        def pipe(self, stream: Any, batch_size: int = 8) -> Iterator[Doc]:
            docs = list(stream)
            try:
                yield from super().pipe(docs)
            except RuntimeError as error:
                self.handler(self.name, self, docs, error)

    Language.factory("test_batched", assigns=["doc._.shout"], func=lambda nlp, name: Batched())
    Language.factory("test_handled", assigns=["doc._.shout"], func=lambda nlp, name: Handled())
    Language.component("test_other_doc", func=lambda doc: Doc(doc.vocab, words=["x"]))
    Language.component("test_dropped", func=lambda doc: None)

    @Language.component("test_odd", assigns=["doc._.odd"])
    def odd(doc: Doc) -> Doc:
        doc._.odd = {1, 2}
        return doc

    @Language.component("test_cats", assigns=["doc.cats"])
    def cats(doc: Doc) -> Doc:
        doc.cats["x"] = 0.5
        return doc

    yield


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline("p.json", "test_words")
    jsonl("in.jsonl", RECORDS)


def pipeline(name: str, *components: str) -> str:
    Path(name).write_text(json.dumps({"nlp": {"lang": "en", "pipeline": components}}))
    return name


def jsonl(name: str, records: list[Any]) -> str:
    Path(name).write_text("".join(json.dumps(record) + "\n" for record in records))
    return name


def read(name: str) -> list[Any]:
    return [json.loads(line) for line in Path(name).read_text("utf-8").splitlines()]


def test_every_record_goes_out_in_order_or_to_the_errors(mmpipe: Callable) -> None:
    found = mmpipe("run", "p.json", "in.jsonl", "-o", "out.jsonl")
    good = [record for record in RECORDS if "bad" not in record["text"]]
    assert found.code == 4
    assert read("out.jsonl") == [record | {"n_words": 2} for record in good]
    errors = read("out.errors.jsonl")
    assert [line["record"] for line in errors] == [record for record in RECORDS if "bad" in record["text"]]
    first = errors[0]
    assert (first["origin"], first["component"], first["error"]) == ("in.jsonl:4", "test_words", "ValueError")
    assert first["message"] == "a bad word" and "Traceback" in first["traceback"] and first["next_step"]
    assert "23 records read" in found.err and "19 written to out.jsonl" in found.err
    assert "4 failed, see out.errors.jsonl" in found.err and "Traceback" not in found.err
    assert not list(Path().glob("*.part"))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("component", ["test_words", "test_batched", "test_handled"])
def test_batch_size_changes_nothing(component: str, size: int, mmpipe: Callable) -> None:
    pipeline("q.json", "sentencizer", component)
    mmpipe("run", "q.json", "in.jsonl", "-o", "a.jsonl", "-b", size)
    mmpipe("run", "q.json", "in.jsonl", "-o", "b.jsonl")
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()
    assert len(read("a.jsonl")) == 19
    told = [[line["record"]["id"] for line in read(f"{name}.errors.jsonl")] for name in "ab"]
    assert told[0] == told[1] == ["r3", "r8", "r13", "r18"]


@pytest.mark.parametrize(("limit", "n_read"), [(1, 1), (3, 3), (25, 25), (100, 46)])
def test_limit_counts_over_all_inputs(limit: int, n_read: int, mmpipe: Callable) -> None:
    jsonl("more.jsonl", [record | {"text": "fine"} for record in RECORDS])
    mmpipe("run", "p.json", "in.jsonl", "more.jsonl", "-o", "out.jsonl", "--limit", limit, "-b", 4)
    n_failed = len(read("out.errors.jsonl")) if Path("out.errors.jsonl").exists() else 0
    assert len(read("out.jsonl")) + n_failed == n_read


def test_missing_ids_come_from_the_place(mmpipe: Callable) -> None:
    Path("r.jsonl").write_text('{"text": "a"}\n\n{"text": "b", "id": null}\n{"text": "c", "id": 0}\n')
    assert mmpipe("run", "p.json", "r.jsonl", "-o", "out.jsonl").code == 0
    assert [record["id"] for record in read("out.jsonl")] == ["r.jsonl:1", "r.jsonl:3", 0]
    assert next(iter(read("out.jsonl")[0])) == "id"


def test_files_of_one_name_have_ids_of_their_own(mmpipe: Callable) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "x.jsonl").write_text('{"text": "a"}\n')
    mmpipe("run", "p.json", "a/x.jsonl", "b/x.jsonl", "-o", "out.jsonl")
    assert [record["id"] for record in read("out.jsonl")] == ["a/x.jsonl:1", "b/x.jsonl:1"]


def test_standard_streams(mmpipe: Callable) -> None:
    found = mmpipe("run", "p.json", "-", "-o", "-", stdin=b'{"text": "a b"}\n{"text": "bad"}\n')
    assert found.code == 4
    assert json.loads(found.out) == {"id": "stdin:1", "text": "a b", "n_words": 2}
    (line,) = [line for line in found.err.splitlines() if line.startswith("{")]
    assert json.loads(line)["record"] == {"text": "bad"}


def test_csv(mmpipe: Callable) -> None:
    Path("t.csv").write_text('id,review\n7,"one, two\nthree"\n8,four\n')
    assert mmpipe("run", "p.json", "t.csv", "-o", "out.jsonl", "--text-key", "review").code == 0
    assert read("out.jsonl") == [
        {"id": "7", "review": "one, two\nthree", "n_words": 5},
        {"id": "8", "review": "four", "n_words": 1},
    ]


def test_records_without_text_are_pointed_out(mmpipe: Callable) -> None:
    Path("t.csv").write_text("id,texts\n7,one\n")
    found = mmpipe("run", "p.json", "t.csv", "-o", "out.jsonl")
    assert "did you mean 'texts'?" in found.err and "--text-key" in found.err
    assert "--text-key" not in mmpipe("run", "p.json", "in.jsonl", "-o", "out2.jsonl").err


@pytest.mark.parametrize(
    ("component", "record", "error", "said"),
    [
        ("test_words", {"text": "a", "n_words": 1}, "RecordError", "already has a key 'n_words'"),
        ("test_cats", {"text": "a", "cats": 1}, "RecordError", "already has a key 'cats'"),
        ("test_odd", {"text": "a"}, "RecordError", "not JSON data"),
        ("test_other_doc", {"text": "a"}, "RecordError", "put another in its place"),
    ],
)
def test_a_record_that_fails_after_its_component(
    component: str, record: dict[str, Any], error: str, said: str, mmpipe: Callable
) -> None:
    pipeline("q.json", component)
    jsonl("r.jsonl", [record])
    assert mmpipe("run", "q.json", "r.jsonl", "-o", "out.jsonl").code == 4
    (line,) = read("out.errors.jsonl")
    assert line["error"] == error and said in line["message"] and line["next_step"]
    assert line["record"] == record and read("out.jsonl") == []


def test_a_component_that_drops_documents_loses_no_record(mmpipe: Callable) -> None:
    pipeline("q.json", "test_dropped")
    assert mmpipe("run", "q.json", "in.jsonl", "-o", "out.jsonl").code == 4
    assert len(read("out.errors.jsonl")) == len(RECORDS) and all(line["next_step"] for line in read("out.errors.jsonl"))


class TestOutput:
    def test_is_not_overwritten_unasked(self, mmpipe: Callable) -> None:
        Path("out.jsonl").write_text("old")
        found = mmpipe("run", "p.json", "in.jsonl", "-o", "out.jsonl")
        assert found.code == 1 and "--restart" in found.err and Path("out.jsonl").read_text() == "old"
        assert mmpipe("run", "p.json", "in.jsonl", "-o", "out.jsonl", "--restart").code == 4
        assert len(read("out.jsonl")) == 19

    @pytest.mark.parametrize(("given", "output"), [("in.jsonl", "in.jsonl"), ("o.errors.jsonl", "o.jsonl")])
    def test_never_replaces_an_input(self, given: str, output: str, mmpipe: Callable) -> None:
        jsonl(given, RECORDS)
        before = Path(given).read_bytes()
        found = mmpipe("run", "p.json", given, "-o", output, "--restart")
        assert found.code == 1 and "is an input" in found.err and Path(given).read_bytes() == before

    def test_stale_errors_go(self, mmpipe: Callable) -> None:
        Path("out.errors.jsonl").write_text("old")
        assert mmpipe("run", "p.json", "in.jsonl", "-o", "out.jsonl", "--limit", 2).code == 0
        assert not Path("out.errors.jsonl").exists()

    def test_is_not_there_when_the_reader_fails(self, mmpipe: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        def burst(source: Any) -> Iterator[Any]:
            yield from list(real(source))[:3]
            raise OSError("the disk is gone")

        import mmpipe.corpus.jsonl as module

        real = module.read
        monkeypatch.setattr(module, "read", burst)
        found = mmpipe("run", "p.json", "in.jsonl", "-o", "out.jsonl", "-b", 1)
        assert found.code == 1 and "after in.jsonl:3: the reader failed: OSError: the disk is gone" in found.err
        assert not Path("out.jsonl").exists()

    @pytest.mark.parametrize("output", ["out.xyz", "out.spacy", "p.json/out.jsonl", "p.json/out"])
    def test_that_cannot_be(self, output: str, mmpipe: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mmpipe.loading.load", None)  # Found out before anything is loaded.
        Path("folder").mkdir()
        found = mmpipe("run", "p.json", "in.jsonl", "-o", output)
        assert found.code == 1 and output in found.err and "next:" in found.err
        assert sorted(path.name for path in Path().iterdir()) == ["folder", "in.jsonl", "p.json"]

    def test_in_a_new_folder(self, mmpipe: Callable) -> None:
        assert mmpipe("run", "p.json", "in.jsonl", "-o", "new/er/out.jsonl", "--limit", 1).code == 0
        assert len(read("new/er/out.jsonl")) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "p.json", "in.jsonl", "-o", "o.jsonl", "--limit", "2"], 0, "2 written"),
        (["run", "p.json", "in.jsonl", "-o", "o.jsonl", "--limt", "2"], 2, "--limt"),
        (["run", "p.json", "-o", "o.jsonl"], 2, "INPUT"),
        (["run", "p.json", "in.jsonl"], 2, "--output"),
        (["run", "p.json", "in.jsonl", "-o", "o.jsonl", "--limit", "0"], 2, "--limit"),
        (["run", "p.json", "in.jsonl", "-o", "o.jsonl", "--nlp.batch_size"], 2, "has no value"),
        (["validate", "p.json", "q.json"], 2, "q.json"),
        (["config"], 2, "PIPELINE"),
        (["nonsense"], 2, "nonsense"),
        (["run", "nowhere.cfg", "in.jsonl", "-o", "o.jsonl"], 3, "nowhere.cfg"),
        (["run", "p.json", "in.jsonl", "-o", "o.jsonl", "--nlp.batchsize=3"], 3, "did you mean 'batch_size'"),
        (["run", "p.json", "in.jsonl", "-o", "o.jsonl", "--reader", "xml"], 3, "'xml'"),
        (["run", "p.json", "nowhere.jsonl", "-o", "o.jsonl"], 5, "nowhere.jsonl"),
        (["run", "p.json", "missing.jsonl", "-o", "o.jsonl"], 5, "beside it: empty, empty.jsonl, in.jsonl"),
        (["run", "p.json", "./emty.jsonl.gz", "-o", "o.jsonl"], 5, "did you mean 'empty.jsonl'"),
        (["run", "p.json", "*.nothing", "-o", "o.jsonl"], 5, "*.nothing"),
        (["run", "p.json", "x" * 5000, "-o", "o.jsonl"], 5, "next:"),
        (["run", "p.json", "a\x01b", "-o", "o.jsonl"], 5, "next:"),
        (["run", "p.json", "[", "-o", "o.jsonl"], 5, "next:"),
        (["run", "p.json", "empty.jsonl", "-o", "o.jsonl"], 5, "empty.jsonl: no records"),
        (["run", "p.json", "empty", "-o", "o.jsonl"], 5, "no file that a reader answers to"),
        (["run", "p.json", "notes.xyz", "-o", "o.jsonl"], 5, "'.xyz'"),
        (["show", "empty.jsonl"], 5, "next:"),
        (["show", "nowhere.jsonl"], 5, "nowhere.jsonl"),
    ],
)
def test_exit_codes(arguments: list[str], code: int, said: str, mmpipe: Callable) -> None:
    Path("empty.jsonl").touch()
    Path("notes.xyz").touch()
    Path("empty").mkdir()
    found = mmpipe(*arguments)
    assert found.code == code, found.err
    assert said in found.err and "Traceback" not in found.err


def test_an_error_that_nobody_expected(mmpipe: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("mmpipe.config.read_pipeline", burst)
    found = mmpipe("validate", "p.json")
    assert found.code == 1 and "ZeroDivisionError: surprise" in found.err and "Traceback" not in found.err
    with pytest.raises(ZeroDivisionError):
        mmpipe("validate", "p.json", "--debug")


SLOW = """
import time
from spacy.language import Language

@Language.component("slow_pipe")
def slow(doc):
    print("working", flush=True)
    time.sleep(0.2)
    return doc
"""
HOOKS = """
import mmpipe
calls = []

@mmpipe.hookimpl
def mmpipe_components():
    yield mmpipe.ComponentSpec("slow_pipe", "slow_component")

@mmpipe.hookimpl
def mmpipe_readers():
    yield mmpipe.ReaderSpec("rows", "life_formats:read", (".rows",))

@mmpipe.hookimpl
def mmpipe_writers():
    yield mmpipe.WriterSpec("ids", "life_formats:Writer", (".ids",))

@mmpipe.hookimpl
def mmpipe_commands():
    yield mmpipe.CommandSpec("greet", "life_command:greet", "Say hello.")
    yield mmpipe.CommandSpec("broken", "life_command_broken:x", "Break.")

@mmpipe.hookimpl
def mmpipe_run_started(run):
    calls.append(("started", run))
    raise ValueError("a hook burst")

@mmpipe.hookimpl
def mmpipe_batch_done(counts):
    calls.append(("batch", counts))

@mmpipe.hookimpl
def mmpipe_document_failed(run, failure):
    calls.append(("failed", failure))

@mmpipe.hookimpl
def mmpipe_run_ended(run, counts):
    calls.append(("ended", counts))
"""
FORMATS = """
from mmpipe.corpus.source import Item

def read(source):
    with source.open() as stream:
        for number, line in enumerate(stream, start=1):
            yield Item(f"{source.name}:{number}", {"text": line.decode().strip()})

class Writer:
    def __init__(self, stream):
        self.stream = stream

    def write(self, result):
        self.stream.write(f"{result['id']}\\n".encode())
"""
COMMAND = 'def greet(name: str = "you") -> None:\n    print(f"hello {name}")\n'


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "site"
    folder.mkdir()
    files = {"life_formats.py": FORMATS, "life_command.py": COMMAND, "slow_component.py": SLOW}
    write_plugin(folder, "life", HOOKS, files=files)
    monkeypatch.syspath_prepend(folder)
    get_plugins.cache_clear()
    yield
    for name in ("life_plugin", *(file.removesuffix(".py") for file in files)):
        sys.modules.pop(name, None)
    get_plugins.cache_clear()


@pytest.mark.usefixtures("life")
class TestPlugins:
    def test_life_of_a_run(self, mmpipe: Callable) -> None:
        found = mmpipe("run", "p.json", "in.jsonl", "-o", "out.jsonl", "-b", 10)
        assert found.code == 4
        assert "mmpipe_run_started" in found.err and "a hook burst" in found.err
        calls = sys.modules["life_plugin"].calls
        names = [name for name, _ in calls]
        assert names[0] == "started" and names[-1] == "ended"
        assert names.count("batch") == 3 and names.count("failed") == 4
        assert calls[0][1].inputs == ("in.jsonl",) and calls[0][1].output == "out.jsonl"
        assert [line for name, line in calls if name == "failed"] == read("out.errors.jsonl")
        last = calls[-1][1]
        assert (last.n_read, last.n_written, last.n_failed) == (23, 19, 4)

    def test_reader_and_writer(self, mmpipe: Callable) -> None:
        Path("x.rows").write_text("one\ntwo\n")
        assert mmpipe("run", "p.json", "x.rows", "-o", "x.ids").code == 0
        assert Path("x.ids").read_text() == "x.rows:1\nx.rows:2\n"

    def test_command(self, mmpipe: Callable) -> None:
        assert mmpipe("greet", "--name", "Ada").out == "hello Ada\n"
        found = mmpipe("broken")
        assert found.code == 3 and "mmpipe-life 1.0" in found.err and "life_command_broken" in found.err

    def test_interrupted(self, tmp_path: Path) -> None:
        pipeline("slow.json", "slow_pipe")
        environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
        arguments = [sys.executable, "-m", "mmpipe", "run", "slow.json", "in.jsonl", "-o", "out.jsonl", "-b", "1"]
        with subprocess.Popen(
            arguments,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests run in the background, they hand down SIGINT as ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as running:
            assert running.stdout is not None and running.stderr is not None
            assert running.stdout.readline() == "working\n"
            time.sleep(0.05)
            running.send_signal(signal.SIGINT)
            code = running.wait(30)
            said = running.stderr.read()
        assert code == 130 and "interrupted; the same command goes on" in said and "Traceback" not in said
        assert not Path("out.jsonl").exists()


def test_interrupted_while_loading(mmpipe: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mmpipe.loading.load", interrupt)
    assert mmpipe("run", "p.json", "in.jsonl", "-o", "out.jsonl").code == 130


def test_show_takes_text_for_text(mmpipe: Callable) -> None:
    jsonl(
        "r.jsonl",
        [
            {"id": "[b]", "text": "[/red] x [i]", "g": "x", "sentiment": {"label": "[good]", "score": 1}},
            {"sentiment": 5},
        ],
    )
    found = mmpipe("show", "r.jsonl", "--gold", "g")
    assert found.code == 0 and "[/red] x [i]" in found.out and "1 [good]" in found.out
    Path("l.jsonl").write_text("[1]\n")
    assert mmpipe("show", "l.jsonl").code == 1
