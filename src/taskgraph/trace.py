"""The record in the `.db`: the only writer of the `_` tables.

How a node passed, and the statements that made and checked its tables, are written in the transaction
that makes them, by `write_outcome`: there is never one without the other. All else arrives as events,
is collected, and is committed in batches, in the order in which it happened: no answer without the
question. Who must not go on before it is safe (whoever spends money on it) awaits `settled`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import TypeAlias

from taskgraph.database import Cursor, Value
from taskgraph.errors import OutputError, TaskgraphError
from taskgraph.events import (
    CallLost,
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
from taskgraph.llm.recording import Asked, sent_json
from taskgraph.llm.wire import without_surrogates
from taskgraph.schema import (
    CHECKS,
    LLM_CALLS,
    LOST_CALLS,
    MESSAGES,
    NODE_META,
    TABLES,
    TRACE,
    VIEW_DEFINITIONS,
    WARNINGS,
    WORKSPACE_META,
    Table,
)

WRITTEN_WITH_TABLES = frozenset({"passed", "reused"})
"""Statuses of nodes whose outcome is written where their tables are made."""

_Row: TypeAlias = tuple[Value, ...]
_Rows: TypeAlias = list[tuple[Table, _Row]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node's next message will stand."""

    conversation: int = 1
    position: int = 0


def begin_record(
    cursor: Cursor, meta: Mapping[str, str | None], kept: Iterable[Outcome] = ()
) -> None:
    """Makes the `_` tables that are not there yet, and sets keys of `_workspace_meta`.

    In one transaction: a file of a run that was killed holds nothing, or what a resume needs.

    Args:
        cursor: a connection to the file.
        meta: the keys and their values; None removes a key.
        kept: outcomes of nodes whose tables came with an earlier file.
    """
    with cursor.transaction():
        for table in TABLES:
            cursor.execute(table.create)
        _set_meta(cursor, meta)
        for outcome in kept:
            write_outcome(cursor, outcome)


def write_meta(cursor: Cursor, values: Mapping[str, str | None]) -> None:
    """Sets keys of `_workspace_meta`, in one transaction; removes those whose value is None."""
    with cursor.transaction():
        _set_meta(cursor, values)


def _set_meta(cursor: Cursor, values: Mapping[str, str | None]) -> None:
    marks = ", ".join("?" * len(values))
    cursor.execute(f"DELETE FROM _workspace_meta WHERE key IN ({marks})", list(values))
    kept = [(key, value) for key, value in values.items() if value is not None]
    _insert(cursor, WORKSPACE_META, kept)


def write_outcome(
    cursor: Cursor, outcome: Outcome, statements: Iterable[StatementRun] = ()
) -> None:
    """Writes how a node passed, in the caller's transaction: the one that makes its tables.

    Args:
        cursor: the node's connection.
        outcome: how it passed.
        statements: those that made and checked its tables, each with its id.
    """
    tables = _outcome_tables(outcome)
    if told := [_trace_row(one.recorded_as or 0, one, None) for one in statements]:
        tables.append((TRACE, told))
    _insert_together(
        cursor,
        [
            (_insert_values(table, len(rows)), [_storable(value) for row in rows for value in row])
            for table, rows in tables
        ],
    )


def _insert_together(cursor: Cursor, inserts: Sequence[tuple[str, list[Value]]]) -> None:
    # One statement for all tables takes two thirds of the time of one for each.
    *others, last = (insert for insert, _ in inserts)
    named = ", ".join(f"of_{number} AS ({insert})" for number, insert in enumerate(others))
    values = [value for _, own in inserts for value in own]
    cursor.execute(f"WITH {named} {last}" if named else last, values)


def _insert_values(table: Table, rows: int) -> str:
    marks = f"({', '.join('?' * len(table.columns))})"
    return f"INSERT INTO {table.name} VALUES {', '.join([marks] * rows)}"


def trace_ids(cursor: Cursor) -> Iterator[int]:
    """Returns the ids of the next rows of `_trace`."""
    [(last,)] = cursor.rows("SELECT coalesce(max(id), 0) FROM _trace")
    return count(last + 1)


def record_exports(cursor: Cursor, exports: Iterable[ExportEnded]) -> None:
    """Writes how the exports ended, after everything that the run wrote."""
    rows = [
        _trace_row(number, _export_statement(export), None)
        for number, export in zip(trace_ids(cursor), exports, strict=False)
    ]
    _insert(cursor, TRACE, rows)


@dataclass
class TraceWriter:
    """Writes events into the `_` tables, in the order in which they came.

    `record` may be called from the event loop's thread only and never waits.

    Attributes:
        cursor: a connection of the writer's own.
        ids: gives each statement its id; safe to be asked by any thread.
        places: where the next message of a resumed conversation stands, by node.
    """

    cursor: Cursor
    ids: Iterator[int] = field(default_factory=lambda: count(1))
    places: dict[str, Place] = field(default_factory=dict[str, Place])
    _waiting: _Rows = field(default_factory=_Rows)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _asked: Asked = field(default_factory=Asked)

    def record(self, event: Event) -> None:
        """Takes an event for the next batch."""
        match event:
            case StatementRun(recorded_as=None):
                place = self._place(event.node) if event.source == "agent" else None
                self._waiting.append((TRACE, _trace_row(next(self.ids), event, place)))
            case Said():
                place = replace(self._place(event.node), position=event.position)
                self._waiting.append((MESSAGES, _message_row(event, place)))
                self.places[event.node] = replace(place, position=event.position + 1)
            case ModelAnswered():
                conversation = self._place(event.node).conversation
                self._waiting.append((LLM_CALLS, _llm_call_row(event, conversation, self._asked)))
            case CallLost():
                self._waiting.append((LOST_CALLS, _lost_call_row(event)))
            case Warned():
                row = (_naive_utc(event.at), event.node, event.message)
                self._waiting.append((WARNINGS, row))
            case NodeEnded() if event.outcome.status not in WRITTEN_WITH_TABLES:
                for table, rows in _outcome_tables(event.outcome):
                    self._waiting += [(table, row) for row in rows]
            case _:
                return

    async def settled(self) -> None:
        """Returns once everything recorded so far is committed.

        Raises:
            OutputError: the file cannot be written (the disk is full, say); what could not be
                written is kept for the next time.
        """
        async with self._writing:
            # Who waited for the lock often finds that the batch before took theirs along.
            if not self._waiting:
                return
            batch, self._waiting = self._waiting, []
            try:
                await _to_its_end(self.cursor.run(partial(_write_batch, self.cursor, batch)))
            except TaskgraphError as error:
                self._waiting[:0] = batch
                raise OutputError(
                    f"the record cannot be written: {error}",
                    hint="Free some disk space, then resume the run.",
                ) from error

    def _place(self, node: str) -> Place:
        return self.places.get(node, Place())


async def _to_its_end(writing: Awaitable[None]) -> None:
    """Lets a batch end before its waiter is cancelled: it holds what others have said, too."""
    task = asyncio.ensure_future(writing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.result()
        raise


def _write_batch(cursor: Cursor, batch: Sequence[tuple[Table, _Row]]) -> None:
    of_tables = [(table, [row for into, row in batch if into is table]) for table in TABLES]
    with cursor.transaction():
        _insert_together(
            cursor, [(table.insert, _columns(rows)) for table, rows in of_tables if rows]
        )


def _insert(cursor: Cursor, table: Table, rows: Sequence[_Row]) -> None:
    if rows:
        cursor.execute(table.insert, _columns(rows))


def _columns(rows: Sequence[_Row]) -> list[Value]:
    return [list(map(_storable, column)) for column in zip(*rows, strict=True)]


def _storable(value: Value) -> Value:
    # Models and broken files produce lone surrogates, which no UTF-8 column can hold.
    if isinstance(value, str) and not value.isascii():
        return without_surrogates(value)
    return value


def _trace_row(number: int, event: StatementRun, place: Place | None) -> _Row:
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
        place and place.conversation,
        place and place.position,
    )


def _outcome_tables(outcome: Outcome) -> list[tuple[Table, list[_Row]]]:
    """Returns the rows that tell how a node ended, for each table that gets any."""
    node = outcome.node
    tables: list[tuple[Table, list[_Row]]] = [
        (NODE_META, [_node_meta_row(outcome)]),
        (CHECKS, [(node, check.check, check.status, check.message) for check in outcome.checks]),
        (VIEW_DEFINITIONS, [(node, one.name, one.sql) for one in outcome.definitions]),
    ]
    return [(table, rows) for table, rows in tables if rows]


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
            "files": [asdict(file) for file in outcome.files],
            "last_words": outcome.last_words,
            "error_type": outcome.error_type,
            "hint": outcome.hint,
            "skipped_because": outcome.skipped_because,
            "why": outcome.why,
        }
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


def _llm_call_row(event: ModelAnswered, conversation: int, asked: Asked) -> _Row:
    response = event.response
    return (
        event.node,
        conversation,
        event.request.step,
        _naive_utc(event.at),
        response.request_sha256,
        sent_json([*event.too_long, event.request], asked),
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


def _lost_call_row(event: CallLost) -> _Row:
    return (
        event.node,
        _naive_utc(event.at),
        event.model,
        event.why,
        event.tokens,
        event.cost_usd,
        event.perhaps_usd,
    )


def _message_row(event: Said, place: Place) -> _Row:
    message = event.message
    start = (
        event.node,
        place.conversation,
        place.position,
        _naive_utc(event.at),
        role(message),
        message.content,
    )
    match message:
        case AssistantMessage():
            calls = calls_to_json(message.tool_calls) if message.tool_calls else None
            reasoning = (message.reasoning, message.reasoning_details)
            return (*start, calls, None, message.said_by, *reasoning)
        case ToolMessage():
            return (*start, None, message.call_id, None, None, None)
        case _:
            return (*start, None, None, None, None, None)


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
