"""Distributions written to a folder: a module, and the metadata by which importlib finds it as a plugin."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmpipe.plugins import get_plugins


def write_plugin(
    folder: Path,
    name: str,
    code: str,
    *,
    version: str = "1.0",
    files: dict[str, str] | None = None,
    factories: tuple[str, ...] = (),
    metadata: str | None = None,
) -> None:
    """Write a distribution `mmpipe-<name>` with the module `<name>_plugin` behind its entry point.

    With the folder on `sys.path`, mmpipe finds it as if it were installed.

    code: the module, where the hooks are. files: further files by name.

    factories: names of `spacy_factories` entry points, in the module `<name>_component`.
    metadata: the METADATA file; a plain one when None.
    """
    module = f"{name.replace('-', '_')}_plugin"
    (folder / f"{module}.py").write_text(code)
    for file, content in (files or {}).items():
        (folder / file).write_text(content)
    info = folder / f"mmpipe_{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    if metadata is None:
        metadata = f"Metadata-Version: 2.1\nName: mmpipe-{name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata)
    points = f"[mmpipe]\n{name} = {module}\n"
    if factories:
        points += "[spacy_factories]\n" + "".join(f"{f} = {name}_component:{f}\n" for f in factories)
    (info / "entry_points.txt").write_text(points)


@contextmanager
def installed(site: Path) -> Iterator[None]:
    """The distributions that `write_plugin` wrote to a folder are installed, in processes that are started too.

    Afterwards their modules are forgotten. What they registered with spaCy stays: give factories names of their own.
    """
    before = os.environ.get("PYTHONPATH")
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), before]))
    importlib.invalidate_caches()
    get_plugins.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(site))
        if before is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = before
        for name, module in list(sys.modules.items()):
            if Path(getattr(module, "__file__", None) or "").parent == site:
                del sys.modules[name]
        get_plugins.cache_clear()
