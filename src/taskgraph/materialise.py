"""Turns a node's views into tables of the same names, each view computed once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from time import perf_counter

from taskgraph.database import Cursor, fold, quote
from taskgraph.errors import StatementError
from taskgraph.events import Definition, Emit, StatementRun
from taskgraph.sql import Parser


def materialise(
    cursor: Cursor, node: str, views: Iterable[Definition], emit: Emit
) -> tuple[tuple[str, int], ...]:
    """Replaces views by tables, inside the caller's transaction.

    Args:
        cursor: the node's connection, with a transaction open.
        node: whose views they are.
        views: all views that the node leaves behind; macros stay as they are.
        emit: told of each table, from the thread that makes it.

    Returns:
        Each table with its row count, in the order in which they were made.

    Raises:
        StatementError: a view does not compute; the transaction must be rolled back.
    """
    ordered = in_dependency_order(Parser(cursor.syntax()), tuple(views))
    return tuple((view.name, _replace(cursor, node, view.name, emit)) for view in ordered)


def in_dependency_order(parser: Parser, views: Sequence[Definition]) -> list[Definition]:
    """Sorts views so that each comes after those it reads.

    A chain of n views is then computed n times, not n²/2: each reads the tables before it. A read
    through a macro is not seen; its view may be computed twice, and is right all the same.
    """
    if len(views) < 2:
        return list(views)
    by_name = {fold(view.name): view for view in views}
    reads = {
        name: {fold(read) for read in _reads(parser, view)} & (by_name.keys() - {name})
        for name, view in by_name.items()
    }
    try:
        return [by_name[name] for name in TopologicalSorter(reads).static_order()]
    except CycleError:
        # Views that read one another cannot compute; DuckDB says so better, in any order.
        return list(by_name.values())


def _reads(parser: Parser, view: Definition) -> tuple[str, ...]:
    return parser.outline(parser.split(view.sql)[0]).reads


def _replace(cursor: Cursor, node: str, view: str, emit: Emit) -> int:
    name, making = quote(view), quote(f"_making_{view}")
    started = perf_counter()
    error: str | None = None
    count: int | None = None
    try:
        count = cursor.rows(f"CREATE TABLE {making} AS SELECT * FROM {name}")[0][0]
        cursor.execute(f"DROP VIEW {name}")
        cursor.execute(f"ALTER TABLE {making} RENAME TO {name}")
    except StatementError as failure:
        error = str(failure)
        raise
    finally:
        emit(
            StatementRun(
                node=node,
                source="materialise",
                kind="create_table",
                query=f"CREATE TABLE {name} AS SELECT * FROM {name}",
                error=error,
                row_count=count,
                elapsed_ms=(perf_counter() - started) * 1000,
                name=view,
            )
        )
    return count or 0
