"""Views become tables: by way of a view or directly, it is the same table, and nobody can tell."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest

import guard_workspace
from builders import source, sql
from guard_workspace import Case, Workspace, corpus
from taskgraph.database import Cursor, Database
from taskgraph.errors import QueryFailed, Refused, StatementError
from taskgraph.events import Definition, Event, StatementRun
from taskgraph.guard import Guard
from taskgraph.materialise import materialise, materialise_directly, plain_views
from taskgraph.namespace import Names, Scope

NAMES = Names.of([source("t"), source("hidden"), sql("n", depends_on=["t"])])
T = """
CREATE TABLE t AS
SELECT range AS a, range * 1.5 AS b, 'x' || range AS c, NULL AS nothing, [range] AS l,
    {'q': range} AS s, DATE '2026-01-01' + range::INT AS d
FROM range(20)
"""


@pytest.fixture(scope="module")
def cursor(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cursor]:
    database = Database.create(tmp_path_factory.mktemp("materialise") / "work.db")
    cursor = database.cursor()
    cursor.execute(T)
    yield cursor
    database.close()


@contextmanager
def _undone(cursor: Cursor) -> Generator[None]:
    cursor.execute("BEGIN")
    try:
        yield
    finally:
        cursor.execute("ROLLBACK")


def _contents(cursor: Cursor, table: str) -> tuple[list[tuple[str, str]], list[tuple[object, ...]]]:
    described = cursor.rows(f"DESCRIBE {table}")
    # Rows come as threads finish: a query without ORDER BY has no order to keep.
    rows = sorted(cursor.rows(f"FROM {table}"), key=repr)
    return [(row[0], row[1]) for row in described], rows


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "SELECT NULL AS a, [] AS b, [NULL] AS c, {'a': NULL} AS s, MAP {} AS m",
        "SELECT 1 AS a, 2 AS a",
        "SELECT 1 AS a, 2 AS A",
        "SELECT t.*, u.* FROM t JOIN t u ON t.a = u.a",
        "SELECT count(*), max(b) FROM t",
        "VALUES (1, 'a'), (2, NULL)",
        "FROM t",
        "TABLE t",
        "SELECT a FROM t ORDER BY b DESC LIMIT 3",
        "SELECT 1::TINYINT AS a, 1.5 AS b, 1e3 AS c, 'x'::ENUM('x', 'y') AS e",
        "SELECT 'a' COLLATE NOCASE AS c",
        "SELECT rowid, a FROM t",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) FROM r",
        "SELECT unnest(s), unnest(l) FROM t",
        "SELECT COLUMNS('a|b') FROM t",
        "SELECT * REPLACE (a + 1 AS a) FROM t",
        "SELECT a FROM t UNION ALL SELECT 'x'",
        "SELECT * FROM t PIVOT (sum(b) FOR a IN (1, 2))",
        "SELECT TIME '10:00' AS y, 'ab'::BLOB AS bl, '101'::BIT AS bi, 1::HUGEINT AS h",
        "SELECT union_value(k := 1) AS u, [1, 2]::INT[2] AS arr, MAP {'a': 1} AS m",
        "SELECT '{}'::JSON AS j",
        "SELECT 9223372036854775808 AS h, 0.1::DECIMAL(10, 3) AS d",
        "SELECT DISTINCT ON (a % 2) a, b FROM t ORDER BY a",
        "(SELECT 1 AS a) -- the end;",
        "SELECT x FROM t AS q(x, y)",
    ],
)
def test_a_query_makes_the_same_table_with_and_without_a_view(cursor: Cursor, query: str) -> None:
    guard = Guard(cursor, Scope(NAMES, "n"), "sql_node")
    views = plain_views(guard, f"CREATE VIEW n_direct AS {query}")
    assert views is not None
    with _undone(cursor):
        cursor.execute(f"CREATE VIEW n_view AS {query}")
        cursor.execute("CREATE TABLE n_by_view AS SELECT * FROM n_view")
        materialise_directly(cursor, "n", views, lambda event: None)
        assert _contents(cursor, "n_direct") == _contents(cursor, "n_by_view")


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIEW n_x(a, b) AS SELECT 1, 2",
        "CREATE VIEW main.n_x AS SELECT 1 AS a",
        "CREATE VIEW IF NOT EXISTS n_x AS SELECT 1 AS a",
        "CREATE TEMP VIEW n_x AS SELECT 1 AS a",
        "CREATE MACRO n_x(a) AS a + 1",
        "CREATE VIEW n_x AS SELECT 1 AS a; CREATE OR REPLACE VIEW N_X AS SELECT 2 AS a",
        "CREATE VIEW n_x AS SELECT 1 AS a; DROP VIEW n_x",
        "CREATE TABLE n_x AS SELECT 1 AS a",
    ],
)
def test_what_is_more_than_a_plain_view_is_left_to_duckdb(cursor: Cursor, text: str) -> None:
    assert plain_views(Guard(cursor, Scope(NAMES, "n"), "sql_node"), text) is None


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIEW other_x AS SELECT 1 AS a",
        "CREATE VIEW n_x AS FROM hidden",
        "CREATE VIEW n_x AS SELECT getenv('HOME') AS a",
        "CREATE VIEW n_x AS FROM duckdb_tables()",
        "CREATE VIEW n__validation_x AS SELECT 1 AS a",
        "SELECT 1",
    ],
)
def test_a_plain_view_is_judged_before_it_computes(cursor: Cursor, text: str) -> None:
    with pytest.raises(Refused):
        plain_views(Guard(cursor, Scope(NAMES, "n"), "sql_node"), text)


def test_views_that_read_one_another_are_made_in_the_order_of_the_text(cursor: Cursor) -> None:
    text = "CREATE VIEW n_a AS SELECT a FROM t; CREATE VIEW n_b AS SELECT sum(a) AS s FROM n_a"
    events: list[Event] = []
    views = plain_views(Guard(cursor, Scope(NAMES, "n"), "sql_node"), text)
    assert views is not None
    with _undone(cursor):
        tables = materialise_directly(cursor, "n", views, events.append)
        assert cursor.rows("FROM n_b") == [(190,)]
    assert tables == (("n_a", 20), ("n_b", 1))
    told = [(event.kind, event.name) for event in events if isinstance(event, StatementRun)]
    assert told == [
        ("create_view", "n_a"),
        ("create_table", "n_a"),
        ("create_view", "n_b"),
        ("create_table", "n_b"),
    ]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("SELECT c::INT AS a FROM t", "in n_a: Conversion Error: Could not convert string 'x0' to"),
        ("SELECT error('no') AS a", "in n_a: Invalid Input Error: no"),
        ("SELECT n_gone(a) AS a FROM t", "in n_a: Catalog Error: Scalar Function with name n_gone"),
        ("SELECT len(range(1_000_000_000_000)) AS a", "in n_a: Invalid Input Error: Lists larger"),
    ],
)
def test_view_that_does_not_compute_is_named(cursor: Cursor, query: str, error: str) -> None:
    with _undone(cursor):
        cursor.execute("CREATE MACRO n_gone(x) AS x")
        cursor.execute(f"CREATE VIEW n_a AS {query}")
        cursor.execute("DROP MACRO n_gone")
        with pytest.raises(QueryFailed) as failure:
            materialise(cursor, "n", [Definition("n_a", f"CREATE VIEW n_a AS {query}")], _ignore)
    assert str(failure.value).startswith(error)
    assert "LINE" not in str(failure.value)
    assert "_making" not in str(failure.value)


def _ignore(event: Event) -> None:
    del event


DEFINITIONS = [case for case in corpus() if case.defines]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Generator[Workspace]:
    workspace = Workspace(tmp_path_factory.mktemp("corpus"))
    yield workspace
    workspace.close()


@pytest.mark.parametrize("case", DEFINITIONS, ids=[case.id for case in DEFINITIONS])
def test_no_text_gets_further_directly_than_through_the_guard(
    workspace: Workspace, case: Case
) -> None:
    guard = Guard(workspace.cursor, Scope(guard_workspace.NAMES, case.node), "sql_node")
    try:
        views = plain_views(guard, case.sql)
    except StatementError:
        views = None
    if views:
        through = [one.name for one in workspace.run(case.sql, case.node, "sql_node")]
        workspace.restore()
        assert [view.name for view in views] == through
