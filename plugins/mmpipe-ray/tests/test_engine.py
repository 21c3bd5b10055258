"""The engine `ray` against a run without it, on a cluster of two nodes started here."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("ray.data", reason="Ray Data is not installed")

PIPELINE = {"nlp": {"lang": "en", "pipeline": ["sentencizer", "frail"]}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head and a second node, a processor each; their processes find the plugin `frail`."""
    from ray.cluster_utils import Cluster

    from mmpipe.testing import frail_plugin

    with frail_plugin(tmp_path_factory.mktemp("site")), pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        # How soon a node that is gone is taken for gone.
        patch.setenv("RAY_health_check_initial_delay_ms", "1000")
        patch.setenv("RAY_health_check_period_ms", "500")
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        started.add_node(num_cpus=1)
        ray.init(address=started.address, logging_level="ERROR", log_to_driver=False)
        yield started
        ray.shutdown()
        started.shutdown()


@pytest.fixture
def mmpipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """`mmpipe("run", ...)` in an empty folder with `p.json`: what the command line exits with and says."""
    from mmpipe.cli.main import main

    monkeypatch.chdir(tmp_path)
    Path("p.json").write_text(json.dumps(PIPELINE))

    def call(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["mmpipe", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        return SimpleNamespace(code=int(exit_.value.code or 0), err=capfd.readouterr().err)

    return call


def write(records: list[Any]) -> None:
    lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
    Path("in.jsonl").write_text("".join(f"{line}\n" for line in lines))


def some(n: int) -> list[Any]:
    return [{"id": f"r{i}", "text": "A short one. " * (i % 7 + 1)} for i in range(n)]


def contents(folder: str) -> dict[str, bytes]:
    files = (file for file in Path(folder).rglob("*") if file.is_file() and file.name not in ("manifest.json", ".lock"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def n_alive() -> int:
    return len([node for node in ray.nodes() if node["Alive"]])


def arguments(output: str) -> tuple[object, ...]:
    return ("run", "p.json", "in.jsonl", "-o", output, "--shard-size", 40, "-b", 16)


ON_RAY = ("--engine", "ray", "--workers", 2)


@pytest.mark.usefixtures("cluster")
def test_it_writes_what_one_process_writes_and_goes_on_with_its_run(mmpipe: Callable) -> None:
    records = some(300)
    records[70:73] = [{"text": "raise"}, "{not JSON", {"text": 5}]
    write(records)
    assert mmpipe(*arguments("one")).code == 4
    found = mmpipe(*arguments("many"), *ON_RAY)
    assert found.code == 4 and "300 records read" in found.err
    assert "INFO" not in found.err and "core_worker" not in found.err, "Ray keeps its news to itself"
    assert contents("many") == contents("one")
    # A run that was stopped without Ray goes on with it.
    assert mmpipe(*arguments("both"), "--max-errors", 2).code == 1
    assert 0 < len(list(Path("both").glob("shard-*"))) < 8
    assert mmpipe(*arguments("both"), *ON_RAY).code == 4
    assert contents("both") == contents("one")
    assert mmpipe("verify", "both").code == 0


@pytest.mark.usefixtures("cluster")
def test_a_record_that_kills_its_actor_is_quarantined(mmpipe: Callable) -> None:
    records = some(120)
    records[50] = {"id": "deadly", "text": "die"}
    write(records)
    found = mmpipe(*arguments("out"), *ON_RAY)
    assert found.code == 4, found.err
    lines = [json.loads(line) for line in Path("out/quarantine.jsonl").read_text().splitlines()]
    assert [(line["position"], line["error"], line["record"]["id"]) for line in lines] == [
        (50, "ProcessDied", "deadly")
    ]
    written = [json.loads(line)["id"] for file in sorted(Path("out").glob("shard-*.jsonl")) for line in file.open()]
    assert written == [f"r{i}" for i in range(120) if i != 50]
    assert not list(Path("out").glob("*.part"))
    assert mmpipe("verify", "out").code == 0


def test_a_machine_that_dies_loses_nothing(cluster: Any, mmpipe: Callable) -> None:
    from mmpipe import hookimpl
    from mmpipe.plugins import get_plugins

    class Killer:
        node = cluster.add_node(num_cpus=1)
        n_shards = 0

        @hookimpl
        def mmpipe_shard_written(self) -> None:
            self.n_shards += 1
            if self.n_shards == 3:
                cluster.remove_node(self.node, allow_graceful=False)

    write(some(800))
    assert mmpipe(*arguments("one")).code == 0
    killer = Killer()
    get_plugins().manager.register(killer)
    try:
        found = mmpipe(*arguments("out"), "--engine", "ray", "--workers", 3)
    finally:
        get_plugins().manager.unregister(killer)
    assert found.code == 0, found.err
    # On a busy machine the run ends before the cluster has noticed.
    deadline = time.monotonic() + 60
    while n_alive() > 2 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert killer.n_shards == 20 and n_alive() == 2
    assert contents("out") == contents("one")


@pytest.mark.usefixtures("cluster")
def test_what_cannot_be_is_said(mmpipe: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a"}\n')))
    found = mmpipe("run", "p.json", "-", "-o", "out", *ON_RAY)
    assert found.code == 1 and "standard input cannot be read by another machine" in found.err
    write(some(3))
    found = mmpipe(*arguments("out2"), "--ray-address", "10.0.0.1:6379")
    assert found.code == 2 and "--engine ray" in found.err
