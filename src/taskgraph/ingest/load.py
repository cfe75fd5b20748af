"""Takes a reading into the workspace as a table: one statement, so it is all there or not at all."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from taskgraph.database import Cursor, quote
from taskgraph.errors import IngestError, QueryFailed
from taskgraph.ingest.names import ROW_ID
from taskgraph.ingest.reading import Reading, plain

_SOURCE = "_ingest_source"


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
