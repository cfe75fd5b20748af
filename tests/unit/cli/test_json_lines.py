from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from taskgraph.cli.json_lines import json_line, json_lines
from taskgraph.events import (
    CallLost,
    CheckResult,
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
    Saved,
    StatementRun,
    TakenUp,
    Warned,
)
from taskgraph.llm.messages import (
    AssistantMessage,
    ModelRequest,
    ModelResponse,
    ToolCall,
    Usage,
    UserMessage,
)

AT = datetime(2026, 11, 20, 10, 15, 0, 123_456, tzinfo=UTC)
HEAD = {"schema_version": 1, "at": "2026-11-20T10:15:00.123+00:00"}
USAGE = Usage(100, 20, 50, 5, 0.25)
USAGE_JSON = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "cached_tokens": 50,
    "reasoning_tokens": 5,
    "cost_usd": 0.25,
}
PASSED = Outcome(
    "match",
    "prompt",
    "passed",
    AT,
    12.34,
    checks=(CheckResult("total", "warn", "3 left"),),
    tables=(("match_pairs", 7),),
    usage=USAGE,
    model="a/b",
    iterations=2,
    tool_calls=3,
    last_words="Assumed EUR.",
)
PASSED_JSON = {
    "node": "match",
    "kind": "prompt",
    "status": "passed",
    "elapsed_ms": 12.3,
    "error": None,
    "error_type": None,
    "hint": None,
    "skipped_because": None,
    "why": None,
    "checks": [{"check": "total", "status": "warn", "message": "3 left"}],
    "tables": [{"name": "match_pairs", "rows": 7}],
    "model": "a/b",
    "iterations": 2,
    "tool_calls": 3,
    "usage": USAGE_JSON,
    "last_words": "Assumed EUR.",
}
REQUEST = ModelRequest("a/b", (), (), "match", 2)
RESPONSE = ModelResponse(
    AssistantMessage(None, (ToolCall("1", "run_sql", "{}"),)),
    "tool_calls",
    USAGE,
    "a/b-1",
    latency_ms=99.96,
    attempts=2,
)

NOTHING_USED_JSON = dict.fromkeys(USAGE_JSON, 0) | {"cost_usd": None}

EVENTS: dict[str, tuple[Event, dict[str, Any]]] = {
    "run_started": (
        RunStarted("x.db", (("a", "sql"),), AT, ("a",), max_cost=1.5),
        {
            "output": "x.db",
            "nodes": [{"name": "a", "kind": "sql"}],
            "kept": ["a"],
            "earlier": None,
            "max_cost": 1.5,
            "spent": NOTHING_USED_JSON,
        },
    ),
    "node_started": (
        NodeStarted("a", "sql", AT, "prompt changed"),
        {"node": "a", "kind": "sql", "why": "prompt changed"},
    ),
    "taken_up": (
        TakenUp("a", "prompt", "repair", "main: 3 fail", AT),
        {"node": "a", "kind": "prompt", "action": "repair", "why": "main: 3 fail"},
    ),
    "statement": (
        StatementRun("a", "agent", "select", "SELECT 'ä'", 1.26, "secret", None, 3, at=AT),
        {
            "node": "a",
            "source": "agent",
            "kind": "select",
            "query": "SELECT 'ä'",
            "row_count": 3,
            "elapsed_ms": 1.3,
            "error": None,
        },
    ),
    "said": (
        Said("a", 1, UserMessage("hello"), AT),
        {"node": "a", "position": 1, "role": "user"},
    ),
    "model_answered": (
        ModelAnswered("a", REQUEST, RESPONSE, AT),
        {
            "node": "a",
            "step": 2,
            "model": "a/b-1",
            "finish_reason": "tool_calls",
            "tool_calls": 1,
            "usage": USAGE_JSON,
            "latency_ms": 100.0,
            "attempts": 2,
        },
    ),
    "call_lost": (
        CallLost("a", "a/b", "broken off", 700, 0.0, 0.02, AT),
        {
            "node": "a",
            "model": "a/b",
            "why": "broken off",
            "tokens": 700,
            "cost_usd": 0.0,
            "perhaps_usd": 0.02,
        },
    ),
    "checks": (
        ChecksRun("a", (CheckResult("c", "pass", "m"),), at=AT),
        {"node": "a", "checks": [{"check": "c", "status": "pass", "message": "m"}]},
    ),
    "warning": (Warned("careful", "a", AT), {"message": "careful", "node": "a"}),
    "node_ended": (NodeEnded(PASSED, AT), PASSED_JSON),
    "export_ended": (
        ExportEnded("a.csv", 5.0, "no", AT),
        {"name": "a.csv", "elapsed_ms": 5.0, "error": "no"},
    ),
    "done": (
        RunEnded("x.db", "stopped", (PASSED, PASSED), 50.0, AT, Saved(900, 0.25, 1.5)),
        {
            "output": "x.db",
            "status": "stopped",
            "exit_code": 3,
            "elapsed_ms": 50.0,
            "counts": {
                "pass": 0,
                "warn": 2,
                "fail": 0,
                "skip": 0,
                "reuse": 0,
                "stop": 0,
                "cancel": 0,
            },
            "usage": {
                "prompt_tokens": 200,
                "completion_tokens": 40,
                "cached_tokens": 100,
                "reasoning_tokens": 10,
                "cost_usd": 0.5,
            },
            "saved": {"tokens": 900, "cost_usd": 0.25, "elapsed_ms": 1.5},
        },
    ),
}


@pytest.mark.parametrize("name", EVENTS)
def test_event_is_one_line_of_json(name: str) -> None:
    event, fields = EVENTS[name]
    line = json_line(event)
    assert "\n" not in line
    assert json.loads(line) == {**HEAD, "event": name, **fields}


def test_every_event_is_in_the_table() -> None:
    assert {type(event) for event, _ in EVENTS.values()} == set(get_args(Event))


def test_listener_writes_a_line_for_each_event() -> None:
    lines: list[str] = []
    listen = json_lines(lines.append)
    for event, _ in EVENTS.values():
        listen(event)
    assert [json.loads(line)["event"] for line in lines] == list(EVENTS)


def test_text_that_no_encoding_holds_is_escaped() -> None:
    assert json_line(Warned("\ud800 ä", at=AT)).isascii()
