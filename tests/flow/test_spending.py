"""What runs and nodes spend: never more than they may, and every dollar accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from builders import Prompt, prompt, source, spec_of
from model_wire import MODEL
from running import Ran, rows_of
from served import run_served, sql_call, warnings_of
from taskgraph.cli import group
from taskgraph.llm.clock import REAL_CLOCK
from taskgraph.settings import RunSettings
from taskgraph.testing import (
    Answer,
    FakeOpenRouter,
    Seen,
    ServerState,
    Wire,
    error,
    model_entry,
    text,
)
from taskgraph.testing.metering import Rate

pytestmark = pytest.mark.anyio

FORTUNE = 1000.0
AGENTS = tuple(f"n{number}" for number in range(30))


def worker(seen: Seen) -> Answer:
    """A model that reads four times, then makes its view, then closes."""
    turn = sum(message["role"] == "assistant" for message in seen.messages)
    if turn < 4:
        return sql_call(f"SELECT {turn} AS turn, * FROM orders")
    view = f"CREATE VIEW {seen.lane}_result AS SELECT id FROM orders"
    return sql_call(view) if turn == 4 else text("Done.")


def charged(state: ServerState) -> float:
    assert state.credits is not None
    return FORTUNE - state.credits


DEAR = Rate(prompt=50.0, cached=50.0, completion=10.0)
PRICING = {"prompt": "0.00005", "completion": "0.00001"}
LIMITS = {"dollars": RunSettings(max_cost=6.0), "tokens": RunSettings(max_tokens=200_000)}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
async def test_thirty_agents_at_once_never_spend_more_than_the_run_may(
    tmp_path: Path, limits: RunSettings
) -> None:
    models = [model_entry(MODEL, pricing=PRICING)]
    state = ServerState(credits=FORTUNE, models=models, rates={MODEL: DEAR})
    spec = spec_of(source("orders"), *(prompt(name, depends_on=["orders"]) for name in AGENTS))
    with FakeOpenRouter(state=state) as fake:
        fake.default(worker, Wire(latency_s=0.02))
        ran = await run_served(fake, spec, tmp_path, settings=limits)
        assert fake.peak > 5

    assert ran.ended.status == "stopped"
    if limits.max_cost:
        assert 0.5 * limits.max_cost < charged(state) <= limits.max_cost
    if limits.max_tokens:
        tokens = sum(outcome.usage.total_tokens for outcome in ran.ended.outcomes)
        assert 0.5 * limits.max_tokens < tokens <= limits.max_tokens


async def test_every_dollar_that_the_server_charged_is_accounted_for(tmp_path: Path) -> None:
    state = ServerState(credits=FORTUNE, models=[model_entry(MODEL)])
    spec = spec_of(source("orders"), *(prompt(name, depends_on=["orders"]) for name in AGENTS[:5]))
    with FakeOpenRouter(state=state) as fake:
        fake.default(worker)
        ran = await run_served(fake, spec, tmp_path)
    assert ran.ended.status == "passed"
    for table in ("_llm_calls", "_node_meta"):
        [(cost,)] = ran.rows(f"SELECT sum(cost_usd) FROM {table}")
        assert cost == pytest.approx(charged(state), abs=1e-9)


async def test_what_was_said_before_is_read_from_the_providers_cache(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    fake.default(worker)
    spec = spec_of(source("orders"), prompt("n0", depends_on=["orders"]))
    ran = await run_served(fake, spec, tmp_path)
    usage = ran.rows("SELECT prompt_tokens, cached_tokens FROM _llm_calls ORDER BY step")
    before = [prompt_tokens for prompt_tokens, _ in usage]
    assert all(
        cached > 0.98 * earlier for (_, cached), earlier in zip(usage[1:], before, strict=False)
    )


def test_run_that_stops_at_its_budget_says_what_it_spent_and_goes_on_with_more(
    fake: FakeOpenRouter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake.default(worker)
    (tmp_path / "spec.py").write_text(
        'NODES = [{"name": "orders", "source": [{"id": 1}]},'
        '{"name": "n0", "depends_on": ["orders"], "prompt": "Work."}]'
    )
    command = ["run", "-s", "spec.py", "-o", "out.db", "--base-url", fake.base_url]
    ended = CliRunner().invoke(group, [*command, "--max-cost", "0.035"])

    assert ended.exit_code == 3
    told = " ".join(ended.stderr.split())
    assert "error: the run reached its limit of $0.0350: $0.0" in told
    assert "is spent, and the next call may cost $0.0" in told
    assert "\nStopped. " in ended.stderr
    assert ended.stderr.endswith("\nGo on with: taskgraph resume out.db --max-cost N\n")
    within_limit = "SELECT sum(cost_usd) < 0.035 FROM _llm_calls"
    assert rows_of(tmp_path / "out.db.partial", within_limit) == [(True,)]

    again = ["resume", "out.db", "--base-url", fake.base_url, "--max-cost", "1"]
    resumed = CliRunner().invoke(group, again)
    assert resumed.exit_code == 0, resumed.stderr
    steps = rows_of(tmp_path / "out.db", "SELECT count(*), max(step) FROM _llm_calls")
    assert steps == [(6, 6)]


OWN_LIMITS: dict[str, tuple[Prompt, str]] = {
    "dollars": ({"max_cost": 0.02}, "node 'n0' reached its limit of $0.0200"),
    "tokens": ({"max_tokens": 9_000}, "tokens are used, of 9,000"),
    "calls": ({"max_iterations": 3}, "all 3 model calls"),
}


@pytest.mark.parametrize(("own", "words"), OWN_LIMITS.values(), ids=OWN_LIMITS)
async def test_limit_of_one_node_stops_that_node_and_no_other(
    fake: FakeOpenRouter, tmp_path: Path, own: Prompt, words: str
) -> None:
    fake.default(worker)
    nodes = [prompt("n0", depends_on=["orders"], **own), prompt("n1", depends_on=["orders"])]
    ran = await run_served(fake, spec_of(source("orders"), *nodes), tmp_path)
    assert ran.statuses == {"orders": "passed", "n0": "stopped", "n1": "passed"}
    assert ran.ended.status == "stopped"
    assert words in (ran.outcomes["n0"].error or "")
    assert "taskgraph resume" in (ran.outcomes["n0"].hint or "")


async def test_node_whose_time_is_up_stops_in_the_middle_of_a_call(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    fake.agent("n0").gate("never").reply("x")
    node = prompt("n0", depends_on=["orders"], max_seconds=0.2)
    ran = await run_served(fake, spec_of(source("orders"), node), tmp_path, clock=REAL_CLOCK)
    assert ran.statuses["n0"] == "stopped"
    assert "max_seconds of node 'n0'" in (ran.outcomes["n0"].hint or "")


async def test_cost_that_nobody_tells_is_warned_of_and_tokens_still_count(tmp_path: Path) -> None:
    settings = RunSettings(model="un/heard-of", max_cost=1.0, max_tokens=60_000)
    spec = spec_of(source("orders"), *(prompt(name, depends_on=["orders"]) for name in AGENTS[:4]))
    with FakeOpenRouter(dialect="ollama") as fake:
        fake.default(worker)
        ran = await run_served(fake, spec, tmp_path, settings=settings)
    assert ran.ended.status == "stopped"
    told = [one for one in warnings_of(ran) if "its dollars are not counted" in one]
    assert len(told) == 1
    unfinished = tmp_path / "out.db.partial"
    assert rows_of(unfinished, "SELECT DISTINCT cost_usd FROM _llm_calls") == [(None,)]


async def test_each_node_asks_its_own_model_as_hard_as_it_says(tmp_path: Path) -> None:
    models = [model_entry(MODEL), model_entry("small/one", context_length=16_000)]
    state = ServerState(models=models, rates={"small/one": Rate(0.1, 0.01, 1.0)})
    nodes = [
        prompt("n0", depends_on=["orders"]),
        prompt("n1", depends_on=["orders"], model="small/one", reasoning_effort="high"),
    ]
    with FakeOpenRouter(state=state) as fake:
        fake.default(worker)
        ran = await run_served(fake, spec_of(source("orders"), *nodes), tmp_path)
        asked = {
            name: {
                (seen.model, seen.body["reasoning"]["effort"], seen.body["max_tokens"])
                for seen in fake.agent(name).seen
            }
            for name in ("n0", "n1")
        }
    assert asked == {"n0": {(MODEL, "low", 16_000)}, "n1": {("small/one", "high", 4_000)}}
    assert {name: one.model for name, one in ran.outcomes.items() if one.model} == {
        "n0": MODEL,
        "n1": "small/one",
    }
    cheap, dear = _cost(ran, "n1"), _cost(ran, "n0")
    assert 0 < cheap < dear / 5


async def test_other_model_takes_over_for_good_where_the_first_one_fails(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    details = '[{"type":"reasoning.text","text":"Hmm.","signature":"s"}]'
    view = "CREATE VIEW n0_result AS SELECT id FROM orders"
    lane = fake.agent("n0").reply(sql_call("FROM orders", reasoning_details=details))
    lane.send(error(403, "flagged", metadata={"reasons": ["violence"]}))
    lane.reply(sql_call(view)).reply("Done.")
    node = prompt("n0", depends_on=["orders"], fallback=["other/one"])

    ran = await run_served(fake, spec_of(source("orders"), node), tmp_path)

    assert ran.statuses["n0"] == "passed"
    assert [seen.model for seen in lane.seen] == [MODEL, MODEL, "other/one", "other/one"]
    assert ["Hmm." in seen.raw.decode() for seen in lane.seen] == [False, True, False, False]
    asked = ran.rows("SELECT model_asked FROM _llm_calls ORDER BY step")
    assert asked == [(MODEL,), ("other/one",), ("other/one",)]
    [told] = warnings_of(ran)
    assert "'other/one' takes over" in told
    assert "violence" in told


def _cost(ran: Ran, node: str) -> float:
    return ran.outcomes[node].usage.cost_usd or 0.0
