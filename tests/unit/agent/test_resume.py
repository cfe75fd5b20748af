"""A stored conversation goes on where it stood."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from agent_desk import TASK, Bench, asks, with_limits
from taskgraph.errors import (
    RunLimit,
)
from taskgraph.llm.messages import (
    AssistantMessage,
    Message,
    ToolMessage,
    Usage,
    UserMessage,
)
from taskgraph.llm.scripted import ScriptedAnswer

pytestmark = pytest.mark.anyio


async def test_it_asks_again_what_nobody_answered() -> None:
    history = await _history([asks("SELECT 1"), RunLimit("budget")])
    bench = Bench(["Done."])

    result = await bench.run(replace(TASK, history=history, spent=Usage(100, 10)))

    assert result.status == "accepted"
    assert (result.iterations, result.tool_calls) == (2, 1)
    assert result.usage.total_tokens > 110
    assert bench.scripted.requests[0].step == 2
    assert bench.sent(0)[-1] == history[-1]
    assert bench.positions == [4, 5]


async def test_calls_without_a_result_are_run() -> None:
    history = await _history([asks("SELECT 1", "SELECT 2"), RunLimit("budget")])
    bench = Bench(["Done."])

    await bench.run(replace(TASK, history=history[:-1]))

    assert bench.ran == ["SELECT 2"]
    assert [type(one) for one in bench.sent(0)][-3:] == [
        AssistantMessage,
        ToolMessage,
        ToolMessage,
    ]


async def test_a_closing_message_that_nobody_judged_is_judged() -> None:
    history = await _history(["Done."])
    bench = Bench([])

    result = await bench.run(replace(TASK, history=history[:3]))

    assert (result.status, result.last_words) == ("accepted", "Done.")


async def test_a_stopped_agent_is_told_that_it_has_its_tool_again() -> None:
    stopped = Bench([asks("SELECT 1"), "Half."])
    await stopped.run(with_limits(max_iterations=1))
    bench = Bench([asks("SELECT 2"), "Done."])

    result = await bench.run(replace(with_limits(max_iterations=9), history=tuple(stopped.said)))

    assert result.status == "accepted"
    assert isinstance(last := bench.sent(0)[-1], UserMessage)
    assert "goes on now" in last.content


async def test_an_agent_killed_in_its_last_turn_is_told_that_it_has_its_tool_again() -> None:
    stopped = Bench([asks("SELECT 1"), "Half."])
    await stopped.run(with_limits(max_iterations=1))
    bench = Bench([asks("SELECT 2"), "Done."])

    history = tuple(stopped.said[:-2])
    await bench.run(replace(with_limits(max_iterations=9), history=history))

    assert isinstance(asked := history[-1], UserMessage)
    assert "last turn" in asked.content
    assert isinstance(last := bench.sent(0)[-1], UserMessage)
    assert "goes on now" in last.content


async def test_a_limit_that_was_not_raised_costs_no_further_call() -> None:
    history = await _history([asks("SELECT 1"), asks("SELECT 2"), RunLimit("budget")])
    bench = Bench([])

    result = await bench.run(replace(with_limits(max_iterations=2), history=history))

    assert (result.status, result.iterations) == ("stopped", 2)
    assert bench.scripted.requests == []


async def _history(script: list[ScriptedAnswer]) -> tuple[Message, ...]:
    bench = Bench(script)
    with contextlib.suppress(RunLimit):
        await bench.run()
    return tuple(bench.said)
