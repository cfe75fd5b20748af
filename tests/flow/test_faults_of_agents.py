"""Faults 25 and 35 to 38 in whole runs: what a model can do wrong in a conversation.

The fake server checks each request as a picky provider would: a history that is no longer valid
on the wire fails the test, whatever the run makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from builders import prompt, source, spec_of
from model_wire import MODEL
from served import arguments_of, results_of, run_served, sql_call
from taskgraph.testing import (
    Answer,
    FakeOpenRouter,
    Seen,
    ServerState,
    calls,
    model_entry,
    text,
)
from taskgraph.testing.completions import DialectName

pytestmark = pytest.mark.anyio

VIEW = "CREATE OR REPLACE VIEW match_result AS SELECT id, amount FROM orders"
MATCH = prompt("match", "Match the orders.", ["orders"], output_columns={"match_result": ["id"]})
SPEC = spec_of(source("orders"), MATCH)


def last_request(fake: FakeOpenRouter) -> Seen:
    return fake.agent("match").seen[-1]


ARGUMENTS: dict[str, tuple[str, str]] = {
    "fenced": ('```json\n{"sql": "SELECT 1 AS fenced"}\n```', "fenced INTEGER\n1"),
    "encoded twice": ('"{\\"sql\\": \\"SELECT 2 AS twice\\"}"', "twice INTEGER\n2"),
    "empty": ("", "sql"),
    "quotes behind": ('{"sql": "SELECT 3 AS quoted"}""', "quoted INTEGER\n3"),
    "truncated": ('{"sql": "SELECT 4', "not valid JSON at character"),
    "line end inside": ('{"sql": "SELECT 5\nAS split"}', "split INTEGER\n5"),
    "not a number": ('{"sql": NaN}', "NaN"),
    "lone surrogate": ('{"sql": "SELECT \'\\ud83d\' AS text"}', "\ufffd"),
    "no object": ("[1, 2]", "object"),
    "wrong type": ('{"sql": 42}', "sql"),
}


async def test_fault_35_malformed_arguments_are_repaired_or_answered(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    lane = fake.agent("match")
    for raw, _ in ARGUMENTS.values():
        lane.call(("run_sql", raw))
    lane.send(sql_call(VIEW, arguments_as_text=False)).reply("Done.")

    ran = await run_served(fake, SPEC, tmp_path)

    assert ran.statuses["match"] == "passed"
    told = results_of(last_request(fake).messages)
    for name, result, (_, words) in zip(ARGUMENTS, told, ARGUMENTS.values(), strict=False):
        assert words in result, name
    history = arguments_of(last_request(fake).messages)
    assert len(history) == len(ARGUMENTS) + 1
    assert history[-1] == {"sql": VIEW}
    [(kept,)] = ran.rows("SELECT tool_calls FROM _messages WHERE contains(tool_calls, '[1, 2]')")
    assert "[1, 2]" in kept


async def test_fault_36_every_call_has_one_result_under_an_id_of_its_own(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    five = [("run_sql", {"sql": f"SELECT {number} AS n"}) for number in range(5)]
    fake.agent("match").call(*five).reply(
        calls(("read file", {}), ("run_sql", {"sql": "SELECT 6 AS n"}), ids=("same", "same"))
    ).reply(
        calls(("run_sql", {"sql": "SELECT 7 AS n"}), ("run_sql", {"sql": VIEW}), ids=("", None))
    ).reply("Done.")

    ran = await run_served(fake, SPEC, tmp_path)

    assert ran.statuses["match"] == "passed"
    told = results_of(last_request(fake).messages)
    assert [f"n INTEGER\n{number}" in result for number, result in enumerate(told[:5])] == [
        True
    ] * 5
    assert "Unknown tool 'read file'. Available: run_sql" in told[5]
    assert "n INTEGER\n6" in told[6]
    assert "n INTEGER\n7" in told[7]
    assert "match_result created" in told[8]
    ids = ran.rows("SELECT tool_call_id FROM _messages WHERE role = 'tool'")
    assert len(set(ids)) == len(ids) == 9


async def test_fault_37_calls_decide_whatever_the_finish_reason_says(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    cut = '{"sql": "CREATE VIEW match_res'
    lane = fake.agent("match")
    lane.reply(Answer(reasoning="Hmm.", reasoning_details='[{"type":"reasoning.text","text":"H"}]'))
    lane.reply(sql_call(VIEW, choice={"finish_reason": "stop"}))
    lane.reply(
        calls(
            ("run_sql", {"sql": "SELECT 8 AS n"}),
            ("run_sql", cut),
            choice={"finish_reason": "length"},
        )
    )
    lane.reply(text("I think that", choice={"finish_reason": "length"}))
    lane.reply(text("Done.", choice={"finish_reason": "tool_calls"}))

    ran = await run_served(fake, SPEC, tmp_path)

    assert ran.statuses["match"] == "passed"
    assert ran.outcomes["match"].last_words == "Done."
    told = results_of(last_request(fake).messages)
    assert "match_result created" in told[0]
    assert "n INTEGER\n8" in told[1]
    assert "cut off inside this call" in told[2]


EMPTY: dict[str, Answer] = {
    "reasoning only": Answer(reasoning="Hmm."),
    "tool_calls without calls": Answer(choice={"finish_reason": "tool_calls"}),
    "cut before it began": Answer(choice={"finish_reason": "length"}),
}


@pytest.mark.parametrize("empty", EMPTY.values(), ids=EMPTY)
async def test_fault_37_model_that_never_says_anything_ends_soon(
    fake: FakeOpenRouter, tmp_path: Path, empty: Answer
) -> None:
    fake.default(empty)

    ran = await run_served(fake, SPEC, tmp_path)

    assert ran.statuses["match"] == "failed"
    assert "empty_response" in (ran.outcomes["match"].error or "")
    assert fake.attempts("match") <= 4


async def test_fault_38_same_call_for_ever_is_served_blocked_and_stopped(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    fake.default(sql_call("FROM orders"))

    ran = await run_served(fake, SPEC, tmp_path)

    assert ran.statuses["match"] == "failed"
    assert "same call 6 times" in (ran.outcomes["match"].error or "")
    requests = fake.agent("match").seen
    assert [seen.body["tool_choice"] for seen in requests] == ["auto"] * 6 + ["none"] * 2
    told = results_of(requests[-1].messages)
    assert ["recorded answer" in result for result in told[:3]] == [False, True, False]
    assert ["Not executed" in result for result in told] == [False, False, *[True] * 5]
    [(reads,)] = ran.rows("SELECT count(*) FROM _trace WHERE source = 'agent'")
    assert reads == 1


async def test_fault_38_work_of_a_model_that_repeats_itself_is_kept_if_it_holds(
    fake: FakeOpenRouter, tmp_path: Path
) -> None:
    lane = fake.agent("match")
    lane.reply(sql_call(VIEW))
    for _ in range(6):
        lane.reply(sql_call("FROM match_result"))
    lane.reply("It is all there.")

    ran = await run_served(fake, SPEC, tmp_path)

    assert ran.statuses["match"] == "passed"
    assert ran.outcomes["match"].last_words == "It is all there."


WIDE = "SELECT id, repeat('x', 1200) AS filler FROM orders"
DIALECTS: Sequence[DialectName] = ("openrouter", "ollama", "vllm", "llamacpp", "litellm")


def _reads_and_ends(reads: int) -> list[Answer]:
    queries = [f"{WIDE} WHERE id > -{number}" for number in range(reads)]
    return [*map(sql_call, queries), sql_call(VIEW), text("Done.")]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_fault_25_conversation_that_is_too_long_is_cut_and_goes_on(
    tmp_path: Path, dialect: DialectName
) -> None:
    state = ServerState(context_limits={MODEL: 24_000})
    with FakeOpenRouter(dialect=dialect, state=state) as fake:
        for answer in _reads_and_ends(12):
            fake.agent("match").reply(answer)

        ran = await run_served(fake, SPEC, tmp_path)

        assert ran.statuses["match"] == "passed"
        refused = fake.attempts("match") - 14
        assert 1 <= refused <= 3
        assert any("result left out" in one for one in results_of(last_request(fake).messages))
    [(whole,)] = ran.rows("SELECT min(length(content)) FROM _messages WHERE content LIKE '%xxx%'")
    assert whole > 2_400


async def test_fault_25_what_cannot_be_cut_any_more_ends_the_node(tmp_path: Path) -> None:
    state = ServerState(context_limits={MODEL: 18_000})
    with FakeOpenRouter(state=state) as fake:
        ran = await run_served(fake, SPEC, tmp_path)

        assert ran.statuses == {"orders": "passed", "match": "failed"}
        assert fake.attempts("match") <= 5
    error = ran.outcomes["match"].error or ""
    assert error.startswith("context_exhausted")
    assert "18000" in error


async def test_fault_25_larger_model_takes_over_what_cannot_be_cut(tmp_path: Path) -> None:
    node = prompt("match", "Match.", ["orders"], fallback=["large/one"])
    state = ServerState(context_limits={MODEL: 18_000})
    with FakeOpenRouter(state=state) as fake:
        fake.agent("match").reply(sql_call(VIEW)).reply("Done.")

        ran = await run_served(fake, spec_of(source("orders"), node), tmp_path)

        assert ran.statuses["match"] == "passed"
        assert [seen.model for seen in fake.agent("match").seen][-2:] == ["large/one"] * 2


async def test_conversation_is_cut_before_a_known_window_refuses_it(tmp_path: Path) -> None:
    models = [model_entry(MODEL, context_length=32_000)]
    state = ServerState(context_limits={MODEL: 32_000}, models=models)
    with FakeOpenRouter(state=state) as fake:
        lane = fake.agent("match").compacts()
        for answer in _reads_and_ends(24):
            lane.reply(answer)

        ran = await run_served(fake, SPEC, tmp_path)

        assert ran.statuses["match"] == "passed"
        assert fake.attempts("match") == 26
        assert {seen.body["max_tokens"] for seen in lane.seen} == {8_000}
        assert "Limits: 7,000 characters" in lane.seen[0].messages[0]["content"]
