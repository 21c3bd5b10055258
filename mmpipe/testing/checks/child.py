"""The other side of mmpipe.testing.checks.processes: what runs in the fresh process. Imports little on purpose."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

# They look for torch themselves, and none of their importing is a plugin's doing.
_OTHERS = ("spacy", "thinc", "confection", "catalogue", "srsly", "curated_transformers", "cupy", "blis")


def main() -> None:
    """Do the task of the file that the first argument names; write what came of it to the second."""
    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    try:
        answer = _register(task) if "heavy" in task else _process(task)
    except BaseException as error:
        said = " ".join(str(error).split())
        answer = {"error": f"{type(error).__name__}: {said[:500]}", "imports": [], "has_spacy": False}
    Path(sys.argv[2]).write_text(json.dumps(answer), "utf-8")


def _register(task: dict[str, Any]) -> dict[str, Any]:
    """Import the modules of a plugin; tell who imports what is heavy. Nothing heavy is imported in fact."""
    heavy, found = set(task["heavy"]), []
    modules = [module for module in (task["entry"], task["module"]) if module]
    own = {module.partition(".")[0] for module in modules}
    now = [""]
    # The plugin's own imports that are under way: what each imports, and where it stands.
    under_way: list[tuple[str, str]] = []
    real = builtins.__import__

    # The names of the built-in one: some call it by them.
    def watched(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        importer = str((globals or {}).get("__name__", "?"))
        is_own = importer.partition(".")[0] in own
        place = f"{importer} (line {sys._getframe(1).f_lineno})"
        if level == 0 and name.partition(".")[0] in heavy:
            if importer.partition(".")[0] not in _OTHERS:
                through, asker = under_way[-1] if under_way and not is_own else (None, place)
                line = [name.partition(".")[0], now[0], asker, through]
                if line not in found:
                    found.append(line)
            raise ModuleNotFoundError(f"{name} is kept away from registration by the contract check", name=name)
        if not is_own:
            return real(name, globals, locals, fromlist, level)
        under_way.append(("." * level + name, place))
        try:
            return real(name, globals, locals, fromlist, level)
        finally:
            under_way.pop()

    def asked(name: str, *args: Any) -> Any:
        return None if name.partition(".")[0] in heavy else find_spec(name, *args)

    class Finder:
        """Sees importlib.import_module, which `__import__` does not."""

        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> None:
            if name in heavy:
                through, asker = under_way[-1] if under_way else (None, "importlib.import_module")
                line = [name, now[0], asker, through]
                if not any(known[:2] == line[:2] for known in found) and not _is_others():
                    found.append(line)
                raise ModuleNotFoundError(f"{name} is kept away from registration by the contract check", name=name)

    find_spec = importlib.util.find_spec
    importlib.util.find_spec = asked  # Who only asks whether it is there, does not import it.
    importlib.import_module("mmpipe")  # What it brings is no plugin's doing.
    builtins.__import__ = watched
    sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]
    answer: dict[str, Any] = {"imports": found, "has_spacy": False}
    for module in modules:
        now[0] = module
        had_spacy = "spacy" in sys.modules
        try:
            importlib.import_module(module)
        except Exception as error:
            if not any(line[1] == module for line in found):
                said = " ".join(str(error).split())
                answer["error"] = f"{module} cannot be imported: {type(error).__name__}: {said[:300]}"
        if module == task["entry"] and task["entry"] != task["module"]:
            answer["has_spacy"] = not had_spacy and "spacy" in sys.modules
    return answer


def _is_others() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if not name.startswith(("importlib", "_frozen_importlib")):
            return name.partition(".")[0] in _OTHERS
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _process(task: dict[str, Any]) -> dict[str, Any]:
    """Load a saved pipeline and send records through two processes."""
    import spacy

    for name, file in task["modules"]:
        if file is None:
            importlib.import_module(name)
            continue
        spec = importlib.util.spec_from_file_location(name, file)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    from mmpipe.document import make_docs
    from mmpipe.testing.checks.snapshot import snapshot

    nlp = spacy.load(task["folder"])
    docs = make_docs(nlp, task["records"], root=task["root"])
    return {"docs": [snapshot(doc) for doc in nlp.pipe(docs, n_process=2, batch_size=2)]}
