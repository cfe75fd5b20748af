"""`taskgraph report`: what a `.db` holds as one HTML file, for whoever has no DuckDB at hand."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from taskgraph.cli.ending import write_line
from taskgraph.cli.settings import option
from taskgraph.errors import OutputError

_FILE: click.Path = click.Path(dir_okay=False, path_type=Path)


@click.command("report")
@click.argument("file", type=_FILE)
@option("output", "-o", type=_FILE, help="HTML file to write.", show_default="FILE.html")
@option("force", "-f", is_flag=True, help="Replace an existing file.")
def command(file: Path, output: Path | None, *, force: bool) -> None:
    """Write what is in a .db file as one HTML page.

    The page needs no network and no program but a browser: the graph, each node's checks, rows,
    SQL and conversation, and which columns each column comes from.
    """
    from taskgraph.page import page_of  # noqa: PLC0415 - what it loads, `--help` should not

    target = output or file.with_suffix(".html")
    page = page_of(file)
    try:
        with target.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(page)
    except FileExistsError:
        raise OutputError(f"{str(target)!r} exists", "Give --force to replace it.") from None
    except OSError as error:
        raise OutputError(f"{str(target)!r} cannot be written: {error.strerror}") from error
    write_line(str(target), sys.stdout)
