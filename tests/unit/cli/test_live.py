"""The live view, on a console of fixed size and a clock that stands still."""

from __future__ import annotations

import io
import json
from itertools import pairwise

import pytest
from rich.console import Console

from screens import assert_screen, on_screen
from taskgraph.cli.live import LiveView
from taskgraph.events import (
    CallLost,
    CheckResult,
    Event,
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
    utc_now,
)
from taskgraph.llm.messages import (
    AssistantMessage,
    ModelRequest,
    ModelResponse,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)

SQL = "-- look first\nSELECT count(*) AS orders,\n    sum(amount) AS amount FROM clean_orders"
KINDS = {
    "orders": "source",
    "clean": "sql",
    "match": "prompt",
    "classify": "prompt",
    "rules_for_customers_abroad": "prompt",
    "big_join": "sql",
    "report": "sql",
    "summary": "sql",
}
ORDERS = Outcome("orders", "source", "passed", utc_now(), 210.0, tables=(("orders", 1004),))
CLEAN = Outcome(
    "clean",
    "sql",
    "passed",
    utc_now(),
    1_000.0,
    tables=(("clean_orders", 1004),),
    checks=(CheckResult("large", "warn", "3 orders are larger than all of last year's together"),),
)
FAILED = Outcome(
    "classify", "prompt", "failed", utc_now(), 9_000.0, error="its work got no better", iterations=4
)


class StillClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def answered(node: str, *sql: str, tokens: int = 20_000) -> ModelAnswered:
    calls = tuple(
        ToolCall(str(n), "run_sql", json.dumps({"sql": one})) for n, one in enumerate(sql)
    )
    response = ModelResponse(
        AssistantMessage(None, calls), "tool_calls", Usage(tokens, 500, cost_usd=0.0321), "a/b"
    )
    return ModelAnswered(node, ModelRequest("a/b", (), (), "s", 1), response)


BEGUN: tuple[Event, ...] = (
    RunStarted("out.db", tuple(KINDS.items()), max_cost=5.0, spent=Usage(9_000, cost_usd=1.0)),  # type: ignore[arg-type]
    NodeStarted("orders", "source"),
    NodeEnded(ORDERS),
    NodeStarted("clean", "sql"),
    Warned("row 7 has no date", "clean"),
    NodeEnded(CLEAN),
    NodeStarted("match", "prompt"),
    answered("match", SQL),
    Said("match", 2, AssistantMessage(None)),
    NodeStarted("classify", "prompt"),
    TakenUp("classify", "prompt", "repair", "main: 3 fail"),
    answered("classify", "CREATE VIEW classify_lines AS SELECT id, account FROM clean_orders"),
    Said("classify", 2, AssistantMessage(None)),
    StatementRun(
        "classify", "agent", "create_view", "CREATE VIEW classify_lines AS SELECT 1", 34.0
    ),
    Said("classify", 3, ToolMessage("0", "view classify_lines created")),
    NodeStarted("rules_for_customers_abroad", "prompt"),
    CallLost("rules_for_customers_abroad", "a/b", "a timeout", 900, 0.0, 0.01),
    NodeStarted("big_join", "sql"),
)
THEN: tuple[Event, ...] = (
    NodeEnded(FAILED),
    NodeEnded(Outcome("report", "sql", "skipped", None, 0.0, skipped_because="classify")),
)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


def view_of(clock: StillClock, width: int, height: int) -> tuple[LiveView, Console]:
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None
    )
    return LiveView(console, clock), console


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 24), (40, 10)])
def test_what_a_run_shows_on_a_terminal(width: int, height: int, clock: StillClock) -> None:
    view, console = view_of(clock, width, height)
    for event in BEGUN:
        view(event)
    clock.now += 42.0
    for event in THEN:
        view(event)
    view.refresh()
    shown = on_screen(written(console))
    view.close()
    assert all(len(line) <= width for line in shown.splitlines())
    assert_screen("live", width, f"{shown}\n")


def test_nothing_is_lost_when_it_ends(clock: StillClock) -> None:
    view, console = view_of(clock, 80, 24)
    for event in (*BEGUN, *THEN, RunEnded("gone.db", "failed", (ORDERS, CLEAN, FAILED), 1.0)):
        view(event)
    text = on_screen(written(console))
    assert "running" not in text
    assert "0 of 0" not in written(console)
    parts = ["PASS  source orders", "Warning: node 'clean': row 7", "WARN  sql    clean", "REPAIR"]
    parts += [
        "FAIL  prompt classify",
        "SKIP  sql    report",
        "── FAIL prompt classify",
        "Done. PASS=1",
    ]
    assert all(text.find(one) < text.find(other) for one, other in pairwise(parts))
    assert "\x1b[?25l" not in written(console).rpartition("\x1b[?25h")[2]  # the cursor is there


@pytest.mark.parametrize("height", [4, 10, 24, 60])
def test_many_running_nodes_leave_room_for_the_summary(height: int, clock: StillClock) -> None:
    view, _ = view_of(clock, 80, height)
    names = [f"agent_{number}" for number in range(200)]
    view(RunStarted("out.db", tuple((name, "prompt") for name in names)))
    for name in names[:60]:
        view(NodeStarted(name, "prompt"))
    lines = view.picture().plain.splitlines()
    view.close()
    assert len(lines) < max(height, 5)
    assert lines[-1].endswith("0 of 200  60 running  0.0s")


def test_nodes_that_end_at_once_do_not_flicker(clock: StillClock) -> None:
    view, _ = view_of(clock, 80, 24)
    view(RunStarted("out.db", (("quick", "sql"), ("slow", "sql"))))
    view(NodeStarted("slow", "sql"))
    clock.now += 1.0
    view(NodeStarted("quick", "sql"))
    text = view.picture().plain
    view.close()
    assert "slow" in text
    assert "quick" not in text


def test_what_an_agent_does_is_told_as_it_goes_from_call_to_call(clock: StillClock) -> None:
    view, _ = view_of(clock, 80, 24)
    view(RunStarted("out.db", (("a", "prompt"),)))
    steps: dict[str, Event] = {
        "begins": NodeStarted("a", "prompt"),
        "thinks": Said("a", 1, UserMessage("Do it.")),
        "SELECT 1": answered("a", "SELECT 1", "CREATE OR REPLACE VIEW a_x AS SELECT 2"),
        "VIEW a_x AS": Said("a", 3, ToolMessage("0", "1 row")),
        "after VIEW a_x": Said("a", 4, ToolMessage("1", "created")),
        "its work is checked": answered("a"),
        "after its work is": Said("a", 6, UserMessage("Not accepted yet.")),
    }
    told: list[str] = []
    for event in steps.values():
        view(event)
        told.append(view.picture().plain)
    view.close()
    assert [step for step, text in zip(steps, told, strict=True) if f"  {step}" not in text] == []
