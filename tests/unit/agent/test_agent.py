"""A whole agent: scripted model, real tool, real guard, real database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent_desk import TASK
from agent_workspace import Workplace, workplace, workspace
from taskgraph.agent.loop import run_agent
from taskgraph.agent.task import AgentResult
from taskgraph.database import Database
from taskgraph.events import CheckResult, Said, StatementRun
from taskgraph.llm.messages import ToolMessage, UserMessage
from taskgraph.llm.scripted import ScriptedAnswer, ScriptedModel, run_sql

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with workspace(tmp_path_factory.mktemp("agent") / "w.db") as opened:
        yield opened


@pytest.fixture
def place(database: Database) -> Iterator[Workplace]:
    with workplace(database) as made:
        yield made


async def _run(place: Workplace, *script: ScriptedAnswer) -> AgentResult:
    async def accept() -> tuple[CheckResult, ...]:
        rows = place.cursor.rows("SELECT sum(amount) FROM match_result")
        return (
            CheckResult("total", "pass" if rows == [(15,)] else "fail", f"total is {rows[0][0]}"),
        )

    async def durable() -> None:
        return

    return await run_agent(
        ScriptedModel(script),
        TASK,
        run_sql=place.tool().run,
        accept=accept,
        emit=place.events.append,
        durable=durable,
    )


async def test_an_agent_finds_its_way_to_an_accepted_view(place: Workplace) -> None:
    result = await _run(
        place,
        run_sql("SELECT nope FROM bank", "SUMMARIZE bank"),
        run_sql("CREATE VIEW match_result AS SELECT id, amount FROM bank WHERE id > 1"),
        "Done.",
        run_sql("CREATE OR REPLACE VIEW match_result AS SELECT id, amount FROM bank"),
        "Done: all rows count.",
    )

    assert (result.status, result.iterations, result.tool_calls) == ("accepted", 5, 4)
    assert result.last_words == "Done: all rows count."
    said = [event.message for event in place.events if isinstance(event, Said)]
    results = [one.content for one in said if isinstance(one, ToolMessage)]
    assert results[0].endswith("bank has: id, note, amount")
    assert (
        results[2] == "view match_result created: 3 rows, columns id BIGINT, amount DECIMAL(18,2)"
    )
    told = [one.content for one in said if isinstance(one, UserMessage)]
    assert "- fail total: total is 13.50" in told[1]
    assert told[-1] == "Accepted: the node has passed."


async def test_statements_and_messages_are_emitted_in_the_order_in_which_they_happened(
    place: Workplace,
) -> None:
    await _run(
        place,
        run_sql("SELECT 1", "CREATE VIEW match_result AS SELECT id, amount FROM bank"),
        "Done.",
    )

    kinds = [
        event.kind if isinstance(event, StatementRun) else type(event).__name__
        for event in place.events
    ]
    assert kinds == [
        *("Said", "Said", "ModelAnswered", "Said"),
        *("select", "Said", "create_view", "Said"),
        *("ModelAnswered", "Said", "Said"),
    ]


async def test_a_read_repeated_after_a_definition_is_run_again(place: Workplace) -> None:
    count = "SELECT count(*) AS n FROM duckdb_views() WHERE view_name = 'match_result'"

    await _run(
        place,
        run_sql(count, "CREATE VIEW match_result AS SELECT id, amount FROM bank", count),
        run_sql(count),
        "Done.",
    )

    results = [
        event.message.content
        for event in place.events
        if isinstance(event, Said) and isinstance(event.message, ToolMessage)
    ]
    assert [results[0][-1], results[2][-1]] == ["0", "1"]
    assert results[3].startswith("[You ran exactly this before")
