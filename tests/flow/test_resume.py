"""A run that stopped, was interrupted or was killed goes on where its record ends."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from builders import prompt, source, spec_of, sql
from running import DEFAULTS, Ran, names_in, resume_spec, rows_of, run_spec
from taskgraph.errors import ModelUnreachable, WorkspaceError
from taskgraph.events import Event, NodeEnded, StatementRun, Warned
from taskgraph.llm.messages import ModelRequest, ModelResponse
from taskgraph.llm.scripted import Answer, RunSql, ScriptedModel, run_sql
from taskgraph.llm.service import served_by
from taskgraph.runner import run
from taskgraph.settings import RunSettings
from taskgraph.spec import Spec

pytestmark = pytest.mark.anyio

BASE = "CREATE VIEW match_base AS SELECT id, amount FROM orders"
RESULT = "CREATE VIEW match_result AS SELECT * FROM match_base"
AFTER = "CREATE VIEW after_n AS SELECT count(*) AS n FROM match_result"
MATCH = prompt("match", "Match the orders.", ["orders"])
SPEC = spec_of(source("orders"), MATCH, sql("after", AFTER, ["match"]))
ALL_PASSED = {"orders": "passed", "match": "passed", "after": "passed"}


def answering(*answers: Answer) -> ScriptedModel:
    """A model whose answer depends on how often it was asked in this conversation."""

    def answer(request: ModelRequest) -> Answer:
        return answers[request.step - 1]

    return ScriptedModel(answer, cost_usd=0.5)


WORK = answering(run_sql(BASE), run_sql(RESULT), "Done.")


async def stopped(folder: Path, *answers: RunSql) -> Ran:
    """Runs until the agent has used up its calls, the last one for what it has to say."""
    settings = RunSettings(max_iterations=len(answers))
    model = answering(*answers, "No more calls.")
    ran = await run_spec(SPEC, folder, model=model, settings=settings)
    assert ran.ended.status == "stopped"
    return ran


async def test_a_stopped_agent_goes_on_with_its_conversation_and_its_views(tmp_path: Path) -> None:
    await stopped(tmp_path, run_sql(BASE))
    model = answering("", "", run_sql(RESULT), "Done.")
    ran = await resume_spec(SPEC, tmp_path, model=model)
    assert ran.ended.status == "passed"
    assert ran.statuses == ALL_PASSED
    assert ran.rows("SELECT n FROM after_n") == [(2,)]
    assert [request.step for request in model.requests] == [3, 4]
    assert ran.order == ["match", "after"]
    assert names_in(tmp_path) == ["out.db"]


async def test_totals_include_what_came_before(tmp_path: Path) -> None:
    first = await stopped(tmp_path, run_sql(BASE))
    ran = await resume_spec(SPEC, tmp_path, model=answering("", "", run_sql(RESULT), "Done."))
    outcome = ran.outcomes["match"]
    assert (outcome.iterations, outcome.tool_calls, outcome.usage.cost_usd) == (4, 2, 2.0)
    assert outcome.elapsed_ms > first.outcomes["match"].elapsed_ms
    assert outcome.started_at == first.outcomes["match"].started_at
    assert ran.ended.elapsed_ms > first.ended.elapsed_ms
    assert ran.rows("SELECT iterations, cost_usd FROM _node_meta WHERE node = 'match'") == [
        (4, 2.0)
    ]
    assert ran.rows("SELECT step FROM _llm_calls ORDER BY step") == [(1,), (2,), (3,), (4,)]
    [(run_json,)] = ran.rows("SELECT value FROM _workspace_meta WHERE key = 'run'")
    assert len(json.loads(run_json)["parts"]) == 2


async def test_a_budget_counts_what_came_before(tmp_path: Path) -> None:
    await stopped(tmp_path, run_sql(BASE))
    model = answering("", "", run_sql(RESULT), "Done.")
    ran = await resume_spec(SPEC, tmp_path, model=model, settings=RunSettings(max_cost=1.0))
    assert ran.ended.status == "stopped"
    assert "$1.00 is spent" in (ran.outcomes["match"].error or "")
    assert model.requests == []


async def test_a_failed_agent_begins_anew_and_its_first_conversation_is_kept(
    tmp_path: Path,
) -> None:
    ran = await run_spec(SPEC, tmp_path, model=answering(run_sql(BASE), *([""] * 3)))
    assert ran.outcomes["match"].error_type == "AgentFailed"
    assert names_in(tmp_path) == ["out.db"]
    ran = await resume_spec(SPEC, tmp_path, model=WORK)
    assert ran.statuses == ALL_PASSED
    assert ran.rows("SELECT conversation, count(*) FROM _llm_calls GROUP BY ALL ORDER BY ALL") == [
        (1, 4),
        (2, 3),
    ]
    assert ran.rows("SELECT max(conversation) FROM _messages WHERE position = 0") == [(2,)]
    assert ran.outcomes["match"].usage.cost_usd == 3.5


async def test_an_agent_whose_model_was_out_of_reach_goes_on(tmp_path: Path) -> None:
    unreachable = ScriptedModel({"match": [run_sql(BASE), ModelUnreachable("no network")]})
    ran = await run_spec(SPEC, tmp_path, model=unreachable)
    assert ran.statuses["match"] == "failed"
    model = answering("", run_sql(RESULT), "Done.")
    ran = await resume_spec(SPEC, tmp_path, model=model)
    assert ran.statuses == ALL_PASSED
    assert [request.step for request in model.requests] == [2, 3]


async def test_sources_that_passed_are_not_read_again(tmp_path: Path) -> None:
    read: list[str] = []

    def rows(name: str) -> Callable[[], list[dict[str, int]]]:
        def read_rows() -> list[dict[str, int]]:
            read.append(name)
            if read == ["good", "bad"]:
                raise OSError("the share is offline")
            return [{"a": len(read)}]

        return read_rows

    spec = spec_of(source("good", rows("good")), source("bad", rows("bad"), depends_on=["good"]))
    assert (await run_spec(spec, tmp_path)).ended.status == "failed"
    ran = await resume_spec(spec, tmp_path)
    assert ran.ended.status == "passed"
    assert read == ["good", "bad", "bad"]
    assert ran.rows("SELECT g.a, b.a FROM good g, bad b") == [(1, 3)]


async def test_a_cancelled_run_goes_on(tmp_path: Path) -> None:
    asked = asyncio.Event()

    class Silent:
        async def complete(self, request: ModelRequest) -> ModelResponse:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    task = asyncio.create_task(run_spec(SPEC, tmp_path, model=Silent()))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ran = await resume_spec(SPEC, tmp_path, model=WORK)
    assert ran.statuses == ALL_PASSED


async def test_a_run_that_has_passed_has_nothing_left_to_do(tmp_path: Path) -> None:
    await run_spec(SPEC, tmp_path, model=WORK)
    with pytest.raises(WorkspaceError, match="nothing is left to do"):
        await resume_spec(SPEC, tmp_path)
    assert names_in(tmp_path) == ["out.db"]


@pytest.mark.parametrize("there", [False, True])
async def test_what_is_no_unfinished_run_is_refused(tmp_path: Path, there: bool) -> None:
    if there:
        duckdb.connect(tmp_path / "out.db.partial").close()
    with pytest.raises(WorkspaceError, match="no run of Taskgraph" if there else "no file"):
        await resume_spec(SPEC, tmp_path)


async def test_exports_that_failed_are_written_again(tmp_path: Path) -> None:
    tries: list[Path] = []

    def export(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        tries.append(path)
        if len(tries) == 1:
            raise OSError("the share is offline")

    spec = spec_of(source("orders"), exports={"orders.csv": export})
    assert (await run_spec(spec, tmp_path)).ended.status == "failed"
    ran = await resume_spec(spec, tmp_path)
    assert ran.ended.status == "passed"
    assert len(tries) == 2


@dataclass
class Killed:
    """Keeps a copy of the unfinished file from the moment at which an event is told.

    What a kill at this moment would leave: what waits in memory is not in it.
    """

    when: Callable[[Event], bool]
    folder: Path
    seen: bool = False

    def __call__(self, event: Event) -> None:
        if not self.seen and self.when(event):
            self.seen = True
            (self.folder / "killed").mkdir()
            for path in self.folder.glob("out.db.partial*"):
                shutil.copy(path, self.folder / "killed" / path.name)


async def killed_when(
    when: Callable[[Event], bool], folder: Path, model: ScriptedModel, spec: Spec = SPEC
) -> Path:
    """Runs to the end, and returns the folder with what a kill would have left."""
    kill = Killed(when, folder)
    await run(spec, folder / "out.db", DEFAULTS, open_service=served_by(model, DEFAULTS), emit=kill)
    assert kill.seen
    return folder / "killed"


def defines(name: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, StatementRun) and event.name == name


def ends(node: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, NodeEnded) and event.outcome.node == node


@pytest.mark.parametrize("recorded", [False, True])
async def test_a_call_without_its_result_is_run_again(tmp_path: Path, recorded: bool) -> None:
    """Whether its statement is on record already or not."""
    left = await killed_when(defines("match_base"), tmp_path, WORK)
    views = "SELECT view_name FROM duckdb_views() WHERE NOT internal"
    assert rows_of(left / "out.db.partial", views) == [("match_base",)]
    if recorded:
        with duckdb.connect(left / "out.db.partial") as connection:
            connection.execute(
                "INSERT INTO _trace BY NAME SELECT 9 AS id, 'match' AS node, 'agent' AS source, "
                "'create_view' AS kind, ? AS query, true AS success, 1 AS conversation, "
                "3 AS position",
                [BASE],
            )
    model = answering("", run_sql(RESULT), "Done.")
    ran = await resume_spec(SPEC, left, model=model)
    assert ran.statuses == ALL_PASSED
    assert [request.step for request in model.requests] == [2, 3]
    [(result,)] = ran.rows("SELECT content FROM _messages WHERE position = 3")
    assert "match_base created" in result


async def test_rest_of_an_answer_is_told_that_a_call_before_it_failed(tmp_path: Path) -> None:
    told = "SELECT content FROM _messages WHERE position = 4"
    calls = run_sql("SELECT nothing", BASE)
    ran = await run_spec(
        SPEC, tmp_path, model=answering(calls, "No more."), settings=RunSettings(max_iterations=1)
    )
    assert ran.ended.status == "stopped"
    partial = tmp_path / "out.db.partial"
    [undisturbed] = rows_of(partial, told)
    with duckdb.connect(partial) as connection:  # as if killed within the second call
        connection.execute("DELETE FROM _messages WHERE position >= 4")
        connection.execute("DELETE FROM _node_meta WHERE node = 'match'")
    ran = await resume_spec(SPEC, tmp_path, model=answering("", run_sql(RESULT), "Done."))
    assert ran.ended.status == "passed"
    [(content,)] = ran.rows(told)
    assert "a call before this one in your answer failed" in content
    assert undisturbed[0].startswith(content.partition("\n")[0])


ON_RECORD = """
    SELECT status, (SELECT count(*) FROM _checks c WHERE c.node = m.node),
           (SELECT count(*) FROM _view_definitions d WHERE d.node = m.node),
           (SELECT count(*) FROM _trace t WHERE t.node = m.node)
    FROM _node_meta m WHERE node = '{}'
"""


@pytest.mark.parametrize(
    ("node", "checks", "views", "statements"),
    [("orders", 0, 0, 1), ("match", 0, 2, 4), ("after", 1, 1, 3)],
)
async def test_node_that_has_ended_is_on_record_and_stays(
    tmp_path: Path, node: str, checks: int, views: int, statements: int
) -> None:
    one_row = "SELECT 'pass' AS status, n || ' rows' AS message FROM after_n"
    after = sql("after", AFTER, ["match"], validate={"rows": one_row})
    spec = spec_of(source("orders"), MATCH, after)
    left = await killed_when(ends(node), tmp_path, WORK, spec)
    [found] = rows_of(left / "out.db.partial", ON_RECORD.format(node))
    assert found == ("passed", checks, views, statements)
    ran = await resume_spec(spec, left, model=WORK if node == "orders" else answering())
    assert ran.statuses == ALL_PASSED
    assert node not in ran.order
    assert ran.rows("SELECT n FROM after_n") == [(2,)]
    assert ran.outcomes["match"].usage.cost_usd == 1.5


async def test_a_conversation_whose_views_cannot_be_made_again_begins_anew(
    tmp_path: Path,
) -> None:
    await stopped(tmp_path, run_sql(BASE))
    with duckdb.connect(tmp_path / "out.db.partial") as connection:
        connection.execute("UPDATE _trace SET query = 'CREATE VIEW x AS SELECT 1'")
    ran = await resume_spec(SPEC, tmp_path, model=WORK)
    assert ran.statuses == ALL_PASSED
    [warning] = [event for event in ran.events if isinstance(event, Warned)]
    assert "begins anew" in warning.message
    assert ran.rows("SELECT max(conversation) FROM _messages") == [(2,)]


async def test_what_nothing_on_record_accounts_for_is_dropped(tmp_path: Path) -> None:
    await stopped(tmp_path, run_sql(BASE))
    with duckdb.connect(tmp_path / "out.db.partial") as connection:
        connection.execute("CREATE TABLE match_left AS SELECT 1 AS a")
        connection.execute("CREATE MACRO match_m(x) AS x")
        connection.execute("CREATE MACRO match_t(x) AS TABLE SELECT x")
    ran = await resume_spec(SPEC, tmp_path, model=answering("", "", run_sql(RESULT), "Done."))
    assert ran.ended.status == "passed"
    assert ran.rows("SELECT table_name FROM duckdb_tables() WHERE table_name[1] <> '_'") == [
        ("after_n",),
        ("match_base",),
        ("match_result",),
        ("orders",),
    ]
    assert ran.rows("SELECT count(*) FROM duckdb_functions() WHERE NOT internal") == [(0,)]
