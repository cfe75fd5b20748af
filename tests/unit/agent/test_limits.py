"""How an agent ends that was not accepted: limits, a failing model, a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from agent_desk import TASK, Bench, asks, ends, with_limits
from taskgraph.agent.task import ToolOutcome
from taskgraph.errors import (
    ModelRejected,
    QueryStuck,
    RunLimit,
    TaskgraphError,
)
from taskgraph.llm.messages import (
    ModelRequest,
    ModelResponse,
)
from taskgraph.llm.scripted import ScriptedAnswer

pytestmark = pytest.mark.anyio

LIMITS: dict[str, tuple[dict[str, int | float], str]] = {
    "model calls": ({"max_iterations": 2}, "all 2 model calls (max_iterations) are used"),
    "tokens": ({"max_tokens": 150}, "220 tokens are used, of 150 (max_tokens)"),
    "time": ({"max_seconds": 20.0}, "20 seconds (max_seconds) are over"),
}


@pytest.mark.parametrize(("limits", "reason"), LIMITS.values(), ids=LIMITS)
async def test_a_limit_ends_with_a_last_turn_without_tools(
    limits: dict[str, int | float], reason: str
) -> None:
    def asks_and_waits(number: int) -> ScriptedAnswer:
        def answer(request: ModelRequest) -> ModelResponse:
            bench.now += 10.0
            return ends(asks(f"SELECT {number}"), "tool_calls")

        return answer

    bench = Bench([asks_and_waits(1), asks_and_waits(2), "Half of it stands."])

    result = await bench.run(with_limits(**limits))

    assert (result.status, result.reason) == ("stopped", reason)
    assert result.last_words == "Half of it stands."
    assert (bench.scripted.requests[-1].tool_choice, result.iterations) == ("none", 3)
    assert bench.scripted.requests[-1].tools == TASK.tools
    assert reason in bench.told[-2]
    assert reason in bench.told[-1]


async def test_calls_made_in_the_last_turn_are_answered_and_it_is_tried_once_more() -> None:
    script = [asks("SELECT 1"), asks("SELECT 2"), asks("SELECT 3")]
    bench = Bench(script)

    result = await bench.run(with_limits(max_iterations=1))

    assert result.status == "stopped"
    assert result.last_words is None
    assert bench.ran == ["SELECT 1"]
    assert bench.results[1:] == ["Not executed: the work was stopped before this call."] * 2


async def test_a_model_that_fails_in_the_last_turn_changes_nothing() -> None:
    bench = Bench([asks("SELECT 1"), ModelRejected("no")])

    assert (await bench.run(with_limits(max_iterations=1))).status == "stopped"


async def test_a_model_is_told_before_its_calls_run_out() -> None:
    bench = Bench([*(asks(f"SELECT {number}") for number in range(3)), "Done."])

    await bench.run(with_limits(max_iterations=4))

    assert bench.results == [
        "ran SELECT 0\n[3 of 4 model calls left]",
        "ran SELECT 1",
        "ran SELECT 2\n[1 of 4 model calls left]",
    ]


async def test_time_that_runs_out_between_calls_leaves_the_rest_unexecuted() -> None:
    def slow(sql: str) -> ToolOutcome:
        bench.now += 10.0
        return ToolOutcome(sql, failed=False, state="s")

    bench = Bench([asks("SELECT 1", "SELECT 2"), "Half."], answers=slow)

    await bench.run(with_limits(max_seconds=5.0))

    assert bench.results == ["SELECT 1", "Not executed: the work was stopped before this call."]


@pytest.mark.parametrize("error", [RunLimit("budget"), ModelRejected("no")], ids=["limit", "model"])
async def test_what_the_model_raises_passes_and_every_call_has_its_result(
    error: TaskgraphError,
) -> None:
    bench = Bench([asks("SELECT 1", "SELECT 2"), error])

    with pytest.raises(type(error)):
        await bench.run()

    assert len(bench.results) == 2


async def test_a_tool_that_cannot_go_on_leaves_no_call_open() -> None:
    bench = Bench(
        [asks("SELECT 1", "SELECT 2", "SELECT 3")],
        answers=lambda sql: (
            QueryStuck("stuck") if sql == "SELECT 2" else ToolOutcome(sql, False, "s")
        ),
    )

    with pytest.raises(QueryStuck):
        await bench.run()

    assert bench.results == [
        "SELECT 1",
        "stuck",
        "Not executed: the work was stopped before this call.",
    ]
    assert bench.steps[-1] == "durable"


async def test_a_cancelled_agent_stops_at_once() -> None:
    started = asyncio.Event()

    class Waiting:
        async def complete(self, request: ModelRequest) -> ModelResponse:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

    bench = Bench(model=Waiting())
    task = asyncio.create_task(bench.run())
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
