"""Reads Python's own data: a list of dicts, or a dict of lists."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, cast

import duckdb

from taskgraph.errors import IngestError
from taskgraph.ingest.names import column_names
from taskgraph.ingest.reading import STAGED, Reading, plain, staged, staging
from taskgraph.ingest.values import TypedValues, json_of, plain_values, typed_values

_ROWS_PER_INSERT = 10_000


@contextmanager
def read_records(records: Sequence[object]) -> Generator[Reading]:
    """Reads a list of dicts: a column for each key of any of them, NULL where a dict lacks it.

    Raises:
        IngestError: an item is not a dict, or a value has no place in a table; names its row.
    """
    for row, record in enumerate(records, start=1):
        if not isinstance(record, Mapping):
            raise IngestError(
                f"row {row} of the list is of type {type(record).__name__}, not a dict"
            )
    rows = cast("Sequence[Mapping[object, Any]]", records)
    keys = dict.fromkeys(chain.from_iterable(rows))
    with read_columns({key: [row.get(key) for row in rows] for key in keys}) as reading:
        yield reading


@contextmanager
def read_columns(columns: Mapping[object, Iterable[Any]]) -> Generator[Reading]:
    """Reads a dict of lists of the same length.

    Raises:
        IngestError: a name is not text, the lengths differ, or a value has no place in a table.
    """
    values = {_name(key): plain_values(column) for key, column in columns.items()}
    _require_same_length(values)
    if not values:
        yield Reading(None, ())
        return
    names = column_names(values)
    typed = [_typed(name, column) for name, column in values.items()]
    remarks = [
        f"column {name!r} {one.remark}"
        for name, one in zip(names.names, typed, strict=True)
        if one.remark
    ]
    with staging() as connection:
        staged_columns = [f"c{number}" for number in range(len(typed))]
        _stage(connection, staged_columns, typed, list(values.values()))
        expressions = dict(zip(names.names, staged_columns, strict=True))
        yield staged(connection, expressions, (*names.warnings.values(), *remarks))


def _name(key: object) -> str:
    if isinstance(key, str):
        return key
    raise IngestError(
        f"a column is called {key!r}, of type {type(key).__name__}",
        hint="names of columns must be text: use str(...)",
    )


def _require_same_length(values: Mapping[str, Sequence[Any]]) -> None:
    lengths = {name: len(column) for name, column in values.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise IngestError(f"the lists of a dict must be of one length; {told}")


def _typed(name: str, values: Sequence[Any]) -> TypedValues:
    try:
        return typed_values(values)
    except IngestError as error:
        raise IngestError(f"column {name!r}: {error}", error.hint) from error


def _stage(
    connection: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    typed: Sequence[TypedValues],
    values: Sequence[Sequence[Any]],
) -> None:
    declared = ", ".join(f"{name} {one.type}" for name, one in zip(names, typed, strict=True))
    connection.execute(f"CREATE TABLE {STAGED} ({declared})")
    selected = ", ".join(_parameter(name, one) for name, one in zip(names, typed, strict=True))
    for start in range(0, len(values[0]), _ROWS_PER_INSERT):
        rows = slice(start, start + _ROWS_PER_INSERT)
        parameters = {
            name: _written(one, column[rows])
            for name, one, column in zip(names, typed, values, strict=True)
        }
        try:
            connection.execute(f"INSERT INTO {STAGED} SELECT {selected}", parameters)
        except duckdb.Error as error:
            end = min(start + _ROWS_PER_INSERT, len(values[0]))
            raise IngestError(f"rows {start + 1} to {end}: {plain(error)}") from error


def _parameter(name: str, typed: TypedValues) -> str:
    if typed.nested:
        return f"CAST(CAST(unnest(CAST(${name} AS VARCHAR[])) AS JSON) AS {typed.type})"
    return f"unnest(CAST(${name} AS {typed.type}[]))"


def _written(typed: TypedValues, values: Sequence[Any]) -> Sequence[Any]:
    write = typed.write
    if typed.nested:
        return [
            None if value is None else json_of(write(value) if write else value) for value in values
        ]
    if write is None:
        return values
    return [None if value is None else write(value) for value in values]
