"""The agent loop: what it does with each kind of answer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agent_desk import FAIL, PASS, TASK, Bench, asks, calls, ends
from taskgraph.agent.feedback import AFTER_A_FAILURE
from taskgraph.agent.task import ToolOutcome
from taskgraph.events import CheckResult, Warned
from taskgraph.llm.messages import (
    AssistantMessage,
    ModelResponse,
    SystemMessage,
    ToolMessage,
    Usage,
    UserMessage,
)

pytestmark = pytest.mark.anyio


async def test_an_agent_asks_gets_answers_and_is_accepted() -> None:
    bench = Bench([asks("SELECT 1"), "Done, assuming euros."])

    result = await bench.run()

    assert (result.status, result.reason) == ("accepted", None)
    assert result.last_words == "Done, assuming euros."
    assert (result.iterations, result.tool_calls, result.findings) == (2, 1, PASS)
    assert bench.said[:2] == [SystemMessage("The job."), UserMessage("The task.")]
    assert bench.results == ["ran SELECT 1"]
    assert bench.told == ["Accepted: the node has passed."]


async def test_positions_count_every_message_from_zero() -> None:
    bench = Bench([asks("SELECT 1"), "Done."])

    await bench.run()

    assert bench.positions == list(range(6))


async def test_nothing_is_built_on_an_answer_that_is_not_durable() -> None:
    bench = Bench([asks("SELECT 1", "SELECT 2"), "Done."])

    await bench.run()

    assert bench.steps == [
        *("system", "user"),
        *("assistant", "durable", "tool", "tool"),
        *("assistant", "durable", "user"),
    ]


async def test_a_request_carries_the_node_its_step_and_the_tools() -> None:
    bench = Bench([asks("SELECT 1"), "Done."])

    await bench.run()

    first, second = bench.scripted.requests
    assert (first.step, second.step) == (1, 2)
    assert (first.node, first.session) == ("match", "run/match")
    assert first.tools == second.tools == TASK.tools
    assert second.messages[: len(first.messages)] == first.messages


async def test_usage_is_added_up_and_each_answer_is_emitted() -> None:
    bench = Bench([ends(asks("SELECT 1"), "tool_calls", Usage(100, 10, cost_usd=0.5)), "Done."])

    result = await bench.run()

    assert bench.answered[0].response.usage == Usage(100, 10, cost_usd=0.5)
    assert result.usage == bench.answered[0].response.usage + bench.answered[1].response.usage


CALLS_DECIDE: dict[str, tuple[ModelResponse, list[str]]] = {
    "calls with finish stop": (ends(asks("SELECT 1"), "stop"), ["SELECT 1"]),
    "calls with text": (
        ends(replace(asks("SELECT 1"), content="Let me see."), "stop"),
        ["SELECT 1"],
    ),
    "no calls with finish tool_calls": (ends("Done.", "tool_calls"), []),
    "no finish reason": (ends("Done.", "other"), []),
}


@pytest.mark.parametrize(("answer", "ran"), CALLS_DECIDE.values(), ids=CALLS_DECIDE)
async def test_calls_decide_and_not_the_finish_reason(
    answer: ModelResponse, ran: list[str]
) -> None:
    bench = Bench([answer, "Done."])

    result = await bench.run()

    assert bench.ran == ran
    assert result.status == "accepted"


async def test_results_stand_in_the_order_asked_each_with_its_id() -> None:
    bench = Bench([asks("SELECT 1", "SELECT 2", "SELECT 3"), "Done."])

    await bench.run()

    assert bench.results == ["ran SELECT 1", "ran SELECT 2", "ran SELECT 3"]
    message = bench.said[2]
    assert isinstance(message, AssistantMessage)
    ids = [call.id for call in message.tool_calls]
    assert ids == [one.call_id for one in bench.said if isinstance(one, ToolMessage)]
    assert ids == ["call00100", "call00101", "call00102"]


async def test_calls_after_one_that_failed_say_so_within_one_answer() -> None:
    bench = Bench(
        [asks("SELECT 1", "SELECT x", "SELECT 2"), asks("SELECT 3"), "Done."],
        answers=lambda sql: ToolOutcome(f"ran {sql}", sql == "SELECT x", "s"),
    )

    await bench.run()

    assert bench.results == [
        "ran SELECT 1",
        "ran SELECT x",
        f"ran SELECT 2\n[{AFTER_A_FAILURE}]",
        "ran SELECT 3",
    ]


async def test_ids_that_were_used_before_are_replaced() -> None:
    one, two = '{"sql": "SELECT 1"}', '{"sql": "SELECT 2"}'
    bench = Bench([calls(one, two, ids=["a", "a"]), calls(two, one, ids=["a", "b"]), "Done."])

    await bench.run()

    answers = [message for message in bench.said if isinstance(message, AssistantMessage)]
    ids = [call.id for answer in answers for call in answer.tool_calls]
    assert ids == ["a", "call00101", "call00200", "b"]
    assert len(bench.results) == 4


async def test_an_unknown_tool_is_answered_with_what_there_is() -> None:
    bench = Bench([calls('{"path": "x"}', name="read file"), "Done."])

    await bench.run()

    assert bench.results == ["Unknown tool 'read file'. Available: run_sql"]
    history = bench.sent(1)[2]
    assert isinstance(history, AssistantMessage)
    assert history.tool_calls[0].name == "read_file"


async def test_malformed_arguments_are_explained_and_never_sent_back() -> None:
    bench = Bench([calls('{"sql": "SELECT'), "Done."])

    await bench.run()

    assert "not valid JSON at character 8" in bench.results[0]
    history, stored = bench.sent(1)[2], bench.said[2]
    assert isinstance(history, AssistantMessage)
    assert isinstance(stored, AssistantMessage)
    assert history.tool_calls[0].arguments == "{}"
    assert stored.tool_calls[0].arguments == '{"sql": "SELECT'


async def test_repaired_arguments_are_run_and_sent_back_clean() -> None:
    bench = Bench([calls('```json\n{"sql": "SELECT 1"}\n```'), "Done."])

    await bench.run()

    assert bench.results == ["ran SELECT 1\n[the arguments were not clean JSON and were repaired]"]
    history = bench.sent(1)[2]
    assert isinstance(history, AssistantMessage)
    assert json.loads(history.tool_calls[0].arguments) == {"sql": "SELECT 1"}


async def test_of_a_cut_answer_only_complete_calls_run() -> None:
    cut = ends(calls('{"sql": "SELECT 1"}', '{"sql": "SELECT'), "length")
    bench = Bench([cut, "Done."])

    await bench.run()

    assert bench.ran == ["SELECT 1"]
    assert "cut off inside this call" in bench.results[1]


async def test_reasoning_is_kept_with_the_model_that_it_came_from() -> None:
    details = '[{"type":"reasoning.encrypted","data":"x"}]'
    bench = Bench([replace(asks("SELECT 1"), reasoning_details=details), "Done."])

    await bench.run()

    history = bench.sent(1)[2]
    assert isinstance(history, AssistantMessage)
    assert (history.reasoning_details, history.said_by) == (details, "test/model")


EMPTY = {
    "nothing": AssistantMessage(None),
    "blanks": AssistantMessage(" \n"),
    "reasoning only": AssistantMessage(None, reasoning="Hmm."),
}


@pytest.mark.parametrize("empty", EMPTY.values(), ids=EMPTY)
async def test_an_empty_answer_gets_a_nudge_then_another_try_then_the_end(
    empty: AssistantMessage,
) -> None:
    bench = Bench([empty, empty, empty])

    result = await bench.run()

    assert result.status == "failed"
    assert "empty_response" in (result.reason or "")
    assert "Your answer was empty" in bench.told[0]
    assert len(bench.told) == 2
    assert bench.sent(1) == bench.sent(2)
    assert not any(isinstance(message, AssistantMessage) for message in bench.sent(2))


async def test_an_agent_recovers_from_empty_answers() -> None:
    nothing = AssistantMessage(None)
    bench = Bench([nothing, nothing, asks("SELECT 1"), nothing, nothing, "Done."])

    assert (await bench.run()).status == "accepted"


async def test_an_answer_cut_before_it_began_may_be_twice_as_long_once() -> None:
    cut = ends(None, "length")
    bench = Bench([cut, cut, "Done."])

    result = await bench.run()

    assert result.status == "accepted"
    assert [one.max_tokens for one in bench.scripted.requests] == [16_000, 32_000, 32_000]
    assert len(bench.told) == 2


async def test_text_that_was_cut_off_is_no_closing_message() -> None:
    cut = ends("I think that the first thing to", "length")
    bench = Bench([cut, "Done."])

    result = await bench.run()

    assert result.last_words == "Done."
    assert "cut off" in bench.told[0]


async def test_text_that_is_cut_off_again_and_again_ends() -> None:
    cut = ends("I think that", "length")
    bench = Bench([cut, cut, cut])

    assert (await bench.run()).status == "failed"


async def test_findings_go_back_until_the_work_is_accepted() -> None:
    bench = Bench(["Done.", asks("SELECT 1"), "Done now."], verdicts=[FAIL, PASS])

    result = await bench.run()

    assert result.status == "accepted"
    assert result.last_words == "Done now."
    assert "- fail total: off by 3" in bench.told[0]


async def test_a_model_that_closes_again_and_again_without_progress_fails() -> None:
    bench = Bench(["Done."] * 6, verdicts=[FAIL] * 6)

    result = await bench.run()

    assert result.status == "failed"
    assert result.findings == FAIL
    assert result.iterations == 6
    assert "the conversation ends here" in bench.told[-1]
    assert "off by 3" in bench.told[-1]


async def test_fewer_failures_give_a_model_new_chances() -> None:
    verdicts = [FAIL * count for count in (3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 0)]
    bench = Bench(["Done."] * 11, verdicts=verdicts)

    assert (await bench.run()).status == "accepted"


async def test_warnings_do_not_stand_in_the_way() -> None:
    warning = (CheckResult("rest", "warn", "2 rows left"),)
    bench = Bench(["Done."], verdicts=[warning])

    result = await bench.run()

    assert (result.status, result.findings) == ("accepted", warning)
    assert "- warn rest: 2 rows left" in bench.told[0]


async def test_what_a_person_should_know_of_an_answer_is_warned_of_with_the_node() -> None:
    odd = replace(ends("Done.", "stop"), warnings=("'b' takes over", "bytes that are no UTF-8"))
    bench = Bench([odd])

    await bench.run()

    warned = [event for event in bench.events if isinstance(event, Warned)]
    assert [(one.node, one.message) for one in warned] == [
        ("match", "'b' takes over"),
        ("match", "bytes that are no UTF-8"),
    ]
