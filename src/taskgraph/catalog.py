"""Read-only questions about tables and views, each about names that the asker already has.

None of these lists the whole catalog: a question costs the same with 10 objects and with 10,000.
"""

from __future__ import annotations

from dataclasses import dataclass

from taskgraph.database import Cursor, Result, quote
from taskgraph.errors import QueryFailed


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table or view."""

    name: str
    type: str
    """As DuckDB writes it."""


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


def row_count(cursor: Cursor, relation: str) -> int:
    """Counts the rows of a table or view."""
    return cursor.rows(f"SELECT count(*) FROM {quote(relation)}")[0][0]


def sample(cursor: Cursor, relation: str, rows: int) -> Result:
    """Returns the first rows of a table or view."""
    return cursor.fetch(f"SELECT * FROM {quote(relation)} LIMIT {rows}", rows)
