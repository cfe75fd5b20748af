"""Turns a node's views into tables of the same names, each view computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from graphlib import CycleError, TopologicalSorter
from time import perf_counter
from typing import TypeAlias

from taskgraph.database import Cursor, fold, quote
from taskgraph.duckdb_errors import without_place
from taskgraph.errors import QueryFailed, StatementError
from taskgraph.events import Definition, Emit, StatementRun
from taskgraph.guard import Guard, PlainView
from taskgraph.sql import Parser

Tables: TypeAlias = tuple[tuple[str, int], ...]
"""Tables with their row counts."""


def materialise(cursor: Cursor, node: str, views: Iterable[Definition], emit: Emit) -> Tables:
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
    return tuple(
        (view.name, _told(node, view.name, emit, partial(_replace, cursor, view.name)))
        for view in ordered
    )


def plain_views(guard: Guard, sql: str) -> tuple[PlainView, ...] | None:
    """Judges a text that does nothing but make views, each once, and runs none of it.

    Returns:
        The views in the order of the text, in which each comes after those it reads; None where
        the text does anything else.

    Raises:
        StatementError: the guard refuses a statement, or DuckDB cannot parse it.
    """
    views: dict[str, PlainView] = {}
    for statement in guard.split(sql):
        view = guard.judge_view(statement)
        if view is None or fold(view.name) in views:
            return None
        views[fold(view.name)] = view
    return tuple(views.values())


def materialise_directly(
    cursor: Cursor, node: str, views: Iterable[PlainView], emit: Emit
) -> Tables:
    """Makes tables of views that are never made themselves; otherwise as `materialise`.

    To make a view, select from it, drop it and rename the table takes three times as long as to
    make a small table.
    """
    return tuple((view.name, _make(cursor, node, view, emit)) for view in views)


def _make(cursor: Cursor, node: str, view: PlainView, emit: Emit) -> int:
    emit(StatementRun(node, "sql_node", "create_view", view.sql, elapsed_ms=0.0, name=view.name))
    return _told(node, view.name, emit, partial(_create, cursor, view))


def _create(cursor: Cursor, view: PlainView) -> int:
    [(count,)] = cursor.rows(f"CREATE TABLE {quote(view.name)} AS {view.query}")
    return count


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


def _replace(cursor: Cursor, view: str) -> int:
    name, making = quote(view), quote(f"_making_{view}")
    try:
        [(count,)] = cursor.rows(f"CREATE TABLE {making} AS SELECT * FROM {name}")
    except QueryFailed as error:
        # The place that DuckDB marks is one in the view's text, drawn below this statement.
        raise type(error)(f"in {view}: {without_place(str(error))}") from error.__cause__
    cursor.execute(f"DROP VIEW {name}")
    cursor.execute(f"ALTER TABLE {making} RENAME TO {name}")
    return count


def _told(node: str, view: str, emit: Emit, make: Callable[[], int]) -> int:
    """Makes one table and tells of it, however that ends."""
    started = perf_counter()
    error: str | None = None
    count: int | None = None
    try:
        count = made = make()
    except StatementError as failure:
        error = str(failure)
        raise
    finally:
        emit(
            StatementRun(
                node=node,
                source="materialise",
                kind="create_table",
                query=f"CREATE TABLE {quote(view)} AS SELECT * FROM {quote(view)}",
                error=error,
                row_count=count,
                elapsed_ms=(perf_counter() - started) * 1000,
                name=view,
            )
        )
    return made
