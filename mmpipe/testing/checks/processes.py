"""What can only be seen in a fresh process: what registration imports, and results of several processes."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from spacy.util import registry

from mmpipe.plugins import get_plugins
from mmpipe.testing.checks.snapshot import differences, shown
from mmpipe.testing.checks.subject import Subject
from mmpipe.testing.contract import Check, NotChecked, Problem, check

HEAVY = ("torch", "transformers", "tensorflow", "jax", "onnxruntime", "sentence_transformers")
_N_RECORDS = 6
_CHILD = "from mmpipe.testing.checks.child import main; main()"


@check("registration", "to register a plugin imports no torch and no transformers, and its entry module no spaCy")
def registration(subject: Subject) -> Iterator[Problem]:
    entry, module = _modules(subject.factory)
    found = _registered(entry, module, os.pathsep.join(sys.path))
    if "error" in found:
        yield Problem(f"in a fresh process, {found['error']}", "let the module be imported on its own")
    for name, importer, place, through in found["imports"]:
        step = f"import {name} inside the function that needs it, or name the class in TYPE_CHECKING only"
        said = f"{place} imports {name}"
        if through is not None:
            step = "put the class into a module of its own, and import that inside the factory"
            said = f"{place} imports {through}, which brings {name}"
        yield Problem(said, step, f"importing {importer}")
    if found["has_spacy"]:
        step = "keep hooks and spaCy apart: name the component's module in ComponentSpec"
        yield Problem(f"importing {entry} imports spaCy", step)


@check("spacy-entry-point", "spaCy finds the factory of an installed plugin with mmpipe never mentioned")
def spacy_entry_point(subject: Subject) -> Iterator[Problem]:
    provided = get_plugins().find("components", subject.factory)
    if provided is None:
        raise NotChecked("no installed plugin provides the factory")
    if subject.factory not in {point.name for point in entry_points(group="spacy_factories")}:
        got = f"{provided.plugin.distribution} has no entry point {subject.factory!r} in the group spacy_factories"
        step = "add it to pyproject.toml: [project.entry-points.spacy_factories]"
        yield Problem(f"{got}, so that spacy.load of a saved pipeline does not find it", step)


@check("processes", "n_process = 2 gives the results of one process")
def processes(subject: Subject) -> Iterator[Problem]:
    passages = subject.good()
    # Ordinary ones come first.
    passages = passages[:_N_RECORDS]
    wanted = [passage.after or {} for passage in passages]
    task = {
        "modules": _to_import(subject.factory),
        "folder": str(subject.saved),
        "records": [dict(passage.record) for passage in passages],
        "root": str(subject.root.resolve()),
    }
    found = _run(task, subject.timeout_seconds)
    if "error" in found:
        step = "let workers get all they need from the saved pipeline and the Docs; see the error"
        yield Problem(f"in a fresh process, {found['error']}", step)
        return
    if len(found["docs"]) != len(wanted):
        got = f"{len(found['docs'])} documents came out of {len(wanted)}"
        yield Problem(got, "give on each document that came")
        return
    for passage, got, expected in zip(passages, found["docs"], wanted, strict=True):
        for difference in differences(got, json.loads(json.dumps(expected)), subject.tolerance):
            said = f"with two processes {difference.place} is {shown(difference.got)}, not {shown(difference.wanted)}"
            step = "keep no state outside the component and its saved data; see also to-disk"
            yield Problem(said, step, passage.label)


def _modules(factory: str) -> tuple[str | None, str]:
    """The module of a plugin's hooks, None where it has none, and that of the factory. Raises NotChecked."""
    provided = get_plugins().find("components", factory)
    if provided is not None:
        own = [p for p in entry_points(group="mmpipe") if p.name == provided.plugin.name]
        return own[0].value.partition(":")[0] if own else None, provided.spec.module.partition(":")[0]
    points = [point for point in entry_points(group="spacy_factories") if point.name == factory]
    if points:
        return None, points[0].value.partition(":")[0]
    name, file = _source_of(factory)
    if file is not None:
        raise NotChecked(f"the factory is registered in {name}, which is no installed module")
    return None, name


def _to_import(factory: str) -> list[tuple[str, str | None]]:
    """The modules that a fresh process must import to know the factory: name and, where it takes that, file."""
    if factory in {point.name for point in entry_points(group="spacy_factories")}:
        return []
    provided = get_plugins().find("components", factory)
    return [(provided.spec.module.partition(":")[0], None)] if provided is not None else [_source_of(factory)]


def _source_of(factory: str) -> tuple[str, str | None]:
    """The module that registered a factory, and its file where it cannot be imported by name."""
    try:
        function = registry.factories.get(factory)
    except Exception as error:
        raise NotChecked(f"spaCy knows no factory {factory!r}") from error
    inner = (
        [cell.cell_contents for cell in function.__closure__ or ()] if function.__module__ == "spacy.language" else []
    )
    owner = next((one for one in inner if callable(one) and not isinstance(one, type)), function)
    name = owner.__module__
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if name == "__main__" or file is None:
        raise NotChecked(f"the factory is registered in {name}, which a fresh process cannot import")
    is_there = _is_importable(name.partition(".")[0], Path(file))
    is_test = Path(file).name.startswith(("test_", "conftest"))
    return name, None if is_there and not is_test else file


def _is_importable(root: str, file: Path) -> bool:
    """Whether a fresh process finds the package or module of that name, and it holds the file."""
    for finder in sys.meta_path:
        found = finder.find_spec(root, None) if hasattr(finder, "find_spec") else None
        if found is not None:
            places = [Path(place).resolve() for place in found.submodule_search_locations or ()]
            own = Path(found.origin).resolve() if found.origin else None
            return file.resolve() == own or any(place in file.resolve().parents for place in places)
    return False


@functools.lru_cache(maxsize=64)
def _registered(entry: str | None, module: str, path: str) -> dict[str, Any]:
    return _run({"entry": entry, "module": module, "heavy": HEAVY}, 120.0)


def _run(task: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
    """What mmpipe.testing.checks.child makes of a task in a fresh process that sees what this one sees."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    with tempfile.TemporaryDirectory(prefix="mmpipe-contract-") as folder:
        question, answer = Path(folder) / "task.json", Path(folder) / "answer.json"
        question.write_text(json.dumps(task), "utf-8")
        command = [sys.executable, "-c", _CHILD, str(question), str(answer)]
        process = subprocess.Popen(
            command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            _, said = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.communicate()
            return {"error": f"nothing had come after {timeout_seconds:g} seconds", "imports": [], "has_spacy": False}
        if answer.exists():
            return json.loads(answer.read_text("utf-8"))
    last = " ".join(said.decode("utf-8", "replace").split())[-300:]
    return {"error": f"it ended with status {process.returncode}: {last}", "imports": [], "has_spacy": False}


CHECKS: tuple[Check, ...] = (registration, spacy_entry_point, processes)
