"""A run that stopped, was interrupted or was killed goes on where it stood."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from builders import prompt, source, spec_of, sql
from running import names_in, resume_spec, rows_of, run_spec
from taskgraph.errors import ModelUnreachable, WorkspaceError
from taskgraph.llm.scripted import ScriptedModel, run_sql
from taskgraph.settings import RunSettings
from taskgraph.spec import Spec

pytestmark = pytest.mark.anyio

BASE = "CREATE VIEW match_base AS SELECT id, amount FROM orders"
RESULT = "CREATE VIEW match_result AS SELECT * FROM match_base"
AFTER = "CREATE VIEW after_n AS SELECT count(*) AS n FROM match_result"
SPEC = spec_of(
    source("orders"),
    prompt("match", "Match the orders.", ["orders"]),
    sql("after", AFTER, ["match"]),
)


async def stopped(folder: Path, *answers: object, spec: Spec = SPEC) -> ScriptedModel:
    """Runs until the agent has used up its calls."""
    model = ScriptedModel({"match": [*answers, "No more calls."]}, cost_usd=0.5)  # type: ignore[list-item]
    settings = RunSettings(max_iterations=len(answers))
    ran = await run_spec(spec, folder, model=model, settings=settings)
    assert ran.ended.status == "stopped"
    return model


async def test_a_stopped_agent_goes_on_with_its_conversation_and_its_views(tmp_path: Path) -> None:
    await stopped(tmp_path, run_sql(BASE))
    model = ScriptedModel({"match": [run_sql(RESULT), "Done."]}, cost_usd=0.5)
    ran = await resume_spec(SPEC, tmp_path, model=model)
    assert ran.ended.status == "passed"
    assert ran.statuses == {"orders": "passed", "match": "passed", "after": "passed"}
    assert ran.rows("SELECT n FROM after_n") == [(2,)]
    assert [request.step for request in model.requests] == [3, 4]
    assert names_in(tmp_path) == ["out.db"]
    assert "orders" not in ran.order


async def test_totals_include_what_came_before(tmp_path: Path) -> None:
    await stopped(tmp_path, run_sql(BASE))
    model = ScriptedModel({"match": [run_sql(RESULT), "Done."]}, cost_usd=0.5)
    ran = await resume_spec(SPEC, tmp_path, model=model)
    outcome = ran.outcomes["match"]
    assert (outcome.iterations, outcome.tool_calls, outcome.usage.cost_usd) == (4, 2, 2.0)
    assert ran.rows("SELECT iterations, cost_usd FROM _node_meta WHERE node = 'match'") == [
        (4, 2.0)
    ]
    assert ran.rows("SELECT step FROM _llm_calls ORDER BY step") == [(1,), (2,), (3,), (4,)]
