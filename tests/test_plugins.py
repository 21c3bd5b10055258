"""Plugins: each alone, each fault told apart, the rest at work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mmpipe
from mmpipe.plugins import PluginRegistry, discover, get_plugins
from mmpipe.testing import write_plugin

GOOD = """
import mmpipe

@mmpipe.hookimpl
def mmpipe_components():
    yield mmpipe.ComponentSpec("good_tone", "good_component", "tone of a text")

@mmpipe.hookimpl
def mmpipe_pipelines():
    yield mmpipe.PipelineSpec("good-pipeline", {"nlp": {"lang": "en", "pipeline": ["good_tone"]}})

@mmpipe.hookimpl
def mmpipe_readers():
    yield mmpipe.ReaderSpec("rows", "good_formats:read", (".rows",), "a line is a record")

@mmpipe.hookimpl
def mmpipe_writers():
    yield mmpipe.WriterSpec("ids", "good_formats:Writer", (".ids",), "ids alone")

@mmpipe.hookimpl
def mmpipe_commands():
    yield mmpipe.CommandSpec("greet", "good_command:greet", "Say hello.")
"""
GOOD_FILES = {
    "good_component.py": """
import torch
from spacy.language import Language
from spacy.tokens import Doc
Doc.set_extension("tone", default=None, force=True)

@Language.component("good_tone", assigns=["doc._.tone"])
def good_tone(doc):
    doc._.tone = "good"
    return doc
""",
    "good_formats.py": """
from mmpipe.corpus.source import Item

def read(source):
    with source.open() as stream:
        for number, line in enumerate(stream, start=1):
            if line == b"burst\\n":
                raise OSError("the reader burst")
            yield Item(f"{source.name}:{number}", {"text": line.decode().strip()})

class Writer:
    def __init__(self, stream):
        self.stream = stream

    def write(self, result):
        self.stream.write(f"{result['id']}\\n".encode())
""",
    "good_command.py": """
import torch

def greet(name: str = "you") -> None:
    print(f"hello {name}")
""",
}

HOOK = "import mmpipe\n\n@mmpipe.hookimpl\n"


def component(name: str, module: str = "nowhere") -> str:
    return f"""
import mmpipe

@mmpipe.hookimpl
def mmpipe_components():
    yield mmpipe.ComponentSpec({name!r}, {module!r})
"""


BROKEN: dict[str, tuple[str, list[str]]] = {
    "import": ("import no_such_module", ["ModuleNotFoundError", "no_such_module"]),
    "syntax": ("def (", ["SyntaxError"]),
    "exit": ("import sys; sys.exit(3)", ["SystemExit: 3"]),
    "misspelt": (f"{HOOK}def mmpipe_componets(): ...", ["'mmpipe_componets'", "did you mean 'mmpipe_components'?"]),
    "unmarked": ("def mmpipe_components(): yield 1", ["mmpipe_components is not marked with @mmpipe.hookimpl"]),
    "arguments": (f"{HOOK}def mmpipe_components(nlp): ...", ["nlp"]),
    "version": ("api_version = 99", ["API version 99", "speaks 1", "update mmpipe"]),
    "old-version": ("api_version = 0", ["API version 0", "speaks 1", "update the plugin"]),
    "version-text": ("api_version = '1'", ["api_version must be an integer", "'1'"]),
    "unmarked-run-hook": ("def mmpipe_run_ended(run): ...", ["mmpipe_run_ended is not marked with @mmpipe.hookimpl"]),
    "unknown-argument": (f"{HOOK}def mmpipe_run_ended(run, colour): ...", ["mmpipe_run_ended", "colour"]),
    "wrong-type": (f"{HOOK}def mmpipe_components(): yield 'x'", ["'x'", "not a mmpipe.ComponentSpec"]),
    "not-yielded": (f"{HOOK}def mmpipe_readers(): return mmpipe.ReaderSpec('a', 'b:c', ('.d',))", ["must yield"]),
    "raises": (f"{HOOK}def mmpipe_models(): raise ValueError('no luck')", ["ValueError: no luck"]),
    "raises-late": (f"{component('late')}    raise ValueError('too late')", ["ValueError: too late"]),
    "twice": (f"{component('tw')}    yield mmpipe.ComponentSpec('tw', 'm')", ["yields 'tw' twice"]),
    "list-name": (f"{HOOK}def mmpipe_components(): yield mmpipe.ComponentSpec([], 'm')", ["ComponentSpec.name", "[]"]),
    "dotted-name": (component("a.b"), ["may not contain a dot", "a.b"]),
}
BROKEN |= {
    name: (f"{HOOK}def mmpipe_{kind}(): yield mmpipe.{call}", said)
    for name, kind, call, said in (
        ("suffix", "readers", "ReaderSpec('a', 'b:c', '.d')", ["ReaderSpec.suffixes", "'.d'"]),
        ("suffix-case", "readers", "ReaderSpec('a', 'b:c', ('.D',))", ["lower case", "'.D'"]),
        ("sidecars", "readers", "ReaderSpec('a', 'b:c', ('.d',), sidecars=['x'])", ["ReaderSpec.sidecars", "['x']"]),
        ("takes", "writers", "WriterSpec('a', 'b:c', ('.d',), takes='rows')", ["'results' or 'docs'", "'rows'"]),
        ("is-table", "writers", "WriterSpec('a', 'b:c', ('.d',), is_table='no')", ["WriterSpec.is_table", "'no'"]),
        ("no-function", "engines", "EngineSpec('a', 'b')", ["EngineSpec.function", "'module:function'", "'b'"]),
        ("no-object", "metrics", "MetricSpec('a', 'b:')", ["MetricSpec.object", "'b:'"]),
        ("module-colon", "components", "ComponentSpec('a', 'b:c')", ["ComponentSpec.module", "'b:c'"]),
        ("two-words", "commands", "CommandSpec('a b', 'c:d')", ["CommandSpec.name", "one word", "'a b'"]),
        ("dashed", "commands", "CommandSpec('--help', 'c:d')", ["CommandSpec.name", "'--help'"]),
        ("model-name", "models", "ModelSpec('acme/x', 'f', licence='MIT')", ["'mmpipe/'", "'acme/x'"]),
        ("folder", "models", "ModelSpec('mmpipe/x', 7, licence='MIT')", ["ModelSpec.folder", "7"]),
        ("licence", "models", "ModelSpec('mmpipe/x', 'f', licence=None)", ["ModelSpec.licence", "None"]),
        ("config", "pipelines", "PipelineSpec('a', ['tagger'])", ["PipelineSpec.config", "['tagger']"]),
        ("summary", "pipelines", "PipelineSpec('a', {}, summary=None)", ["PipelineSpec.summary", "None"]),
        ("other-spec", "readers", "WriterSpec('a', 'b:c', ('.d',))", ["WriterSpec(", "not a mmpipe.ReaderSpec"]),
        ("missing-field", "models", "ModelSpec('mmpipe/x', 'f')", ["TypeError", "licence"]),
        ("unknown-field", "readers", "ReaderSpec('a', 'b:c', (), colour=1)", ["TypeError", "colour"]),
    )
}
GOOD_TREE = {"nlp": {"lang": "en", "pipeline": ["sentencizer"]}}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("MMPIPE_PLUGINS", "MMPIPE_BLOCK_PLUGINS", "MMPIPE_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    get_plugins.cache_clear()
    before = set(sys.modules)
    yield
    for name in [name for name in set(sys.modules) - before if name.endswith("_plugin") or name.startswith("good_")]:
        del sys.modules[name]
    get_plugins.cache_clear()


def plugin(registry: PluginRegistry, distribution: str) -> mmpipe.plugins.Plugin:  # type: ignore[name-defined]
    (found,) = [plugin for plugin in registry.plugins if plugin.distribution == distribution]
    return found


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_told_and_hurts_nobody(kind: str, tmp_path: Path) -> None:
    code, said = BROKEN[kind]
    write_plugin(tmp_path, kind, code, version="2.5")
    write_plugin(tmp_path, "aaa", GOOD, files=GOOD_FILES)
    write_plugin(tmp_path, "zzz", component("zzz"))
    registry = discover(environ={})
    broken = plugin(registry, f"mmpipe-{kind}")
    assert (broken.status, broken.origin) == ("failed", f"mmpipe-{kind} 2.5")
    assert all(part in broken.error for part in said), broken.error
    assert {p.status for p in registry.plugins if p is not broken} == {"loaded"}
    assert {"good_tone", "zzz"} <= set(registry.names("components"))
    assert not broken.provides and not {"late", "tw", "a.b"} & set(registry.names("components"))
    with pytest.raises(mmpipe.PluginError, match=rf"(?s)mmpipe-{kind} 2\.5"):
        discover(environ={"MMPIPE_STRICT_PLUGINS": "1"})
    with pytest.raises(mmpipe.PluginError, match=rf"(?s)mmpipe-{kind} 2\.5, which is failed"):
        registry.get("components", "unheard_of")


def test_the_messages_differ(tmp_path: Path) -> None:
    for kind, (code, _) in BROKEN.items():
        write_plugin(tmp_path, kind, code)
    errors = [p.error for p in discover(environ={}).plugins if p.status == "failed"]
    assert len(set(errors)) == len(BROKEN)


def test_two_plugins_with_one_component(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        write_plugin(tmp_path, name, component("tone" if name != "three" else "other"))
    registry = discover(environ={})
    for name in ("one", "two"):
        told = plugin(registry, f"mmpipe-{name}").error
        assert "two plugins provide the component 'tone'" in told
        assert "mmpipe-one 1.0" in told and "mmpipe-two 1.0" in told
    assert plugin(registry, "mmpipe-three").error is None
    assert "tone" not in registry.names("components") and "other" in registry.names("components")
    with pytest.raises(mmpipe.PluginError, match=r"mmpipe-one 1\.0 and mmpipe-two 1\.0"):
        registry.find("components", "tone")
    assert discover(environ={"MMPIPE_BLOCK_PLUGINS": "two"}).get("components", "tone").module == "nowhere"
    with pytest.raises(mmpipe.PluginError, match=r"mmpipe-one 1\.0 and mmpipe-two 1\.0"):
        mmpipe.load({"nlp": {"lang": "en", "pipeline": ["tone"]}, "components": {"tone": {"factory": "tone"}}})


CALLS = {
    "pipelines": "PipelineSpec('x', {})",
    "models": "ModelSpec('mmpipe/x', 'folder', licence='MIT')",
    "readers": "ReaderSpec('x', 'a:b', ('.x',))",
    "writers": "WriterSpec('x', 'a:b', ('.x',))",
    "metrics": "MetricSpec('x', 'a:B')",
    "engines": "EngineSpec('x', 'a:b')",
    "commands": "CommandSpec('x', 'a:b')",
}


@pytest.mark.parametrize("kind", CALLS)
def test_two_plugins_with_one_name_of_any_kind(kind: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_plugin(tmp_path, name, f"{HOOK}def mmpipe_{kind}(): yield mmpipe.{CALLS[kind]}")
    registry = discover(environ={})
    name = "mmpipe/x" if kind == "models" else "x"
    assert name not in registry.names(kind)
    with pytest.raises(mmpipe.PluginError, match=r"mmpipe-one 1\.0 and mmpipe-two 1\.0"):
        registry.get(kind, name)
    assert name in discover(environ={"MMPIPE_BLOCK_PLUGINS": "mmpipe-two"}).names(kind)


def test_one_module_behind_two_distributions(tmp_path: Path) -> None:
    write_plugin(tmp_path, "one", component("tone"))
    write_plugin(tmp_path, "two", "from one_plugin import mmpipe_components")
    registry = discover(environ={})
    assert "two plugins provide the component 'tone'" in plugin(registry, "mmpipe-two").error


def test_a_command_of_mmpipe_itself_cannot_be_taken(tmp_path: Path) -> None:
    write_plugin(tmp_path, "thief", f"{HOOK}def mmpipe_commands(): yield mmpipe.CommandSpec('run', 'x:y')")
    registry = discover(environ={})
    assert registry.get("commands", "run").function == "mmpipe.cli.run:run"
    assert "'run' is mmpipe's own" in plugin(registry, "mmpipe-thief").error


def test_damaged_metadata_stops_nothing(tmp_path: Path) -> None:
    write_plugin(tmp_path, "nameless", component("nameless"), metadata="")
    registry = discover(environ={})
    assert "nameless" in registry.names("components")
    assert all(isinstance(p.origin, str) for p in registry.plugins)


MARKED = "from pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\n"


@pytest.mark.parametrize(
    ("environ", "loaded"),
    [
        ({}, {"acme-tone", "other"}),
        ({"MMPIPE_PLUGINS": ""}, set()),
        ({"MMPIPE_PLUGINS": " , "}, set()),
        ({"MMPIPE_PLUGINS": "acme-tone"}, {"acme-tone"}),
        ({"MMPIPE_PLUGINS": "mmpipe_acme.tone"}, {"acme-tone"}),
        ({"MMPIPE_PLUGINS": "Acme_Tone, OTHER"}, {"acme-tone", "other"}),
        ({"MMPIPE_BLOCK_PLUGINS": "MMPIPE-Acme--Tone"}, {"other"}),
        ({"MMPIPE_PLUGINS": "acme-tone,other", "MMPIPE_BLOCK_PLUGINS": "other"}, {"acme-tone"}),
    ],
)
def test_who_is_let_in_is_decided_before_import(environ: dict[str, str], loaded: set[str], tmp_path: Path) -> None:
    for name in ("acme-tone", "other"):
        write_plugin(tmp_path, name, MARKED)
    registry = discover(environ=environ)
    for name in ("acme-tone", "other"):
        is_in = name in loaded
        assert plugin(registry, f"mmpipe-{name}").status == ("loaded" if is_in else "blocked")
        assert (tmp_path / f"{name.replace('-', '_')}_plugin.imported").exists() == is_in
    assert {"run", "validate"} <= set(registry.names("commands"))


def test_a_wanted_plugin_that_is_not_installed() -> None:
    registry = discover(environ={"MMPIPE_PLUGINS": "nowhere"})
    assert [p.name for p in registry.plugins if p.status == "missing"] == ["nowhere"]
    with pytest.raises(mmpipe.PluginError, match=r"nowhere.*not installed"):
        registry.get("components", "x")


@pytest.mark.parametrize("factories", [(), ("broken_tone",)])
def test_asking_for_the_component_of_a_failed_plugin(
    factories: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(tmp_path, "broken", "import no_such_module", version="0.7", factories=factories)
    assert mmpipe.load(GOOD_TREE).pipe_names == ["sentencizer"]
    with pytest.raises(mmpipe.PluginError, match=r"(?s)'broken_tone'.*mmpipe-broken 0\.7.*no_such_module") as caught:
        mmpipe.load({"nlp": {"lang": "en", "pipeline": ["x"]}, "components": {"x": {"factory": "broken_tone"}}})
    assert caught.value.where and caught.value.next_step
    monkeypatch.setenv("MMPIPE_BLOCK_PLUGINS", "mmpipe-broken")
    get_plugins.cache_clear()
    with pytest.raises(mmpipe.PluginError, match=r"(?s)mmpipe-broken 0\.7.*blocked"):
        mmpipe.load({"nlp": {"lang": "en", "pipeline": ["x"]}, "components": {"x": {"factory": "broken_tone"}}})


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No module named 'late_component'"), ("import torch.nope", "torch.nope"), ("x = 1", "registers no spaCy")],
)
def test_a_component_module_that_fails_is_named(content: str | None, said: str, tmp_path: Path) -> None:
    sys.modules.pop("late_component", None)
    write_plugin(tmp_path, "late", component("late", "late_component"), version="3.1")
    if content:
        (tmp_path / "late_component.py").write_text(content)
    with pytest.raises(mmpipe.PluginError, match=r"mmpipe-late 3\.1") as caught:
        mmpipe.load({"nlp": {"lang": "en", "pipeline": ["late"]}})
    assert said in str(caught.value)


def test_an_import_that_fails_is_told_with_its_line(tmp_path: Path) -> None:
    files = {
        "torn_component.py": "import json\nfrom torn_parts import it\n",
        "torn_parts.py": "\n\nimport nowhere_at_all\n",
    }
    write_plugin(tmp_path, "torn", component("torn", "torn_component"), files=files)
    write_plugin(tmp_path, "bad", "x = 1\ndef (\n")
    registry = discover(environ={})
    assert "bad_plugin.py, line 2" in plugin(registry, "mmpipe-bad").error
    with pytest.raises(mmpipe.PluginError) as caught:
        registry.code("components", "torn")
    place = f"{tmp_path / 'torn_parts.py'}, line 3"
    assert caught.value.what.endswith(f"No module named 'nowhere_at_all' ({place})")
    assert caught.value.next_step == f"mend {place}, or reinstall mmpipe-torn"
    write_plugin(tmp_path, "lost", component("lost", "lost_component"))
    with pytest.raises(mmpipe.PluginError) as caught:
        discover(environ={}).code("components", "lost")
    assert caught.value.next_step == "mend or reinstall mmpipe-lost"


def test_a_named_pipeline_of_a_plugin(tmp_path: Path) -> None:
    write_plugin(tmp_path, "good", GOOD, files=GOOD_FILES)
    assert mmpipe.load("good-pipeline")("hello")._.tone == "good"


LISTING = """
import sys
from mmpipe.plugins import get_plugins
found = get_plugins()
assert "good_tone" in found.names("components"), found.plugins
heavy = {"torch", "transformers", "spacy", "thinc", "numpy", "good_component", "good_command"} & set(sys.modules)
assert not heavy, heavy
sys.argv = ["mmpipe", "--help"]
from mmpipe.cli.main import main
try:
    main()
finally:
    heavy = {"torch", "transformers", "spacy", "thinc", "numpy", "good_component", "good_command"} & set(sys.modules)
    assert not heavy, heavy
"""
WHOLE = """
import mmpipe
from mmpipe.plugins import get_plugins
nlp = mmpipe.load("good-pipeline")
assert nlp("x")._.tone == "good"
for tree in ({"factory": "broken_tone"}, {"factory": "late_tone"}):
    try:
        mmpipe.load({"nlp": {"lang": "en", "pipeline": ["x"]}, "components": {"x": tree}})
    except mmpipe.PluginError as error:
        print(error)
"""


@pytest.fixture
def in_process(tmp_path: Path) -> Callable[[str], str]:
    def run(code: str) -> str:
        environ = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONWARNINGS": "ignore"}
        done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_listing_and_help_import_nothing_heavy(tmp_path: Path, in_process: Callable[[str], str]) -> None:
    write_plugin(tmp_path, "good", GOOD, files=GOOD_FILES)
    write_plugin(tmp_path, "broken", "import no_such_module")
    assert "Say hello." in in_process(LISTING)


def test_broken_factories_do_not_end_spacy(tmp_path: Path, in_process: Callable[[str], str]) -> None:
    write_plugin(tmp_path, "good", GOOD, files=GOOD_FILES)
    write_plugin(tmp_path, "broken", "import no_such_module", factories=("broken_tone",))
    write_plugin(tmp_path, "late", component("late_tone", "late_component"), factories=("late_tone",))
    (tmp_path / "late_component.py").write_text("import no_such_other")
    told = in_process(WHOLE)
    assert "mmpipe-broken 1.0" in told and "mmpipe-late 1.0" in told and "no_such_other" in told


def test_plugins_list_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mmpipe.cli.plugins import list_plugins

    write_plugin(tmp_path, "good", GOOD, files=GOOD_FILES, factories=("good_tone",))
    write_plugin(tmp_path, "broken", "raise ValueError('[red] is no [/markup]')")
    list_plugins(as_json=True)
    found = {entry["distribution"]: entry for entry in json.loads(capsys.readouterr().out)}
    good, broken = found["mmpipe-good"], found["mmpipe-broken"]
    assert good["version"] == "1.0" and good["status"] == "loaded" and good["error"] is None
    assert good["provides"] == {
        "components": ["good_tone"],
        "pipelines": ["good-pipeline"],
        "readers": ["rows"],
        "writers": ["ids"],
        "commands": ["greet"],
    }
    assert good["factories"] == ["good_tone"]
    assert broken["status"] == "failed" and "[red] is no [/markup]" in broken["error"]
    list_plugins(as_json=False)
    assert "[red]" in capsys.readouterr().out
