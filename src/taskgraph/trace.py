"""The record in the `.db`: sole owner of the `_` tables, their schema and what is written to them.

Two ways in. What a node leaves behind is written inside the node's own transaction, so that a
finished node is finished for ever (`record_outcome`). Everything else arrives as events, is
collected, and is committed in batches by one writer (`TraceWriter`); who must not go on before
it is safe awaits `settled`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from taskgraph.database import Cursor, Value, quote
from taskgraph.errors import OutputError, TaskgraphError
from taskgraph.events import (
    Event,
    ExportEnded,
    ModelAnswered,
    NodeEnded,
    Outcome,
    Said,
    StatementRun,
    Warned,
)
from taskgraph.llm.messages import AssistantMessage, Message, ToolCall, ToolMessage

META_VERSION = "1"
"""Version of the `_` tables; raised when a reader of the file has to know."""


@dataclass(frozen=True, slots=True)
class Table:
    """One engine table: its name, and its columns with their DuckDB types."""

    name: str
    columns: Mapping[str, str]

    @property
    def create(self) -> str:
        """The statement that makes the table."""
        columns = ", ".join(f"{quote(name)} {kind}" for name, kind in self.columns.items())
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns})"

    @property
    def insert(self) -> str:
        """The statement that adds rows, with a parameter for each column: the list of its values."""
        # One list per column: 0.01 ms a row in a batch of 500, against 0.5 ms for single rows.
        lists = ", ".join(f"unnest(?::{kind}[])" for kind in self.columns.values())
        return f"INSERT INTO {self.name} SELECT {lists}"


WORKSPACE_META = Table("_workspace_meta", {"key": "VARCHAR", "value": "VARCHAR"})
NODE_META = Table(
    "_node_meta",
    {
        "node": "VARCHAR",
        "kind": "VARCHAR",
        "status": "VARCHAR",
        "started_at": "TIMESTAMP",
        "elapsed_ms": "DOUBLE",
        "error": "VARCHAR",
        "model": "VARCHAR",
        "iterations": "BIGINT",
        "tool_calls": "BIGINT",
        "prompt_tokens": "BIGINT",
        "completion_tokens": "BIGINT",
        "cached_tokens": "BIGINT",
        "reasoning_tokens": "BIGINT",
        "cost_usd": "DOUBLE",
        "meta_json": "VARCHAR",
    },
)
TRACE = Table(
    "_trace",
    {
        "id": "BIGINT",
        "timestamp": "TIMESTAMP",
        "node": "VARCHAR",
        "source": "VARCHAR",
        "kind": "VARCHAR",
        "query": "VARCHAR",
        "content": "VARCHAR",
        "success": "BOOLEAN",
        "error": "VARCHAR",
        "row_count": "BIGINT",
        "elapsed_ms": "DOUBLE",
    },
)
VIEW_DEFINITIONS = Table(
    "_view_definitions", {"node": "VARCHAR", "view_name": "VARCHAR", "sql": "VARCHAR"}
)
CHECKS = Table(
    "_checks",
    {"node": "VARCHAR", "check_name": "VARCHAR", "status": "VARCHAR", "message": "VARCHAR"},
)
LLM_CALLS = Table(
    "_llm_calls",
    {
        "node": "VARCHAR",
        "step": "BIGINT",
        "timestamp": "TIMESTAMP",
        "request_sha256": "VARCHAR",
        "model_asked": "VARCHAR",
        "model": "VARCHAR",
        "provider": "VARCHAR",
        "generation_id": "VARCHAR",
        "finish_reason": "VARCHAR",
        "prompt_tokens": "BIGINT",
        "completion_tokens": "BIGINT",
        "cached_tokens": "BIGINT",
        "reasoning_tokens": "BIGINT",
        "cost_usd": "DOUBLE",
        "latency_ms": "DOUBLE",
        "attempts": "BIGINT",
        "raw": "VARCHAR",
    },
)
MESSAGES = Table(
    "_messages",
    {
        "node": "VARCHAR",
        "position": "BIGINT",
        "timestamp": "TIMESTAMP",
        "role": "VARCHAR",
        "content": "VARCHAR",
        "tool_calls": "VARCHAR",
        "tool_call_id": "VARCHAR",
        "reasoning": "VARCHAR",
        "reasoning_details": "VARCHAR",
    },
)
WARNINGS = Table("_warnings", {"timestamp": "TIMESTAMP", "node": "VARCHAR", "message": "VARCHAR"})
TABLES = (
    WORKSPACE_META,
    NODE_META,
    TRACE,
    VIEW_DEFINITIONS,
    CHECKS,
    LLM_CALLS,
    MESSAGES,
    WARNINGS,
)

_Row: TypeAlias = tuple[Value, ...]


def create_tables(cursor: Cursor) -> None:
    """Makes the `_` tables that are not there yet."""
    with cursor.transaction():
        for table in TABLES:
            cursor.execute(table.create)


def write_meta(cursor: Cursor, values: Mapping[str, str]) -> None:
    """Sets keys of `_workspace_meta`, in one transaction."""
    with cursor.transaction():
        marks = ", ".join("?" * len(values))
        cursor.execute(f"DELETE FROM _workspace_meta WHERE key IN ({marks})", list(values))
        _insert(cursor, WORKSPACE_META, list(values.items()))


def record_outcome(cursor: Cursor, outcome: Outcome) -> None:
    """Writes how a node ended; call it inside the transaction that makes the node's tables."""
    _insert(cursor, NODE_META, [_node_meta_row(outcome)])
    _insert(
        cursor,
        CHECKS,
        [(outcome.node, check.check, check.status, check.message) for check in outcome.checks],
    )
    _insert(
        cursor,
        VIEW_DEFINITIONS,
        [(outcome.node, definition.name, definition.sql) for definition in outcome.definitions],
    )


def record_exports(cursor: Cursor, exports: Iterable[ExportEnded]) -> None:
    """Writes how the exports ended, after everything that the run wrote."""
    last = cursor.rows("SELECT coalesce(max(id), 0) FROM _trace")[0][0]
    rows = [
        _trace_row(last + place, _export_statement(export))
        for place, export in enumerate(exports, start=1)
    ]
    _insert(cursor, TRACE, rows)


@dataclass
class TraceWriter:
    """Writes events into the `_` tables, in the order in which they came.

    `record` may be called from the event loop's thread only and never waits.

    Attributes:
        cursor: a connection of the writer's own.
    """

    cursor: Cursor
    _next_id: int = 1
    _waiting: list[tuple[Table, _Row]] = field(default_factory=list[tuple[Table, _Row]])
    _outcomes: list[Outcome] = field(default_factory=list[Outcome])
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def record(self, event: Event) -> None:
        """Takes an event for the next batch."""
        match event:
            case StatementRun():
                self._waiting.append((TRACE, _trace_row(self._next_id, event)))
                self._next_id += 1
            case Said():
                self._waiting.append((MESSAGES, _message_row(event)))
            case ModelAnswered():
                self._waiting.append((LLM_CALLS, _llm_call_row(event)))
            case Warned():
                row = (_naive_utc(event.at), event.node, event.message)
                self._waiting.append((WARNINGS, row))
            case NodeEnded() if event.outcome.status != "passed":
                # A passed node wrote its own row, together with its tables.
                self._outcomes.append(event.outcome)
            case _:
                return

    async def settled(self) -> None:
        """Returns once everything recorded so far is committed.

        Raises:
            OutputError: the file cannot be written (the disk is full, say).
        """
        async with self._writing:
            # Who waited for the lock often finds that the batch before took theirs along.
            if not self._waiting and not self._outcomes:
                return
            rows, self._waiting = self._waiting, []
            outcomes, self._outcomes = self._outcomes, []
            try:
                await self.cursor.run(partial(_write_batch, self.cursor, rows, outcomes))
            except TaskgraphError as error:
                raise OutputError(
                    f"the record cannot be written: {error}",
                    hint="Free some disk space, then resume the run.",
                ) from error


def _write_batch(
    cursor: Cursor, rows: Sequence[tuple[Table, _Row]], outcomes: Sequence[Outcome]
) -> None:
    with cursor.transaction():
        for table in TABLES:
            _insert(cursor, table, [row for into, row in rows if into is table])
        for outcome in outcomes:
            record_outcome(cursor, outcome)


def _insert(cursor: Cursor, table: Table, rows: Sequence[_Row]) -> None:
    if rows:
        cursor.execute(
            table.insert, [list(map(_storable, column)) for column in zip(*rows, strict=True)]
        )


def _storable(value: Value) -> Value:
    # Models and broken files produce lone surrogates, which no UTF-8 column can hold.
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


def _trace_row(number: int, event: StatementRun) -> _Row:
    return (
        number,
        _naive_utc(event.at),
        event.node,
        event.source,
        event.kind,
        event.query,
        event.content,
        event.error is None,
        event.error,
        event.row_count,
        event.elapsed_ms,
    )


def _node_meta_row(outcome: Outcome) -> _Row:
    usage = outcome.usage
    return (
        outcome.node,
        outcome.kind,
        outcome.status,
        _naive_utc(outcome.started_at) if outcome.started_at else None,
        outcome.elapsed_ms,
        outcome.error,
        outcome.model,
        outcome.iterations,
        outcome.tool_calls,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
        usage.cost_usd,
        _meta_json(outcome),
    )


def _meta_json(outcome: Outcome) -> str:
    return json.dumps(
        {
            "tables": dict(outcome.tables),
            "last_words": outcome.last_words,
            "hint": outcome.hint,
            "skipped_because": outcome.skipped_because,
        },
        sort_keys=True,
    )


def _export_statement(event: ExportEnded) -> StatementRun:
    return StatementRun(
        node="",
        source="export",
        kind="export",
        query=event.name,
        elapsed_ms=event.elapsed_ms,
        error=event.error,
        at=event.at,
    )


def _llm_call_row(event: ModelAnswered) -> _Row:
    response = event.response
    return (
        event.node,
        event.request.step,
        _naive_utc(event.at),
        response.request_sha256,
        event.request.model,
        response.model,
        response.provider,
        response.generation_id,
        response.finish_reason,
        response.usage.prompt_tokens,
        response.usage.completion_tokens,
        response.usage.cached_tokens,
        response.usage.reasoning_tokens,
        response.usage.cost_usd,
        response.latency_ms,
        response.attempts,
        response.raw,
    )


def _message_row(event: Said) -> _Row:
    message = event.message
    start = (event.node, event.position, _naive_utc(event.at), role(message), message.content)
    match message:
        case AssistantMessage():
            calls = calls_to_json(message.tool_calls) if message.tool_calls else None
            return (*start, calls, None, message.reasoning, message.reasoning_details)
        case ToolMessage():
            return (*start, None, message.call_id, None, None)
        case _:
            return (*start, None, None, None, None)


def role(message: Message) -> str:
    """Returns the message's role as chat completions name it."""
    return type(message).__name__.removesuffix("Message").lower()


def calls_to_json(calls: Iterable[ToolCall]) -> str:
    """Returns tool calls as JSON text: `[{"id", "name", "arguments"}]`, arguments as written."""
    return json.dumps(
        [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in calls]
    )


def _naive_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
