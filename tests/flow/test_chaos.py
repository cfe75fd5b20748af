"""Faults 44 and 45: chance against whole runs, and runs played back.

CHAOS_AGENTS=200 CHAOS_SEEDS=50 pytest tests/flow/test_chaos.py: as long as it takes.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders import prompt, source, spec_of, sql
from model_wire import MODEL
from replaying import forbid_sockets
from running import Ran
from served import arguments_of, run_opened, run_served, sql_call
from taskgraph.llm.recording import read_recording
from taskgraph.llm.replay import RecordedModel
from taskgraph.llm.service import replayed
from taskgraph.settings import RunSettings
from taskgraph.spec import Spec
from taskgraph.testing import Answer, FakeOpenRouter, Seen, ServerState, calls, error, text

pytestmark = pytest.mark.anyio

AGENTS = int(os.environ.get("CHAOS_AGENTS", "12"))
SEEDS = range(int(os.environ.get("CHAOS_SEEDS", "1")))
SETTINGS = RunSettings(max_concurrency=200, threads=2)
TRANSPORT = {
    "rst": 0.02,
    "fin": 0.02,
    "cut": 0.02,
    "429": 0.05,
    "502": 0.03,
    "200err": 0.03,
    "ws_only": 0.02,
    "no_choices": 0.02,
}
MISCHIEF = 0.25


def graph_of(agents: int) -> Spec:
    """Agents of which every fourth reads the one before it, and a node that reads them all."""
    names = [f"n{number}" for number in range(agents)]
    needed = {
        name: ["orders", *([names[number - 1]] if number % 4 == 3 else [])]
        for number, name in enumerate(names)
    }
    union = " UNION ALL ".join(f"SELECT '{name}' AS node, * FROM {name}_result" for name in names)
    return spec_of(
        source("orders"),
        *(prompt(name, f"Work of {name}.", needed[name]) for name in names),
        sql("total", f"CREATE VIEW total_all AS {union}", names),
    )


def script_of(name: str) -> list[str]:
    """What an agent has to do."""
    number = int(name[1:])
    view = (
        f"CREATE OR REPLACE VIEW {name}_result AS SELECT id, amount * {number + 1} AS amount "
        + ("FROM orders" if number % 4 != 3 else f"FROM n{number - 1}_result")
    )
    return [f"SELECT max(id) + {number} AS n FROM orders", view]


def worker(seen: Seen) -> Answer:
    """A model that goes through its script and knows from the conversation where it is."""
    done = [one.get("sql") for one in arguments_of(seen.messages)]
    left = [statement for statement in script_of(seen.lane) if statement not in done]
    return sql_call(left[0]) if left else text("Done.")


def mischievous(seed: int) -> Callable[[Seen], Answer]:
    """The same model, which now and then answers with nonsense."""

    def answer(seen: Seen) -> Answer:
        dice = random.Random(f"{seed}/{seen.lane}/{seen.number}/mischief")
        return dice.choice(_NONSENSE)(seen) if dice.random() < MISCHIEF else worker(seen)

    return answer


def _nothing(seen: Seen) -> Answer:
    # Three answers of nothing in a row would end the agent, as they should.
    return Answer(reasoning="Hmm.") if seen.number % 2 else worker(seen)


_NONSENSE: tuple[Callable[[Seen], Answer], ...] = (
    _nothing,
    lambda seen: calls(("run_sql", '{"sql": "SELECT')),
    lambda seen: calls(("run_sql", '{"sql": NaN}'), choice={"finish_reason": "length"}),
    lambda seen: calls(("delete_everything", {})),
    lambda seen: calls(("run_sql", {"sql": "FROM orders"}), ("run_sql", {"sql": "FROM orders"})),
    lambda seen: sql_call("FROM nowhere", ids=("again",)),
    lambda seen: sql_call("DROP TABLE orders"),
    lambda seen: sql_call(f"SELECT {seen.number}", choice={"finish_reason": "stop"}),
)


def tables_of(ran: Ran) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables that nodes made."""
    names = ran.rows(
        "SELECT table_name FROM duckdb_tables() WHERE table_name NOT LIKE '\\_%' ESCAPE '\\'"
    )
    return {name: sorted(ran.rows(f"FROM {name}")) for (name,) in names}


def new(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def chaotic(spec: Spec, folder: Path, seed: int, record: Path | None = None) -> Ran:
    with FakeOpenRouter() as fake:
        fake.chaos(seed, TRANSPORT)
        fake.default(mischievous(seed))
        return await run_served(fake, spec, folder, settings=SETTINGS, record=record)


@pytest.mark.not_replayed  # as long again as the test; fault 45 replays what chaos makes
async def test_fault_44_chaos_changes_nothing_in_the_tables(tmp_path: Path) -> None:
    spec = graph_of(AGENTS)
    with FakeOpenRouter() as fake:
        fake.default(worker)
        calm = await run_served(fake, spec, tmp_path, settings=SETTINGS)
    assert calm.ended.status == "passed"
    assert len(tables_of(calm)) == AGENTS + 2
    for seed in SEEDS:
        ran = await chaotic(spec, new(tmp_path / str(seed)), seed)
        errors = {one.node: one.error for one in ran.ended.outcomes if one.error}
        assert ran.ended.status == "passed", f"seed {seed}: {errors}"
        assert tables_of(ran) == tables_of(calm), f"seed {seed}"
        steps = "SELECT count(*), count(DISTINCT (node, step)) FROM _llm_calls"
        [(calls_made, steps_made)] = ran.rows(steps)
        assert calls_made == steps_made
        [(tries, answers)] = ran.rows("SELECT sum(attempts), count(*) FROM _llm_calls")
        assert tries > 1.1 * answers > 1.1 * 3 * AGENTS


def conversations(ran: Ran) -> list[tuple[Any, ...]]:
    return ran.rows(
        "SELECT node, position, role, content, tool_calls FROM _messages ORDER BY node, position"
    )


async def play(recording: Path, spec: Spec, folder: Path) -> Ran:
    return await run_opened(
        spec,
        folder,
        SETTINGS,
        replayed(RecordedModel(read_recording(recording)), (MODEL, "large/one")),
    )


async def test_fault_45_chaotic_run_is_played_back_without_key_or_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = tmp_path / "recording.jsonl"
    spec = graph_of(8)
    live = await chaotic(spec, new(tmp_path / "live"), seed=7, record=recording)
    assert live.ended.status == "passed"

    forbid_sockets(monkeypatch)
    played = await play(recording, spec, new(tmp_path / "played"))

    assert played.ended.status == "passed"
    assert conversations(played) == conversations(live)
    assert tables_of(played) == tables_of(live)
    tokens = "SELECT sum(prompt_tokens), sum(completion_tokens) FROM _llm_calls"
    assert played.rows(tokens) == live.rows(tokens)
    assert played.rows("SELECT sum(cost_usd) FROM _llm_calls") == [(0.0,)]


async def test_fault_45_cut_and_refused_conversation_is_played_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = "CREATE VIEW n0_result AS SELECT id FROM orders"
    spec = spec_of(source("orders"), prompt("n0", "Work.", ["orders"], fallback=["large/one"]))
    recording = tmp_path / "recording.jsonl"
    with FakeOpenRouter(state=ServerState(context_limits={MODEL: 24_000})) as fake:
        lane = fake.agent("n0")
        for number in range(12):
            lane.reply(
                sql_call(f"SELECT id, repeat('x', 1200) AS x FROM orders WHERE id > -{number}")
            )
        lane.send(error(403, "flagged", metadata={"reasons": ["violence"]}))
        lane.reply(sql_call(view)).reply("Done.")
        folder = new(tmp_path / "live")
        live = await run_served(fake, spec, folder, settings=SETTINGS, record=recording)
    assert '"too_long": true' in recording.read_text()

    forbid_sockets(monkeypatch)
    played = await play(recording, spec, new(tmp_path / "played"))

    assert (live.ended.status, played.ended.status) == ("passed", "passed")
    assert conversations(played) == conversations(live)
