"""Faults 30 to 34 and 41 to 43: replies with status 200 that are no answers, or odd ones."""

from __future__ import annotations

from typing import Any

import pytest

from model_wire import MODEL, JumpingClock, ask, client_of, request
from taskgraph.errors import (
    AuthenticationFailed,
    ModelGarbled,
    ModelRejected,
    ModelUnreachable,
    PaymentRequired,
    TaskgraphError,
)
from taskgraph.llm.accounts import Allowance
from taskgraph.llm.budget import BudgetedModel
from taskgraph.llm.ledger import Ledger
from taskgraph.llm.messages import ToolMessage
from taskgraph.testing import Answer, FakeOpenRouter, Reply, body, calls, error, text
from taskgraph.testing.completions import DialectName

pytestmark = pytest.mark.anyio

USAGE = {"prompt_tokens": 100, "completion_tokens": 7, "cost": 0.25}
TRIED_AGAIN: dict[str, tuple[Reply, str]] = {
    "502": (error(502, "Internal Server Error", inside=200), "server"),
    "no code": (body({"error": {"message": "upstream died"}}), "server"),
    "null code": (body({"error": {"message": "x", "code": None}, "choices": None}), "server"),
    "string code": (body({"error": {"message": "x", "code": "server_error"}}), "server"),
    "code as text": (body({"error": {"message": "x", "code": "503"}}), "server"),
    "bare text": (body({"error": "overloaded"}), "server"),
    "error_type": (
        body({"error": {"message": "x", "error_type": "provider_overloaded"}}),
        "server",
    ),
    "429": (error(429, "slow down", inside=200), "rate limit"),
    "nested 429": (
        body({"error": {"message": "x", "metadata": {"raw": '{"error": {"code": 429}}'}}}),
        "rate limit",
    ),
    "choice's error": (
        body({"choices": [{"error": {"code": 502, "message": "x"}, "message": {"content": "y"}}]}),
        "server",
    ),
}


@pytest.mark.parametrize(("reply", "reason"), TRIED_AGAIN.values(), ids=TRIED_AGAIN)
async def test_fault_30_error_inside_a_200_is_tried_again_by_its_class(
    fake: FakeOpenRouter, reply: Reply, reason: str
) -> None:
    fake.agent("a").send(reply).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, [reason])


@pytest.mark.parametrize(
    ("code", "kind"),
    [(401, AuthenticationFailed), (402, PaymentRequired), (400, ModelRejected)],
)
async def test_fault_30_error_inside_a_200_ends_the_call_by_its_class(
    fake: FakeOpenRouter, code: int, kind: type[TaskgraphError]
) -> None:
    fake.agent("a").send(error(code, "no", inside=200))
    ending = await ask(fake)
    assert isinstance(ending.error, kind)
    assert f"HTTP {code} inside a 200" in str(ending.error)
    assert ending.attempts == 1


HOLLOW: dict[str, dict[str, Any]] = {
    "choices null": {"choices": None},
    "choices empty": {"choices": []},
    "no message": {"choices": [{"index": 0}]},
    "message null": {"choices": [{"message": None}]},
    "no choices": {"id": "x"},
}


@pytest.mark.parametrize("hollow", HOLLOW.values(), ids=HOLLOW)
async def test_fault_31_body_without_a_message_is_tried_again_and_its_usage_kept(
    fake: FakeOpenRouter, hollow: dict[str, Any]
) -> None:
    fake.agent("a").send(body({**hollow, "usage": USAGE})).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["garbled"])
    (lost,) = ending.lost
    assert lost.usage
    assert (lost.usage.total_tokens, lost.usage.cost_usd) == (107, 0.25)


GARBAGE = {
    "empty": b"",
    "bare string": b'"error code: 1015"',
    "bare text": b"error code: 1015",
    "list": b"[]",
    "deep": b"[" * 100_000,
    "extra data": b'{"choices": []}\ndata: [DONE]',
    "event stream": b'data: {"choices": []}\n\n',
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_fault_31_body_that_is_no_object_is_tried_again(
    fake: FakeOpenRouter, garbage: bytes
) -> None:
    fake.agent("a").send(body(garbage)).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["garbled"])


async def test_fault_31_byte_order_mark_and_raw_line_ends_are_accepted(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(body(b'\xef\xbb\xbf{"choices":[{"message":{"content":"two\nlines"}}]}'))
    assert (await ask(fake)).text == "two\nlines"


async def test_fault_32_partial_answer_of_a_broken_one_is_thrown_away_and_its_usage_kept(
    fake: FakeOpenRouter,
) -> None:
    broken = Answer(text="The answer is fo", usage=USAGE, choice={"finish_reason": "error"})
    fake.agent("a").reply(broken).reply("forty-two")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("forty-two", 2, ["server"])
    assert [lost.usage.cost_usd for lost in ending.lost if lost.usage] == [0.25]


NOTHING = Answer(text="", usage={"prompt_tokens": 0, "completion_tokens": 0, "cost": 0})


async def test_fault_33_answer_of_nothing_is_tried_three_times(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(NOTHING, times=3)
    ending = await ask(fake)
    assert isinstance(ending.error, ModelGarbled)
    assert "answered with nothing" in str(ending.error)
    assert (ending.attempts, ending.waits) == (3, [0.5, 1.0])


async def test_fault_33_answer_of_nothing_is_forgotten_once_there_is_one(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(NOTHING, times=2).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 3, ["empty", "empty"])


@pytest.mark.parametrize(
    "answer",
    [
        Answer(text="", reasoning="Hmm."),
        Answer(text=None, choice={"finish_reason": "length"}, usage=None),
        Answer(text="", usage={"completion_tokens": 9}),
        Answer(text=None, reasoning_details='[{"type":"reasoning.encrypted"}]', usage=None),
    ],
    ids=["thought only", "cut by length", "tokens spent", "encrypted thought"],
)
async def test_fault_33_answer_without_words_that_cost_something_is_left_to_the_agent(
    fake: FakeOpenRouter, answer: Answer
) -> None:
    fake.agent("a").reply(answer)
    ending = await ask(fake)
    assert ending.response
    assert not ending.response.message.content
    assert ending.attempts == 1


@pytest.mark.parametrize("dialect", ["ollama", "vllm", "llamacpp"])
async def test_fault_34_cost_that_no_local_server_tells_comes_from_the_table(
    dialect: DialectName,
) -> None:
    warnings: list[str] = []
    ledger = Ledger(Allowance(max_cost=1.0), warn=warnings.append)
    with FakeOpenRouter(dialect=dialect) as fake:
        fake.agent("a").reply("one").reply("two")
        async with client_of(fake, JumpingClock().clock) as client:
            model = BudgetedModel(client, ledger, "a")
            one = await model.complete(request())
            two = await model.complete(request())
    assert one.cost_source == two.cost_source == "table"
    expected = one.usage.prompt_tokens * 1.75e-6 + one.usage.completion_tokens * 14e-6
    assert one.usage.cost_usd == pytest.approx(expected)
    assert ledger.spending().cost_usd == pytest.approx(2 * expected)
    assert len(warnings) == 1
    assert MODEL in warnings[0]


async def test_fault_34_usage_that_nobody_tells_is_estimated_and_unknown_cost_is_said_loudly(
    fake: FakeOpenRouter,
) -> None:
    warnings: list[str] = []
    ledger = Ledger(Allowance(max_cost=1.0, max_tokens=100_000), warn=warnings.append)
    fake.agent("a").reply(text("x" * 350, usage=None))
    async with client_of(fake, JumpingClock().clock) as client:
        model = BudgetedModel(client, ledger, "a")
        response = await model.complete(request(model="unheard/of"))
    assert response.usage.cost_usd is None
    assert response.cost_source == "none"
    assert response.usage.completion_tokens == 100
    assert ledger.spending().tokens == response.usage.total_tokens > 100
    assert "nobody tells what 'unheard/of' costs" in warnings[0]


async def test_fault_34_litellm_tells_the_cost_in_a_header() -> None:
    with FakeOpenRouter(dialect="litellm") as fake:
        fake.agent("a").reply("done")
        ending = await ask(fake)
    assert ending.response
    assert ending.response.usage.cost_usd
    assert ending.response.cost_source == "server"


FILTERED = Answer(text="I can", choice={"finish_reason": "content_filter"})


async def test_fault_41_filtered_answer_is_tried_once_more(fake: FakeOpenRouter) -> None:
    fake.agent("a").reply(FILTERED).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["filter"])
    assert len(ending.lost) == 1


async def test_fault_41_filter_that_strikes_twice_fails_the_agent(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(FILTERED, times=2)
    ending = await ask(fake)
    assert isinstance(ending.error, ModelRejected)
    assert "content filter" in str(ending.error)
    assert ending.attempts == 2


async def test_fault_41_filtered_answer_with_calls_is_one(fake: FakeOpenRouter) -> None:
    fake.agent("a").reply(
        calls(("run_sql", {"sql": "select 1"}), choice={"finish_reason": "content_filter"})
    )
    ending = await ask(fake)
    assert ending.response
    assert ending.attempts == 1


async def test_fault_42_last_error_and_all_tries_are_told(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(error(502, "bad")).send(body(b"")).send(error(503, "worse"), times=4)
    ending = await ask(fake)
    assert isinstance(ending.error, ModelUnreachable)
    assert "HTTP 503" in str(ending.error)
    assert "worse" in str(ending.error)
    assert "6 attempts (server 5, garbled 1)" in str(ending.error)
    assert ending.waits == [0.5, 1.0, 2.0, 4.0, 8.0]


async def test_fault_42_failures_before_an_answer_are_kept_with_their_waits(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(error(502, "bad")).send(error(529, "worse")).reply("done")
    ending = await ask(fake)
    assert ending.response
    assert ending.response.attempts == 3
    kept = [(one.reason, one.wait_s) for one in ending.response.failed_attempts]
    assert kept == [("server", 0.5), ("server", 1.0)]


@pytest.mark.parametrize(
    ("native", "finish"),
    [("STOP", "stop"), ("end_turn", "stop"), ("MAX_TOKENS", "length"), (None, "other")],
)
async def test_fault_43_null_finish_reason_is_read_from_the_native_one(
    fake: FakeOpenRouter, native: str | None, finish: str
) -> None:
    choice = {"finish_reason": None, "native_finish_reason": native}
    fake.agent("a").reply(Answer(text="done", choice=choice))
    ending = await ask(fake)
    assert ending.response
    assert (ending.text, ending.response.finish_reason) == ("done", finish)


DETAILS = (
    '[ {"type": "reasoning.encrypted", "data": "gAAAA\\u00e9=", "index": 0, "id":null},'
    '\n {"format":"x","weight":1.0e0}]'
)


LIKE_A_KEY = '[{"data":"abc-sk-0123456789abcdef"}]'


@pytest.mark.parametrize(
    "details", [DETAILS, "[]", LIKE_A_KEY], ids=["signed", "empty", "like a key"]
)
async def test_reasoning_details_go_back_byte_for_byte(fake: FakeOpenRouter, details: str) -> None:
    lane = fake.agent("a")
    lane.reply(calls(("run_sql", {"sql": "select 1"}), reasoning_details=details)).reply("done")
    async with client_of(fake, JumpingClock().clock) as client:
        first = await client.complete(request())
        result = ToolMessage(first.message.tool_calls[0].id, "1")
        await client.complete(request("a", first.message, result, step=2))
    assert f'"reasoning_details":{details}'.encode() in lane.seen[1].raw


@pytest.mark.parametrize("dialect", ["ollama", "vllm", "llamacpp", "litellm"])
async def test_local_server_carries_a_whole_conversation(dialect: DialectName) -> None:
    with FakeOpenRouter(dialect=dialect) as local:
        local.agent("a").reply(
            calls(("run_sql", {"sql": "select 1"}), reasoning="Hmm.", arguments_as_text=False)
        ).reply("done")
        async with client_of(local, JumpingClock().clock) as client:
            first = await client.complete(request())
            result = ToolMessage(first.message.tool_calls[0].id, "1")
            last = await client.complete(request("a", first.message, result, step=2))
    assert first.message.reasoning == "Hmm."
    assert first.message.tool_calls[0].arguments == '{"sql":"select 1"}'
    assert last.message.content == "done"
