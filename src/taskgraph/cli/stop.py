"""`taskgraph stop`: a live run ends as Ctrl-C ends it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from taskgraph.cli.conduct import FILE
from taskgraph.cli.ending import write_line
from taskgraph.errors import WorkspaceError
from taskgraph.output import is_unfinished, output_path, partial_path, resume_command
from taskgraph.watch.client import live_run


@click.command("stop")
@click.argument("file", type=FILE)
def command(file: Path) -> None:
    """End a live run in good order, and wait until it has ended.

    FILE is what the run writes. Its agents stop after the statement they are in, and what it has
    done is kept: `taskgraph resume` goes on.
    """
    output = output_path(file)
    with live_run(partial_path(output)) as live:
        if live is None:
            raise WorkspaceError(f"no run writes {str(output)!r}", hint=_what_to_do(output))
        process = live.stop()
        write_line(f"Process {process} ends its run in good order.", sys.stderr)
        live.wait()
    write_line(_what_to_do(output) or f"It had ended: {output}", sys.stderr)


def _what_to_do(output: Path) -> str | None:
    return f"Go on with: {resume_command(output)}" if is_unfinished(output) else None
