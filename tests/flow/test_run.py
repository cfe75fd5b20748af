"""Whole runs of sources and SQL nodes, on real files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import duckdb
import pytest

from builders import source, spec_of, sql
from running import DEFAULTS, names_in, rows_of, run_spec
from taskgraph.errors import OutputError
from taskgraph.events import Event, NodeStarted, Warned
from taskgraph.llm.service import served_by
from taskgraph.runner import run
from taskgraph.settings import RunSettings

pytestmark = pytest.mark.anyio


CHAIN = """
    CREATE MACRO m_double(x) AS x * 2;
    CREATE VIEW m_c AS SELECT b + 1 AS c FROM m_b;
    CREATE VIEW m_b AS SELECT m_double(a) AS b FROM m_a;
    CREATE VIEW m_a AS SELECT id AS a FROM orders;
"""


async def test_a_spec_becomes_a_db_of_tables(tmp_path: Path) -> None:
    spec = spec_of(
        source("orders"),
        sql("m", "CREATE VIEW m_all AS SELECT amount FROM orders WHERE id = 2", ["orders"]),
    )
    ran = await run_spec(spec, tmp_path)
    assert ran.ended.status == "passed"
    assert ran.rows("SELECT * FROM orders") == [(1, 1, 10.0), (2, 2, 20.0)]
    assert ran.rows("SELECT * FROM m_all") == [(20.0,)]
    assert ran.rows("SELECT count(*) FROM duckdb_views() WHERE NOT internal") == [(0,)]
    assert names_in(tmp_path) == ["out.db"]


async def test_dependent_views_become_tables_and_macros_stay(tmp_path: Path) -> None:
    text = ";".join(reversed(CHAIN.strip().rstrip(";").split(";")[1:]))
    ran = await run_spec(
        spec_of(source("orders"), sql("m", CHAIN.split(";")[0] + ";" + text, ["orders"])), tmp_path
    )
    assert ran.rows("SELECT c, m_double(c) FROM m_c ORDER BY c") == [(3, 6), (5, 10)]
    made = ran.rows("SELECT query FROM _trace WHERE source = 'materialise' ORDER BY id")
    assert [query.split('"')[1] for (query,) in made] == ["m_a", "m_b", "m_c"]
    assert ran.rows("SELECT view_name FROM _view_definitions ORDER BY ALL") == [
        ("m_a",),
        ("m_b",),
        ("m_c",),
        ("m_double",),
    ]


async def test_a_failure_blocks_only_its_descendants(tmp_path: Path) -> None:
    def broken() -> list[dict[str, object]]:
        raise ZeroDivisionError("the feed is down")

    spec = spec_of(
        source("good"),
        source("bad", broken),
        sql("on_bad", depends_on=["bad"]),
        sql("on_both", depends_on=["good", "on_bad"]),
        sql("on_good", depends_on=["good"]),
    )
    ran = await run_spec(spec, tmp_path)
    assert ran.ended.status == "failed"
    assert ran.statuses == {
        "good": "passed",
        "bad": "failed",
        "on_bad": "skipped",
        "on_both": "skipped",
        "on_good": "passed",
    }
    assert "ZeroDivisionError: the feed is down" in (ran.outcomes["bad"].error or "")
    assert ran.outcomes["on_both"].skipped_because == "bad"
    assert set(ran.rows("SELECT node, status FROM _node_meta")) == set(ran.statuses.items())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("CREATE VIEW n_a AS SELECT nope FROM orders", "nope", id="unknown column"),
        pytest.param("CREATE VIEW n_a AS SELECT 'x'::INT AS a", "Could not convert", id="bad cast"),
        pytest.param("CREATE TABLE n_a AS SELECT 1", "VIEW", id="a table"),
        pytest.param("CREATE VIEW other AS SELECT 1", "n_", id="a foreign name"),
        pytest.param("SELECT 1", "CREATE", id="a read"),
    ],
)
async def test_sql_that_cannot_stand_fails_its_node(tmp_path: Path, text: str, error: str) -> None:
    ran = await run_spec(spec_of(source("orders"), sql("n", text, ["orders"])), tmp_path)
    assert ran.statuses["n"] == "failed"
    assert error in (ran.outcomes["n"].error or "")
    assert ran.rows("SELECT count(*) > 0 FROM _trace WHERE node = 'n' AND NOT success") == [(True,)]


async def test_a_node_starts_before_its_layer_is_through(tmp_path: Path) -> None:
    """`late` (a source) ends only after `next_one`, which depends on `early` alone, has started."""
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def late() -> list[dict[str, int]]:
        asyncio.run_coroutine_threadsafe(started.wait(), loop).result(timeout=30)
        return [{"a": 1}]

    def watch(event: Event) -> None:
        if isinstance(event, NodeStarted) and event.node == "next_one":
            started.set()

    spec = spec_of(source("early"), source("late", late), sql("next_one", depends_on=["early"]))
    ended = await run(
        spec, tmp_path / "out.db", DEFAULTS, open_service=served_by(None, DEFAULTS), emit=watch
    )
    assert ended.status == "passed"


async def test_at_most_max_concurrency_nodes_run_at_once(tmp_path: Path) -> None:
    from threading import Lock

    running, peak, lock = 0, 0, Lock()

    def count() -> list[dict[str, int]]:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        with lock:
            running -= 1
        return [{"a": 1}]

    spec = spec_of(*(source(f"s{number}", count) for number in range(12)))
    ran = await run_spec(spec, tmp_path, settings=RunSettings(max_concurrency=2))
    assert ran.ended.status == "passed"
    assert peak <= 2


CHECKS = {
    "all_there": "SELECT 'pass' AS status, 'two rows' AS message",
    "amounts": "SELECT 'WARN' AS status, 'amount ' || amount AS message FROM n_all",
}


async def test_checks_are_kept_as_tables_and_as_results(tmp_path: Path) -> None:
    spec = spec_of(source("orders"), sql("n", depends_on=["orders"], validate=CHECKS))
    ran = await run_spec(spec, tmp_path)
    assert ran.statuses["n"] == "passed"
    assert ran.rows("SELECT check_name, status, message FROM _checks ORDER BY ALL") == [
        ("all_there", "pass", "two rows"),
        ("amounts", "warn", "amount 10.0"),
        ("amounts", "warn", "amount 20.0"),
    ]
    assert ran.rows("SELECT count(*) FROM n__validation_amounts") == [(2,)]
    assert len(ran.outcomes["n"].warnings) == 2


@pytest.mark.parametrize(
    ("check", "message"),
    [
        pytest.param("SELECT 'fail' AS status, 'too few' AS message", "too few", id="fail row"),
        pytest.param("SELECT 'oops' AS status, 'x' AS message", "'oops'", id="unknown status"),
        pytest.param("SELECT 1 AS a", "status", id="no status column"),
        pytest.param("SELECT nope FROM n_all", "nope", id="broken query"),
        pytest.param(
            "SELECT 'pass' AS status, a::INT::VARCHAR AS message FROM (SELECT 'x' AS a)",
            "Could not convert",
            id="breaks while running",
        ),
    ],
)
async def test_a_check_that_does_not_hold_fails_the_node(
    tmp_path: Path, check: str, message: str
) -> None:
    good = "SELECT 'pass' AS status, 'fine' AS message"
    node = sql("n", depends_on=["orders"], validate={"good": good, "main": check})
    ran = await run_spec(spec_of(source("orders"), node), tmp_path)
    assert ran.statuses["n"] == "failed"
    found = {(result.check, result.status): result.message for result in ran.outcomes["n"].checks}
    assert found["good", "pass"] == "fine"
    assert message in found["main", "fail"]
    assert ran.rows("SELECT count(*) FROM _checks WHERE status = 'fail'") == [(1,)]
    assert ran.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal") == [("n_all",)]


async def test_the_older_form_of_checks_reports_each_row(tmp_path: Path) -> None:
    node = sql(
        "n", depends_on=["orders"], validate_sql=["SELECT 1 AS one WHERE false", "FROM n_all"]
    )
    ran = await run_spec(spec_of(source("orders"), node), tmp_path)
    assert ran.rows("SELECT check_name, status, message FROM _checks ORDER BY ALL") == [
        ("sql_1", "pass", "no rows"),
        ("sql_2", "fail", "_row_id=1, id=1, amount=10.0"),
        ("sql_2", "fail", "_row_id=2, id=2, amount=20.0"),
    ]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        pytest.param({"n_other": ["a"]}, "the view n_other is missing", id="view"),
        pytest.param({"n_all": ["ID", "nope"]}, "lacks the column nope", id="column"),
        pytest.param({"n_all": {"id": "VARCHAR"}}, "is BIGINT, not VARCHAR", id="type"),
    ],
)
async def test_missing_outputs_fail_the_node(
    tmp_path: Path, outputs: dict[str, list[str]], message: str
) -> None:
    node = sql("n", depends_on=["orders"], output_columns=outputs)
    ran = await run_spec(spec_of(source("orders"), node), tmp_path)
    assert ran.statuses["n"] == "failed"
    assert message in (ran.outcomes["n"].error or "")


async def test_required_outputs_may_be_written_in_any_case(tmp_path: Path) -> None:
    node = sql(
        "n", depends_on=["orders"], output_columns={"N_ALL": {"ID": "int8", "amount": "double"}}
    )
    ran = await run_spec(spec_of(source("orders"), node), tmp_path)
    assert ran.statuses["n"] == "passed"


async def test_exports_run_on_the_finished_file_and_one_error_spoils_no_other(
    tmp_path: Path,
) -> None:
    def broken(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        raise PermissionError("the share is offline")

    def copy(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        connection.execute(f"COPY orders TO '{path}'")

    spec = spec_of(source("orders"), exports={"broken.csv": broken, "sub/orders.csv": copy})
    ran = await run_spec(spec, tmp_path)
    assert ran.ended.status == "failed"
    assert (tmp_path / "sub/orders.csv").read_text().splitlines()[0] == "_row_id,id,amount"
    [(exports,)] = ran.rows("SELECT value FROM _workspace_meta WHERE key = 'exports'")
    told = json.loads(exports)
    assert told["sub/orders.csv"] == {"error": None}
    words, place = told["broken.csv"]["error"].splitlines()
    assert words == "PermissionError: the share is offline"
    assert place.startswith("test_run.py line ")
    assert place.endswith(', in broken: raise PermissionError("the share is offline")')
    assert ran.rows("SELECT query, success FROM _trace WHERE source = 'export' ORDER BY id") == [
        ("broken.csv", False),
        ("sub/orders.csv", True),
    ]


async def test_exports_do_not_run_after_a_failure(tmp_path: Path) -> None:
    spec = spec_of(
        sql("n", "CREATE VIEW n_a AS SELECT 'x'::INT AS a"),
        exports={"never.csv": lambda connection, path: path.write_text("")},
    )
    ran = await run_spec(spec, tmp_path)
    assert not (tmp_path / "never.csv").exists()
    assert any("exports" in event.message for event in ran.events if isinstance(event, Warned))


async def test_an_existing_output_is_never_harmed(tmp_path: Path) -> None:
    first = await run_spec(spec_of(source("orders")), tmp_path)
    before = first.path.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        await run_spec(spec_of(source("other")), tmp_path)
    assert first.path.read_bytes() == before
    second = await run_spec(spec_of(source("other")), tmp_path, replace=True)
    assert second.rows("SELECT count(*) FROM other") == [(2,)]


async def test_a_cancelled_run_leaves_a_consistent_unfinished_file(tmp_path: Path) -> None:
    entered = asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless() -> list[dict[str, int]]:
        loop.call_soon_threadsafe(entered.set)
        return [{"a": 1}]

    slow = "CREATE VIEW slow_a AS SELECT count(*) AS n FROM range(1000000000000)"
    spec = spec_of(source("orders"), sql("slow", slow), source("signal", endless))
    task = asyncio.create_task(run_spec(spec, tmp_path))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (tmp_path / "out.db").exists()
    statuses = dict(rows_of(tmp_path / "out.db.partial", "SELECT node, status FROM _node_meta"))
    assert statuses["slow"] == "cancelled"
    assert set(statuses) == {"orders", "slow", "signal"}
    [(status,)] = rows_of(
        tmp_path / "out.db.partial", "SELECT value FROM _workspace_meta WHERE key = 'status'"
    )
    assert status == "interrupted"


async def test_the_record_says_where_everything_came_from(tmp_path: Path) -> None:
    ran = await run_spec(spec_of(source("orders")), tmp_path)
    meta = dict(ran.rows("SELECT key, value FROM _workspace_meta"))
    assert meta["meta_version"] == "1"
    assert meta["status"] == "passed"
    assert json.loads(meta["inputs_row_counts"]) == {"orders": 2}
    assert json.loads(meta["inputs_schema"])["orders"]["amount"] == "DOUBLE"
    assert str(tmp_path) not in json.dumps(meta)
    assert set(meta) == {
        "created_at_utc",
        "duckdb_threads",
        "duckdb_version",
        "exports",
        "fingerprint",
        "finished_at_utc",
        "inputs_files",
        "inputs_row_counts",
        "inputs_schema",
        "llm_max_iterations",
        "llm_model",
        "llm_models",
        "llm_reasoning_effort",
        "meta_version",
        "node_definitions",
        "node_max_concurrency",
        "node_prompts",
        "packages",
        "platform",
        "python_version",
        "run",
        "spec",
        "spec_imports",
        "spec_source",
        "status",
        "structure",
        "taskgraph_version",
    }
