"""Reads Python's own data: a list of dicts, or a dict of lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, cast

from taskgraph.errors import IngestError
from taskgraph.ingest.names import column_names
from taskgraph.ingest.reading import Rows
from taskgraph.ingest.values import TypedValues, plain_values, typed_column


def read_records(records: Sequence[object]) -> Rows:
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
    return read_columns({key: [row.get(key) for row in rows] for key in keys})


def read_columns(columns: Mapping[object, Iterable[Any]]) -> Rows:
    """Reads a dict of lists of the same length.

    Raises:
        IngestError: a name is not text, the lengths differ, or a value has no place in a table.
    """
    values = {_name(key): plain_values(column) for key, column in columns.items()}
    _require_same_length(values)
    names = column_names(values)
    typed = [typed_column(name, column) for name, column in values.items()]
    remarks = [
        f"column {name!r} {one.remark}"
        for name, one in zip(names.names, typed, strict=True)
        if one.remark
    ]
    return Rows(
        names.names,
        tuple(one.type for one in typed),
        tuple(_written(*pair) for pair in zip(typed, values.values(), strict=True)),
        (*names.warnings.values(), *remarks),
    )


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


def _written(typed: TypedValues, values: Sequence[Any]) -> Sequence[Any]:
    write = typed.write
    if write is None:
        return values
    return [None if value is None else write(value) for value in values]
