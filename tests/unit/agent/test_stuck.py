"""What an agent is told of a statement that nothing could stop, and how often it may do that."""

from __future__ import annotations

import concurrent.futures
from contextlib import closing
from pathlib import Path

import pytest

from agent_workspace import BANK, Workplace
from taskgraph.agent.session import MAX_STUCK
from taskgraph.database import Database, Limits
from taskgraph.errors import AgentFailed

pytestmark = pytest.mark.anyio

# One call, which heeds no interrupt: it takes about half a second.
SLOW = "SELECT levenshtein(repeat('ab', 12000), repeat('ba', 12000)) AS distance"


async def test_an_agent_goes_on_beside_a_statement_that_cannot_be_stopped(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "work.db", Limits(stuck_after_s=0.02))
    with closing(database), closing(database.cursor()) as cursor:
        cursor.execute(BANK)
        place = Workplace(cursor, timeout_s=0.05)
        tool = place.tool()
        outcome = await tool.run(SLOW)
        assert outcome.failed
        assert "and goes on" in outcome.content
        [statement] = place.statements
        assert (statement.query, statement.error is None) == (SLOW, False)
        place.timeout_s = 30
        assert "4" in (await place.tool().run("SELECT count(*) AS n FROM bank")).content
        concurrent.futures.wait(database.workers.running, timeout=30)


async def test_an_agent_that_does_it_again_and_again_is_ended(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "work.db", Limits(stuck_after_s=0.02))
    with closing(database), closing(database.cursor()) as cursor:
        tool = Workplace(cursor, timeout_s=0.05).tool()
        for _ in range(MAX_STUCK - 1):
            assert (await tool.run(SLOW)).failed
        with pytest.raises(AgentFailed, match="3 of its statements could not be interrupted"):
            await tool.run(SLOW)
        concurrent.futures.wait(database.workers.running, timeout=30)
