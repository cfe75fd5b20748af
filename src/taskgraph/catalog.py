"""Read-only questions about tables and views, each about names that the asker already has.

None of these lists the whole catalog: a question costs the same with 10 objects and with 10,000.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskgraph.database import Cursor, Result, quote
from taskgraph.errors import QueryFailed

_LARGEST_SORTED = 1_000_000


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table or view."""

    name: str
    type: str
    """As DuckDB writes it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table's columns and size."""

    row_count: int
    columns: Mapping[str, str]
    """Column to type, in order."""


def columns(cursor: Cursor, relation: str) -> tuple[Column, ...] | None:
    """Returns the columns of a table or view, None if there is no such relation.

    Raises:
        QueryFailed: it is a view that cannot be bound any more.
    """
    try:
        described = cursor.rows(f"DESCRIBE {quote(relation)}")
    except QueryFailed as error:
        if f"Table with name {relation} does not exist" in str(error):
            return None
        raise
    return tuple(Column(row[0], row[1]) for row in described)


def sample(cursor: Cursor, relation: str, rows: int, row_count: int) -> Result:
    """Returns a few rows of a table: the same ones whenever its contents are the same.

    DuckDB may store the rows of one query in another order each time, and what an agent is shown
    is a part of what a recording is found by. Sorting a large table would cost more than that is
    worth.
    """
    order = "ORDER BY ALL" if row_count <= _LARGEST_SORTED else ""
    return cursor.fetch(f"SELECT * FROM {quote(relation)} {order} LIMIT {rows}", rows)
