"""What a `.db` holds on one node beside its outcome: rows of checks, statements, conversations.

Everything is asked in SQL and given back as frozen values; nothing is rendered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from taskgraph.database import Row, fold, quote, quote_text
from taskgraph.events import CheckStatus, Outcome
from taskgraph.llm.messages import ToolCall
from taskgraph.schema import check_table

Ask: TypeAlias = Callable[[str], list[Row]]
"""Asks the file a question in SQL."""

MOST_ROWS = 10
"""Rows of a check that are read; its table has all."""
_MOST_CHARACTERS = 300
"""Characters of a cell that are read."""


@dataclass(frozen=True, slots=True)
class CheckRows:
    """The rows of a check that do not pass, the first of them as text."""

    check: str
    status: CheckStatus
    """`fail`, or where none fails `warn`."""
    table: str
    """Where all of them are."""
    columns: tuple[str, ...]
    """Those of the check's query; `status` only where it is neither pass, warn nor fail."""
    numeric: frozenset[str]
    """The columns that hold numbers."""
    rows: tuple[Row, ...]
    """At most `MOST_ROWS`; each cell is text, or None."""
    count: int
    """How many rows have that status."""
    total: int
    """How many rows the check gave."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A statement that did not run, and why."""

    sql: str
    """As a person wrote it; not what the engine made of it."""
    error: str
    check: str | None = None
    """Whose query it is; None for a statement of the node's own."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to look at where a node did not pass, or passed with warnings."""

    rows: Mapping[str, CheckRows]
    """By check."""
    broken: tuple[Broken, ...]
    """What the node ended on, and checks that could not run."""


NO_EVIDENCE = Evidence({}, ())


@dataclass(frozen=True, slots=True)
class Statement:
    """One row of `_trace`."""

    id: int
    seconds: float
    """Since the first statement of the run."""
    node: str
    source: str
    kind: str
    query: str
    told: str | None
    """What the asker was told."""
    error: str | None
    row_count: int | None
    elapsed_ms: float
    answered_by: tuple[int, int] | None
    """Conversation and position of the message that tells an agent's statement's result."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message of a conversation, and what it cost where a model said it."""

    conversation: int
    position: int
    role: str
    content: str | None
    calls: tuple[ToolCall, ...]
    call_id: str | None
    """Which call the message answers."""
    said_by: str | None
    reasoning: str | None
    step: int | None = None
    """Number of the model call."""
    tokens: int = 0
    cost_usd: float | None = None
    latency_ms: float = 0.0


def read_evidence(ask: Ask, outcome: Outcome) -> Evidence:
    """Reads what shows why a node did not pass, or what its checks warn of."""
    return read_all_evidence(ask, [outcome])[outcome.node]


def read_all_evidence(ask: Ask, outcomes: Sequence[Outcome]) -> Mapping[str, Evidence]:
    """Reads the evidence of many nodes, in far less time than that of each.

    Args:
        ask: asks the file.
        outcomes: how the nodes ended.
    """
    # In a file of 600 tables, each question to DuckDB's catalog takes 30 ms.
    columns, broken = _check_columns(ask), _broken(ask, outcomes)
    return {
        outcome.node: Evidence(
            {
                rows.check: rows
                for check, status in _not_passed(outcome).items()
                if (rows := _rows(ask, columns, outcome.node, check, status))
            },
            broken[outcome.node],
        )
        for outcome in outcomes
    }


def _not_passed(outcome: Outcome) -> Mapping[str, CheckStatus]:
    """Returns the checks that failed or warned, with the worse of the two."""
    worst: dict[str, CheckStatus] = {}
    for result in outcome.checks:
        if result.status != "pass" and worst.get(result.check) != "fail":
            worst[result.check] = result.status
    return worst


def read_statements(ask: Ask, nodes: Iterable[str] | None) -> tuple[Statement, ...]:
    """Returns every statement of these nodes, or of the run if None, refused ones too, in order."""
    where = "" if nodes is None else f"WHERE node IN ({', '.join(map(quote_text, nodes))})"
    rows = ask(
        "SELECT id, epoch(timestamp - (SELECT min(timestamp) FROM _trace)), node, source, kind,"
        " query, content, error, row_count, elapsed_ms, conversation, position"
        f" FROM _trace {where} ORDER BY id"
    )
    return tuple(_statement(row) for row in rows)


def _statement(row: Row) -> Statement:
    *told, conversation, position = row
    answered_by = (conversation, position) if conversation else None
    return Statement(*told, answered_by=answered_by)


def read_conversation(ask: Ask, node: str) -> tuple[Spoken, ...]:
    """Returns what was said in all conversations of a node, in order."""
    named = quote_text(node)
    calls = _calls(ask, named)
    found: list[Spoken] = []
    for row in ask(
        "SELECT conversation, position, role, content, tool_calls, tool_call_id, said_by, reasoning"
        f" FROM _messages WHERE node = {named} ORDER BY conversation, position"
    ):
        spoken = _spoken(row)
        used = calls.get(spoken.conversation) if spoken.role == "assistant" else None
        found.append(_with_usage(spoken, used.pop(0)) if used else spoken)
    return tuple(found)


def _calls(ask: Ask, named: str) -> dict[int, list[Row]]:
    """Model calls by conversation: the n-th answer of a conversation is that of its n-th call."""
    found: dict[int, list[Row]] = {}
    for conversation, *rest in ask(
        "SELECT conversation, step, prompt_tokens + completion_tokens, cost_usd, latency_ms"
        f" FROM _llm_calls WHERE node = {named} ORDER BY conversation, step"
    ):
        found.setdefault(conversation, []).append(tuple(rest))
    return found


def _spoken(row: Row) -> Spoken:
    conversation, position, role, content, calls, call_id, said_by, reasoning = row
    parsed: list[dict[str, Any]] = json.loads(calls or "[]")
    return Spoken(
        conversation=conversation,
        position=position,
        role=role,
        content=content,
        calls=tuple(ToolCall(call["id"], call["name"], call["arguments"]) for call in parsed),
        call_id=call_id,
        said_by=said_by,
        reasoning=reasoning,
    )


def _with_usage(spoken: Spoken, call: Row) -> Spoken:
    step, tokens, cost_usd, latency_ms = call
    return replace(spoken, step=step, tokens=tokens, cost_usd=cost_usd, latency_ms=latency_ms)


def _check_columns(ask: Ask) -> Mapping[str, list[Row]]:
    """Returns the columns of all tables that checks keep, by the tables' folded names."""
    found: dict[str, list[Row]] = {}
    for table, *column in ask(
        "SELECT table_name, column_name, data_type FROM duckdb_columns()"
        f" WHERE NOT internal AND contains(table_name, {quote_text(check_table('', ''))})"
        " ORDER BY table_name, column_index"
    ):
        found.setdefault(fold(table), []).append(tuple(column))
    return found


def _rows(
    ask: Ask, tables: Mapping[str, list[Row]], node: str, check: str, status: CheckStatus
) -> CheckRows | None:
    table = check_table(node, check)
    columns = tables.get(fold(table))
    if columns is None:
        return None
    wanted, odd = _conditions(columns, status)
    [(count, total, odd_count)] = ask(
        f"SELECT count(*) FILTER ({wanted}), count(*), count(*) FILTER ({odd}) FROM {quote(table)}"
    )
    hidden = "status" if count and not odd_count else None
    shown = [one for one in columns if fold(one[0]) != hidden]
    if not count:
        return None
    cells = ", ".join(
        f"left(CAST({quote(name)} AS VARCHAR), {_MOST_CHARACTERS})" for name, _ in shown
    )
    rows = ask(f"SELECT {cells} FROM {quote(table)} WHERE {wanted} LIMIT {MOST_ROWS}")
    return CheckRows(
        check=check,
        status=status,
        table=table,
        columns=tuple(name for name, _ in shown),
        numeric=frozenset(name for name, kind in shown if _is_number(kind)),
        rows=tuple(rows),
        count=count,
        total=total,
    )


def _conditions(columns: list[Row], status: CheckStatus) -> tuple[str, str]:
    """Returns which rows have the status, and which of them say another word or none at all."""
    if not {"status", "message"} <= {fold(name) for name, _ in columns}:
        return "true", "true"  # the older form: each row is an error
    said = "coalesce(lower(CAST(status AS VARCHAR)), '')"
    wanted = f"{said} = 'warn'" if status == "warn" else f"{said} NOT IN ('pass', 'warn')"
    return wanted, f"{wanted} AND {said} <> '{status}'"


def _is_number(kind: str) -> bool:
    return (
        kind.startswith(("DECIMAL", "DOUBLE", "FLOAT")) or kind.endswith("INT") or kind == "INTEGER"
    )


def _broken(ask: Ask, outcomes: Sequence[Outcome]) -> Mapping[str, tuple[Broken, ...]]:
    """Returns, for each node, its last statement and the queries of checks, if they did not run."""
    last = _by_node(
        ask(
            "SELECT node, query, error FROM _trace WHERE NOT success AND id IN"
            " (SELECT max(id) FROM _trace WHERE source IN ('agent', 'sql_node', 'materialise')"
            " GROUP BY node)"
        )
    )
    checks = _by_node(
        ask(
            "SELECT node, arg_max(query, id), error FROM _trace"
            " WHERE source = 'node_validation' AND NOT success GROUP BY node, error ORDER BY max(id)"
        )
    )
    return {
        one.node: (
            *_statements(one, last.get(one.node, [])),
            *_queries(one, checks.get(one.node, [])),
        )
        for one in outcomes
    }


def _by_node(rows: list[Row]) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for node, *rest in rows:
        found.setdefault(node, []).append(tuple(rest))
    return found


def _statements(outcome: Outcome, rows: list[Row]) -> Iterator[Broken]:
    written = {_materialised(one.name): one.sql for one in outcome.definitions}
    for query, error in rows:
        yield Broken(written.get(query) or query, error)


def _queries(outcome: Outcome, rows: list[Row]) -> Iterator[Broken]:
    failed = [result for result in outcome.checks if result.status == "fail"]
    for query, error in rows:
        yield from (Broken(query, error, one.check) for one in failed if error in one.message)


def _materialised(view: str) -> str:
    """Returns the statement under which `materialise` tells of a view."""
    return f"CREATE TABLE {quote(view)} AS SELECT * FROM {quote(view)}"
