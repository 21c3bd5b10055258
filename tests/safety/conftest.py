"""A folder for the stranger's config, a secret beside it, and a watch over what loading it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mmpipe.errors import MmpipeError
from mmpipe.testing.watch import watched

SECRET = "the-secret-of-another-user"


@dataclass
class Outcome:
    """What came of a load: the pipeline or the error, and what was done to the world meanwhile."""

    nlp: Any = None
    error: MmpipeError | None = None
    seen: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        return str(self.error)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stranger's folder, which is the working folder; `home.parent / "secret"` is not the stranger's."""
    folder = tmp_path / "home"
    folder.mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "secret.json").write_text(f'["{SECRET}"]')
    (tmp_path / "secret" / "secret.txt").write_text(SECRET)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    return folder


@pytest.fixture(scope="session")
def warm() -> None:
    """What spaCy does at its first use is not the config's doing."""
    import mmpipe

    mmpipe.load({"nlp": {"lang": "en"}})


@pytest.fixture
def tried(home: Path, warm: None) -> Callable[..., Outcome]:
    """`tried(config, **options)`: load it, weights too, under watch. Any error but an MmpipeError gets out.

    The secret is never read and nothing is run, fetched or unpickled; the test says what else must hold.
    """
    import mmpipe

    def load(source: Any, *, text: str | None = None, **options: Any) -> Outcome:
        found = Outcome()
        with watched(home) as watch:
            try:
                found.nlp = mmpipe.load(source, **options)
                if text is not None:
                    found.nlp(text)
            except MmpipeError as error:
                found.error = error
        found.seen = watch.seen
        assert not [line for line in found.seen if not line.startswith("reads")], found.seen
        assert not [line for line in found.seen if "secret" in line], found.seen
        assert SECRET not in found.said
        return found

    return load


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `canary_package`, installed and importable; the file that it writes when it is imported."""
    site, trace = tmp_path / "site", tmp_path / "imported"
    (site / "canary_package-1.0.dist-info").mkdir(parents=True)
    metadata = "Metadata-Version: 2.1\nName: canary_package\nVersion: 1.0\n"
    (site / "canary_package-1.0.dist-info" / "METADATA").write_text(metadata)
    code = f"open({str(trace)!r}, 'w').close()\ndef load(**kwargs): raise SystemExit\ndef make(*a, **k): return load\n"
    (site / "canary_package.py").write_text(code)
    monkeypatch.syspath_prepend(str(site))
    return trace
