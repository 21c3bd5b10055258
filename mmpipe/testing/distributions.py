"""Distributions written to a folder: a module, and the metadata by which importlib finds it as a plugin."""

from __future__ import annotations

from pathlib import Path


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

    With the folder on `sys.path`, `mmpipe.plugins.discover()` finds it as if it were installed.

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
