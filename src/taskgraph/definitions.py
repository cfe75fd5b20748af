"""Defines again, in a new file, what an earlier run left of views and macros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

from taskgraph.database import Cursor, fold
from taskgraph.errors import QueryStuck, QueryTimeout, StatementError, WorkspaceError
from taskgraph.events import Definition, Emit, Event, Outcome, SourceFile, StatementRun
from taskgraph.guard import Guard, StatementResult
from taskgraph.namespace import Scope
from taskgraph.plan import Plan

Failure: TypeAlias = tuple[Definition, StatementError]


@dataclass(frozen=True, slots=True)
class Redefined:
    """What stands again, and what cannot."""

    results: tuple[StatementResult, ...]
    failures: tuple[Failure, ...]
    """Those that fail for want of another one come last."""


def define_again(
    guard: Guard, node: str, definitions: Sequence[Definition], emit: Emit
) -> Redefined:
    """Runs definitions through the guard, in an order in which they can stand.

    They are on record in the order in which they were last made, and that need not be the one in
    which they need one another: what fails is tried again after the others.

    Args:
        guard: judges and runs them, on the node's cursor.
        node: whose they are.
        definitions: views and macros, each by one CREATE statement.
        emit: told of each, from the calling thread; of those that fail at the end.

    Raises:
        QueryTimeout: it took too long; what stands by then has been told.
    """
    results: list[StatementResult] = []
    waiting = list(definitions)
    while waiting:
        failures: list[Failure] = []
        for definition in waiting:
            started = perf_counter()
            try:
                result = guard.run(definition.sql, max_rows=0)
            except (QueryTimeout, QueryStuck):
                raise
            except StatementError as error:
                failures.append((definition, error))
            else:
                results.append(result)
                emit(_event(node, definition, result.kind, _since(started)))
        if len(failures) == len(waiting):
            for definition, error in failures:
                emit(_event(node, definition, "refused", 0.0, error))
            return Redefined(tuple(results), _causes_first(failures))
        waiting = [definition for definition, _ in failures]
    return Redefined(tuple(results), ())


def _causes_first(failures: Sequence[Failure]) -> tuple[Failure, ...]:
    missing = [f"name {definition.name} does not exist" for definition, _ in failures]
    return tuple(sorted(failures, key=lambda one: any(text in str(one[1]) for text in missing)))


def taken_over(cursor: Cursor, plan: Plan) -> Sequence[Event]:
    """Defines the macros of the nodes that are kept; their views have come as tables.

    Returns:
        What the trace says of both.

    Raises:
        WorkspaceError: a macro cannot be defined again.
    """
    events: list[Event] = []
    for name in plan.names.graph.order:
        if name in plan.kept:
            _take_over(cursor, plan, name, events.append)
    return events


def _take_over(cursor: Cursor, plan: Plan, node: str, emit: Emit) -> None:
    outcome = plan.kept[node]
    for table, row_count in outcome.tables:
        emit(taken_table(node, table, row_count, plan.steps[node].why))
    guard = Guard(cursor, Scope(plan.names, node), "sql_node")
    for macro, error in define_again(guard, node, _macros(outcome), emit).failures:
        raise WorkspaceError(
            f"the macro {macro.name} of node {node!r} cannot be defined again: {error}",
            f"Select the node as well: --select {node}.",
        )


def _macros(outcome: Outcome) -> list[Definition]:
    tables = {fold(name) for name, _ in outcome.tables}
    return [one for one in outcome.definitions if fold(one.name) not in tables]


def taken_table(
    node: str, table: str, row_count: int, why: str, files: tuple[SourceFile, ...] = ()
) -> StatementRun:
    """Returns what the trace says of a table that came with an earlier file."""
    return StatementRun(
        node=node,
        source="reuse",
        kind="create_table",
        query=f"{table}: {why}",
        row_count=row_count,
        elapsed_ms=0.0,
        files=files,
    )


def _since(started: float) -> float:
    return (perf_counter() - started) * 1000


def _event(
    node: str,
    definition: Definition,
    kind: str,
    elapsed_ms: float,
    error: StatementError | None = None,
) -> StatementRun:
    return StatementRun(
        node=node,
        source="reuse",
        kind=kind,
        query=definition.sql,
        elapsed_ms=elapsed_ms,
        error=str(error) if error else None,
        name=definition.name,
    )
