"""Whole runs with prompt nodes: a scripted model, the real guard, the real file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders import prompt, source, spec_of, sql
from running import names_in, run_spec
from taskgraph.errors import AuthenticationFailed, ModelRejected, RunLimit, SettingsError
from taskgraph.llm.messages import SystemMessage, UserMessage
from taskgraph.llm.scripted import ScriptedModel, run_sql
from taskgraph.settings import RunSettings

pytestmark = pytest.mark.anyio

GOOD = "CREATE OR REPLACE VIEW match_result AS SELECT id, amount FROM orders"
CHECKS = {
    "all_matched": "SELECT CASE WHEN count(*) = 2 THEN 'pass' ELSE 'fail' END AS status, "
    "count(*) || ' of 2 rows' AS message FROM match_result"
}
NODE = prompt(
    "match",
    "Match the orders.",
    ["orders"],
    output_columns={"match_result": ["id", "amount"]},
    validate=CHECKS,
)


async def test_an_agent_makes_its_views_and_they_become_tables(tmp_path: Path) -> None:
    model = ScriptedModel({"match": [run_sql("FROM orders"), run_sql(GOOD), "All rows match."]})
    ran = await run_spec(
        spec_of(
            source("orders"),
            NODE,
            sql(
                "after",
                depends_on=["match"],
                text="CREATE VIEW after_n AS SELECT count(*) AS n FROM match_result",
            ),
        ),
        tmp_path,
        model=model,
    )
    assert ran.statuses == {"orders": "passed", "match": "passed", "after": "passed"}
    assert ran.rows("SELECT id, amount FROM match_result ORDER BY id") == [(1, 10.0), (2, 20.0)]
    assert ran.rows("SELECT n FROM after_n") == [(2,)]
    outcome = ran.outcomes["match"]
    assert (outcome.iterations, outcome.tool_calls) == (3, 2)
    assert outcome.last_words == "All rows match."


async def test_an_agent_may_measure_its_sql_and_the_run_still_plays_back(tmp_path: Path) -> None:
    measured = run_sql("EXPLAIN ANALYZE SELECT sum(amount) FROM orders, range(100000)")
    model = ScriptedModel({"match": [measured, run_sql(GOOD), "Done."]})
    ran = await run_spec(spec_of(source("orders"), NODE), tmp_path, model=model)
    assert ran.statuses["match"] == "passed"
    [(told,)] = ran.rows(
        "SELECT content FROM _messages WHERE role = 'tool' ORDER BY position LIMIT 1"
    )
    assert "Total Time" in told


async def test_the_whole_exchange_can_be_read_back(tmp_path: Path) -> None:
    model = ScriptedModel({"match": [run_sql("FROM orders", GOOD), "Done."]})
    ran = await run_spec(spec_of(source("orders"), NODE), tmp_path, model=model)
    roles = ran.rows("SELECT role FROM _messages WHERE node = 'match' ORDER BY position")
    assert [role for (role,) in roles] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "user",
    ]
    [(calls,)] = ran.rows("SELECT tool_calls FROM _messages WHERE tool_calls IS NOT NULL")
    assert json.loads(json.loads(calls)[1]["arguments"]) == {"sql": GOOD}
    assert ran.rows("SELECT step, finish_reason, request_sha256 <> '' FROM _llm_calls") == [
        (1, "tool_calls", True),
        (2, "stop", True),
    ]
    kinds = ran.rows("SELECT kind, row_count FROM _trace WHERE source = 'agent' ORDER BY id")
    assert kinds == [("select", 2), ("create_view", None)]


async def test_keys_in_the_sql_are_told_to_the_agent_and_fail_only_where_the_spec_says_so(
    tmp_path: Path,
) -> None:
    orders = source("orders", [{"id": f"ORD-{number:03}", "amount": 1.0} for number in range(60)])
    listed = ", ".join(f"'ORD-{number:03}'" for number in range(12))
    bad = f"CREATE OR REPLACE VIEW {{}}_result AS FROM orders WHERE id IN ({listed})"
    good = "CREATE OR REPLACE VIEW {}_result AS FROM orders WHERE id < 'ORD-012'"
    nodes = [
        prompt(policy, "Do it.", ["orders"], literals=policy)
        for policy in ("warn", "fail", "allow")
    ]
    model = ScriptedModel(
        {
            "warn": [run_sql(bad.format("warn")), "Done."],
            "fail": [run_sql(bad.format("fail")), "Done.", run_sql(good.format("fail")), "Done."],
            "allow": [run_sql(bad.format("allow")), "Done."],
        }
    )

    ran = await run_spec(spec_of(orders, *nodes), tmp_path, model=model)

    assert set(ran.statuses.values()) == {"passed"}
    assert ran.rows("SELECT node, check_name, status FROM _checks") == [
        ("warn", "literals", "warn")
    ]
    told = "SELECT count(*) FROM _messages WHERE content LIKE '%12 values of orders.id stand in%'"
    assert ran.rows(f"{told} AND node = 'warn'") == [(2,)]
    assert ran.rows(f"{told} AND node = 'fail'") == [(2,)]
    assert ran.rows(f"{told} AND node = 'allow'") == [(0,)]


async def test_all_agents_of_a_run_share_the_bytes_of_the_system_prompt(tmp_path: Path) -> None:
    other = prompt("other", "Something else.", ["orders"])
    model = ScriptedModel(
        {
            "match": [run_sql(GOOD), "Done."],
            "other": [run_sql("CREATE VIEW other_result AS FROM orders"), "Done."],
        }
    )
    await run_spec(spec_of(source("orders"), NODE, other), tmp_path, model=model)
    system = {request.messages[0] for request in model.requests}
    assert len(system) == 1
    assert isinstance(next(iter(system)), SystemMessage)


async def test_the_brief_shows_what_the_agent_may_read_and_must_leave(tmp_path: Path) -> None:
    model = ScriptedModel({"match": [run_sql(GOOD), "Done."]})
    clean = sql(
        "clean", "CREATE VIEW clean_orders AS SELECT * FROM orders WHERE amount > 0", ["orders"]
    )
    node = prompt(
        "match",
        "Match the orders.",
        ["clean"],
        output_columns={"match_result": ["id"]},
        validate=CHECKS,
    )
    spec = spec_of(source("orders", description="All orders of the month."), clean, node)
    await run_spec(spec, tmp_path, model=model)
    brief = model.requests[0].messages[1]
    assert isinstance(brief, UserMessage)
    for text in (
        "Match the orders.",
        "table clean_orders, 2 rows",
        "WHERE amount > 0",
        "All orders of the month.",
        "amount DOUBLE",
        "view `match_result` with at least the columns id",
        "count(*) = 2",
    ):
        assert text in brief.content


async def test_findings_go_back_until_the_checks_pass(tmp_path: Path) -> None:
    short = "CREATE VIEW match_result AS SELECT id, amount FROM orders LIMIT 1"
    model = ScriptedModel({"match": [run_sql(short), "Done.", run_sql(GOOD), "Now it is."]})
    ran = await run_spec(spec_of(source("orders"), NODE), tmp_path, model=model)
    assert ran.statuses["match"] == "passed"
    feedback = model.requests[2].messages[-1]
    assert "1 of 2 rows" in (feedback.content or "")
    assert ran.rows("SELECT status, message FROM _checks") == [("pass", "2 of 2 rows")]


async def test_a_refused_statement_is_answered_and_on_record(tmp_path: Path) -> None:
    evil = "CREATE OR REPLACE VIEW orders AS SELECT 1"
    model = ScriptedModel({"match": [run_sql(evil), run_sql(GOOD), "Done."]})
    ran = await run_spec(spec_of(source("orders"), NODE), tmp_path, model=model)
    assert ran.statuses["match"] == "passed"
    assert ran.rows("SELECT query, kind FROM _trace WHERE NOT success") == [(evil, "refused")]
    assert ran.rows("SELECT count(*) FROM orders") == [(2,)]


@pytest.mark.parametrize(
    ("error", "statuses", "run_status"),
    [
        pytest.param(
            ModelRejected("moderation"),
            {"match": "failed", "other": "passed", "after": "skipped"},
            "failed",
            id="one agent fails",
        ),
        pytest.param(
            AuthenticationFailed("401"),
            {"match": "stopped", "other": "cancelled", "after": "skipped"},
            "stopped",
            id="the key is wrong",
        ),
        pytest.param(
            RunLimit("$1.00 of $1.00 spent"),
            {"match": "stopped", "other": "cancelled", "after": "skipped"},
            "stopped",
            id="the budget is spent",
        ),
    ],
)
async def test_an_error_of_the_model_stops_as_much_as_it_must(
    tmp_path: Path, error: Exception, statuses: dict[str, str], run_status: str
) -> None:
    other = sql("other", depends_on=["match_input"])
    spec = spec_of(
        source("orders"),
        NODE,
        source("match_input"),
        other if run_status == "failed" else sql("other", depends_on=["match_input", "orders"]),
        sql("after", depends_on=["match"]),
    )
    ran = await run_spec(spec, tmp_path, model=ScriptedModel({"match": [error]}))
    assert ran.ended.status == run_status
    assert {name: ran.statuses[name] for name in ("match", "after")} == {
        name: statuses[name] for name in ("match", "after")
    }
    assert ran.path.exists() == (run_status == "failed")


async def test_a_stopped_run_keeps_its_unfinished_file(tmp_path: Path) -> None:
    model = ScriptedModel({"match": [run_sql("FROM orders"), "I ran out of turns."]})
    ran = await run_spec(
        spec_of(source("orders"), NODE),
        tmp_path,
        model=model,
        settings=RunSettings(max_iterations=1),
    )
    assert ran.ended.status == "stopped"
    assert ran.statuses["match"] == "stopped"
    assert "max_iterations" in (ran.outcomes["match"].error or "")
    assert (tmp_path / "out.db.partial").is_file()
    assert not ran.path.exists()


async def test_a_prompt_node_without_a_model_is_an_error_before_anything_runs(
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match="no model"):
        await run_spec(spec_of(source("orders"), NODE), tmp_path)
    assert names_in(tmp_path) == []
