"""What a query gave, fetched within bounds: neither rows nor bytes without end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import duckdb

Value: TypeAlias = Any
Row: TypeAlias = tuple[Value, ...]

MAX_BYTES = 64 * 1024 * 1024
"""Where fetching stops, however few rows that is; Python's objects take several times as much."""
_ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gave."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    """DuckDB's names of the columns' types."""
    rows: tuple[Row, ...]
    complete: bool
    """False where there are more rows than were asked for, or than fit."""


def fetch(raw: duckdb.DuckDBPyConnection, max_rows: int, max_bytes: int = MAX_BYTES) -> Result:
    """Fetches at most `max_rows` rows of what was just executed, fewer if they are huge.

    DuckDB streams, so that an endless result costs no more than the rows that are read. All of
    DuckDB's errors can surface here.
    """
    description = raw.description or []
    rows: list[Row] = []
    size, exhausted = 0, False
    while not exhausted and len(rows) <= max_rows and size < max_bytes:
        batch: list[Row] = raw.fetchmany(min(_ROWS_AT_ONCE, max_rows + 1 - len(rows)))
        exhausted = not batch
        rows += batch
        size += sum(_size(row) for row in batch)
    return Result(
        columns=tuple(str(column[0]) for column in description),
        types=tuple(str(column[1]) for column in description),
        rows=tuple(rows[:max_rows]),
        complete=exhausted and len(rows) <= max_rows,
    )


def _size(value: Value) -> int:
    """Returns about how many bytes a value holds."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        value = cast("dict[Value, Value]", value).values()
    elif not isinstance(value, list | tuple):
        return 8
    return sum(_size(one) for one in cast("Iterable[Value]", value))
