"""`mmpipe retry`"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mmpipe.cli.exit_codes import ExitCode
from mmpipe.cli.options import quiet
from mmpipe.cli.run_bar import run_bar


def retry(
    output: Annotated[Path, typer.Argument(metavar="OUTDIR", help="The folder that `mmpipe run` wrote to.")],
    workers: Annotated[int, typer.Option("--workers", "-n", min=0, help="Spawned processes; 0: none.")] = 0,
    device: Annotated[
        str | None, typer.Option(help="Of all models: auto, cpu, cuda:0, ...; by default as in the run.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-F", help="Go on where config, input, plugin or model changed; put on record.")
    ] = False,
) -> None:
    """Try the quarantine of a run again. What succeeds takes its place in the order; the rest stays in quarantine.

    Mend what was wrong first: put a missing image in its place, update a plugin, choose a machine with more memory.
    Of a run into one file, whose shards are gone: mmpipe run PIPELINE OUT.errors.jsonl --reader quarantine -o AGAIN
    """
    quiet()
    from mmpipe.corpus.joined import errors_path
    from mmpipe.corpus.opened import command_of, opened
    from mmpipe.corpus.plan import Options
    from mmpipe.corpus.retry import retry as try_again
    from mmpipe.corpus.sharded import ShardedRun
    from mmpipe.corpus.source import find_inputs
    from mmpipe.loading import load
    from mmpipe.plugins import get_plugins

    output = output.absolute()
    errors = errors_path(output)
    again = f"`mmpipe run PIPELINE {errors.name} --reader quarantine -o AGAIN` does the records of {errors.name} again"
    nothing = f"nothing failed, or {errors.name} would stand beside it"
    manifest = opened(output, of_file=again if errors.exists() else nothing)
    plugins = get_plugins()
    command, options = command_of(manifest), Options(**manifest.plan["options"])
    os.chdir(command.folder)
    command = replace(command, device=device or command.device)
    found = find_inputs(
        command.inputs, plugins, reader=options.reader, text_key=options.text_key, fallback=options.fallback
    )
    nlp = load(command.pipeline, command.overrides, device=command.device)
    engine = plugins.code("engines", "workers" if workers else "local")
    run = ShardedRun(nlp, command, found, plugins, manifest.layout, options, engine, n_workers=max(workers, 1))
    with run_bar() as show:
        n_tried, n_saved = try_again(run, on_shard=show, is_forced=force)
    noun = "record" if n_tried == 1 else "records"
    left = f"; {n_tried - n_saved:,} failed again, see {manifest.layout.quarantine}" if n_tried > n_saved else ""
    print(f"{n_tried:,} {noun} tried again: {n_saved:,} written{left}", file=sys.stderr)
    raise typer.Exit(ExitCode.SOME_FAILED if n_tried > n_saved else ExitCode.OK)
