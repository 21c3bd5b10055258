"""A private run: no value of a record gets out, whatever components do with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from mmpipe.corpus.private import Privacy, withheld_errors
from mmpipe.errors import MmpipeError, ModelError, StopRun
from mmpipe.plugins import get_plugins
from mmpipe.testing import write_plugin

_COMPONENT = """
import logging, re, sys, threading, warnings
from pathlib import Path
from spacy.language import Language
from spacy.tokens import Doc
from mmpipe import ModelError

if not Doc.has_extension("echo"):
    Doc.set_extension("echo", default=None)

def stars(value):
    if isinstance(value, str):
        return re.sub("S3CRET[0-9]+", "***", value)
    if isinstance(value, dict):
        return {stars(key): stars(one) for key, one in value.items()}
    return [stars(one) for one in value] if isinstance(value, list) else value

class Redactor:
    def redact_result(self, result, doc, *, text_key):
        if "unfit" in doc.text:
            raise ValueError(f"cannot redact {doc.text}")
        return "S3CRET10" if "wrong" in doc.text else stars(result)

    def redact_text(self, text):
        return stars(text)

class Leaky:
    @property
    def redactor(self):
        return None if Path("open").exists() else Redactor()

    def __call__(self, doc):
        print(doc.text)
        print(doc.text, file=sys.stderr)
        logging.getLogger("leaky").error(f"read {doc.text}", stack_info=True)
        try:
            raise KeyError(doc.text)
        except KeyError as error:
            logging.getLogger("leaky").exception("cannot read %s", doc.text)
            warnings.warn(f"odd: {doc.text}")
            if "raise" in doc.text and not Path("mended").exists():
                raise ValueError(f"cannot read {doc.text!r}") from error
        if "thread" in doc.text:
            thread = threading.Thread(target=lambda: int(doc.text))
            thread.start()
            thread.join()
        if "model" in doc.text:
            raise ModelError(f"no weights for {doc.text}", where=doc.text, next_step=doc.text)
        if "leave" in doc.text:
            sys.exit(doc.text)
        doc._.echo = {"text": doc.text, "score": 1.0}
        return doc

    def pipe(self, docs, *, batch_size):
        yield from map(self, docs)

if not Language.has_factory("leaky"):  # Each test imports this anew.
    @Language.factory("leaky", assigns=["doc._.echo"])
    def make(nlp, name):
        return Leaky()
"""
_HOOKS = """
import logging
import mmpipe

@mmpipe.hookimpl
def mmpipe_components():
    yield mmpipe.ComponentSpec("leaky", "leaky_component", "tells what it should not")

@mmpipe.hookimpl
def mmpipe_document_failed(run, failure):
    raise RuntimeError(str(failure))

@mmpipe.hookimpl
def mmpipe_readers():
    yield mmpipe.ReaderSpec("broken", "leaky_reader:read", (".broken",))
"""
_READER = """
def read(source):
    raise OSError(5, f"cannot parse {source.path.read_text()}")
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    site = tmp_path / "site"
    site.mkdir()
    write_plugin(site, "leaky", _HOOKS, files={"leaky_component.py": _COMPONENT, "leaky_reader.py": _READER})
    monkeypatch.syspath_prepend(site)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    get_plugins.cache_clear()
    Path("p.json").write_text(json.dumps({"nlp": {"lang": "en", "pipeline": ["leaky"]}}))
    yield
    for name in ("leaky_plugin", "leaky_component", "leaky_reader"):
        sys.modules.pop(name, None)
    get_plugins.cache_clear()


def lines_of(*texts: str) -> str:
    records = [{"id": f"r{i}", "text": f"{text} S3CRET{i}0"} for i, text in enumerate(texts)]
    return "".join(json.dumps(record) + "\n" for record in records)


def no_secret_in(folder: str, *said: str) -> None:
    files = [file for file in Path(folder).rglob("*") if file.is_file()]
    assert not [file for file in files if b"S3CRET" in file.read_bytes()]
    assert not [one for one in said if "S3CRET" in one]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("output", ["out/", "out/results.jsonl", "out/results.csv", "-"])
def test_no_value_gets_out(output: str, mmpipe: Callable) -> None:
    Image.new("RGB", (8, 8)).save("S3CRET98.png")
    strange = [
        '{"id": "S3CRET97", "text": "raise S3CRET96"}',
        '{"text": "raise S3CRET95"}',
        '{"id": ["S3CRET94"], "text": "raise S3CRET93"}',
        '{"id": "p", "text": 5, "S3CRET92": "S3CRET91"}',
        '{"id": "i", "image": "S3CRET98.png", "text": "a picture"}',
        '{"id": "j", "image": "S3CRET90.png", "text": "none"}',
        '{"id": "m", "text": "S3CRET89',
        '["S3CRET88"]',
        '"S3CRET87 \\ud800"',
    ]
    texts = lines_of("fine", "raise", "unfit", "thread", "wrong")
    Path("in.jsonl").write_text(texts + "\n".join(strange) + '\n{"id": "\xe9 S3CRET86"}\n', encoding="latin-1")
    Path("out").mkdir()
    said = mmpipe("run", "p.json", "in.jsonl", "-o", output, "--metrics", "out/run.prom")
    assert said.code == 4
    if output == "out/":
        assert mmpipe("report", "out").code == 0
        assert "data:image" not in Path("out/report.html").read_text("utf-8")
    no_secret_in("out", said.err, said.out)
    written = said.out if output == "-" else "".join(f.read_text("utf-8") for f in Path("out").glob("*[s0].[jc]s*"))
    assert "fine ***" in written and "a picture" in written
    assert "withheld" in said.err and "leaky_component.py" in said.err


def test_the_quarantine_says_where_and_what_kind(mmpipe: Callable) -> None:
    Path("in.jsonl").write_text(lines_of("fine", "raise", "unfit") + '{"id": "S3CRET9", "text": "raise"}\n')
    mmpipe("run", "p.json", "in.jsonl", "-o", "out")
    first, second, third = map(json.loads, Path("out/quarantine.jsonl").read_text().splitlines())
    assert (first["position"], first["origin"], first["record"]) == (1, "in.jsonl:2", {"id": "r1"})
    assert (first["component"], first["error"], first["plugin"]) == ("leaky", "ValueError", "mmpipe-leaky")
    assert isinstance(first["offset"], int)
    assert first["message"].startswith("withheld")
    assert first["traceback"].count("Traceback") == 2 and "in __call__" in first["traceback"]
    assert (second["component"], second["error"]) == (None, "ValueError")
    assert third["record"] == {"id": "***"}
    assert json.loads(Path("out/manifest.json").read_text())["plan"]["pipeline"]["private"] is True


@pytest.mark.parametrize("word", ["model", "leave"])
@pytest.mark.parametrize("output", ["out", "-"])
def test_an_error_that_ends_the_run_says_only_its_kind_and_place(word: str, output: str, mmpipe: Callable) -> None:
    Path("in.jsonl").write_text(lines_of(word))
    said = mmpipe("run", "p.json", "in.jsonl", "-o", output)
    assert said.code == (3 if word == "model" else 1)
    assert ("ModelError: withheld" if word == "model" else "SystemExit: withheld") in said.err
    assert "leaky_component.py:" in said.err
    no_secret_in("out", said.err, said.out)


def test_a_reader_that_fails_quotes_nothing(mmpipe: Callable) -> None:
    Path("in.broken").write_text("S3CRET1")
    for output in ("out", "-", "out.csv"):
        said = mmpipe("run", "p.json", "in.broken", "-o", output)
        assert said.code == 1 and "withheld" in said.err
        assert "S3CRET" not in said.err + said.out


def test_what_failed_is_read_again_from_the_input(mmpipe: Callable) -> None:
    Path("in.jsonl").write_text(lines_of("fine", "raise", "fine"))
    assert mmpipe("run", "p.json", "in.jsonl", "-o", "out").code == 4
    Path("mended").touch()
    said = mmpipe("retry", "out")
    assert said.code == 0 and "1 record tried again: 1 written" in said.err
    written = [json.loads(line) for line in Path("out/shard-00000.jsonl").read_text().splitlines()]
    assert [one["text"] for one in written] == ["fine ***", "raise ***", "fine ***"]
    no_secret_in("out", said.err)
    Path("mended").unlink()
    assert mmpipe("run", "p.json", "-", "-o", "piped", stdin=lines_of("raise").encode()).code == 4
    said = mmpipe("retry", "piped")
    assert said.code == 1 and "standard input cannot be read a second time" in said.err


def test_docs_are_not_written(mmpipe: Callable) -> None:
    Path("in.jsonl").write_text(lines_of("fine"))
    said = mmpipe("run", "p.json", "in.jsonl", "-o", "out", "--format", ".spacy")
    assert said.code == 3 and "hold their raw text" in said.err
    assert not Path("out/manifest.json").exists()


def test_an_evaluation_is_refused(mmpipe: Callable) -> None:
    Path("p.json").write_text(
        json.dumps(
            {
                "nlp": {"lang": "en", "pipeline": ["sentiment", "leaky"]},
                "components": {"sentiment": {"factory": "mmpipe_sentiment"}, "leaky": {"factory": "leaky"}},
            }
        )
    )
    Path("gold.jsonl").write_text('{"text": "good S3CRET1", "label": "positive"}\n')
    said = mmpipe("evaluate", "p.json", "gold.jsonl")
    assert said.code == 3 and "private" in said.err and "S3CRET" not in said.err + said.out


def test_errors_that_quote_nothing_keep_their_message() -> None:
    with pytest.raises(StopRun, match="enough"), withheld_errors(True):
        raise StopRun("enough")
    with pytest.raises(MmpipeError, match="No space left") as told, withheld_errors(True):
        raise OSError(28, "S3CRET")
    assert "S3CRET" not in str(told.value)
    with pytest.raises(MmpipeError) as again, withheld_errors(True):
        raise told.value
    assert again.value is told.value
    with pytest.raises(ModelError, match="S3CRET"), Privacy().errors():
        raise ModelError("S3CRET")


def test_without_a_redactor_all_is_as_it_was(mmpipe: Callable) -> None:
    Path("open").touch()
    Path("in.jsonl").write_text(lines_of("fine", "raise"))
    said = mmpipe("run", "p.json", "in.jsonl", "-o", "out")
    assert said.code == 4 and "S3CRET00" in said.out
    line = json.loads(Path("out/quarantine.jsonl").read_text())
    assert line["record"]["text"] == "raise S3CRET10" and "cannot read" in line["message"]
