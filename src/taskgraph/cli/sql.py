"""`taskgraph sql`: a question to a `.db`, also while its run goes on."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from taskgraph.cli.conduct import FILE
from taskgraph.cli.ending import write_line
from taskgraph.cli.opening import left_by
from taskgraph.cli.settings import option
from taskgraph.cli.tables import table_lines
from taskgraph.cli.width import width_of
from taskgraph.database import Database
from taskgraph.output import output_path, partial_path
from taskgraph.result import Result, Value
from taskgraph.watch.client import live_run
from taskgraph.watch.reader import read
from taskgraph.watch.wire import plain
from taskgraph.wording import counted

_NUMERIC = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "U",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
)


@click.command("sql")
@click.argument("file", type=FILE)
@click.argument("query")
@option("csv", "as_csv", is_flag=True, help="Write CSV.")
@option("json", "as_json", is_flag=True, help="Write JSON: a list of objects.")
@option("max-rows", type=click.IntRange(min=1), default=10_000, help="Rows that are fetched.")
@option("timeout", type=click.FloatRange(min=0.001), default=30.0, help="Seconds that it may take.")
def command(
    file: Path, query: str, *, as_csv: bool, as_json: bool, max_rows: int, timeout: float
) -> None:
    """Ask a .db file in SQL, also while its run goes on.

    QUERY is one statement that reads: every table and view can be read, the engine's too, and
    nothing can be changed. The process of a live run answers it itself.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude one another.")
    result = _asked(file, query, max_rows, timeout)
    for line in _csv(result) if as_csv else _json(result) if as_json else _table(result):
        write_line(line, sys.stdout)
    if not result.complete:
        told = f"Only the first {len(result.rows):,} rows; for more, raise --max-rows."
        write_line(told, sys.stderr)


def _asked(file: Path, query: str, max_rows: int, timeout_s: float) -> Result:
    with live_run(partial_path(output_path(file))) as live:
        if live:
            return live.read(query, max_rows, timeout_s)
    database = Database.view(left_by(file))
    try:
        with closing(database.cursor()) as cursor:
            work = partial(read, cursor, query, max_rows)
            return asyncio.run(cursor.run(work, timeout_s=timeout_s))
    finally:
        database.close()


def _table(result: Result) -> Iterator[str]:
    numeric = [
        name
        for name, kind in zip(result.columns, result.types, strict=True)
        if kind.startswith(_NUMERIC)
    ]
    rows = [[_text(value) for value in row] for row in result.rows]
    yield from table_lines(result.columns, rows, width_of(sys.stdout), numeric)
    yield f"({counted(len(rows), 'row')})"


def _csv(result: Result) -> Iterator[str]:
    for row in (result.columns, *([_text(value) for value in row] for row in result.rows)):
        yield _csv_line(row)


def _csv_line(cells: Iterable[str | None]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _json(result: Result) -> Iterator[str]:
    rows = (dict(zip(result.columns, map(plain, row), strict=True)) for row in result.rows)
    yield json.dumps(list(rows), ensure_ascii=False)


def _text(value: Value) -> str | None:
    """Returns a value as DuckDB writes it, None for NULL."""
    value = plain(value)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
