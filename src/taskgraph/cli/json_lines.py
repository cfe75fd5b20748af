"""Events as newline-delimited JSON: one object per line, the last one is `done`.

A consumer may rely on the fields here within one `SCHEMA_VERSION`; new fields and new events do
not change it. Conversations and raw answers are not in here: they are in the `.db`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeAlias, assert_never

from taskgraph.cli.ending import run_exit_code
from taskgraph.cli.lines import counts
from taskgraph.events import (
    CallLost,
    ChecksRun,
    Event,
    ExportEnded,
    ModelAnswered,
    NodeEnded,
    NodeStarted,
    Outcome,
    RunEnded,
    RunStarted,
    Said,
    StatementRun,
    TakenUp,
    Warned,
)
from taskgraph.llm.messages import NOTHING_USED

SCHEMA_VERSION = 1

_NAMES: Mapping[type[Event], str] = {
    RunStarted: "run_started",
    NodeStarted: "node_started",
    TakenUp: "taken_up",
    StatementRun: "statement",
    Said: "said",
    ModelAnswered: "model_answered",
    CallLost: "call_lost",
    ChecksRun: "checks",
    Warned: "warning",
    NodeEnded: "node_ended",
    ExportEnded: "export_ended",
    RunEnded: "done",
}
Record: TypeAlias = dict[str, Any]


def json_line(event: Event) -> str:
    """Returns the event as one line of JSON, without a newline."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "event": _NAMES[type(event)],
        "at": event.at.isoformat(timespec="milliseconds"),
    }
    return json.dumps(head | _fields(event), separators=(",", ":"))


def json_lines(write: Callable[[str], None]) -> Callable[[Event], None]:
    """Returns a listener that writes each event as a line."""
    return lambda event: write(json_line(event))


def _fields(event: Event) -> Record:
    match event:
        case RunStarted():
            return _beginning(event)
        case ChecksRun(node=node, results=results):
            return {"node": node, "checks": [asdict(result) for result in results]}
        case NodeStarted() | TakenUp() | Warned() | CallLost():
            return {name: value for name, value in asdict(event).items() if name != "at"}
        case ExportEnded(name=name, elapsed_ms=elapsed_ms, error=error):
            return {"name": name, "elapsed_ms": _rounded(elapsed_ms), "error": error}
        case StatementRun():
            return _statement(event)
        case Said(node=node, position=position, message=message):
            role = type(message).__name__.removesuffix("Message").lower()
            return {"node": node, "position": position, "role": role}
        case ModelAnswered():
            return _answer(event)
        case NodeEnded(outcome=outcome):
            return outcome_json(outcome)
        case RunEnded():
            return _done(event)
        case _:
            assert_never(event)


def _beginning(event: RunStarted) -> Record:
    return {
        "output": event.output,
        "nodes": [{"name": name, "kind": kind} for name, kind in event.nodes],
        "kept": list(event.kept),
        "earlier": event.earlier,
        "max_cost": event.max_cost,
        "spent": asdict(event.spent),
    }


def _statement(event: StatementRun) -> Record:
    return {
        "node": event.node,
        "source": event.source,
        "kind": event.kind,
        "query": event.query,
        "row_count": event.row_count,
        "elapsed_ms": _rounded(event.elapsed_ms),
        "error": event.error,
    }


def _answer(event: ModelAnswered) -> Record:
    response = event.response
    return {
        "node": event.node,
        "step": event.request.step,
        "model": response.model,
        "finish_reason": response.finish_reason,
        "tool_calls": len(response.message.tool_calls),
        "usage": asdict(response.usage),
        "latency_ms": _rounded(response.latency_ms),
        "attempts": response.attempts,
    }


def outcome_json(outcome: Outcome) -> Record:
    """Returns how a node ended, as JSON values."""
    return {
        "node": outcome.node,
        "kind": outcome.kind,
        "status": outcome.status,
        "elapsed_ms": _rounded(outcome.elapsed_ms),
        "error": outcome.error,
        "error_type": outcome.error_type,
        "hint": outcome.hint,
        "skipped_because": outcome.skipped_because,
        "why": outcome.why,
        "checks": [asdict(check) for check in outcome.checks],
        "tables": [{"name": name, "rows": rows} for name, rows in outcome.tables],
        "model": outcome.model,
        "iterations": outcome.iterations,
        "tool_calls": outcome.tool_calls,
        "usage": asdict(outcome.usage),
        "last_words": outcome.last_words,
    }


def _done(ended: RunEnded) -> Record:
    return {
        "output": ended.output,
        "status": ended.status,
        "exit_code": int(run_exit_code(ended)),
        "elapsed_ms": _rounded(ended.elapsed_ms),
        "counts": {word.lower(): count for word, count in counts(ended.outcomes).items()},
        "usage": asdict(sum((outcome.usage for outcome in ended.outcomes), NOTHING_USED)),
        "saved": asdict(ended.saved) if ended.saved else None,
    }


def _rounded(elapsed_ms: float) -> float:
    return round(elapsed_ms, 1)
