"""Faults 17 to 29: what a server can say instead of an answer."""

from __future__ import annotations

import pytest

from model_wire import KEY, MODEL, JumpingClock, ask, client_of, request
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


REFUSED_EFFORT = {
    "openai": "Unsupported parameter: 'reasoning_effort' is not supported with this model.",
    "openai, older": "Unrecognized request argument supplied: reasoning_effort",
    "litellm": "UnsupportedParamsError: x does not support parameters: ['reasoning_effort']",
    "ollama": '"llama3.1:8b" does not support thinking',
    "ollama, a switch": 'think value "low" is not supported for this model',
}


@pytest.mark.parametrize("words", REFUSED_EFFORT.values(), ids=REFUSED_EFFORT)
async def test_model_that_cannot_be_told_how_hard_to_think_is_asked_without(words: str) -> None:
    with FakeOpenRouter(dialect="ollama") as fake:
        fake.agent("a").send(error(400, words)).reply("one").reply("two")
        async with client_of(fake, JumpingClock().clock) as client:
            answers = [await client.complete(request("a", step=step)) for step in (1, 2)]
    efforts = [seen.body.get("reasoning_effort") for seen in fake.agent("a").seen]
    assert efforts == ["low", None, None]
    assert [len(answer.warnings) for answer in answers] == [1, 0]
    assert "reasoning_effort is left out" in answers[0].warnings[0]


async def test_effort_that_is_refused_without_having_been_sent_ends_the_call(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(error(400, REFUSED_EFFORT["ollama"]), times=2)
    ending = await ask(fake)
    assert isinstance(ending.error, ModelRejected)
    assert ending.attempts == 2
