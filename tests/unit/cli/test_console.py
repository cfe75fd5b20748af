from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import click
import pytest

from taskgraph.cli.console import PlainLines, failures_only
from taskgraph.events import (
    CheckResult,
    Event,
    ExportEnded,
    NodeEnded,
    NodeStarted,
    Outcome,
    RunEnded,
    RunStarted,
    Saved,
    TakenUp,
    Warned,
    utc_now,
)
from taskgraph.llm.messages import Usage

ORDERS = Outcome("orders", "source", "passed", utc_now(), 210.0, tables=(("orders", 1004),))
MATCH = Outcome(
    "match",
    "prompt",
    "failed",
    utc_now(),
    192_000.0,
    error="2 checks fail:\n- total",
    hint="Raise --max-iterations.",
    checks=(
        CheckResult("total", "fail", "12 rows are missing"),
        CheckResult("left_over", "warn", "3 rows"),
    ),
    usage=Usage(160_000, 1_000, cost_usd=0.258),
    iterations=7,
)
LATE = Outcome(
    "late", "sql", "skipped", None, 0.0, error="match did not pass", skipped_because="match"
)
WARNED = Outcome(
    "sums",
    "sql",
    "passed",
    utc_now(),
    1_000.0,
    checks=(CheckResult("left_over", "warn", "3 payments match no order"),),
    tables=(("sums_a", 1), ("sums_b", 0)),
)
ALL = (ORDERS, MATCH, LATE, WARNED)
STARTED = RunStarted("runs/a b.db", tuple((one.node, one.kind) for one in ALL))


def ended(status: str = "failed") -> RunEnded:
    return RunEnded("runs/a b.db", status, ALL, 220_000.0)  # type: ignore[arg-type]


def written(
    make: Callable[[Callable[[str], None]], Callable[[Event], None]], *events: Event
) -> str:
    lines: list[str] = []
    listen = make(lines.append)
    for event in events:
        listen(event)
    return "\n".join(lines)


plain = click.unstyle


def test_node_has_a_line_at_its_start_and_at_its_end() -> None:
    text = written(
        PlainLines,
        STARTED,
        NodeStarted("orders", "source"),
        NodeStarted("match", "prompt"),
        NodeEnded(ORDERS),
        NodeEnded(MATCH),
        NodeEnded(LATE),
    )
    assert plain(text).splitlines() == [
        "1 of 4 START source orders",
        "2 of 4 START prompt match",
        "1 of 4 PASS  source orders  1,004 rows  0.2s",
        "2 of 4 FAIL  prompt match   7 turns  161k tok  $0.26  3m12s  2 checks fail:",
        "    warn left_over: 3 rows",
        "3 of 4 SKIP  sql    late    match did not pass",
    ]


def test_warnings_stand_under_the_node_that_gave_them() -> None:
    text = written(PlainLines, STARTED, NodeEnded(WARNED), Warned("it is empty", "orders"))
    assert plain(text).splitlines() == [
        "1 of 4 WARN  sql    sums    1 row in 2 tables  1.0s",
        "    warn left_over: 3 payments match no order",
        "Warning: node 'orders': it is empty",
    ]


def test_numbers_are_as_wide_as_the_total() -> None:
    nodes = tuple((f"n{number}", "sql") for number in range(10))
    text = written(PlainLines, RunStarted("x.db", nodes), NodeStarted("n7", "sql"))  # type: ignore[arg-type]
    assert plain(text) == " 1 of 10 START sql    n7"


def test_run_ends_with_its_failures_and_one_line_that_sums_it_up() -> None:
    assert plain(written(PlainLines, ended())).splitlines() == [
        "",
        f"── FAIL prompt match {'─' * 59}",
        "",
        "  fail total:",
        "    12 rows are missing",
        "",
        "  error: 2 checks fail:",
        "    - total",
        "  hint: Raise --max-iterations.",
        "",
        "  look: taskgraph show 'runs/a b.db' --node match",
        "",
        "SKIP  1 node, for match did not pass: late",
        "",
        "Done. PASS=1 WARN=1 FAIL=1 SKIP=1 REUSE=0 TOTAL=4  161k tok  $0.26  3m40s   runs/a b.db",
    ]


@pytest.mark.parametrize(
    ("status", "word"), [("stopped", "Stopped."), ("interrupted", "Interrupted.")]
)
def test_unfinished_run_says_in_its_last_line_how_to_go_on(status: str, word: str) -> None:
    *_, told, last = plain(written(PlainLines, ended(status))).splitlines()
    assert told.startswith(f"{word} PASS=1")
    assert told.endswith("runs/a b.db.partial")
    assert last == "Go on with: taskgraph resume 'runs/a b.db'"


@pytest.mark.parametrize(
    ("saved", "line"),
    [
        (Saved(161_000, 0.26, 192_000), "Saved 161k tok, $0.26 and 3m12s of agents' work."),
        (Saved(-5, 0.26, -1.0), "Saved $0.26 of agents' work."),
        (Saved(900, 0.0, 100), "Saved 900 tok, $0.00 and 0.1s of agents' work."),
        (Saved(-900, -1.5, 100), "Agents took 900 tok and $1.50 more than before."),
    ],
    ids=["saved", "slower", "replayed", "more"],
)
def test_rerun_says_last_what_it_saved(saved: Saved, line: str) -> None:
    end = replace(ended("passed"), saved=saved, outcomes=(ORDERS,))
    assert plain(written(PlainLines, end)).splitlines()[-1] == line


def test_rerun_says_why_of_each_node() -> None:
    reused = replace(MATCH, status="reused", error=None, checks=(), why="checks pass")
    text = written(
        PlainLines,
        RunStarted("x.db", (("orders", "source"), ("match", "prompt")), kept=("orders",), earlier="jan.db"),
        NodeStarted("match", "prompt", why="prompt changed"),
        TakenUp("match", "prompt", "repair", "total: 3 fail"),
        NodeEnded(reused),
    )  # fmt: skip
    assert plain(text).splitlines() == [
        "From jan.db: 1 of 2 as they are.",
        "2 of 2 RUN   prompt match   (prompt changed)",
        "2 of 2 REPAIR prompt match   (total: 3 fail)",
        "2 of 2 REUSE prompt match   (checks pass)  7 turns  161k tok  $0.26  3m12s",
    ]


def test_stopped_and_cancelled_nodes_are_counted_where_there_are_any() -> None:
    outcomes = (
        Outcome("a", "sql", "stopped", utc_now(), 1.0, error="the budget of $1 is spent"),
        Outcome("b", "sql", "cancelled", None, 0.0),
        Outcome("c", "sql", "reused", None, 0.0),
    )
    text = plain(written(PlainLines, RunEnded("x.db", "stopped", outcomes, 100.0)))
    assert "PASS=0 WARN=0 FAIL=0 SKIP=0 REUSE=1 STOP=1 CANCEL=1 TOTAL=3" in text
    assert "── STOP sql a ──" in text
    assert "  error: the budget of $1 is spent\n" in text


def test_error_that_repeats_a_finding_is_told_once() -> None:
    finding = CheckResult("total", "fail", "12 rows\n\nare missing")
    outcome = Outcome(
        "a",
        "sql",
        "failed",
        utc_now(),
        1.0,
        error="total: 12 rows\n\nare missing",
        checks=(finding,),
    )
    text = plain(written(PlainLines, RunEnded("x.db", "failed", (outcome,), 100.0)))
    assert text.splitlines()[2:7] == ["", "  fail total:", "    12 rows", "", "      are missing"]
    assert text.count("12 rows") == 1


def test_exports_have_a_line_each() -> None:
    text = written(
        PlainLines, ExportEnded("a.xlsx", 300.0), ExportEnded("b.csv", 10.0, "KeyError: 'x'")
    )
    assert plain(text).splitlines() == [
        "PASS  export a.xlsx  0.3s",
        "FAIL  export b.csv  KeyError: 'x'  0.0s",
    ]


def test_quiet_is_silent_as_long_as_all_goes_well() -> None:
    fine = RunEnded("x.db", "passed", (ORDERS, WARNED), 100.0)
    events = (STARTED, NodeStarted("orders", "source"), NodeEnded(ORDERS), ExportEnded("a", 1.0))
    assert written(failures_only, *events, fine) == ""


def test_quiet_tells_of_failures() -> None:
    text = plain(written(failures_only, STARTED, ExportEnded("b.csv", 1.0, "no"), ended()))
    assert text.startswith("FAIL  export b.csv  no\n\n── FAIL prompt match ─")
    assert text.endswith("runs/a b.db")


def test_many_findings_are_cut_short() -> None:
    findings = tuple(CheckResult("total", "fail", f"row {number}") for number in range(25))
    outcome = Outcome("a", "sql", "failed", utc_now(), 1.0, checks=findings)
    text = plain(written(PlainLines, RunEnded("x.db", "failed", (outcome,), 100.0)))
    assert text.count("    row ") == 10
    assert "    ... 15 more in the table _checks\n" in text


def test_many_failed_nodes_are_told_in_full_up_to_twenty() -> None:
    failed = tuple(Outcome(f"n{number}", "sql", "failed", utc_now(), 1.0) for number in range(30))
    text = plain(written(PlainLines, RunEnded("x.db", "failed", failed, 100.0)))
    assert text.count("── FAIL sql n") == 20
    assert "\n... and 10 more: n20, n21, n22, n23, n24, n25, n26, n27, and 2 more\n" in text
