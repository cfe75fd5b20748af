"""`taskgraph extract-spec`: the spec that a `.db` was made from, as a file again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from taskgraph.cli.conduct import FILE
from taskgraph.cli.ending import write_line
from taskgraph.cli.settings import option
from taskgraph.cli.text import printable
from taskgraph.embedded import files_of, read_embedded, write_files


@click.command("extract-spec")
@click.argument("file", type=FILE)
@click.argument("target", type=FILE)
@option("force", "-f", is_flag=True, help="Replace existing files.")
def command(file: Path, target: Path, *, force: bool) -> None:
    """Write the spec that a run was made from.

    FILE is a run's .db, TARGET the Python file to write, byte for byte as it was. What it imported
    from beside it is written beside it, if the run was told to keep that (--embed-imports).
    """
    spec = read_embedded(file)
    files = files_of(spec, target)
    write_files(files, replace=force)
    for path in files:
        write_line(str(path), sys.stdout)
    if spec.missing:
        write_line(
            f"Warning: it imports {printable(', '.join(spec.missing))}, and {file} does not hold that. "
            "A run with --embed-imports keeps it.",
            sys.stderr,
        )
