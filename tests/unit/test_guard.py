"""The guard: what each mode may run, what a statement gives back, and what each ring holds."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from functools import partial
from pathlib import Path

import duckdb
import pytest

from builders import prompt, source, sql
from guard_workspace import Workspace, changed, definitions, quick_state, state
from taskgraph.database import Cursor, Database
from taskgraph.errors import QueryFailed, Refused, StatementError
from taskgraph.guard import Guard, Mode, StatementResult, planned
from taskgraph.namespace import Names, Scope

NAMES = Names.of(
    [
        source("orders"),
        source("hidden"),
        prompt("match", outputs=["summary", "Final Table"], depends_on=["orders"]),
        sql("later", depends_on=["match"]),
        prompt("list", depends_on=["orders"]),
    ]
)


def opened(folder: Path) -> Database:
    database = Database.create(folder / "work.db.partial")
    cursor = database.cursor()
    cursor.execute("CREATE TABLE orders AS SELECT range AS id, 'x' || range AS name FROM range(5)")
    cursor.execute("CREATE TABLE hidden AS SELECT 1 AS id")
    cursor.execute("CREATE TABLE _trace AS SELECT 'secret' AS query")
    cursor.close()
    return database


@pytest.fixture
def database(tmp_path: Path) -> Generator[Database]:
    """A file of its own, for what defines something."""
    database = opened(tmp_path)
    yield database
    database.close()


@pytest.fixture
def cursor(database: Database) -> Cursor:
    return database.cursor()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cursor]:
    """A file for all that changes nothing."""
    database = opened(tmp_path_factory.mktemp("guard"))
    cursor = database.cursor()
    before = state(cursor)
    yield cursor
    assert state(cursor) == before
    database.close()


def guard(cursor: Cursor, mode: Mode = "agent", node: str = "match") -> Guard:
    return Guard(cursor, Scope(NAMES, node), mode)


def run(cursor: Cursor, text: str, mode: Mode = "agent", node: str = "match") -> StatementResult:
    judge = guard(cursor, mode, node)
    [statement] = judge.split(text)
    return judge.run(statement, max_rows=3)


def test_read_gives_columns_types_and_the_first_rows(shared: Cursor) -> None:
    done = run(shared, "SELECT id, name FROM orders ORDER BY id")
    assert (done.kind, done.name) == ("select", None)
    assert done.result is not None
    assert done.result.columns == ("id", "name")
    assert done.result.types == ("BIGINT", "VARCHAR")
    assert done.result.rows == ((0, "x0"), (1, "x1"), (2, "x2"))
    assert not done.result.complete


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("FROM orders", "select"),
        ("DESCRIBE orders", "select"),
        ("SUMMARIZE orders", "select"),
        ("PIVOT orders ON name", "select"),
        ("EXPLAIN FROM orders", "explain"),
        ("EXPLAIN ANALYZE FROM orders", "explain"),
    ],
)
def test_kind_of_a_read(shared: Cursor, text: str, kind: str) -> None:
    assert run(shared, text).kind == kind


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("CREATE VIEW match_a AS FROM orders", "create_view", "match_a"),
        ("CREATE OR REPLACE VIEW main.Match_A AS FROM orders", "create_view", "Match_A"),
        ("CREATE VIEW work.main.match_a AS FROM orders", "create_view", "match_a"),
        ("CREATE VIEW work.match_a AS FROM orders", "create_view", "match_a"),
        ('CREATE VIEW "final table" AS FROM orders', "create_view", "final table"),
        ("CREATE VIEW summary AS FROM orders", "create_view", "summary"),
        ("CREATE VIEW 'match_a' AS FROM orders", "create_view", "match_a"),
        ("CREATE VIEW `match_``a` AS FROM orders", "create_view", "match_`a"),
        ("CREATE VIEW E'match_\\x61' AS FROM orders", "create_view", "match_\\x61"),
        ("CREATE MACRO match_net(x, rate := 0.2 + abs(-1)) AS x", "create_macro", "match_net"),
        (
            "CREATE FUNCTION match_rows(n) AS TABLE FROM orders LIMIT n",
            "create_macro",
            "match_rows",
        ),
        ("DROP VIEW IF EXISTS match_nothing", "drop_view", "match_nothing"),
        ("DROP MACRO IF EXISTS match_nothing", "drop_macro", "match_nothing"),
        (
            "CREATE VIEW match_a AS WITH summary(a) AS (SELECT 1) FROM summary",
            "create_view",
            "match_a",
        ),
    ],
)
def test_definition_gives_the_name_as_duckdb_resolved_it(
    cursor: Cursor, text: str, kind: str, name: str
) -> None:
    done = run(cursor, text)
    assert (done.kind, done.name, done.result) == (kind, name, None)


def test_defined_objects_can_be_used_and_dropped(cursor: Cursor) -> None:
    run(cursor, "CREATE MACRO match_twice(x) AS x * 2")
    run(cursor, "CREATE VIEW match_all AS SELECT match_twice(id) AS twice FROM orders")
    done = run(cursor, "SELECT max(twice) FROM match_all")
    assert done.result is not None
    assert done.result.rows == ((8,),)
    assert run(cursor, "DROP VIEW match_all CASCADE").kind == "drop_view"
    assert run(cursor, "DROP MACRO match_twice").kind == "drop_macro"
    assert definitions(cursor) == frozenset()


MODES: dict[Mode, str] = {
    "agent": "SELECT, DESCRIBE, SUMMARIZE",
    "sql_node": "CREATE VIEW, CREATE MACRO, DROP VIEW and DROP MACRO",
    "check": "allowed: SELECT",
}


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("sql_node", "SELECT 1"),
        ("sql_node", "PIVOT orders ON name"),
        ("sql_node", "EXPLAIN SELECT 1"),
        ("check", "CREATE VIEW match_a AS SELECT 1"),
        ("check", "DROP VIEW match_a"),
        ("check", "EXPLAIN SELECT 1"),
        ("agent", "INSERT INTO orders VALUES (1, 'x')"),
        ("agent", "UPDATE EXTENSIONS"),
        ("agent", "SET threads = 1"),
        ("agent", "COMMIT"),
    ],
)
def test_mode_says_which_kinds_it_allows(shared: Cursor, mode: Mode, text: str) -> None:
    with pytest.raises(Refused) as refusal:
        run(shared, text, mode)
    assert refusal.value.code == "statement"
    assert MODES[mode] in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("SELECT ?", "parameter", "write the value"),
        ("EXPLAIN CREATE VIEW match_a AS SELECT 1", "statement", "only allowed before a SELECT"),
        ("EXPLAIN ANALYZE DELETE FROM orders", "statement", "only allowed before a SELECT"),
        ("EXPLAIN (ANALYZE false) DELETE FROM orders", "statement", "before a SELECT"),
        ("EXPLAIN ANALYZE FROM hidden", "relation", "add 'hidden' to depends_on of 'match'"),
        ("EXPLAIN ANALYZE PIVOT orders ON name", "statement", "only stand in a query"),
        ("CREATE TABLE match_t AS PIVOT orders ON name", "statement", "give it an IN list"),
        ("COPY (PIVOT orders ON name) TO 'x'", "statement", "give it an IN list"),
        ("CREATE TABLE match_t AS SELECT 1", "statement", "only views and macros"),
        ("DROP TABLE orders", "statement", "only views and macros"),
        ("DROP SCHEMA main", "statement", "only views and macros"),
        ("CREATE TEMP VIEW match_a AS SELECT 1", "temporary", "leave out the word TEMP"),
        ("CREATE TEMP MACRO match_a() AS 1", "temporary", "leave out the word TEMP"),
        ("CREATE VIEW temp.match_a AS SELECT 1", "schema", "objects live in schema main"),
        ("CREATE VIEW match_a.b AS SELECT 1", "schema", "write b"),
        ("DROP VIEW IF EXISTS vault.match_a", "schema", "objects live in schema main"),
        ("CREATE VIEW later_a AS SELECT 1", "namespace", "later_a belongs to node later"),
        ("CREATE VIEW orders AS SELECT 1", "namespace", "name it match_<something>"),
        ("CREATE VIEW match__validation_a AS SELECT 1", "namespace", "the checks of match"),
        ("DROP VIEW orders", "namespace", "orders belongs to node orders"),
        ("DROP MACRO lower", "namespace", "name it match_<something>"),
        ("CREATE MACRO summary(x) AS x", "shadow", "summary is DuckDB's own"),
        ("CREATE VIEW match_a AS FROM hidden", "relation", "hidden belongs to node hidden"),
        ("CREATE VIEW match_a AS FROM later_all", "relation", "later_all belongs to node later"),
        ("CREATE VIEW match_a AS FROM _trace", "relation", "belongs to the engine"),
        ("CREATE MACRO match_a(t) AS TABLE FROM hidden", "relation", "node hidden"),
        ("CREATE MACRO match_a(x) AS x, (x, y) AS (SELECT max(id) FROM hidden)", "relation", ""),
        ("CREATE MACRO match_a(x := later_f(1)) AS x", "relation", "node later"),
        ("CREATE MACRO match_a(x := current_setting('threads')) AS x", "function", ""),
        ("CREATE MACRO match_a(x := `current_setting`('threads')) AS x", "function", ""),
        ("CREATE VIEW match_a AS FROM range(nextval('s'))", "function", "nextval"),
        ("CREATE VIEW match_a AS FROM read_csv('x')", "function", "read_csv()"),
        ("CREATE VIEW match_a AS FROM 'x.csv'", "file", "files cannot be read"),
        ("CREATE VIEW match_a AS FROM duckdb_tables()", "catalog", "happens to be finished"),
        ("CREATE VIEW match_a AS DESCRIBE orders", "statement", "use SELECT"),
    ],
)
def test_refusal_says_what_why_and_what_instead(
    shared: Cursor, text: str, code: str, words: str
) -> None:
    with pytest.raises(Refused) as refusal:
        run(shared, text)
    assert refusal.value.code == code
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "FROM {}",
        "FROM vault.{}",
        "SELECT __{}(1)",
        "SHOW {}",
        "FROM {}(1)",
        "CREATE VIEW {} AS SELECT 1",
        "CREATE VIEW {}.x AS SELECT 1",
        "DROP VIEW vault.{}",
    ],
)
def test_refusal_is_short_however_long_the_name(shared: Cursor, text: str) -> None:
    with pytest.raises(Refused) as refusal:
        run(shared, text.format("x" * 50_000))
    assert len(str(refusal.value)) < 800


@pytest.mark.parametrize("name", ["list_sum", "list_transform"])
def test_prefix_gives_no_right_to_duckdbs_own_names(cursor: Cursor, name: str) -> None:
    for text in (f"CREATE MACRO {name}(x) AS x", f"CREATE VIEW {name} AS SELECT 1"):
        with pytest.raises(Refused, match="DuckDB's own"):
            run(cursor, text, node="list")
    assert run(cursor, "SELECT list_sum([1])", node="list").result is not None
    run(cursor, "CREATE VIEW list_mine AS SELECT 1", node="list")


def test_one_statement_at_a_time(shared: Cursor) -> None:
    with pytest.raises(Refused, match="these are 2"):
        guard(shared).run("SELECT 1; SELECT 2", max_rows=1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT nmae FROM orders", 'Candidate bindings: "name"'),
        ("CREATE VIEW match_a AS SELECT nmae FROM orders", 'Candidate bindings: "name"'),
        ("FROM match_al", 'Did you mean "match_all"'),
        ("SELECT match_twise(1)", 'Did you mean "match_twice"'),
        ("CREATE VIEW match_all AS SELECT 1", "already exists"),
        ("DROP VIEW match_nothing", "does not exist"),
        ("SELECT error('no such customer')", "no such customer"),
        ("SELECT 1 // 0", "zero"),
        ("SELECT 'x'::INT", "Could not convert string 'x' to INT32"),
        ("SELECT INTERVAL 100000000 YEARS", "cast it to VARCHAR"),
        ("SELECT st_point(1, 2)", "spatial extension. Extensions are not loaded here: use"),
        ("CREATE VIEW match_a AS SELECT st_point(1, 2)", "extension. Extensions are not loaded"),
    ],
)
def test_what_duckdb_refuses_comes_with_its_own_candidates(
    cursor: Cursor, text: str, words: str
) -> None:
    run(cursor, "CREATE VIEW match_all AS FROM orders")
    run(cursor, "CREATE MACRO match_twice(x) AS x * 2")
    with pytest.raises(QueryFailed) as failure:
        run(cursor, text)
    assert words in str(failure.value)


@pytest.mark.parametrize(
    ("made", "text", "candidate"),
    [
        ("VIEW match_secret AS SELECT 1", "FROM match_secre", "match_secret"),
        ("VIEW _match_secret AS SELECT 1", "FROM match_secret", None),
        ("VIEW matc_secret AS SELECT 1", "FROM match_secret", "matc_secret"),
        ("VIEW later_secret AS SELECT 1", "FROM match_later_secret", None),
        ("VIEW later_secret AS SELECT 1", "DROP VIEW match_later_secret", None),
        ("VIEW later_secret AS SELECT 1", "CREATE VIEW match_a AS FROM match_later_secret", None),
        ("MACRO match_secret(x) AS x", "SELECT match_secre(1)", "match_secret"),
        ("VIEW match_a AS SELECT 1", "FROM match_read_csv('x')", None),
        ("VIEW match_a AS SELECT 1", "SELECT uper('x')", "upper"),
        ("VIEW match_a AS SELECT 1", "SELECT 1::vachar", "varchar"),
        ("VIEW match_pg_sequence AS SELECT 1", "FROM match_pg_sequences", "match_pg_sequence"),
        ("VIEW later_b AS SELECT 1", "FROM match_pg_sequences", None),
    ],
)
def test_only_what_the_node_may_use_is_suggested(
    cursor: Cursor, made: str, text: str, candidate: str | None
) -> None:
    cursor.execute(f"CREATE {made}")
    with pytest.raises(QueryFailed) as failure:
        run(cursor, text)
    suggested = [line for line in str(failure.value).splitlines() if "Did you mean" in line]
    assert suggested == ([f'Did you mean "{candidate}"?'] if candidate else [])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SHOW TABLES", ["match_all", "orders"]),
        ("SHOW ALL TABLES", ["match_all", "orders"]),
        ("SHOW TABLES FROM main", ["match_all", "orders"]),
        ("SHOW TABLES FROM system", []),
        ("DESCRIBE orders", ["id", "name"]),
    ],
)
def test_lists_of_tables_hold_what_the_node_may_read(
    cursor: Cursor, text: str, names: list[str]
) -> None:
    for view in ("later_secret", "match_all", "_match_trac"):
        cursor.execute(f"CREATE VIEW {view} AS SELECT 1 AS a")
    result = run(cursor, text).result
    assert result is not None
    assert result.complete
    at = result.columns.index("name" if "name" in result.columns else "column_name")
    assert [row[at] for row in result.rows] == names


def test_list_of_tables_is_cut_after_what_the_node_may_not_read(cursor: Cursor) -> None:
    for number in range(9):
        cursor.execute(f"CREATE VIEW later_v{number} AS SELECT 1 AS a")
        cursor.execute(f"CREATE VIEW match_v{number} AS SELECT 1 AS a")
    result = run(cursor, "SHOW TABLES").result
    assert result is not None
    assert [row[0] for row in result.rows] == ["match_v0", "match_v1", "match_v2"]
    assert not result.complete


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT list_transform([1], x -> x)", "transition to the new lambda syntax"),
        ("SELECT (SELECT id FROM orders)", "can only return a single row."),
        ("PIVOT range(3000) ON range", "Pivot column limit of 2000 exceeded."),
        ("SELECT 1" + "+1" * 600, "Max expression depth limit of 500 exceeded."),
        ("SELECT st_point(1, 2)", "extension"),
    ],
)
def test_nobody_is_advised_to_do_what_is_refused(shared: Cursor, text: str, words: str) -> None:
    with pytest.raises(StatementError) as failure:
        run(shared, text)
    assert words in str(failure.value)
    assert not [word for word in ("SET ", "INSTALL ", "LOAD ") if word in str(failure.value)]


def test_failed_statement_leaves_the_cursor_usable(cursor: Cursor) -> None:
    for text in ("SELECT nmae FROM orders", "FROM hidden", "CREATE VIEW x AS SELECT 1", "SELECT ("):
        with pytest.raises(StatementError):
            run(cursor, text)
        assert run(cursor, "SELECT 1").result is not None
    with cursor.transaction():
        cursor.execute("CREATE TABLE t AS SELECT 1")


def test_query_is_judged_without_being_run(shared: Cursor) -> None:
    judge = guard(shared, "check")
    assert judge.judge_read("SELECT\u00a0error('not run')") == "SELECT error('not run')"
    with shared.transaction():
        assert judge.judge_read("FROM orders;").startswith("FROM orders")
    with pytest.raises(Refused, match="hidden"):
        judge.judge_read("FROM hidden")
    with pytest.raises(Refused, match="allowed: SELECT"):
        judge.judge_read("DROP VIEW match_a")
    with pytest.raises(Refused, match="use SELECT"):
        guard(shared).judge_read("DROP VIEW match_a")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("CREATE VIEW match_a AS FROM orders", "FROM orders"),
        ("create or replace view Match_A as WITH c AS (FROM orders) FROM c", "WITH c AS (FROM"),
        ('CREATE VIEW "Final Table" AS SELECT 1 AS a', "SELECT 1 AS a"),
    ],
)
def test_plain_view_is_judged_without_being_made(shared: Cursor, text: str, query: str) -> None:
    view = guard(shared, "sql_node").judge_view(text)
    assert view is not None
    assert view.query.startswith(query)
    assert NAMES.owner(view.name) == "match"


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIEW match_a(x) AS SELECT 1",
        "CREATE VIEW main.match_a AS SELECT 1",
        "CREATE VIEW IF NOT EXISTS match_a AS SELECT 1",
        "CREATE TEMP VIEW match_a AS SELECT 1",
        "CREATE RECURSIVE VIEW match_a(n) AS SELECT 1",
        "CREATE VIEW match_a WITH (defer_binding) AS SELECT 1",
        "CREATE VIEW 'match_a' AS SELECT 1",
        "CREATE MACRO match_a() AS 1",
        "DROP VIEW match_a",
        "CREATE TABLE match_a AS SELECT 1",
    ],
)
def test_what_is_no_plain_view_has_to_be_run(shared: Cursor, text: str) -> None:
    assert guard(shared, "sql_node").judge_view(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CREATE VIEW orders AS SELECT 1", "namespace"),
        ("CREATE VIEW match__validation_a AS SELECT 1", "namespace"),
        ("CREATE VIEW match_a AS FROM hidden", "relation"),
        ("CREATE VIEW match_a AS FROM _trace", "relation"),
        ("CREATE VIEW match_a AS FROM range(nextval('s'))", "function"),
        ("CREATE VIEW match_a AS FROM read_csv('x')", "function"),
        ("CREATE VIEW match_a AS WITH x AS (DELETE FROM orders RETURNING *) FROM x", "write"),
        ("CREATE VIEW match_a AS FROM duckdb_tables()", "catalog"),
        ("SELECT 1", "statement"),
    ],
)
def test_plain_view_is_refused_for_the_same_reasons(shared: Cursor, text: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        guard(shared, "sql_node").judge_view(text)
    assert refusal.value.code == code


def test_plain_view_cannot_take_duckdbs_own_names(shared: Cursor) -> None:
    with pytest.raises(Refused, match="DuckDB's own"):
        guard(shared, "sql_node", "list").judge_view("CREATE VIEW list_sum AS SELECT 1")


def test_dynamic_pivot_sees_only_what_the_node_may_read(shared: Cursor) -> None:
    done = run(shared, "PIVOT orders ON name USING max(id)")
    assert done.result is not None
    assert done.result.columns == ("x0", "x1", "x2", "x3", "x4")
    for text in (
        "PIVOT hidden ON id",
        "PIVOT orders ON (SELECT max(id) FROM hidden)",
        "PIVOT orders ON name IN (SELECT id::VARCHAR FROM hidden)",
        "FROM (PIVOT orders ON name) JOIN hidden ON true",
        "WITH p AS (PIVOT hidden ON id) FROM p",
        "PIVOT orders ON name UNION ALL FROM _trace",
        "PIVOT orders ON current_setting('threads')",
        "CREATE TABLE match_t AS PIVOT orders ON name",
        "WITH x AS (DELETE FROM orders RETURNING *) PIVOT x ON name",
    ):
        with pytest.raises(StatementError):
            run(shared, text)
    assert [row[2] for row in shared.rows("FROM duckdb_types() WHERE NOT internal")] == []


@pytest.mark.parametrize(
    "text",
    [
        "WITH x AS (DELETE FROM orders RETURNING *) FROM x",
        "EXPLAIN ANALYZE DELETE FROM orders",
        "INSERT INTO orders SELECT 9, 'x'",
        "CREATE VIEW anything AS SELECT 1",
        "SELECT nextval('numbers')",
    ],
)
def test_transaction_of_reads_refuses_to_write_even_what_was_not_judged(
    cursor: Cursor, text: str
) -> None:
    cursor.execute("CREATE SEQUENCE numbers")
    before = quick_state(cursor)
    with pytest.raises(QueryFailed), cursor.read_only():
        cursor.execute(text)
    assert quick_state(cursor) == before


def test_view_cannot_be_redefined_under_a_reader(cursor: Cursor) -> None:
    run(cursor, "CREATE VIEW match_a AS SELECT 1 AS a")
    run(cursor, "CREATE VIEW later_a AS FROM match_a", "sql_node", "later")
    with pytest.raises(Refused, match="match_a belongs to node match"):
        run(cursor, "CREATE OR REPLACE VIEW match_a AS SELECT 2 AS a", "sql_node", "later")


@pytest.mark.anyio
async def test_nodes_define_side_by_side(database: Database) -> None:
    def define(cursor: Cursor, node: str) -> None:
        mine = guard(cursor, "agent", node)
        for number in range(20):
            mine.run(f"CREATE OR REPLACE VIEW {node}_x{number} AS FROM orders", max_rows=1)

    async with asyncio.TaskGroup() as group:
        for node in ("match", "list", "later"):
            cursor = database.cursor()
            group.create_task(cursor.run(partial(define, cursor, node)))
    names = {row[3] for row in definitions(database.cursor())}
    assert len(names) == 60


@pytest.mark.parametrize(
    "plan",
    [
        {"type": "LOGICAL_CREATE_TABLE", "info": {"type": "TABLE_ENTRY"}},
        {"type": "LOGICAL_DROP", "info": {"type": "TABLE_ENTRY"}},
        {"type": "LOGICAL_DROP"},
        {"type": "LOGICAL_SOMETHING_NEW", "info": {"type": "VIEW_ENTRY"}},
    ],
)
def test_plan_of_anything_else_is_refused(plan: dict[str, object]) -> None:
    with pytest.raises(Refused, match="another statement"):
        planned(plan)


def test_cascade_takes_nothing_else_along(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    before = definitions(workspace.cursor)
    workspace.run("CREATE VIEW prep_b AS FROM prep_base; CREATE VIEW prep_c AS FROM prep_b")
    workspace.run("CREATE MACRO prep_d() AS TABLE FROM prep_b")
    workspace.run("DROP VIEW prep_b CASCADE")
    assert changed(before, definitions(workspace.cursor)) == {("view", "prep"), ("macro", "prep")}
    names = {row[3] for row in definitions(workspace.cursor) - before}
    assert names == {"prep_c", "prep_d"}
    workspace.close()


def test_duckdb_is_the_version_whose_trees_were_reviewed() -> None:
    assert duckdb.__version__.startswith("2.0.")
