"""The names of a new plugin, all made of the one that its author gives."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from packaging.utils import canonicalize_name

from mmpipe.errors import MmpipeError
from mmpipe.plugins import get_plugins
from mmpipe.scaffold.kinds import Kind

PREFIX = "mmpipe-"
MAX_CHARS = 40
"""Of the name behind the prefix: longer ones break the lines of the templates."""
# PEP 508's rule for names of distributions.
_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
# `doc._` needs the first five for itself; the others are keys that records have.
_TAKEN_FIELDS = {"get", "set", "has", "record", "media", "id", "text", "image", "images", "question", "questions"}


@dataclass(frozen=True)
class Names:
    """The names that a plugin goes by. short: its name behind the prefix, lower case, with dashes: `acme-tone`."""

    short: str

    @property
    def distribution(self) -> str:
        """What pip installs: `mmpipe-acme-tone`."""
        return PREFIX + self.short

    @property
    def package(self) -> str:
        """What Python imports, and the factory of its component: `mmpipe_acme_tone`."""
        return self.distribution.replace("-", "_")

    @property
    def field(self) -> str:
        """Where its component writes, `doc._.acme_tone`; the package's name where that is no name for a field."""
        field = self.short.replace("-", "_")
        is_free = field.isidentifier() and not keyword.iskeyword(field) and field not in _TAKEN_FIELDS
        return field if is_free else self.package

    def provided(self, kind: Kind, kinds: Collection[Kind]) -> str:
        """The name that what it provides of a kind is registered under. kinds: all that it provides, this one too."""
        has_suffix = len(kinds) > 1 and kind.suffix
        own = f"{self.short}-{kind.suffix}" if has_suffix else self.short
        return {"component": self.package, "model": f"mmpipe/{self.short}"}.get(kind.name, own)


def make_names(name: str) -> Names:
    """The names of a plugin that its author calls `name`, with or without the prefix `mmpipe-`, in any case.

    Raises MmpipeError where a distribution cannot be called that.
    """
    name = name.strip()
    if not _DISTRIBUTION.fullmatch(name):
        raise _refused(name, f"a plugin cannot be called {name!r}: {_fault(name)}", _mended(name))
    short = _short(name)
    if not short:
        raise _refused(name, f"{name!r} is only the prefix of a name", "acme-tone")
    if len(short) > MAX_CHARS:
        raise _refused(name, f"the name has {len(short)} characters; {MAX_CHARS} are allowed", _mended(name))
    return Names(short)


def check_free(names: Names, kinds: Collection[Kind] = ()) -> None:
    """Raises MmpipeError where something that is installed has one of the names already.

    kinds: what the plugin will provide; what others provide of these is looked at, too.
    """
    try:
        found = version(names.distribution)
    except PackageNotFoundError:
        found = None
    if found is not None:
        raise MmpipeError(
            f"{names.distribution} {found} is installed already",
            where="NAME",
            next_step=f"choose another name, or `pip uninstall {names.distribution}` first",
        )
    if importlib.util.find_spec(names.package) is not None:
        raise MmpipeError(
            f"a Python package {names.package!r} can be imported here already",
            where="NAME",
            next_step="choose another name, or run this in another folder or environment",
        )
    plugins = get_plugins()
    for kind in kinds:
        name = names.provided(kind, kinds)
        if name in plugins.names(kind.registered):
            provided = plugins.find(kind.registered, name)
            raise MmpipeError(
                f"{provided.plugin.origin if provided else 'a plugin'} provides the {kind.name} {name!r} already",
                where="NAME",
                next_step="choose another name: no two plugins may provide the same one",
            )


def _short(name: str) -> str:
    return f"{canonicalize_name(name)}-".removeprefix(PREFIX).strip("-")


def _refused(name: str, what: str, suggested: str) -> MmpipeError:
    return MmpipeError(what, where="NAME", next_step=f"take a name such as {suggested!r}")


def _fault(name: str) -> str:
    if not name:
        return "it is empty"
    if "/" in name or "\\" in name:
        return "it is a path; --output names the folder"
    odd = sorted(set(re.findall(r"[^A-Za-z0-9._-]", name)))
    if odd:
        return f"it holds {', '.join(map(repr, odd))}; letters A to Z, digits, '-', '_' and '.' are allowed"
    return "it begins or ends with a mark; a letter or a digit must stand there"


def _mended(name: str) -> str:
    """The nearest name that is allowed, or an example where nothing is left of it."""
    bare = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    mended = _short(re.sub(r"[^A-Za-z0-9]+", "-", bare).strip("-"))[:MAX_CHARS].strip("-")
    return mended or "acme-tone"
