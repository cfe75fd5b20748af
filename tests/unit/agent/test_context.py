"""What is sent shrinks before the window is full, and when the server says that it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent_desk import TASK, Bench, asks, ends
from taskgraph.agent.task import ToolOutcome
from taskgraph.errors import (
    ContextOverflow,
)
from taskgraph.llm.messages import (
    ModelRequest,
    SystemMessage,
    ToolMessage,
    UserMessage,
)

pytestmark = pytest.mark.anyio


async def test_old_results_are_left_out_in_one_batch() -> None:
    bench = _bench_with_long_results(rounds=12)

    await bench.run(replace(TASK, context_length=40_000))

    counts = [_elided(bench, number) for number in range(13)]
    changes = sorted(set(counts))
    assert changes[0] == 0
    assert len(changes) <= 3
    assert all(len(one) > 9_000 for one in bench.results)


async def test_the_newest_results_and_the_task_always_stay() -> None:
    bench = _bench_with_long_results(rounds=12)

    await bench.run(replace(TASK, context_length=40_000))

    for number in range(13):
        sent = bench.sent(number)
        assert sent[:2] == [SystemMessage("The job."), UserMessage("The task.")]
        results = [one.content for one in sent if isinstance(one, ToolMessage)]
        assert all("left out" not in one for one in results[-3:])


async def test_a_window_that_nobody_knows_is_never_full() -> None:
    bench = _bench_with_long_results(rounds=12)

    await bench.run()

    assert [_elided(bench, number) for number in range(13)] == [0] * 13


async def test_an_answer_never_takes_more_than_its_part_of_a_small_window() -> None:
    bench = Bench([ends(None, "length"), "Done."])

    await bench.run(replace(TASK, context_length=8_000))

    assert [one.max_tokens for one in bench.scripted.requests] == [2_000, 4_000]


async def test_an_overflow_cuts_more_each_time_and_then_ends() -> None:
    bench = _bench_with_long_results(
        rounds=6, last=lambda request: ContextOverflow("too long"), answers=5
    )

    with pytest.raises(ContextOverflow, match=r"context_exhausted.*too long"):
        await bench.run()

    refused = bench.scripted.requests[6:]
    sizes = [sum(len(str(one)) for one in request.messages) for request in refused]
    assert sizes == sorted(sizes, reverse=True)
    assert len(refused) == 5
    assert refused[3] == refused[4]  # for the node's next model
    assert {request.step for request in refused} == {7}
    assert len(bench.results) == 6


async def test_after_an_overflow_the_agent_goes_on() -> None:
    overflows = iter([ContextOverflow("too long")])
    bench = _bench_with_long_results(
        rounds=6, last=lambda request: next(overflows, "Done."), answers=2
    )

    assert (await bench.run()).status == "accepted"


async def test_rounds_are_left_out_whole() -> None:
    overflows = iter([ContextOverflow("too long")] * 3)
    bench = _bench_with_long_results(
        rounds=6, last=lambda request: next(overflows, "Done."), answers=4
    )

    await bench.run()

    kinds = [type(one).__name__.removesuffix("Message") for one in bench.sent(-1)]
    assert kinds == ["System", "User", "User", "Assistant", "Tool", "Assistant", "Tool"]


async def test_a_single_result_that_fills_the_window_is_cut_as_the_last_resort() -> None:
    overflows = iter([ContextOverflow("too long")])
    bench = _bench_with_long_results(
        rounds=1, last=lambda request: next(overflows, "Done."), answers=2
    )

    assert (await bench.run()).status == "accepted"
    (result,) = [one for one in bench.sent(-1) if isinstance(one, ToolMessage)]
    assert result.content.endswith("[cut to fit your context window: ask for less]")
    assert len(result.content) < 4_200


def _bench_with_long_results(
    rounds: int,
    last: Callable[[ModelRequest], str | ContextOverflow] = lambda request: "Done.",
    answers: int = 4,
) -> Bench:
    return Bench(
        [*(asks(f"SELECT {number}") for number in range(rounds)), *[last] * answers],
        answers=lambda sql: ToolOutcome(f"{sql}\n" + "0123456789" * 1_000, failed=False, state="s"),
    )


def _elided(bench: Bench, number: int) -> int:
    return sum("left out" in str(message) for message in bench.sent(number))
