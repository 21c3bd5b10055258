"""Distributions that are installed from a folder of their author's (`pip install -e`): no reinstalling mends those."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from shlex import quote
from urllib.parse import unquote, urlsplit


def mend_of(name: str, usual: str) -> str:
    """The command that mends a distribution: the usual one or, where it is editable, one in its own folder."""
    folder = _source_of(name)
    if folder is None:
        return usual
    return f"git -C {quote(folder)} status   {name} is installed from there with `pip install -e`: mend it there"


def _source_of(name: str) -> str | None:
    try:
        told = json.loads(distribution(name).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError, OSError):
        return None
    is_editable = isinstance(told, dict) and told.get("dir_info", {}).get("editable")
    return unquote(urlsplit(told["url"]).path) if is_editable and isinstance(told.get("url"), str) else None
