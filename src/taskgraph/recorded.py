"""What an unfinished file knows of its run, as frozen values: what a resume goes on from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from taskgraph.database import Row, quote_text
from taskgraph.events import Outcome, utc_now
from taskgraph.llm.accounts import NOTHING_SPENT, Spending
from taskgraph.llm.messages import (
    NOTHING_USED,
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from taskgraph.parts import Identity
from taskgraph.report import Ask, read_outcomes


@dataclass(frozen=True, slots=True)
class RecordedDefinition:
    """A view or macro that an agent made or dropped, and was told so."""

    kind: str
    """Such as `create_view`."""
    sql: str


@dataclass(frozen=True, slots=True)
class RecordedConversation:
    """A node's last conversation, as far as it is on record."""

    number: int
    """Of the node's conversations, from 1."""
    messages: tuple[Message, ...] = ()
    usage: Usage = NOTHING_USED
    """What its answers used."""
    definitions: tuple[RecordedDefinition, ...] = ()
    """In the order in which they ran. Those of calls without a result are left out: such calls
    are run again."""
    failed: frozenset[int] = frozenset()
    """Positions of results that tell of a statement that failed."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a prompt node has taken so far, over all of its conversations."""

    started_at: datetime | None
    elapsed_ms: float
    usage: Usage
    model: str | None
    iterations: int
    tool_calls: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is on record of a run."""

    meta: Mapping[str, str]
    outcomes: Mapping[str, Outcome]
    """Node to outcome, for those that ended, in the order in which they started."""
    conversations: Mapping[str, RecordedConversation]
    """The last one of each node that has any; without messages where the node has passed."""
    efforts: Mapping[str, Effort]
    """For each node that has a conversation."""
    spent: Mapping[str, Spending]
    """Node to what its model calls took, those without an answer included."""
    identity: Identity


def read_recorded(ask: Ask, meta: Mapping[str, str]) -> Recorded:
    """Reads what is on record.

    Args:
        ask: asks the file.
        meta: its `_workspace_meta`.
    """
    outcomes = {outcome.node: outcome for outcome in read_outcomes(ask)}
    spent = {node: Spending(*amounts) for node, *amounts in ask(_SPENT)}
    identity = _timed(Identity.from_json(meta["run"]), ask)
    starts = [part.started_at for part in identity.parts]
    said, called, defined = (_by_node(ask(query)) for query in (_MESSAGES, _CALLS, _DEFINITIONS))
    failed = {node: frozenset(positions) for node, positions in ask(_FAILED)}
    conversations = {node: RecordedConversation(number) for node, number in ask(_NUMBERS)}
    efforts = {
        node: _effort_of(outcome) for node, outcome in outcomes.items() if node in conversations
    }
    for node, rows in said.items():
        calls = called.get(node, [])
        conversation = _conversation(rows, calls, defined.get(node, []))
        conversations[node] = replace(conversation, failed=failed.get(node, frozenset()))
        if node not in outcomes:
            efforts[node] = _effort(rows, calls, spent.get(node, NOTHING_SPENT), starts)
    return Recorded(meta, outcomes, conversations, efforts, spent, identity)


_PASSED = "SELECT node FROM _node_meta WHERE status IN ('passed', 'reused')"
_NUMBERS = "SELECT node, max(conversation) FROM _messages GROUP BY node"
_MESSAGES = f"""
    SELECT node, conversation, timestamp, role, content, tool_calls, tool_call_id, said_by,
           reasoning, reasoning_details
    FROM _messages WHERE node NOT IN ({_PASSED}) ORDER BY node, conversation, position
"""
_CALLS = f"""
    SELECT node, conversation, model, prompt_tokens, completion_tokens, cached_tokens,
           reasoning_tokens, cost_usd
    FROM _llm_calls WHERE node NOT IN ({_PASSED}) ORDER BY node, conversation, rowid
"""
_DEFINITIONS = f"""
    SELECT node, conversation, position, kind, query
    FROM _trace
    WHERE source = 'agent' AND success AND (kind LIKE 'create_%' OR kind LIKE 'drop_%')
          AND node NOT IN ({_PASSED})
    ORDER BY node, id
"""
_FAILED = f"""
    SELECT node, list(position)
    FROM _trace t JOIN ({_NUMBERS}) AS last (node, conversation) USING (node, conversation)
    WHERE source = 'agent' AND NOT success AND node NOT IN ({_PASSED})
    GROUP BY node
"""
_SPENT = """
    SELECT node, sum(cost_usd), sum(perhaps_usd), sum(tokens)::BIGINT
    FROM (SELECT node, coalesce(cost_usd, 0) AS cost_usd, 0 AS perhaps_usd,
                 prompt_tokens + completion_tokens AS tokens
          FROM _llm_calls
          UNION ALL BY NAME SELECT node, cost_usd, perhaps_usd, tokens FROM _lost_calls)
    GROUP BY node
"""
_LAST_SIGN = """
    SELECT max(timestamp)
    FROM (SELECT timestamp FROM _trace UNION ALL SELECT timestamp FROM _messages
          UNION ALL SELECT timestamp FROM _warnings)
    WHERE timestamp <= {}
"""


def _timed(identity: Identity, ask: Ask) -> Identity:
    """Lets the last part of a killed run end with its last sign of life."""
    last = identity.parts[-1]
    if last.elapsed_ms is not None:
        return identity
    # What is dated later than now was said while the clock was wrong.
    [(moment,)] = ask(_LAST_SIGN.format(quote_text(utc_now().strftime("%Y-%m-%d %H:%M:%S"))))
    lived = moment.replace(tzinfo=UTC) - last.started_at if moment else timedelta()
    return identity.ended(_milliseconds(lived))


def _by_node(rows: Iterable[Row]) -> dict[str, list[Row]]:
    return {
        node: [row[1:] for row in of_node] for node, of_node in groupby(rows, key=itemgetter(0))
    }


def _conversation(
    said: Sequence[Row], called: Iterable[Row], defined: Iterable[Row]
) -> RecordedConversation:
    number: int = said[-1][0]
    messages = tuple(message_of(*row[2:]) for row in said if row[0] == number)
    return RecordedConversation(
        number=number,
        messages=messages,
        usage=_used(row for row in called if row[0] == number),
        definitions=tuple(
            RecordedDefinition(kind, sql)
            for conversation, position, kind, sql in defined
            if conversation == number and position < len(messages)
        ),
    )


def _effort_of(outcome: Outcome) -> Effort:
    return Effort(
        outcome.started_at,
        outcome.elapsed_ms,
        outcome.usage,
        outcome.model,
        outcome.iterations,
        outcome.tool_calls,
    )


def _effort(
    said: Sequence[Row], called: Sequence[Row], spent: Spending, starts: Sequence[datetime]
) -> Effort:
    """Adds up what a node took that did not come to tell how it ended."""
    moments = [row[1].replace(tzinfo=UTC) for row in said]
    usage = _used(called)
    if usage.cost_usd is not None or spent.cost_usd:
        usage = replace(usage, cost_usd=spent.cost_usd)
    return Effort(
        started_at=moments[0],
        elapsed_ms=_worked(moments, starts),
        usage=usage,
        model=called[-1][1] if called else None,
        iterations=len(called),
        tool_calls=sum(len(_calls(row[4])) for row in said),
    )


def _worked(moments: Iterable[datetime], starts: Sequence[datetime]) -> float:
    """Returns the milliseconds from first to last of what was said, without the pauses of the run."""
    return sum(
        _milliseconds(after - before)
        for before, after in pairwise(moments)
        if not any(before < start <= after for start in starts)
    )


def _milliseconds(time: timedelta) -> float:
    # A clock that was set back must not take time away.
    return max(0.0, time.total_seconds() * 1000)


def _used(calls: Iterable[Row]) -> Usage:
    return sum((Usage(*row[2:]) for row in calls), NOTHING_USED)


def message_of(
    role: str,
    content: str | None,
    tool_calls: str | None,
    tool_call_id: str | None,
    said_by: str | None,
    reasoning: str | None,
    reasoning_details: str | None,
) -> Message:
    """Returns the message of a row of `_messages`."""
    match role:
        case "system":
            return SystemMessage(content or "")
        case "user":
            return UserMessage(content or "")
        case "tool":
            return ToolMessage(tool_call_id or "", content or "")
        case _:
            calls = _calls(tool_calls)
            return AssistantMessage(content, calls, reasoning, reasoning_details, said_by)


def _calls(text: str | None) -> tuple[ToolCall, ...]:
    calls: list[dict[str, Any]] = json.loads(text) if text else []
    return tuple(ToolCall(**call) for call in calls)
