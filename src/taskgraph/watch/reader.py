"""What SQL of a person may do with a run's file: read everything in it, and nothing else."""

from __future__ import annotations

from taskgraph.database import Cursor
from taskgraph.errors import InternalError, Refused
from taskgraph.guard import Guard
from taskgraph.namespace import READER
from taskgraph.result import Result


def read(cursor: Cursor, sql: str, max_rows: int) -> Result:
    """Runs one statement that reads. Blocks: call it in `Cursor.run`.

    Args:
        cursor: a connection of the reader's own.
        sql: one SELECT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN.
        max_rows: rows that are fetched at most.

    Raises:
        Refused: it does anything else than read this file.
        QueryFailed: DuckDB said no.
    """
    guard = Guard(cursor, READER, "reader")
    first, *more = guard.split(sql)
    if more:
        raise Refused("several", f"one statement at a time: these are {1 + len(more)}")
    result = guard.run(first, max_rows=max_rows).result
    if result is None:
        raise InternalError(f"a reader's statement gave nothing: {first}")
    return result
