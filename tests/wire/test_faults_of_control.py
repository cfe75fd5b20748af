"""Fault 39 and its kin: what stops from outside, in the middle of everything."""

from __future__ import annotations

import asyncio

import pytest

from model_wire import JumpingClock, client_of, request, until
from taskgraph.llm.clock import Clock
from taskgraph.llm.model import LostSpend
from taskgraph.testing import FakeOpenRouter, error, text

pytestmark = pytest.mark.anyio


async def test_fault_39_twenty_calls_in_flight_end_at_once_when_cancelled(
    fake: FakeOpenRouter,
) -> None:
    lost: list[LostSpend] = []
    for i in range(20):
        fake.agent(f"n{i}").gate("never").reply("x")
    async with client_of(fake, JumpingClock().clock, on_lost_spend=lost.append) as client:
        asked = [asyncio.create_task(client.complete(request(f"n{i}"))) for i in range(20)]
        await until(lambda: fake.in_flight == 20)
        for task in asked:
            task.cancel()
        async with asyncio.timeout(1):
            await asyncio.wait(asked)
        assert all(task.cancelled() for task in asked)
        assert len(lost) == 20

        fake.agent("after").reply("the pool is whole")
        answer = await client.complete(request("after"))
    assert answer.message.content == "the pool is whole"


async def test_fault_39_calls_that_sleep_before_their_next_try_end_at_once(
    fake: FakeOpenRouter,
) -> None:
    lost: list[LostSpend] = []
    fake.default(lambda _: error(502, "bad"))
    clock = Clock(random=lambda: 1.0)
    async with client_of(fake, clock, on_lost_spend=lost.append) as client:
        asked = [asyncio.create_task(client.complete(request(f"n{i}"))) for i in range(20)]
        await until(lambda: sum(fake.attempts(f"n{i}") for i in range(20)) == 20)
        for task in asked:
            task.cancel()
        async with asyncio.timeout(1):
            await asyncio.wait(asked)
    assert all(task.cancelled() for task in asked)


async def test_fault_39_call_that_waits_for_its_place_gives_it_back(fake: FakeOpenRouter) -> None:
    fake.agent("slow").gate("open").reply("slow")
    fake.default(lambda _: text("done"))
    async with client_of(fake, JumpingClock().clock, max_concurrency=1) as client:
        slow = asyncio.create_task(client.complete(request("slow")))
        await until(lambda: fake.in_flight == 1)
        waiting = asyncio.create_task(client.complete(request("waiting")))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        fake.release("open")
        assert (await slow).message.content == "slow"
        assert (await client.complete(request("next"))).message.content == "done"
    assert fake.attempts("waiting") == 0
