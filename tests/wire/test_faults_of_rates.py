"""Faults 26 to 28, and their kin: a server that is asked too often."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from email.utils import format_datetime

import pytest

from model_wire import NOW, HeldClock, JumpingClock, ask, client_of, request, until
from taskgraph.errors import PaymentRequired, ServiceExhausted
from taskgraph.testing import FakeOpenRouter, Reply, error

pytestmark = pytest.mark.anyio

RESET_MS = str(int((NOW + timedelta(seconds=9)).timestamp() * 1000))
WAITS: dict[str, tuple[dict[str, str], float]] = {
    "no hint": ({}, 0.5),
    "seconds": ({"Retry-After": "7"}, 7.0),
    "fraction": ({"Retry-After": "1.5"}, 1.5),
    "date": ({"Retry-After": format_datetime(NOW + timedelta(seconds=11), usegmt=True)}, 11.0),
    "date without zone": ({"Retry-After": "Fri, 20 Nov 2026 12:00:04 -0000"}, 4.0),
    "past date": ({"Retry-After": format_datetime(NOW - timedelta(days=1), usegmt=True)}, 0.5),
    "nonsense": ({"Retry-After": "soon"}, 0.5),
    "reset in ms": ({"X-RateLimit-Reset": RESET_MS}, 9.0),
    "reset in s": ({"X-RateLimit-Reset": RESET_MS[:-3]}, 9.0),
    "the longest": ({"Retry-After": "2", "X-RateLimit-Reset": RESET_MS}, 9.0),
}


@pytest.mark.parametrize(("headers", "least"), WAITS.values(), ids=WAITS)
async def test_fault_26_rate_limit_is_waited_out_with_jitter(
    fake: FakeOpenRouter, headers: dict[str, str], least: float
) -> None:
    fake.agent("a").send(error(429, "slow down", headers=headers)).reply("done")
    ending = await ask(fake, jitter=0.5)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["rate limit"])
    assert ending.waits == pytest.approx([least + 0.25])


async def test_fault_26_reset_in_the_body_is_waited_for(fake: FakeOpenRouter) -> None:
    metadata = {"headers": {"X-RateLimit-Limit": "20", "X-RateLimit-Reset": RESET_MS}}
    availability = {"code": "capacity_exhausted", "retryable": True, "retry_after": 3}
    fake.agent("a").send(error(429, "slow", metadata=metadata)).send(
        error(429, "slow", availability=availability)
    ).reply("done")
    ending = await ask(fake)
    assert ending.waits == pytest.approx([9.25, 3.25])


async def test_fault_26_rate_limits_do_not_use_up_the_tries(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(error(429, "slow", headers={"Retry-After": "5"}), times=20).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts) == ("done", 21)


async def test_fault_26_rate_limit_without_end_stops_after_ten_minutes(
    fake: FakeOpenRouter,
) -> None:
    fake.default(lambda _: error(429, "slow", headers={"Retry-After": "60"}))
    ending = await ask(fake)
    assert isinstance(ending.error, ServiceExhausted)
    assert "waiting did not help" in str(ending.error)
    assert 600 <= sum(ending.waits) < 800


async def test_fault_27_all_agents_of_a_model_pause_and_come_back_one_by_one(
    fake: FakeOpenRouter,
) -> None:
    agents = [f"n{i}" for i in range(50)]
    for name in agents:
        fake.agent(name).reply(f"done {name}")
    fake.agent("first").send(error(429, "slow", headers={"Retry-After": "20"})).reply("done")
    clock = HeldClock()
    starts: list[float] = []
    async with client_of(fake, clock.clock) as client, asyncio.TaskGroup() as group:
        first = group.create_task(client.complete(request("first")))
        await until(lambda: clock.sleepers == 1)
        asked = [group.create_task(client.complete(request(name))) for name in agents]
        await until(lambda: clock.sleepers == 51)
        assert sum(fake.attempts(name) for name in agents) == 0
        while clock.sleepers:
            starts.append(clock.wake_next())
            await until(lambda: _answered([first, *asked]) == len(starts) or not clock.sleepers)
    assert [task.result().message.content for task in asked] == [f"done {name}" for name in agents]
    assert starts[0] >= 20.0
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert min(gaps) >= 0.125


async def test_fault_27_limit_met_again_sends_the_others_back_to_wait(
    fake: FakeOpenRouter,
) -> None:
    limited = error(429, "slow", headers={"Retry-After": "20"})
    fake.agent("a").send(limited, times=2).reply("done")
    fake.agent("b").reply("done")
    fake.agent("c").reply("done")
    clock = HeldClock()
    async with client_of(fake, clock.clock) as client, asyncio.TaskGroup() as group:
        for number, name in enumerate("abc", start=1):
            group.create_task(client.complete(request(name)))
            await until(lambda number=number: clock.sleepers == number)
        while clock.now < 40.0:
            assert fake.attempts("b") + fake.attempts("c") == 0
            clock.wake_next()
            await until(lambda: clock.sleepers == 3 or clock.now >= 40.0)
        while clock.sleepers:
            clock.wake_next()
            await until(lambda: clock.sleepers > 0 or fake.in_flight == 0)
    assert [fake.attempts(name) for name in "abc"] == [3, 1, 1]


async def test_fault_27_other_models_go_on(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(error(429, "slow", headers={"Retry-After": "20"})).reply("done")
    fake.agent("b").reply("done")
    clock = HeldClock()
    async with client_of(fake, clock.clock) as client, asyncio.TaskGroup() as group:
        held = group.create_task(client.complete(request("a")))
        await until(lambda: clock.sleepers == 1)
        answer = await client.complete(request("b", model="anthropic/claude-haiku-4.5"))
        assert answer.message.content == "done"
        assert not held.done()
        while clock.sleepers:
            clock.wake_next()
            await until(lambda: held.done() or clock.sleepers > 0)


async def test_fault_27_call_that_waited_for_its_place_still_heeds_a_new_pause(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(error(429, "slow", headers={"Retry-After": "20"})).reply("done")
    fake.agent("b").reply("done")
    clock = JumpingClock()
    async with (
        client_of(fake, clock.clock, max_concurrency=1) as client,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(client.complete(request("a")))
        group.create_task(client.complete(request("b")))
    assert clock.now >= 20.0
    assert fake.peak == 1


DAILY = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free requests"
LONG = {
    "an hour": (error(429, "slow down", headers={"Retry-After": "3600"}), "3,600 s"),
    "per day": (error(429, DAILY, headers={"X-RateLimit-Reset": RESET_MS}), "per-day"),
    "503 for long": (error(503, "maintenance", headers={"Retry-After": "900"}), "900 s"),
}


@pytest.mark.parametrize(("reply", "words"), LONG.values(), ids=LONG)
async def test_fault_28_wait_too_long_for_a_person_stops_the_run(
    fake: FakeOpenRouter, reply: Reply, words: str
) -> None:
    fake.agent("a").send(reply)
    ending = await ask(fake)
    assert isinstance(ending.error, ServiceExhausted)
    assert words in str(ending.error)
    assert "taskgraph resume" in str(ending.error.hint)
    assert (ending.attempts, ending.waits) == (1, [])


async def test_fault_28_daily_limit_tells_when_it_ends(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(LONG["per day"][0])
    ending = await ask(fake)
    assert ending.error
    assert "resets at 2026-11-20 12:00 UTC" in str(ending.error.hint)


async def test_quota_of_an_openai_style_server_is_no_rate_limit(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(error(429, "You exceeded your current quota", code="insufficient_quota"))
    ending = await ask(fake)
    assert isinstance(ending.error, PaymentRequired)


async def test_tokens_per_minute_is_a_rate_limit_though_it_speaks_of_a_token_limit(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(error(429, "Token limit reached for requests per minute")).reply("done")
    ending = await ask(fake)
    assert ending.reasons == ["rate limit"]


def _answered(tasks: list[asyncio.Task[object]]) -> int:
    return sum(task.done() for task in tasks)
