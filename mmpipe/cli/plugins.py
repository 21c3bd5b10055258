"""`mmpipe plugins list`, `mmpipe plugins new`"""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from mmpipe.cli.plugins_new import new_plugin
from mmpipe.cli.table import print_table
from mmpipe.plugins import Plugin, get_plugins

app = typer.Typer(
    help="Plugins and what they provide.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.callback()
def plugins() -> None:
    """Plugins and what they provide."""


app.command("new")(new_plugin)


@app.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Every plugin: version, status, what it provides, why it failed if it did, and what of it is deprecated."""
    found = get_plugins().plugins
    if as_json:
        import json  # A table needs none.

        print(json.dumps([dataclasses.asdict(plugin) for plugin in found], ensure_ascii=False, indent=2))
        return
    rows = [(plugin.distribution or plugin.name, plugin.version, plugin.status, _told(plugin)) for plugin in found]
    print_table(("plugin", "version", "status", "provides"), rows)


def _told(plugin: Plugin) -> str:
    provided = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in plugin.provides.items())
    warnings = [f"deprecated: {warning}" for warning in plugin.warnings]
    return "\n".join(filter(None, [provided, plugin.error, *warnings]))
