"""Defines again, in a new file, what an earlier run left of views and macros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

from taskgraph.database import Cursor, fold
from taskgraph.errors import QueryStuck, QueryTimeout, StatementError, WorkspaceError
from taskgraph.events import Definition, Outcome, SourceFile, StatementRun
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
    events: tuple[StatementRun, ...]
    """One for each definition, for the trace."""


def define_again(guard: Guard, node: str, definitions: Sequence[Definition]) -> Redefined:
    """Runs definitions through the guard, in an order in which they can stand.

    They are on record in the order in which they were last made, and that need not be the one in
    which they need one another: what fails is tried again after the others.

    Args:
        guard: judges and runs them, on the node's cursor.
        node: whose they are.
        definitions: views and macros, each by one CREATE statement.

    Raises:
        QueryTimeout: it took too long, and nothing says which of them would have stood.
    """
    results: list[StatementResult] = []
    events: list[StatementRun] = []
    waiting = list(definitions)
    while waiting:
        failures: list[Failure] = []
        told: list[StatementRun] = []
        for definition in waiting:
            started = perf_counter()
            try:
                result = guard.run(definition.sql, max_rows=0)
            except (QueryTimeout, QueryStuck):
                raise
            except StatementError as error:
                failures.append((definition, error))
                told.append(_event(node, definition, started, "refused", error))
            else:
                results.append(result)
                events.append(_event(node, definition, started, result.kind))
        if len(failures) == len(waiting):
            return Redefined(tuple(results), _causes_first(failures), (*events, *told))
        waiting = [definition for definition, _ in failures]
    return Redefined(tuple(results), (), tuple(events))


def _causes_first(failures: Sequence[Failure]) -> tuple[Failure, ...]:
    missing = [f"name {definition.name} does not exist" for definition, _ in failures]
    return tuple(sorted(failures, key=lambda one: any(text in str(one[1]) for text in missing)))


def define_macros(cursor: Cursor, plan: Plan) -> None:
    """Defines the macros of the nodes that are kept; their views have come as tables.

    Raises:
        WorkspaceError: one cannot be defined again.
    """
    for name in plan.names.graph.order:
        if name in plan.kept:
            guard = Guard(cursor, Scope(plan.names, name), "sql_node")
            for macro, error in define_again(guard, name, _macros(plan.kept[name])).failures:
                raise WorkspaceError(
                    f"the macro {macro.name} of node {name!r} cannot be defined again: {error}",
                    f"Select the node as well: --select {name}.",
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


def _event(
    node: str,
    definition: Definition,
    started: float,
    kind: str,
    error: StatementError | None = None,
) -> StatementRun:
    return StatementRun(
        node=node,
        source="reuse",
        kind=kind,
        query=definition.sql,
        elapsed_ms=(perf_counter() - started) * 1000,
        error=str(error) if error else None,
        name=definition.name,
    )
