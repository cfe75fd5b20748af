"""Takes what a reader hands over into the workspace, as a table: all of it, or nothing."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import duckdb

from taskgraph.database import Cursor, Value, quote
from taskgraph.errors import IngestError, QueryFailed
from taskgraph.ingest.names import ROW_ID
from taskgraph.ingest.reading import Reading, Rows, plain

_SOURCE = "_ingest_source"
_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """A table that a reading became."""

    row_count: int
    columns: tuple[tuple[str, str], ...]
    """Name and DuckDB type of each column but `_row_id`."""


def load(cursor: Cursor, table: str, reading: Reading) -> LoadedTable:
    """Creates the table from the reading's stream, with `_row_id` first.

    Order is kept: DuckDB reads a stream with several threads and puts its batches back in order.

    Raises:
        IngestError: the stream failed, or holds a type that DuckDB does not take.
    """
    with _registered(cursor, reading.stream), _blamed_on(table):
        described = cursor.rows(f"DESCRIBE {_SOURCE}")
        found = [str(row[0]) for row in described]
        types = [_storable(str(row[1])) for row in described]
        names = [ROW_ID, *reading.names]
        # DuckDB renames a stream's columns that differ in case only: position tells which is which.
        selected = ", ".join(
            f"CAST({quote(source)} AS {type_}) AS {quote(name)}"
            for source, type_, name in zip(found, types, names, strict=True)
        )
        [(count,)] = cursor.rows(f"CREATE TABLE {quote(table)} AS SELECT {selected} FROM {_SOURCE}")
    return LoadedTable(count, tuple(zip(names[1:], types[1:], strict=True)))


def load_rows(cursor: Cursor, table: str, rows: Rows) -> LoadedTable:
    """Creates the table from Python's own data, with `_row_id` first.

    Raises:
        IngestError: DuckDB does not take a value.
    """
    columns = tuple(zip(rows.names, rows.types, strict=True))
    declared = ", ".join(f"{quote(name)} {type_}" for name, type_ in columns)
    with cursor.transaction():
        cursor.execute(f"CREATE TABLE {quote(table)} ({ROW_ID} BIGINT, {declared})")
        count = _append(cursor.raw.appender(quote(table)), zip(*rows.columns, strict=True))
        stored = cursor.rows(f"DESCRIBE {quote(table)}")
    types = tuple((str(row[0]), str(row[1])) for row in stored[1:])
    return LoadedTable(count, types)


def _append(appender: duckdb.Appender, rows: Iterator[tuple[Value, ...]]) -> int:
    """Appends numbered rows, and returns how many there were."""
    before = 0
    try:
        while batch := list(islice(rows, _ROWS_AT_ONCE)):
            appender.append_rows((row_id, *row) for row_id, row in enumerate(batch, before + 1))
            appender.flush()
            before += len(batch)
    except duckdb.Error as error:
        last = before + _ROWS_AT_ONCE
        raise IngestError(f"among rows {before + 1} to {last}: {plain(error)}") from error
    finally:
        appender.clear()
    return before


def create_empty(cursor: Cursor, table: str, names: tuple[str, ...]) -> LoadedTable:
    """Creates a table without rows, for a source that has neither rows nor column names."""
    columns = ", ".join(f"{quote(name)} VARCHAR" for name in names)
    cursor.execute(f"CREATE TABLE {quote(table)} ({ROW_ID} BIGINT, {columns})")
    return LoadedTable(0, tuple((name, "VARCHAR") for name in names))


@contextmanager
def _registered(cursor: Cursor, stream: object) -> Generator[None]:
    try:
        cursor.raw.register(_SOURCE, stream)
    except duckdb.Error as error:
        raise IngestError(f"the source cannot be read: {plain(error)}") from error
    try:
        yield
    finally:
        cursor.raw.unregister(_SOURCE)


@contextmanager
def _blamed_on(table: str) -> Generator[None]:
    try:
        yield
    except QueryFailed as error:
        raise IngestError(f"table {table!r} cannot be made: {error}") from error


def _storable(type_: str) -> str:
    """The type to store a column as: one that DuckDB 1.4 reads too."""
    # A column with no value at all has the type "NULL", also inside of lists and structs.
    known = re.sub(r'"NULL"(?=[\[\],)]|$)', "VARCHAR", type_)
    # polars counts the time of day in nanoseconds.
    return {ROW_ID: "BIGINT", "TIME_NS": "TIME"}.get(known, known)
