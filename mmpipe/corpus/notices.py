"""Telling plugins of a run's life."""

from __future__ import annotations

import logging
from typing import Any

from mmpipe.errors import StopRun
from mmpipe.plugins import PluginRegistry
from mmpipe.specs import RunInfo

logger = logging.getLogger("mmpipe")


class Notices:
    """Calls every plugin's implementation of the hooks of a run's life.

    One that raises is reported and ends nothing, unless it raises StopRun.
    """

    def __init__(self, plugins: PluginRegistry, info: RunInfo) -> None:
        self.info = info
        self._hook = plugins.manager.hook

    def tell(self, hook: str, **arguments: Any) -> None:
        """hook: the name of one of mmpipe.hookspecs; its argument `run` is given. Raises StopRun."""
        arguments["run"] = self.info
        for implementation in getattr(self._hook, hook).get_hookimpls():
            try:
                implementation.function(**{name: arguments[name] for name in implementation.argnames})
            except StopRun:
                raise
            except Exception as error:
                logger.warning("%s of %s raised %s: %s", hook, implementation.plugin_name, type(error).__name__, error)
