"""What is public does not change in silence: snapshot, changelog and code agree, and it is told where they do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("griffe")

from contract.changelog import changes, line, spellings, unnamed, unreleased
from contract.public import public
from contract.signatures import contract
from public_api import faults

HOOKS = "mmpipe/hookspecs.py"
STARTED = "def mmpipe_run_started(run: RunInfo) -> None:"


def test_the_snapshot_and_the_changelog_are_those_of_the_code() -> None:
    assert "\n\n".join(faults(contract())) == ""


def test_what_the_snapshot_holds() -> None:
    found = contract()
    import mmpipe
    from mmpipe import hookspecs

    assert found["api_version"] == str(hookspecs.API_VERSION)
    hooks = {name for name in vars(hookspecs) if name.startswith("mmpipe_")}
    assert {name.removeprefix("hook ") for name in found if name.startswith("hook ")} == hooks
    assert {f"mmpipe.{name}" for name in mmpipe.__all__} <= found.keys()
    assert found["mmpipe.ReaderSpec"] == "class dataclass(name, function, suffixes, summary, sidecars)"
    assert found["factory mmpipe_qa.top_k"] == "Annotated[int, Field(ge=1)] = 1"
    assert found["factory mmpipe_caption.max_bytes"].endswith(f"= {64 * 2**20}")
    assert "num_beams: int | None = None" in found["architecture mmpipe.Seq2Seq.v1"]


CHANGED = {
    "a hook's argument": (HOOKS, STARTED, STARTED.replace("RunInfo)", "RunInfo, colour: str)"), "mmpipe_run_started"),
    "a deprecated hook": (
        HOOKS,
        "@hookspec\ndef mmpipe_run_ended(",
        "@hookspec(warn_on_impl=X)\ndef mmpipe_run_ended(",
        "mmpipe_run_ended",
    ),
    "the API version": (HOOKS, "API_VERSION = 1", "API_VERSION = 2", "api_version"),
    "a spec's field": ("mmpipe/specs.py", "    sidecars: tuple", "    sidecar_names: tuple", "ReaderSpec.sidecars"),
    "an order of fields": (
        "mmpipe/specs.py",
        "    folder: Path\n    licence: str\n",
        "    licence: str\n    folder: Path\n",
        "ModelSpec",
    ),
    "a method": ("mmpipe/corpus/source.py", "def open_seekable(self)", "def open_twice(self)", "Source.open_seekable"),
    "a default": ("mmpipe/document.py", 'text_key: str = "text") -> Doc:', 'text_key: str = "t") -> Doc:', "make_doc"),
    "an architecture": (
        "mmpipe/models/ranker.py",
        "lead_weight: float = 0.0,\n    long",
        "lead_weight: float = 0.1,\n    long",
        "mmpipe.SentenceRanker.v1",
    ),
    "a setting's default": (
        "plugins/mmpipe-qa/src/mmpipe_qa/factory.py",
        '"max_answer_tokens": 15',
        '"max_answer_tokens": 16',
        "mmpipe_qa.max_answer_tokens",
    ),
    "a setting's range": (
        "plugins/mmpipe-qa/src/mmpipe_qa/factory.py",
        "max_answer_tokens: Annotated[int, Field(ge=1)]",
        "max_answer_tokens: Annotated[int, Field(ge=2)]",
        "mmpipe_qa.max_answer_tokens",
    ),
    "a batcher": (
        "mmpipe/train/batcher.py",
        "size: Positive = 2048",
        "size: Positive = 1",
        "mmpipe.batch_by_tokens.v1",
    ),
    "a public name": ("mmpipe/__init__.py", '    "to_record",\n]', "]", "to_record"),
}


@pytest.mark.parametrize("what", ["a hook's argument", "a spec's field", "a setting's default"])
def test_a_change_has_to_be_told(what: str, tree: Any) -> None:
    file, old, new, name = CHANGED[what]
    tree.edit(file, old, new)
    status, told = tree.run("public_api.py", "--check")
    assert status == 1 and name in told and "run `python scripts/public_api.py`" in told
    status, told = tree.run("public_api.py")
    assert status == 1 and f"`{name}`" in told and "CHANGELOG.md does not name" in told
    lines = [line for line in told.splitlines() if line.startswith("- ")]
    tree.edit("CHANGELOG.md", "# Changelog\n", "# Changelog\n\n## Unreleased\n\n" + "\n".join(lines) + "\n")
    assert tree.run("public_api.py", "--check")[0] == 0
    # What stands below the heading of the release was said of that one.
    text = (tree.folder / "CHANGELOG.md").read_text("utf-8").replace("## Unreleased", "## 0.1.0", 1)
    tree.write("CHANGELOG.md", text)
    assert tree.run("public_api.py", "--check")[0] == 1
    assert tree.run("public_api.py", "--release")[0] == 0
    assert json.loads((tree.folder / "tests/contract/released_api.json").read_text("utf-8"))["version"] == "0.1.0"


READ_ALL = """
import json, sys
from contract.signatures import contract
print(json.dumps(contract()))
"""


def test_every_sort_of_change_is_seen(tree: Any) -> None:
    before = contract()
    for file, old, new, _ in CHANGED.values():
        tree.edit(file, old, new)
    tree.write("scripts/read_all.py", READ_ALL)
    status, told = tree.run("read_all.py")
    assert status == 0, told
    found = changes(before, json.loads(told))
    for what, (*_, name) in CHANGED.items():
        assert any(name in spellings(changed) for changed in found), f"{what}: {name} is not in {list(found)}"


def test_what_counts_as_named() -> None:
    changed = dict.fromkeys(
        ["hook mmpipe_readers", "mmpipe.models.answer.find_answers", "mmpipe.component.TransformerPipe.score"],
        "changed",
    )
    assert unnamed(changed, "score, find_answers and mmpipe_readers") == list(changed)
    assert unnamed(changed, "`mmpipe_readers`, `find_answers(top_k=)`, `score`") == [list(changed)[2]]
    assert unnamed(changed, line(changed)) == []
    assert unnamed({"factory mmpipe_qa.top_k": "changed"}, "`top_k`") and not unnamed(
        {"factory mmpipe_qa.top_k": "changed"}, "`mmpipe_qa.top_k`"
    )


def test_what_comes_with_its_class_is_not_told_apart() -> None:
    before = {"mmpipe.A": "class dataclass(x)", "mmpipe.A.x": "int", "mmpipe.B": "class", "mmpipe.B.f": "()"}
    now = {"mmpipe.A": "class dataclass(x, y)", "mmpipe.A.x": "int", "mmpipe.A.y": "int", "mmpipe.AB": "class"}
    assert changes(before, now) == {"mmpipe.A.y": "added", "mmpipe.AB": "added", "mmpipe.B": "removed"}
    assert changes({"mmpipe.A": "class dataclass(x, y)"}, {"mmpipe.A": "class dataclass(y, x)"}) == {
        "mmpipe.A": "changed"
    }


def test_the_part_above_a_release() -> None:
    text = "# Changelog\n\n## Unreleased\n\n- new\n\n## 0.1.0\n\n- old\n"
    assert "new" in unreleased(text, "0.1.0") and "old" not in unreleased(text, "0.1.0")
    assert "old" in unreleased(text, "0.2.0")


def test_public_names_are_there() -> None:
    import importlib

    for row in public():
        module = importlib.import_module(row.module)
        assert [name for name in row.names if not hasattr(module, name)] == [], row.module
