"""Faults 21, 39 and 40 in whole runs, and what else concerns all agents: the key, the preflight."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builders import prompt, source, spec_of
from model_wire import KEY, MODEL, until
from running import names_in, rows_of
from served import run_served, service_of, sql_call, warnings_of
from taskgraph.errors import AuthenticationFailed, ModelUnavailable, RunError
from taskgraph.events import Event
from taskgraph.llm.clock import Clock
from taskgraph.loader import load_spec
from taskgraph.runner import resume, run
from taskgraph.settings import RunSettings
from taskgraph.testing import (
    Answer,
    FakeOpenRouter,
    Seen,
    ServerState,
    body,
    error,
    model_entry,
    text,
)

pytestmark = pytest.mark.anyio


def view_of(node: str) -> str:
    return f"CREATE VIEW {node}_result AS SELECT id FROM orders"


async def test_fault_21_finished_work_is_kept_when_the_credit_is_gone(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    def last_paid_answer(seen: Seen) -> Answer:
        fake.state.credits = 0.01
        return text("Done.")

    nodes = [
        source("orders"),
        prompt("paid", depends_on=["orders"]),
        prompt("unpaid", depends_on=["paid"]),
        prompt("waiting", depends_on=["orders"]),
        prompt("later", depends_on=["unpaid"]),
    ]
    fake.agent("paid").reply(sql_call(view_of("paid"))).reply(last_paid_answer)
    fake.agent("waiting").gate("never").reply("x")

    ran = await run_served(fake, spec_of(*nodes), tmp_path)

    assert ran.ended.status == "stopped"
    assert ran.statuses == {
        "orders": "passed",
        "paid": "passed",
        "unpaid": "stopped",
        "waiting": "cancelled",
        "later": "skipped",
    }
    refused = ran.outcomes["unpaid"]
    assert "can only afford 953" in (refused.error or "")
    assert "953 more tokens. Add credit, then: taskgraph resume" in (refused.hint or "")
    assert (fake.attempts("unpaid"), fake.attempts("later")) == (1, 0)
    assert names_in(tmp_path) == ["out.db.partial"]
    unfinished = tmp_path / "out.db.partial"
    assert rows_of(unfinished, "SELECT count(*) FROM paid_result") == [(2,)]
    assert dict(rows_of(unfinished, "SELECT node, status FROM _node_meta")) == ran.statuses


AGENTS = tuple(f"n{number}" for number in range(20))
TWENTY = spec_of(source("orders"), *(prompt(name, depends_on=["orders"]) for name in AGENTS))


def assert_consistent(unfinished: Path) -> None:
    """Every agent's question is there, and no answer, view or half-written node."""
    statuses = dict(rows_of(unfinished, "SELECT node, status FROM _node_meta"))
    assert statuses == {"orders": "passed", **dict.fromkeys(AGENTS, "cancelled")}
    roles = rows_of(unfinished, "SELECT DISTINCT role, count(*) FROM _messages GROUP BY role")
    assert dict(roles) == {"system": 20, "user": 20}
    tables = rows_of(
        unfinished, "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'n%'"
    )
    assert tables == []


async def test_fault_39_run_with_twenty_calls_in_flight_or_asleep_ends_within_a_second(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    for name in AGENTS[:15]:
        fake.agent(name).gate("never").reply("x")
    for name in AGENTS[15:]:
        fake.agent(name).send(error(502, "bad gateway"))
    asleep: list[float] = []

    async def sleep(seconds: float) -> None:
        asleep.append(seconds)
        await asyncio.sleep(60)

    events: list[Event] = []
    settings = RunSettings()
    service = service_of(fake, TWENTY, settings, clock=Clock(sleep=sleep))
    running = asyncio.create_task(
        run(TWENTY, tmp_path / "out.db", settings, open_service=service, emit=events.append)
    )
    await until(lambda: fake.in_flight == 15 and len(asleep) == 5)

    running.cancel()
    async with asyncio.timeout(1):
        await asyncio.wait([running])

    assert running.cancelled()
    assert_consistent(tmp_path / "out.db.partial")
    lost = rows_of(tmp_path / "out.db.partial", "SELECT count(*) FROM _lost_calls")
    assert lost == [(15,)]


WAITING = """
NODES = [
    {"name": "orders", "source": [{"id": 1, "amount": 5.0}]},
    *(
        {"name": f"n{number}", "depends_on": ["orders"], "prompt": "Wait."}
        for number in range(20)
    ),
]
"""


def started(spec: str, fake: FakeOpenRouter, folder: Path) -> subprocess.Popen[str]:
    """Starts the command line on a spec in a process of its own."""
    (folder / "spec.py").write_text(spec)
    command = ["run", "-s", "spec.py", "-o", "out.db", "--base-url", fake.base_url]
    return subprocess.Popen(
        [sys.executable, "-m", "taskgraph", *command],
        cwd=folder,
        env={**os.environ, "OPENROUTER_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_fault_39_interrupted_process_with_twenty_calls_in_flight_leaves_a_consistent_file(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    for name in AGENTS:
        fake.agent(name).gate("never").reply("x")
    process = started(WAITING, fake, tmp_path)
    fake.wait_until(lambda: sum(map(fake.attempts, AGENTS)) == 20, timeout_s=30)

    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    took = time.monotonic() - began

    assert process.returncode == 130, said
    assert "\nInterrupted. " in said
    assert KEY not in said
    assert_consistent(tmp_path / "out.db.partial")
    assert took < 1.0, "a second is promised"


WORKING = """
NODES = [
    {"name": "orders", "source": [{"id": 1, "amount": 5.0}]},
    {"name": "far", "depends_on": ["orders"], "prompt": "Work."},
    {"name": "early", "depends_on": ["orders"], "prompt": "Work."},
]
"""


async def test_fault_40_killed_run_asks_again_only_what_had_no_answer(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    far = fake.agent("far").reply(sql_call("FROM orders")).reply(sql_call(view_of("far")))
    far.gate("never").reply("lost")
    early = fake.agent("early").gate("never").reply("lost")
    process = started(WORKING, fake, tmp_path)
    await asyncio.to_thread(fake.wait_until, lambda: fake.in_flight == 2 and len(far.seen) == 3, 30)
    process.kill()
    process.communicate()

    far.reply("Done.")
    early.reply(sql_call(view_of("early"))).reply("Done.")
    spec = load_spec("spec.py", directory=tmp_path)
    settings = RunSettings()
    service = service_of(fake, spec, settings)
    ended = await resume(
        spec, tmp_path / "out.db", settings, open_service=service, emit=lambda event: None
    )

    assert ended.status == "passed"
    assert (len(far.seen), len(early.seen)) == (4, 3)
    assert far.seen[3].messages == far.seen[2].messages
    assert early.seen[1].messages == early.seen[0].messages
    calls = rows_of(tmp_path / "out.db", "SELECT node, step FROM _llm_calls ORDER BY ALL")
    assert calls == [("early", 1), ("early", 2), ("far", 1), ("far", 2), ("far", 3)]
    costs = "SELECT (SELECT sum(cost_usd) FROM _llm_calls), (SELECT sum(cost_usd) FROM _node_meta)"
    [(of_calls, of_nodes)] = rows_of(tmp_path / "out.db", costs)
    assert of_calls == pytest.approx(of_nodes)


REFUSALS: dict[str, tuple[ServerState, type[RunError]]] = {
    "key": (ServerState(keys=frozenset({"sk-other"})), AuthenticationFailed),
    "model": (ServerState(models=[model_entry("x/y")]), ModelUnavailable),
    "tools": (ServerState(models=[model_entry(MODEL, parameters=("stop",))]), ModelUnavailable),
}


@pytest.mark.parametrize(("state", "kind"), REFUSALS.values(), ids=REFUSALS)
async def test_run_that_cannot_work_stops_before_any_data_is_read(
    tmp_path: Path, state: ServerState, kind: type[RunError]
) -> None:
    read: list[str] = []
    spec = spec_of(source("orders", lambda: read.append("orders")), prompt("match"))
    with FakeOpenRouter(state=state) as fake, pytest.raises(kind):
        await run_served(fake, spec, tmp_path)
    assert (read, names_in(tmp_path)) == ([], [])


async def test_key_is_nowhere_in_the_file_whatever_a_server_repeats(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    told = f"Incorrect API key provided: {KEY}"
    fake.agent("rejected").send(error(400, told))
    fake.agent("garbled").send(body(told), times=6)
    fake.agent("echoed").reply(sql_call(f"SELECT '{KEY}' AS key", reasoning=told)).reply(told)
    nodes = [prompt(name, output_columns={}) for name in ("rejected", "garbled", "echoed")]

    ran = await run_served(fake, spec_of(*nodes), tmp_path)

    assert ran.statuses == {"rejected": "failed", "garbled": "failed", "echoed": "passed"}
    assert KEY not in repr(ran.events)
    tables = ran.rows("SELECT table_name FROM duckdb_tables()")
    for (table,) in tables:
        assert KEY not in repr(ran.rows(f"FROM {table}")), table
    assert KEY.encode() not in ran.path.read_bytes()


async def test_what_a_server_did_to_each_call_is_on_record(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    fake.agent("match").send(error(502, "bad gateway")).reply(sql_call(view_of("match")))
    fake.agent("match").reply("Done.")

    ran = await run_served(
        fake, spec_of(source("orders"), prompt("match", "M.", ["orders"])), tmp_path
    )

    calls = ran.rows("SELECT step, attempts, provider, generation_id, raw FROM _llm_calls")
    assert [row[:4] for row in calls] == [
        (1, 2, "Fake", "gen-match-2"),
        (2, 1, "Fake", "gen-match-3"),
    ]
    assert all('"choices"' in raw for *_, raw in calls)
    assert warnings_of(ran) == []
