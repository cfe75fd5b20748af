"""Runs one node of each kind: the only place that asks what kind a node is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from time import perf_counter
from typing import Literal, TypeVar, assert_never

from taskgraph.database import Cursor, quote
from taskgraph.definitions import taken_table
from taskgraph.errors import ChecksFailed, StatementError
from taskgraph.events import CheckResult, Emit, Event, NodeStarted, StatementRun, Warned
from taskgraph.finish import DoesNotHold
from taskgraph.guard import Guard
from taskgraph.ingest import Ingested, ingest
from taskgraph.materialise import plain_views
from taskgraph.namespace import Scope
from taskgraph.spec import Node, PromptNode, SourceNode, SqlNode
from taskgraph.workshop import Workshop

N = TypeVar("N", SourceNode, SqlNode, PromptNode)


async def run_node(shop: Workshop, node: Node) -> None:
    """Executes, validates, materialises and records one node; returning means it passed.

    Raises:
        NodeError: this node cannot pass.
        LimitReached: a limit stopped it.
        RunError: nothing can go on.
        Exception: whatever a spec's own callable raised.
    """
    match node:
        case SourceNode():
            await _started(shop, node, _run_source)
        case SqlNode():
            async with shop.sql_places:
                await _started(shop, node, _run_sql)
        case PromptNode():
            # A quarter of all that a run loads, and SQL needs none of it.
            from taskgraph.agent_node import run_prompt  # noqa: PLC0415

            await _started(shop, node, run_prompt)
        case _:
            assert_never(node)


async def _started(
    shop: Workshop, node: N, run: Callable[[Workshop, N, Cursor], Awaitable[None]]
) -> None:
    shop.emit(NodeStarted(node.name, node.kind, why=shop.plan.why_it_runs(node.name)))
    with closing(shop.database.cursor()) as cursor:
        await run(shop, node, cursor)


async def _run_source(shop: Workshop, node: SourceNode, cursor: Cursor) -> None:
    if shop.plan.steps[node.name].action == "reuse":
        await _take_source(shop, node, cursor)
    else:
        await _ingest_source(shop, node, cursor)


async def _take_source(shop: Workshop, node: SourceNode, cursor: Cursor) -> None:
    """Ends a source whose table came with the earlier file."""

    def count(emit: Emit) -> int:
        del emit
        [(rows,)] = cursor.rows(f"SELECT count(*) FROM {quote(node.name)}")
        return rows

    rows = await shop.in_thread(cursor, count)
    why = shop.plan.steps[node.name].why
    takeover = shop.plan.takeover
    files = takeover.files.get(node.name, ()) if takeover else ()
    shop.emit(taken_table(node.name, node.name, rows, why, files))
    tables = ((node.name, rows),)
    _demand(await shop.try_to_pass(node, cursor, tables=tables, reused=why))


async def _ingest_source(shop: Workshop, node: SourceNode, cursor: Cursor) -> None:
    def work(emit: Emit) -> Ingested:
        started = perf_counter()
        ingested = ingest(cursor, node, shop.directory)
        emit(_ingest_statement(ingested, (perf_counter() - started) * 1000))
        return ingested

    ingested = await shop.in_thread(cursor, work)
    for warning in ingested.warnings:
        shop.emit(Warned(warning, node.name))
    tables = ((ingested.table, ingested.row_count),)
    _demand(await shop.try_to_pass(node, cursor, tables=tables))


def _ingest_statement(ingested: Ingested, elapsed_ms: float) -> StatementRun:
    return StatementRun(
        node=ingested.table,
        source="ingest",
        kind="create_table",
        query=f"ingest {ingested.table}",
        row_count=ingested.row_count,
        elapsed_ms=elapsed_ms,
        name=ingested.table,
        files=ingested.files,
    )


async def _run_sql(shop: Workshop, node: SqlNode, cursor: Cursor) -> None:
    """Ends the node in one transaction where that goes well, otherwise step by step.

    The steps find out what is wrong, tell it, and leave the views for whoever looks into it.
    """
    guard = Guard(cursor, Scope(shop.names, node.name), "sql_node")
    attempt = await shop.in_thread(cursor, partial(_try_directly, shop, node, cursor, guard))
    if attempt == "passed":
        return
    await shop.in_thread(cursor, partial(_run_statements, guard, node))
    if isinstance(attempt, DoesNotHold):
        _demand(await shop.in_thread(cursor, partial(_explain, shop, node, cursor, attempt)))
    _demand(await shop.try_to_pass(node, cursor))


def _try_directly(
    shop: Workshop, node: SqlNode, cursor: Cursor, guard: Guard, emit: Emit
) -> Literal["passed", "cannot"] | DoesNotHold:
    """Tells what happened only if the node passed: otherwise nothing has happened."""
    events: list[Event] = []
    try:
        views = plain_views(guard, node.sql)
        if views is None:
            return "cannot"
        shop.finisher(node, cursor, events.append).pass_directly(views)
    except StatementError:
        return "cannot"
    except DoesNotHold as undone:
        return undone
    for event in events:
        emit(event)
    return "passed"


def _explain(
    shop: Workshop, node: SqlNode, cursor: Cursor, undone: DoesNotHold, emit: Emit
) -> tuple[CheckResult, ...]:
    return shop.finisher(node, cursor, emit).explain(undone)


def _run_statements(guard: Guard, node: SqlNode, emit: Emit) -> None:
    for statement in guard.split(node.sql):
        started = perf_counter()
        kind, name, error = "refused", None, None
        try:
            done = guard.run(statement, max_rows=0)
            kind, name = done.kind, done.name
        except StatementError as failure:
            error = str(failure)
            raise
        finally:
            emit(
                StatementRun(
                    node=node.name,
                    source="sql_node",
                    kind=kind,
                    query=statement,
                    error=error,
                    name=name,
                    elapsed_ms=(perf_counter() - started) * 1000,
                )
            )


def _demand(results: tuple[CheckResult, ...]) -> None:
    failures = [result for result in results if result.status == "fail"]
    if failures:
        first = f"{failures[0].check}: {failures[0].message}"
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise ChecksFailed(first + more)
