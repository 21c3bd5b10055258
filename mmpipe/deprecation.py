"""Deprecations: how a part of the contract is given up, and how the author of a plugin that uses it is told."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class PluginDeprecationWarning(DeprecationWarning):
    """A plugin uses what will be gone from the contract: it works as before, until the version that is named."""


def deprecated(what: str, *, instead: str, since: str, until: str) -> PluginDeprecationWarning:
    """The warning that a hook specification is marked with.

        @hookspec(warn_on_impl=deprecated("the hook mmpipe_old", instead="use mmpipe_new", since="0.3", until="0.5"))
        @hookspec(warn_on_impl_args={"old": deprecated("the argument 'old' of mmpipe_x", ...)})

    what: the hook or the argument. instead: what an author should do. since: the version of mmpipe that first warns;
    until: the first without it.
    """
    return PluginDeprecationWarning(f"{what} is deprecated since mmpipe {since} and gone in {until}: {instead}")


@contextmanager
def told_to(origin: str, notes: list[str]) -> Iterator[None]:
    """What pluggy warns of while a plugin is registered is told again with the plugin's name, and added to `notes`.

    origin: distribution and version. The warning keeps its place: the implementation in the plugin's own file.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for found in caught:
        message = found.message
        if isinstance(message, PluginDeprecationWarning):
            notes.append(str(message))
            message = PluginDeprecationWarning(f"{origin}: {message}")
        warnings.warn_explicit(message, found.category, found.filename, found.lineno)
