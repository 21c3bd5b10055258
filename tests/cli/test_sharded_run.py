"""Runs into folders: killed at any moment, on a full disk, changed, retried: the same bytes, all accounted for."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmpipe.corpus.manifest import Manifest
from mmpipe.corpus.opened import opened
from mmpipe.corpus.verify import faults_of


@pytest.fixture(autouse=True)
def _here(frail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(frail)
    Path("p.json").write_text(json.dumps({"nlp": {"lang": "en", "pipeline": ["sentencizer", "frail"]}}))


def write(name: str, records: list[Any]) -> str:
    Path(name).write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records))
    return name


def some(n: int) -> list[dict[str, Any]]:
    draw = random.Random(0)
    words = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog,", "猫", "é"]
    return [{"id": f"r{i}", "text": " ".join(draw.choices(words, k=draw.randint(1, 20))), "n": i} for i in range(n)]


def contents(folder: Path | str) -> dict[str, bytes]:
    """All that a run wrote but its manifest."""
    files = (file for file in Path(folder).rglob("*") if file.is_file() and file.name not in ("manifest.json", ".lock"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def child(*arguments: object, file_bytes: int | None = None) -> int:
    """Run the command line in a process of its own, forked with all imports done; its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        sys.argv = ["mmpipe", *map(str, arguments)]
        from mmpipe.cli.main import main

        with open("said.txt", "a") as sys.stderr:
            main()
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        os._exit(code)


def finish(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def accounted(folder: Path | str) -> Manifest:
    manifest = opened(Path(folder))
    counts = manifest.counts
    assert counts.n_read == counts.n_written + counts.n_quarantined + counts.n_skipped
    assert faults_of(manifest) == []
    return manifest


@pytest.mark.parametrize(
    ("outputs", "options", "n_kills"),
    [
        (("whole", "killed"), (), 55),
        (("whole.jsonl", "killed.jsonl"), (), 10),
        # Most of the time goes by before the processes have loaded their pipelines.
        (("whole", "killed"), ("--workers", 2), 8),
    ],
    ids=["folder", "file", "workers"],
)
def test_killed_many_times_it_writes_the_same_bytes(
    outputs: tuple[str, str], options: tuple[object, ...], n_kills: int, mmpipe: Callable
) -> None:
    write("in.jsonl", some(5000))
    arguments = ("run", "p.json", "in.jsonl", "--shard-size", 100, "-b", 50, "-o")
    assert mmpipe(*arguments, outputs[0]).code == 0
    began = time.monotonic()
    assert mmpipe(*arguments, outputs[1], *options).code == 0
    longest = (time.monotonic() - began) / (1 if options else 6)
    _remove(outputs[1])
    draw, n_killed = random.Random(1), 0
    while n_killed < n_kills:
        pid = child(*arguments, outputs[1], *options)
        time.sleep(draw.uniform(0.0, longest))
        os.kill(pid, signal.SIGKILL)
        code = finish(pid)
        n_killed += code == -signal.SIGKILL
        if code == 0 and n_killed < n_kills:
            _same(outputs)
            assert finish(child(*arguments, outputs[1], "--restart", "--limit", 1)) == 0
            Path("said.txt").unlink()
            _remove(outputs[1])
    assert finish(child(*arguments, outputs[1], *options)) == 0
    _same(outputs)


def _same(outputs: tuple[str, str]) -> None:
    first, second = map(Path, outputs)
    if first.is_dir():
        assert contents(first) == contents(second)
        assert accounted(second).counts.n_read == 5000
    else:
        assert first.read_bytes() == second.read_bytes()
        assert not list(Path().glob(".*.run"))


def _remove(output: str) -> None:
    import shutil

    shutil.rmtree(output, ignore_errors=True)
    Path(output).unlink(missing_ok=True) if Path(output).is_file() else None


def test_a_full_disk_stops_it_and_it_goes_on(mmpipe: Callable) -> None:
    write("in.jsonl", some(600))
    arguments = ("run", "p.json", "in.jsonl", "--shard-size", 100, "-o")
    assert mmpipe(*arguments, "whole").code == 0
    size = max(len(data) for data in contents("whole").values())
    assert finish(child(*arguments, "full", file_bytes=size - 1)) == 1
    said = Path("said.txt").read_text()
    assert "cannot be written: File too large" in said and "make room and run the same command again" in said
    assert "Traceback" not in said and not list(Path("full").rglob("*.part"))
    assert finish(child(*arguments, "full")) == 0
    assert contents("full") == contents("whole")
    accounted("full")


def test_a_poisoned_corpus_in_workers(mmpipe: Callable) -> None:
    records: list[Any] = list(some(400))
    poison = {7: "{not JSON", 77: [1, 2], 107: {"id": "x", "text": 5}, 151: {"text": "raise"}, 203: {"text": "die"}}
    poison |= {204: {"text": "raise die"}, 309: {"text": "a", "image": "nowhere.png"}}
    for place, record in poison.items():
        records[place] = record
    write("in.jsonl", records)
    found = mmpipe("run", "p.json", "in.jsonl", "-o", "out", "--shard-size", 50, "-b", 16, "--workers", 2)
    assert found.code == 4, found.err
    lines = [json.loads(line) for line in Path("out/quarantine.jsonl").read_text().splitlines()]
    assert [line["position"] for line in lines] == sorted(poison)
    kinds = {line["position"]: (line["component"], line["error"]) for line in lines}
    assert {kinds[place] for place in (7, 77, 107, 309)} == {(None, "RecordError")}
    assert kinds[151] == kinds[204] == ("frail", "ValueError")
    assert kinds[203] == (None, "ProcessDied")
    by_place = {line["position"]: line for line in lines}
    assert "SIGKILL" in by_place[203]["message"] and by_place[203]["record"] == poison[203]
    assert by_place[7]["origin"] == "in.jsonl:8" and by_place[7]["record"] == "{not JSON"
    assert (by_place[151]["plugin"], by_place[151]["version"]) == ("mmpipe-frail", "1.0")
    assert "0x..." in by_place[151]["message"] and by_place[151]["attempt"] == 1
    good = [record for place, record in enumerate(records) if place not in poison]
    written = [json.loads(line) for file in sorted(Path("out").glob("shard-*")) for line in file.open()]
    assert [record["id"] for record in written] == [record["id"] for record in good]
    assert accounted("out").counts.n_quarantined == len(poison)
    Path("mended").touch()
    found = mmpipe("retry", "out")
    assert found.code == 4 and "7 records tried again: 3 written; 4 failed again" in found.err
    lines = [json.loads(line) for line in Path("out/quarantine.jsonl").read_text().splitlines()]
    assert [(line["position"], line["attempt"]) for line in lines] == [(7, 2), (77, 2), (107, 2), (309, 2)]
    written = [json.loads(line) for file in sorted(Path("out").glob("shard-*")) for line in file.open()]
    places = [place for place in range(400) if place not in (7, 77, 107, 309)]
    assert [record.get("id") for record in written] == [records[p].get("id", f"in.jsonl:{p + 1}") for p in places]
    accounted("out")


def test_workers_write_what_one_process_writes(mmpipe: Callable) -> None:
    write("in.jsonl", [*some(300), {"text": "raise"}])
    arguments = ("run", "p.json", "in.jsonl", "--shard-size", 40, "-o")
    assert mmpipe(*arguments, "one").code == mmpipe(*arguments, "two", "--workers", 2).code == 4
    assert contents("one") == contents("two")


def test_another_run_is_refused_with_the_difference(mmpipe: Callable) -> None:
    write("in.jsonl", some(50))
    arguments = ("run", "p.json", "in.jsonl", "-o", "out", "--shard-size", 20)
    assert mmpipe(*arguments).code == 0
    assert mmpipe(*arguments).code == 0, "the same run again has nothing to do"
    write("in.jsonl", some(51))
    found = mmpipe(*arguments)
    assert found.code == 1 and "inputs.in.jsonl.sha256 was" in found.err and "--restart" in found.err
    found = mmpipe("run", "p.json", "in.jsonl", "-o", "out", "--shard-size", 30)
    assert "options.shard_size was 20, is 30" in found.err
    assert mmpipe(*arguments, "--force").code == 0
    history = json.loads(Path("out/manifest.json").read_text())["history"]
    assert history[0]["event"] == "forced" and any("in.jsonl" in line for line in history[0]["differences"])
    assert mmpipe(*arguments, "--restart").code == 0
    assert accounted("out").counts.n_read == 51 and accounted("out").history == []


def test_another_config_is_refused_with_the_settings_that_changed(mmpipe: Callable) -> None:
    write("in.jsonl", [*some(3), {"text": "raise"}])
    arguments = ("run", "p.json", "in.jsonl", "-o", "out")
    assert mmpipe(*arguments).code == 4
    changed = '--components.sentencizer.punct_chars=["!"]'
    found = mmpipe(*arguments, changed, "--nlp.batch_size=7")
    assert found.code == 1
    assert "    components.sentencizer.punct_chars was None, is ['!']\n" in found.err
    assert "    nlp.batch_size was 1000, is 7\n" in found.err and "sha256" not in found.err
    Path("p.json").write_text(Path("p.json").read_text().replace('"frail"', '"frail", "mmpipe_privacy"'))
    found = mmpipe("retry", "out")
    assert found.code == 1 and "components.mmpipe_privacy.factory was not there" in found.err


def test_a_manifest_that_holds_no_config_is_gone_on_with(mmpipe: Callable) -> None:
    write("in.jsonl", [*some(3), {"text": "raise"}])
    arguments = ("run", "p.json", "in.jsonl", "-o", "out")
    assert mmpipe(*arguments).code == 4
    tree = json.loads(Path("out/manifest.json").read_text())
    assert tree["plan"]["pipeline"].pop("config")["nlp"]["pipeline"] == ["sentencizer", "frail"]
    Path("out/manifest.json").write_text(json.dumps(tree))
    assert mmpipe(*arguments).code == 4
    found = mmpipe(*arguments, "--nlp.batch_size=7")
    assert found.code == 1 and "pipeline.config_sha256 was" in found.err and "batch_size" not in found.err
    Path("mended").touch()
    assert mmpipe("retry", "out").code == 0


def test_status_and_verify(mmpipe: Callable) -> None:
    write("in.jsonl", [*some(50), {"text": "raise"}, {"id": "e", "text": " "}])
    assert mmpipe("run", "p.json", "in.jsonl", "-o", "out", "--shard-size", 20, "--skip-empty").code == 4
    found = json.loads(mmpipe("status", "out", "--json").out)
    assert (found["state"], found["n_read"], found["n_written"]) == ("finished", 52, 50)
    assert (found["n_quarantined"], found["n_skipped"], found["n_shards"]) == (1, 1, 3)
    assert "52 read = 50 written + 1 quarantined + 1 skipped" in mmpipe("status", "out").out
    assert mmpipe("verify", "out").code == 0
    with Path("out/shard-00001.jsonl").open("a") as stream:
        stream.write("{}\n")
    found = mmpipe("verify", "out")
    assert found.code == 1 and "shard-00001.jsonl has been changed" in found.out
    assert mmpipe("retry", "out").code == 4, "what was changed is made anew"
    assert mmpipe("verify", "out").code == 0
    assert mmpipe("status", "nowhere").code == 1
    Path("q.json").write_text(json.dumps({"nlp": {"lang": "en", "pipeline": ["sentencizer"]}}))
    assert mmpipe("run", "q.json", "out", "-o", "next").code == 0
    assert accounted("next").counts.n_read == 50, "a run's results can be the next one's input"


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
def test_a_run_into_one_file_that_is_whole(output: str, mmpipe: Callable) -> None:
    write("in.jsonl", [*some(3), {"text": "raise", "n": 7}, "{no JSON"])
    assert mmpipe("run", "p.json", "in.jsonl", "-o", output).code == 4
    for command in ("status", "verify", "report", "retry"):
        found = mmpipe(command, output)
        assert found.code == 1 and "keeps its manifest only until the file is whole" in found.err, command
        assert "--restart" not in found.err and ("-o FOLDER" in found.err) == (command != "retry")
    assert "mmpipe run PIPELINE out.errors.jsonl --reader quarantine -o AGAIN" in found.err
    Path("mended").touch()
    assert mmpipe("run", "p.json", "out.errors.jsonl", "--reader", "quarantine", "-o", "again.jsonl").code == 4
    assert json.loads(Path("again.jsonl").read_text()) == {"id": "in.jsonl:4", "text": "raise", "n": 7, "n_words": 1}
    left = json.loads(Path("again.errors.jsonl").read_text())
    assert (left["origin"], left["record"], left["next_step"]) == (
        "in.jsonl:5",
        "{no JSON",
        "mend it in the run's input",
    )
    Path("out.errors.jsonl").unlink()
    assert "nothing failed" in mmpipe("retry", output).err


def test_what_is_no_quarantine_is_not_read_as_one(mmpipe: Callable) -> None:
    write("in.jsonl", [*some(1), {"origin": "a:1", "record": {"id": "a"}}])
    assert mmpipe("run", "p.json", "in.jsonl", "--reader", "quarantine", "-o", "out.jsonl").code == 4
    said = [json.loads(line)["message"] for line in Path("out.errors.jsonl").read_text().splitlines()]
    assert said == ["is no line of a quarantine", "holds no record: that of a private run is withheld"]


def test_a_manifest_that_is_damaged(mmpipe: Callable) -> None:
    write("in.jsonl", some(1))
    assert mmpipe("run", "p.json", "in.jsonl", "-o", "out").code == 0
    Path("out/manifest.json").write_text("{")
    found = mmpipe("status", "out")
    assert found.code == 1 and "is no JSON" in found.err and "removes what is there" in found.err


def test_too_many_errors_stop_it(mmpipe: Callable) -> None:
    write("in.jsonl", [{"text": "raise"}] * 30 + some(30))
    arguments = ("run", "p.json", "in.jsonl", "-o", "out", "--shard-size", 10)
    found = mmpipe(*arguments, "--max-errors", 15)
    assert found.code == 1 and "20 of 20 records failed" in found.err
    assert mmpipe(*arguments, "--max-errors", "many").code == 2
    assert mmpipe(*arguments).code == 4
    assert accounted("out").counts.n_quarantined == 30


def test_two_runs_into_one_folder(mmpipe: Callable) -> None:
    from mmpipe.corpus.layout import Layout
    from mmpipe.corpus.lock import is_running, locked

    write("in.jsonl", some(5))
    with locked(Layout(Path("out"))):
        assert is_running(Layout(Path("out")))
        found = mmpipe("run", "p.json", "in.jsonl", "-o", "out")
    assert found.code == 1 and "another process is running" in found.err
    assert mmpipe("run", "p.json", "in.jsonl", "-o", "out").code == 0


def test_metrics(mmpipe: Callable) -> None:
    pytest.importorskip("prometheus_client")
    write("in.jsonl", [*some(30), {"text": "raise"}])
    assert mmpipe("run", "p.json", "in.jsonl", "-o", "out", "--metrics", "m.prom").code == 4
    text = Path("m.prom").read_text()
    assert 'mmpipe_records_total{outcome="written"} 30.0' in text
    assert 'mmpipe_errors_total{component="frail",error="ValueError"} 1.0' in text
    assert 'mmpipe_component_seconds_total{component="sentencizer"}' in text


def test_report(mmpipe: Callable) -> None:
    answer = {"question": "Who?", "text": "<fox>", "start": 4, "end": 9, "score": 0.5, "coverage": 1.0}
    mood = {"label": "fine & good", "score": 0.97}
    record = {"text": "The <fox> ran.", "answers": [answer], "mood": mood, "summary": {"text": "A.", "coverage": 0.5}}
    write("in.jsonl", [*[{**record, "id": f"r{i}"} for i in range(300)], {"text": "raise <b>"}, "{"])
    assert mmpipe("run", "p.json", "in.jsonl", "-o", "out", "--shard-size", 100).code == 4
    assert mmpipe("report", "out").code == 0
    text = Path("out/report.html").read_text("utf-8")
    assert "http://" not in text and "https://" not in text and "<script" not in text and "<fox>" not in text
    assert "&lt;fox&gt;" in text and "fine &amp; good" in text and "Who?" in text
    assert "300 results read only a part of their text" in text
    assert "2 records by cause" in text and "ValueError: cannot read" in text and "not JSON" in text
    assert len(text) < 200_000
    assert mmpipe("verify", "out").code == 0
