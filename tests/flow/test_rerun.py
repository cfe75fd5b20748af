"""A run over an earlier file: what holds is reused, what does not is given to an agent again."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from builders import prompt, source, spec_of, sql
from replaying import differences, models_of
from running import DEFAULTS, Ran, rows_of
from taskgraph.earlier import read_earlier
from taskgraph.errors import OutputError, SettingsError, SpecError, WorkspaceError
from taskgraph.events import Event, NodeStarted, TakenUp
from taskgraph.llm.replay import RecordedModel
from taskgraph.llm.scripted import Answer, ScriptedModel, run_sql
from taskgraph.llm.service import replayed, served_by
from taskgraph.plan import Plan
from taskgraph.playback import recording_of
from taskgraph.rerun import Wishes, plan_part, plan_rerun
from taskgraph.runner import resume, run
from taskgraph.settings import RunSettings
from taskgraph.spec import SourceData, Spec, SpecOrigin

pytestmark = pytest.mark.anyio

JAN: Sequence[Mapping[str, object]] = [{"id": 1, "amount": 10.0}, {"id": 2, "amount": 20.0}]
FEB: Sequence[Mapping[str, object]] = [*JAN, {"id": 3, "amount": 30.0}]
DRIFTED: Sequence[Mapping[str, object]] = [{"id": 1, "amount_eur": "10,0"}]
TOTAL = {"total": "SELECT if(sum(amount) > 0, 'pass', 'fail') AS status, 'sum' AS message FROM match_result"}  # fmt: skip
CLEAN = "CREATE MACRO clean_twice(x) AS 2 * x; CREATE VIEW clean_all AS FROM orders"
AGENT = (
    # `match_result` needs what is defined after it for the last time.
    run_sql("CREATE VIEW match_base AS SELECT * FROM clean_all"),
    run_sql("CREATE VIEW match_result AS SELECT id, match_double(amount) AS amount FROM match_base"),
    "Amounts are in EUR.",
)  # fmt: skip
MACRO = run_sql("CREATE MACRO match_double(x) AS clean_twice(x)")
BASE = run_sql("CREATE OR REPLACE VIEW match_base AS SELECT id, amount FROM clean_all")
REPAIR = run_sql(
    "CREATE OR REPLACE VIEW match_base AS SELECT id, replace(amount_eur, ',', '.')::DOUBLE AS amount FROM clean_all",
    "CREATE OR REPLACE VIEW match_result AS SELECT id, match_double(amount) AS amount FROM match_base",
)  # fmt: skip


def month(rows: SourceData = JAN, *, text: str = "jan") -> Spec:
    """A spec as if from a file of this text."""
    spec = spec_of(
        source("orders", rows),
        sql("clean", CLEAN, ["orders"]),
        prompt("match", "Match.", ["clean"], validate=TOTAL),
        sql("after", "CREATE VIEW after_n AS SELECT sum(amount) AS n FROM match_result", ["match"]),
    )
    return replace(spec, origin=SpecOrigin(None, "spec.py", text, None))


PLAIN = Wishes()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def answering(*answers: Answer) -> ScriptedModel:
    return ScriptedModel({"match": answers}, cost_usd=0.5)


async def execute(
    spec: Spec,
    path: Path,
    plan: Plan | None = None,
    model: ScriptedModel | None = None,
    settings: RunSettings = DEFAULTS,
) -> Ran:
    events: list[Event] = []
    opened = served_by(model, settings)
    ended = await run(spec, path, settings, open_service=opened, emit=events.append, plan=plan)
    return Ran(path, ended, events)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first month, in which an agent wrote the SQL for $2.50."""
    model = answering(MACRO, *AGENT[:2], BASE, AGENT[2])
    path = tmp_path_factory.mktemp("year") / "jan.db"
    ran = asyncio.run(execute(month(), path, None, model))
    assert ran.ended.status == "passed"
    return path


@pytest.fixture
def january(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(written, tmp_path))


async def again(
    spec: Spec, january: Path, model: ScriptedModel | None = None, wishes: Wishes = PLAIN
) -> Ran:
    """Reruns it into `feb.db`."""
    plan = plan_rerun(spec, read_earlier(january), wishes)
    return await execute(spec, january.with_name("feb.db"), plan, model)


async def test_what_holds_is_reused_without_a_model(january: Path) -> None:
    before = digest(january)
    ran = await again(month(FEB, text="feb"), january)
    assert ran.statuses == {"orders": "passed", "clean": "passed", "match": "reused", "after": "passed"}  # fmt: skip
    assert ran.rows("SELECT n FROM after_n") == [(120.0,)]
    assert ran.rows(
        "SELECT status, cost_usd, iterations, meta_json->>'why', meta_json->>'last_words'"
        " FROM _node_meta WHERE node = 'match'"
    ) == [("reused", None, 0, "checks pass", "Amounts are in EUR.")]
    assert ran.rows("SELECT kind, success FROM _trace WHERE source = 'reuse' ORDER BY id") == [
        ("create_macro", True),
        ("create_view", True),
        ("create_view", True),
    ]
    assert ran.ended.saved is not None
    assert ran.ended.saved.cost_usd == 2.5
    assert digest(january) == before


async def test_a_third_month_still_tells_what_the_first_one_cost(january: Path) -> None:
    february = await again(month(FEB, text="feb"), january)
    plan = plan_rerun(month(JAN, text="mar"), read_earlier(february.path), Wishes())
    march = await execute(month(JAN, text="mar"), january.with_name("mar.db"), plan)
    assert march.ended.saved is not None
    assert march.ended.saved.cost_usd == 2.5


async def test_data_is_that_of_the_earlier_file_where_the_spec_is_the_same(january: Path) -> None:
    ran = await again(month(FEB), january)
    assert ran.statuses["orders"] == "reused"
    assert ran.rows("SELECT _row_id, id FROM orders") == [(1, 1), (2, 2)]
    ran.path.unlink()
    ran = await again(month(FEB), january, wishes=Wishes(reingest=True))
    assert ran.rows("SELECT count(*) FROM orders") == [(3,)]


async def test_an_agent_repairs_what_the_data_has_outgrown(january: Path) -> None:
    model = answering(REPAIR, "Repaired.")
    ran = await again(month(DRIFTED, text="feb"), january, model)
    assert ran.ended.status == "passed"
    assert [event.action for event in ran.events if isinstance(event, TakenUp)] == ["repair"]
    why = 'repair: match_base: Referenced column "amount" not found in FROM clause!'
    assert ran.outcomes["match"].why == why
    brief = str(model.requests[0].messages[1].content)
    assert "all of it stands in the database now but match_base, match_result." in brief
    assert "column amount is gone" in brief
    assert "column amount_eur VARCHAR is new" in brief
    assert "2 rows then, 1 row now" in brief
    assert ran.rows("SELECT n FROM after_n") == [(20.0,)]
    assert {name for (name,) in ran.rows("SELECT view_name FROM _view_definitions")} >= {
        "match_double"
    }


def changed(spec: Spec, node: str = "match", **fields: object) -> Spec:
    return replace(spec, nodes=tuple(
        replace(one, **fields) if one.name == node else one for one in spec.nodes
    ))  # fmt: skip


AS_IT_WAS = ("reuse", "data of jan.db"), ("run", "SQL"), ("reuse", "if its checks pass"), ("run", "SQL")  # fmt: skip
OTHER_FOLDER = replace(month(), origin=SpecOrigin(None, "feb/spec.py", "jan", None))
PLANS: dict[str, tuple[Spec, Wishes, dict[str, tuple[str, str]]]] = {
    "same": (month(), Wishes(), {}),
    "reingest": (month(), Wishes(reingest=True), {"orders": ("run", "--reingest")}),
    "other_text": (month(text="feb"), Wishes(), {"orders": ("run", "spec changed")}),
    "other_folder": (OTHER_FOLDER, Wishes(), {"orders": ("run", "another spec")}),
    "path": (
        month("feb.csv"),
        Wishes(),
        {"orders": ("run", "source changed; there is no file 'feb.csv'")},
    ),
    "sql": (changed(month(), "clean", sql=f"{CLEAN};"), Wishes(), {"clean": ("run", "changed")}),
    "prompt": (changed(month(), prompt="More."), Wishes(), {"match": ("run", "prompt changed")}),
    "indented": (changed(month(), prompt="\n    Match.\n"), Wishes(), {}),
    "checks": (changed(month(), validate={}), Wishes(), {}),
    "review": (month(), Wishes(review=True), {"match": ("review", "--mode review")}),
    "new": (
        spec_with := replace(month(), nodes=(*month().nodes, sql("extra"))),
        Wishes(allow_changes=True),
        {"extra": ("run", "new")},
    ),
    "selected": (
        spec_with,
        Wishes(chosen=frozenset({"clean"})),
        {
            "orders": ("keep", "not selected, as in jan.db"),
            "match": ("leave", "not selected"),
            "after": ("leave", "not selected"),
            "extra": ("leave", "not selected"),
        },
    ),
}


@pytest.mark.parametrize("case", PLANS)
def test_plan_says_what_happens_and_why(written: Path, case: str) -> None:
    spec, wishes, expected = PLANS[case]
    plan = plan_rerun(spec, read_earlier(written), wishes)
    names = ("orders", "clean", "match", "after")
    steps = {name: (step.action, step.why) for name, step in plan.steps.items()}
    assert steps == dict(zip(names, AS_IT_WAS, strict=True)) | expected


async def test_a_repair_is_replayed_to_the_same_tables(january: Path) -> None:
    spec = month(DRIFTED, text="feb")
    ran = await again(spec, january, answering(REPAIR, "Repaired."))
    path, recorded = january.with_name("replayed.db"), RecordedModel(recording_of(ran.path))
    opened = replayed(recorded, models_of(spec, DEFAULTS.model))
    settings = replace(DEFAULTS, threads=recorded.circumstances.threads)
    plan = plan_rerun(spec, read_earlier(january), Wishes())
    await run(spec, path, settings, open_service=opened, emit=lambda _: None, plan=plan)
    assert differences(ran.path, path) == []


async def test_review_gives_the_work_to_an_agent_though_it_holds(january: Path) -> None:
    model = answering("Still right.")
    ran = await again(month(FEB, text="feb"), january, model, Wishes(review=True))
    assert ran.statuses["match"] == "passed"
    assert ran.outcomes["match"].why == "review: checks pass"
    assert "On today's data all checks pass." in str(model.requests[0].messages[1].content)
    assert ran.rows("SELECT n FROM after_n") == [(120.0,)]


async def test_a_changed_prompt_runs_afresh(january: Path) -> None:
    spec = changed(month(), prompt="Match otherwise.")
    model = answering(MACRO, *AGENT)
    ran = await again(spec, january, model)
    assert ran.outcomes["match"].why == "prompt changed"
    assert "earlier run" not in str(model.requests[0].messages[1].content)


async def test_a_spec_that_is_built_otherwise_is_refused_unless_changes_are_allowed(
    january: Path,
) -> None:
    spec = changed(month(), output_columns={"match_result": ["id", "amount"]})
    with pytest.raises(SpecError) as refused:
        await again(spec, january)
    assert str(refused.value).splitlines() == [
        "1 problem in spec spec.py: it is built otherwise than that of jan.db",
        (
            "  - node 'match', output_columns: is match_result (id, amount) and was match_result "
            "(--allow-changes runs it afresh)"
        ),
    ]
    model = answering(MACRO, *AGENT)
    ran = await again(spec, january, model, Wishes(allow_changes=True))
    assert ran.ended.status == "passed"
    assert ran.outcomes["match"].why == "built otherwise"


async def test_selected_nodes_run_over_what_is_taken_from_the_file(january: Path) -> None:
    spec, earlier = month(), read_earlier(january)
    ran = await again(spec, january, wishes=Wishes(chosen=frozenset({"match"})))
    assert ran.statuses == {"orders": "reused", "clean": "reused", "match": "reused"}
    assert ran.rows("SELECT sum(amount) FROM match_result") == [(60.0,)]
    assert ran.rows("SELECT count(*) FROM _trace WHERE kind = 'create_table' AND source = 'reuse'") == [(2,)]  # fmt: skip
    plan = plan_part(spec, earlier, frozenset({"match"}))
    model = answering(MACRO, *AGENT)
    part = await execute(spec, january.with_name("part.db"), plan, model)
    assert part.statuses == {"orders": "reused", "clean": "reused", "match": "passed"}
    assert part.outcomes["match"].iterations == 4
    with pytest.raises(SettingsError, match="needs clean, orders, which is not selected"):
        plan_part(spec, None, frozenset({"match"}))


async def test_a_rerun_that_stopped_is_resumed_without_the_earlier_file(january: Path) -> None:
    settings = RunSettings(max_iterations=1)
    spec = month(DRIFTED, text="feb")
    plan = plan_rerun(spec, read_earlier(january), Wishes())
    february = january.with_name("feb.db")
    stopped = await execute(spec, february, plan, answering(REPAIR, "No calls."), settings)
    assert stopped.ended.status == "stopped"
    january.rename(january.with_name("elsewhere.db"))  # noqa: ASYNC240
    events: list[Event] = []
    opened = served_by(ScriptedModel({"match": ["Repaired."]}), DEFAULTS)
    ended = await resume(spec, february, DEFAULTS, open_service=opened, emit=events.append)
    assert ended.status == "passed"
    assert rows_of(february, "SELECT n FROM after_n") == [(20.0,)]


async def test_what_an_earlier_file_says_is_judged_as_if_an_agent_said_it(january: Path) -> None:
    with duckdb.connect(january) as connection:
        connection.execute(
            "UPDATE _view_definitions SET sql = 'CREATE VIEW match_base AS FROM read_text(''/etc/passwd'')'"
            " WHERE view_name = 'match_base'"
        )
        connection.execute(
            "UPDATE _view_definitions SET sql = 'DROP TABLE orders' WHERE view_name = 'match_double'"
        )
    ran = await again(month(), january, answering(MACRO, BASE, AGENT[1], "Done."))
    assert ran.ended.status == "passed"
    refused = ran.rows("SELECT query FROM _trace WHERE source = 'reuse' AND NOT success")
    assert {query for (query,) in refused} >= {
        "CREATE VIEW match_base AS FROM read_text('/etc/passwd')",
        "DROP TABLE orders",
    }
    assert ran.rows("SELECT count(*) FROM orders") == [(2,)]


@pytest.mark.parametrize(
    ("node", "wishes"),
    [("orders", PLAIN), ("match", PLAIN), ("match", Wishes(chosen=frozenset({"match"})))],
    ids=["before_all", "in_the_middle", "selected"],
)
async def test_a_killed_rerun_goes_on_with_what_it_took_over(
    january: Path, tmp_path: Path, node: str, wishes: Wishes
) -> None:
    left, february = tmp_path / "left", january.with_name("feb.db")

    def kill(event: Event) -> None:
        if isinstance(event, NodeStarted) and event.node == node:
            left.mkdir()
            for path in tmp_path.glob("feb.db.partial*"):
                shutil.copy(path, left)

    spec, opened = month(FEB), served_by(None, DEFAULTS)
    plan = plan_rerun(spec, read_earlier(january), wishes)
    whole = await run(spec, february, DEFAULTS, open_service=opened, emit=kill, plan=plan)
    resumed = await resume(
        spec, left / "feb.db", DEFAULTS, open_service=opened, emit=lambda _: None
    )
    assert resumed.status == "passed"
    assert {(one.node, one.status, one.why) for one in resumed.outcomes} == {
        (one.node, one.status, one.why) for one in whole.outcomes
    }
    assert rows_of(left / "feb.db", "SELECT sum(amount) FROM match_result") == [(60.0,)]


async def test_the_earlier_file_is_never_the_output(january: Path) -> None:
    plan = plan_rerun(month(), read_earlier(january), Wishes())
    with pytest.raises(OutputError, match="is the earlier file, which is only read"):
        await execute(month(), january, plan)
    with pytest.raises(WorkspaceError, match="there is no file"):
        read_earlier(january.with_name("none.db"))
