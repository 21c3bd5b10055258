"""Under what licence a model comes, and from where: what its plugin, its package or its card says."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata, version

from mmpipe.models.files import BACKBONES, Files
from mmpipe.plugins import get_plugins

UNKNOWN = "not stated"
_LICENCE = re.compile(r"^licen[cs]e(?:_name)?:[ \t]*[\"']?([^\"'\n#\[]+?)[\"']?[ \t]*$", re.MULTILINE)


def licence_of(files: Files) -> str:
    """An SPDX identifier or a few words; UNKNOWN where nothing says."""
    if files.name.startswith("mmpipe/"):
        return get_plugins().get("models", files.name).licence
    if files.name in BACKBONES and files.commit is None:
        try:
            said = metadata(BACKBONES[files.name][0].replace("_", "-"))
        except PackageNotFoundError:
            return UNKNOWN
        return said.get("License-Expression") or said.get("License") or UNKNOWN
    try:
        card = (files.folder / "README.md").read_text("utf-8")
    except (OSError, ValueError):
        return UNKNOWN
    header = card.removeprefix("---").partition("\n---")[0] if card.startswith("---") else ""
    match = _LICENCE.search(header)
    return match.group(1) if match else UNKNOWN


def source_of(files: Files) -> str:
    """The plugin and its version, the package and its version, the model's page, or "folder"."""
    if files.name.startswith("mmpipe/"):
        provided = get_plugins().find("models", files.name)
        return provided.plugin.origin if provided is not None else "folder"
    if files.commit is not None:
        return f"https://huggingface.co/{files.name}"
    if files.name in BACKBONES:
        package = BACKBONES[files.name][0].replace("_", "-")
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            return package
    return "folder"
