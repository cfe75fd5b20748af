"""Faults 1 to 16: what sockets and HTTP can do to a call."""

from __future__ import annotations

import asyncio
import gzip
import socket
from dataclasses import replace

import pytest

from model_wire import KEY, SHORT, JumpingClock, ask, client_of, request
from taskgraph.errors import ModelGarbled, ModelUnreachable, WrongEndpoint
from taskgraph.llm.endpoint import Endpoint
from taskgraph.llm.openrouter import OpenRouter
from taskgraph.testing import TICK, FakeOpenRouter, RawBytes, Wire, body, calls, text, with_header

pytestmark = pytest.mark.anyio

BACKOFF = [0.5, 1.0, 2.0, 4.0, 8.0]
"""Full jitter at one half of 1, 2, 4, 8, 16 seconds."""


async def test_fault_01_connection_refused_fails_after_six_tries_and_names_the_host(
    fake: FakeOpenRouter,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    ending = await ask(fake, base_url=f"http://127.0.0.1:{port}/v1")
    assert isinstance(ending.error, ModelUnreachable)
    assert f"cannot connect to 127.0.0.1:{port}" in str(ending.error)
    assert "6 attempts" in str(ending.error)
    assert ending.waits == BACKOFF
    assert ending.lost == []


DROPS = {
    "test_fault_02_reset_before_the_head": Wire(cut_head=0, ending="rst"),
    "test_fault_03_closed_before_the_head": Wire(cut_head=0, ending="fin"),
    "reset_within_the_head": Wire(cut_head=9, ending="rst"),
    "test_fault_04_reset_within_the_body": Wire(cut_body=30, ending="rst"),
    "test_fault_05_less_than_content_length": Wire(length_error=10, ending="fin"),
    "chunked_body_cut": Wire(framing="chunked", cut_body=30, ending="fin"),
}


@pytest.mark.parametrize("wire", DROPS.values(), ids=DROPS)
async def test_faults_02_to_05_connection_that_breaks_is_tried_again(
    fake: FakeOpenRouter, wire: Wire
) -> None:
    fake.agent("a").send(text("never whole"), wire).reply("done")
    ending = await ask(fake)
    assert ending.text == "done"
    assert ending.attempts == 2
    assert ending.reasons == ["broken"]
    assert ending.waits == [0.5]
    assert ending.lost == []


async def test_fault_06_body_cut_without_any_exception_is_tried_again(
    fake: FakeOpenRouter,
) -> None:
    cut = Wire(framing="close", cut_body=40, ending="fin")
    fake.agent("a").send(text("never whole"), cut).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["garbled"])


async def test_fault_07_silent_server_is_given_up_and_tried_again(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(text("x"), Wire(cut_head=0, ending="hang")).reply("done")
    ending = await ask(fake, patience=SHORT)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["silent"])
    assert len(ending.lost) == 1


async def test_fault_08_keep_alive_filler_before_the_answer_is_one_good_try(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").reply("done", Wire(ticks=309))
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.waits) == ("done", 1, [])
    assert ending.response
    assert ending.response.raw.startswith("{")


async def test_fault_09_keep_alive_for_ever_ends_at_the_deadline_and_may_have_been_paid(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(text("x"), Wire(ticks=1000, tick_s=0.05)).reply("done")
    ending = await ask(fake, patience=SHORT)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["deadline"])
    assert [(lost.usage, lost.request.asker) for lost in ending.lost] == [(None, "a")]


async def test_fault_09_deadline_is_tried_three_times_at_most(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(text("x"), Wire(ticks=1000, tick_s=0.02), times=3)
    ending = await ask(fake, patience=replace(SHORT, attempt_s=0.08))
    assert isinstance(ending.error, ModelUnreachable)
    assert "did not finish its answer in time" in str(ending.error)
    assert (ending.attempts, len(ending.lost)) == (3, 3)


async def test_fault_10_filler_and_nothing_else_is_tried_again(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(body(TICK * 309)).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["garbled"])
    assert ending.lost == []


async def test_fault_11_bytes_that_are_no_http_are_tried_again(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(RawBytes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), Wire(ending="fin")).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["broken"])


async def test_fault_12_corrupt_gzip_is_tried_again(fake: FakeOpenRouter) -> None:
    packed = bytearray(gzip.compress(b'{"choices": []}'))
    packed[12] ^= 0xFF
    broken = with_header(body(bytes(packed)), "Content-Encoding", "gzip")
    fake.agent("a").send(broken).reply("done")
    ending = await ask(fake)
    assert (ending.text, ending.attempts, ending.reasons) == ("done", 2, ["broken"])


async def test_fault_13_invalid_utf8_inside_a_string_is_accepted_and_flagged(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(body(b'{"choices":[{"message":{"content":"caf\xe9"}}]}'))
    ending = await ask(fake)
    assert (ending.text, ending.attempts) == ("caf\ufffd", 1)
    assert ending.response
    assert "no UTF-8" in ending.response.warnings[0]


async def test_fault_14_body_over_the_cap_is_not_read_to_its_end(fake: FakeOpenRouter) -> None:
    fake.agent("a").send(body(b" " * 5_000_000), times=3)
    ending = await ask(fake, patience=SHORT)
    assert isinstance(ending.error, ModelUnreachable)
    assert "over 10,000 bytes" in str(ending.error)
    assert (ending.attempts, len(ending.lost)) == (3, 3)


async def test_fault_14_unpacked_size_counts_against_the_cap(fake: FakeOpenRouter) -> None:
    bomb = with_header(body(gzip.compress(b" " * 5_000_000)), "Content-Encoding", "gzip")
    fake.agent("a").send(bomb).reply("done")
    ending = await ask(fake, patience=SHORT)
    assert (ending.text, ending.reasons) == ("done", ["too_large"])


async def test_fault_15_pooled_connection_closed_meanwhile_is_replaced(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").reply("first", Wire(ending="stale")).reply("second")
    clock = JumpingClock()
    async with client_of(fake, clock.clock) as client:
        first = await client.complete(request())
        second = await client.complete(request())
    assert (first.message.content, second.message.content) == ("first", "second")
    assert [failed.reason for failed in second.failed_attempts] == ["broken"]
    assert fake.attempts("a") == 2
    assert fake.connections == 2


async def test_fault_16_more_agents_than_places_wait_without_error(fake: FakeOpenRouter) -> None:
    fake.default(lambda seen: text(f"done {seen.lane}"))
    clock = JumpingClock()
    async with (
        client_of(fake, clock.clock, max_concurrency=4) as client,
        asyncio.TaskGroup() as group,
    ):
        asked = [group.create_task(client.complete(request(f"n{i}"))) for i in range(40)]
    assert [task.result().message.content for task in asked] == [f"done n{i}" for i in range(40)]
    assert fake.peak <= 4
    assert fake.connections <= 4
    assert clock.sleeps == []


async def test_request_that_cannot_be_sent_stops_the_run_and_shows_no_key(
    fake: FakeOpenRouter,
) -> None:
    unchecked = Endpoint(fake.base_url, "here", True, "openai", f"{KEY}\n")
    async with OpenRouter(unchecked) as client:
        with pytest.raises(WrongEndpoint, match="cannot be sent") as caught:
            await client.complete(request())
    assert KEY not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__suppress_context__


async def test_answers_that_never_make_sense_end_with_what_came_instead(
    fake: FakeOpenRouter,
) -> None:
    fake.agent("a").send(body("error code: 1015", content_type="text/plain"), times=6)
    ending = await ask(fake)
    assert isinstance(ending.error, ModelGarbled)
    assert "got text/plain" in str(ending.error)
    assert ending.waits == BACKOFF


async def test_calls_to_tools_come_through_whole(fake: FakeOpenRouter) -> None:
    fake.agent("a").reply(calls(("run_sql", {"sql": "select 1"}), ("run_sql", {"sql": "select 2"})))
    ending = await ask(fake)
    assert ending.response
    assert [call.arguments for call in ending.response.message.tool_calls] == [
        '{"sql": "select 1"}',
        '{"sql": "select 2"}',
    ]
    assert ending.response.finish_reason == "tool_calls"
    assert fake.agent("a").seen[0].headers["authorization"] == f"Bearer {KEY}"
