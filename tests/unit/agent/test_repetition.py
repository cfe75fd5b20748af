"""A model that gets nowhere: the same call again, errors turn after turn."""

from __future__ import annotations

import pytest

from agent_desk import FAIL, Bench, asks
from taskgraph.agent.task import ToolOutcome

pytestmark = pytest.mark.anyio


def changing(sql: str) -> ToolOutcome:
    """A database that looks different after each CREATE."""
    return ToolOutcome(f"ran {sql}", failed=False, state=sql if sql.startswith("CREATE") else "s")


async def test_the_same_call_in_one_answer_is_run_once_and_each_id_gets_the_result() -> None:
    bench = Bench([asks("SELECT 1", "SELECT  1;", "SELECT 2"), "Done."])

    await bench.run()

    assert bench.ran == ["SELECT 1", "SELECT 2"]
    assert bench.results == ["ran SELECT 1", "ran SELECT 1", "ran SELECT 2"]


async def test_a_repeated_call_climbs_the_ladder_to_the_end() -> None:
    bench = Bench([*[asks("SELECT 1")] * 6, "I give up."], verdicts=[FAIL])

    result = await bench.run()

    assert bench.ran == ["SELECT 1"]
    assert bench.results[1] == (
        "[You ran exactly this before and nothing has changed since; the recorded answer:]\n"
        "ran SELECT 1"
    )
    assert all("Not executed: you ran exactly this" in one for one in bench.results[2:])
    assert result.status == "failed"
    assert result.reason == "it made the same call 6 times"
    assert result.last_words == "I give up."
    assert bench.scripted.requests[-1].tool_choice == "none"


async def test_a_model_that_repeats_itself_but_has_done_its_work_is_accepted() -> None:
    bench = Bench([*[asks("SELECT 1")] * 6, "It is all there."])

    assert (await bench.run()).status == "accepted"


async def test_other_calls_in_between_do_not_excuse_a_repetition() -> None:
    bench = Bench([asks("SELECT 1"), asks("SELECT 2"), asks("SELECT 1"), "Done."])

    await bench.run()

    assert bench.ran == ["SELECT 1", "SELECT 2"]


async def test_a_changed_database_makes_a_repetition_a_new_question() -> None:
    bench = Bench(
        [asks("SELECT 1"), asks("SELECT 1"), asks("CREATE VIEW v"), asks("SELECT 1"), "Done."],
        answers=changing,
    )

    await bench.run()

    assert bench.ran == ["SELECT 1", "CREATE VIEW v", "SELECT 1"]


async def test_a_definition_repeated_as_it_stands_is_a_repetition() -> None:
    bench = Bench([asks("CREATE VIEW v"), asks("CREATE VIEW v"), "Done."], answers=changing)

    await bench.run()

    assert bench.ran == ["CREATE VIEW v"]


async def test_blanks_inside_quotes_make_another_question() -> None:
    bench = Bench([asks("SELECT 'a b'"), asks("SELECT 'a  b'"), "Done."])

    await bench.run()

    assert len(bench.ran) == 2


def failing(sql: str) -> ToolOutcome:
    return ToolOutcome(f"{sql}: no", failed=True, state="s")


async def test_errors_turn_after_turn_bring_advice_and_then_the_end() -> None:
    script = [asks(f"SELECT {number}") for number in range(8)]
    bench = Bench([*script, "It does not work."], answers=failing, verdicts=[FAIL])

    result = await bench.run()

    assert [number for number, one in enumerate(bench.results) if "step back" in one] == [4]
    assert result.status == "failed"
    assert result.reason == "nothing worked for 8 turns in a row"


async def test_a_success_ends_a_row_of_errors() -> None:
    script = [asks(f"SELECT {number}") for number in range(12)]
    bench = Bench(
        [*script, "Done."],
        answers=lambda sql: (
            failing(sql) if sql != "SELECT 5" else ToolOutcome("1", failed=False, state="s")
        ),
    )

    assert (await bench.run()).status == "accepted"


async def test_many_failing_calls_of_one_answer_are_one_turn() -> None:
    bench = Bench([asks(*(f"SELECT {number}" for number in range(9))), "Done."], answers=failing)

    assert (await bench.run()).status == "accepted"


async def test_calls_after_the_hopeless_one_are_not_executed() -> None:
    repeated = [asks("SELECT 1")] * 5
    bench = Bench([*repeated, asks("SELECT 1", "SELECT 2"), "Stuck."], verdicts=[FAIL])

    await bench.run()

    assert bench.results[-1] == "Not executed: the work was stopped before this call."
