"""Faults 17 to 29: what a server can say instead of an answer."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from email.utils import format_datetime

import pytest

from model_wire import KEY, MODEL, NOW, HeldClock, JumpingClock, ask, client_of, request, until
from taskgraph.errors import (
    AuthenticationFailed,
    ContextOverflow,
    ModelError,
    ModelGarbled,
    ModelRejected,
    ModelUnavailable,
    ModelUnreachable,
    PaymentRequired,
    RunError,
    ServiceExhausted,
    WrongEndpoint,
)
from taskgraph.testing import (
    FakeOpenRouter,
    Reply,
    ServerState,
    body,
    error,
    page,
    with_header,
)
from taskgraph.testing.completions import DialectName

pytestmark = pytest.mark.anyio

CLOUDFLARE = "<html><head><title>x</title></head><body><h1>Bad gateway</h1>\n Ray ID</body></html>"


@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 504, 520, 524, 529, 599])
async def test_fault_17_server_trouble_is_tried_again(fake: FakeOpenRouter, status: int) -> None:
    fake.agent("a").send(page(status, CLOUDFLARE)).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["server"])
    assert ending.response
    message = ending.response.failed_attempts[0].message
    assert f"HTTP {status}" in message
    assert message.endswith("Bad gateway Ray ID")


async def test_fault_17_server_trouble_without_end_fails_the_agent(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(page(524, CLOUDFLARE), times=6)
    ending = await ask(fake)
    assert isinstance(ending.error, ModelUnreachable)
    assert (ending.attempts, ending.waits) == (6, [0.5, 1.0, 2.0, 4.0, 8.0])


async def test_fault_18_web_page_instead_of_an_answer_names_what_came(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(page(200, "<html>Please log in</html>"), times=6)
    ending = await ask(fake)
    assert isinstance(ending.error, ModelGarbled)
    assert "got text/html from 127.0.0.1" in str(ending.error)
    assert "base URL" in str(ending.error.hint)
    assert ending.attempts == 6


async def test_fault_19_redirect_stops_the_run_and_names_its_target(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(with_header(body("", status=301), "Location", "https://new.example/v1"))
    ending = await ask(fake)
    assert isinstance(ending.error, WrongEndpoint)
    assert "redirects to https://new.example/v1" in str(ending.error)
    assert ending.attempts == 1


async def test_fault_20_refused_key_stops_the_run_and_is_never_shown(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(error(401, f"Invalid key Bearer {KEY}"))
    ending = await ask(fake)
    assert isinstance(ending.error, AuthenticationFailed)
    assert "[key]" in str(ending.error)
    assert KEY not in f"{ending.error} {ending.error.hint} {ending.error.__cause__}"
    assert (ending.attempts, ending.waits) == (1, [])


async def test_fault_20_another_key_in_an_error_is_not_shown_either(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(error(400, "upstream refused sk-proj-0123456789abcdef"))
    ending = await ask(fake)
    assert "upstream refused [key]" in str(ending.error)


async def test_fault_20_key_that_a_server_repeats_is_not_kept(fake: FakeOpenRouter) -> None:
    fake.agent("a").reply(f"your key is {KEY}")
    ending = await ask(fake)
    assert ending.response
    assert KEY not in repr(ending.response)


async def test_fault_21_no_credit_stops_the_run_and_tells_what_is_left() -> None:
    with FakeOpenRouter(state=ServerState(credits=0.012)) as fake:
        ending = await ask(fake)
    assert isinstance(ending.error, PaymentRequired)
    assert "can only afford 1200" in str(ending.error)
    assert "1200 more tokens" in str(ending.error.hint)
    assert "taskgraph resume" in str(ending.error.hint)
    assert ending.attempts == 1


MODERATED = {"reasons": ["violence"], "flagged_input": "x", "provider_name": "OpenAI"}


async def test_fault_22_moderation_fails_this_agent_with_its_reasons(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(error(403, "Your input was flagged", metadata=MODERATED))
    ending = await ask(fake)
    assert isinstance(ending.error, ModelRejected)
    assert "moderation: violence" in str(ending.error)
    assert ending.attempts == 1


async def test_fault_22_first_403_without_a_reason_stops_the_run_a_later_one_does_not(
    fake: FakeOpenRouter,
) -> None:
    forbidden = page(403, "<html>Forbidden by policy</html>")
    fake.agent("a").send(forbidden).reply("done").send(forbidden)
    raised: list[Exception] = []
    async with client_of(fake, JumpingClock().clock) as client:
        for _ in range(3):
            try:
                await client.complete(request())
            except (RunError, ModelError) as failure:
                raised.append(failure)
    assert [type(failure) for failure in raised] == [AuthenticationFailed, ModelRejected]


NOT_THERE = {
    "tools": "No endpoints found that support tool use. To learn more, visit: https://...",
    "data policy": "No endpoints found matching your data policy.",
    "unknown": "No endpoints found for openai/gpt-9.",
}


@pytest.mark.parametrize("message", NOT_THERE.values(), ids=NOT_THERE)
async def test_fault_23_model_that_is_not_there_stops_with_the_servers_words(
    fake: FakeOpenRouter, message: str
) -> None:
    fake.agent("a").send(error(404, message))
    ending = await ask(fake)
    assert isinstance(ending.error, ModelUnavailable)
    assert message in str(ending.error)
    assert ending.attempts == 1


@pytest.mark.parametrize(
    "reply",
    [page(404, "<html>nginx</html>"), body({"detail": "Not Found"}, status=404), page(405, "no")],
    ids=["page", "fastapi", "method"],
)
async def test_fault_23_address_without_an_api_is_told_from_a_missing_model(
    fake: FakeOpenRouter, reply: Reply
) -> None:
    fake.agent("a").send(reply)
    ending = await ask(fake)
    assert isinstance(ending.error, WrongEndpoint)
    assert "/v1" in str(ending.error.hint)


@pytest.mark.parametrize("status", [400, 412, 415, 422, 451])
async def test_fault_24_refused_request_is_never_sent_again(
    fake: FakeOpenRouter, status: int
) -> None:
    fake.agent("a").send(error(status, "Invalid schema for function 'run_sql'"))
    ending = await ask(fake)
    assert isinstance(ending.error, ModelRejected)
    assert "Invalid schema for function 'run_sql'" in str(ending.error)
    assert (ending.attempts, ending.waits) == (1, [])


async def test_fault_24_providers_own_400_is_tried_once_without_that_provider(
    fake: FakeOpenRouter,
) -> None:
    upstream = {"provider_name": "Azure", "raw": "unsupported parameter"}
    fake.agent("a").send(error(400, "Provider returned error", metadata=upstream), times=2)
    ending = await ask(fake)
    assert isinstance(ending.error, ModelRejected)
    assert ending.attempts == 2
    assert [seen.body.get("provider") for seen in fake.agent("a").seen] == [
        None,
        {"ignore": ["Azure"]},
    ]


@pytest.mark.parametrize("dialect", ["openrouter", "ollama", "vllm", "llamacpp", "litellm"])
async def test_fault_25_overflow_is_recognised_in_each_dialect(dialect: DialectName) -> None:
    state = ServerState(context_limits={MODEL: 2050})
    with FakeOpenRouter(dialect=dialect, state=state) as fake:
        ending = await ask(fake)
    assert isinstance(ending.error, ContextOverflow)
    assert "2050" in str(ending.error)
    assert (ending.attempts, ending.waits) == (1, [])


OVERFLOWS = {
    "413": page(413, "<h1>Request Entity Too Large</h1>"),
    "anthropic": error(400, "prompt is too long: 250000 tokens > 200000 maximum"),
    "error_type": error(400, "no", metadata={"error_type": "context_length_exceeded"}),
    "bedrock": error(400, "Input is too long for requested model."),
    "500": error(500, "exceed context limit"),
    "inside 200": error(400, "Token limit reached", inside=200),
}


@pytest.mark.parametrize("reply", OVERFLOWS.values(), ids=OVERFLOWS)
async def test_fault_25_overflow_is_recognised_in_every_wording(
    fake: FakeOpenRouter, reply: Reply
) -> None:
    fake.agent("a").send(reply)
    ending = await ask(fake)
    assert isinstance(ending.error, ContextOverflow)


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


async def test_fault_29_server_that_calls_itself_retryable_is_believed(
    fake: FakeOpenRouter,
) -> None:
    availability = {"code": "temporarily_unavailable", "retryable": True, "retry_after": 4}
    fake.agent("a").send(error(503, "busy", availability=availability)).send(
        error(404, "soon back", availability={"code": "new_code", "retryable": True})
    ).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts) == ("done", 3)
    assert ending.waits == pytest.approx([4.5, 1.0])


@pytest.mark.parametrize("status", [400, 403, 404, 503])
async def test_fault_29_model_said_to_be_gone_for_good_is_not_asked_again(
    fake: FakeOpenRouter, status: int
) -> None:
    gone = {"code": "model_deprecated", "retryable": False}
    fake.agent("a").send(error(status, "gone", availability=gone))
    ending = await ask(fake)
    assert isinstance(ending.error, ModelUnavailable)
    assert ending.attempts == 1


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
