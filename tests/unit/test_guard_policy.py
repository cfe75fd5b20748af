"""Which of DuckDB's own functions and relations SQL may use, name by name."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from builders import prompt, source
from guard_workspace import DATA
from taskgraph.errors import Refused
from taskgraph.guard_policy import (
    ALLOWED_TABLE_FUNCTIONS,
    ALLOWED_VOLATILE,
    CATALOG_FUNCTIONS,
    CATALOG_RELATIONS,
    DENIED_FUNCTIONS,
    Place,
    PlaceKind,
    judge,
)
from taskgraph.namespace import Names, Scope
from taskgraph.sql import Parser, builtins, parser

NAMES = Names.of(
    [
        source("orders"),
        source("hidden"),
        prompt("other", outputs=["seen"], depends_on=["orders"]),
        prompt("stranger", outputs=["unseen"]),
        prompt("match", outputs=["summary"], depends_on=["other"]),
    ]
)
OWN = builtins()
PLACES: tuple[PlaceKind, ...] = ("agent_read", "check", "definition")


@pytest.fixture(scope="module")
def parse() -> Generator[Parser]:
    with parser() as opened:
        yield opened


def judged(parse: Parser, query: str, kind: PlaceKind = "agent_read") -> None:
    judge(parse.tree(query), Place(Scope(NAMES, "match"), "workspace", kind))


def reviewed(file: str) -> set[str]:
    return set((DATA / file).read_text().splitlines())


def test_every_function_of_this_duckdb_has_been_reviewed() -> None:
    """A new name in a later DuckDB: decide whether it acts, then add it to the file."""
    assert OWN.functions - reviewed("functions.txt") == set()


def test_every_system_view_of_this_duckdb_has_been_reviewed() -> None:
    views = OWN.relations | {f"information_schema.{name}" for name in OWN.information_schema}
    assert views - reviewed("relations.txt") == set()


def test_rules_name_what_exists() -> None:
    assert DENIED_FUNCTIONS - OWN.functions <= {"getenv"}
    assert OWN.volatile >= ALLOWED_VOLATILE
    assert OWN.table_functions >= ALLOWED_TABLE_FUNCTIONS | CATALOG_FUNCTIONS
    assert OWN.relations >= CATALOG_RELATIONS


@pytest.mark.parametrize("name", sorted(OWN.table_functions - ALLOWED_TABLE_FUNCTIONS))
def test_table_function_is_refused_unless_it_only_computes_or_lists(
    parse: Parser, name: str
) -> None:
    for kind in PLACES:
        if name in CATALOG_FUNCTIONS and kind != "definition":
            judged(parse, f'FROM "{name}"()', kind)
        else:
            with pytest.raises(Refused):
                judged(parse, f'FROM "{name}"()', kind)


@pytest.mark.parametrize("name", sorted(ALLOWED_TABLE_FUNCTIONS))
def test_table_function_that_computes_is_allowed_everywhere(parse: Parser, name: str) -> None:
    for kind in PLACES:
        judged(parse, f"FROM {name}(1)", kind)


@pytest.mark.parametrize(
    "name",
    sorted(
        DENIED_FUNCTIONS
        | (OWN.volatile - ALLOWED_VOLATILE)
        | {name for name in OWN.functions if name.startswith("__")}
    ),
)
def test_function_that_acts_is_refused_everywhere(parse: Parser, name: str) -> None:
    for query in (
        'SELECT "{}"(1)',
        "SELECT x.{}(1) FROM orders",
        "SELECT list_transform([1], lambda x: system.main.{}(x))",
        "WITH c AS (SELECT 1 ORDER BY {}(1)) FROM c",
    ):
        with pytest.raises(Refused) as refusal:
            judged(parse, query.format(name.upper()), "check")
        assert refusal.value.code == "function"
        assert name in str(refusal.value)


@pytest.mark.parametrize("name", sorted(OWN.relations - CATALOG_RELATIONS))
def test_system_view_that_tells_more_than_names_is_refused(parse: Parser, name: str) -> None:
    for path in (name, f"main.{name}", f"pg_catalog.{name}", f"system.main.{name}"):
        with pytest.raises(Refused):
            judged(parse, f"FROM {path}")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 + 2, upper('x'), [1, 2][1], {'a': 1}.a, random(), uuid(), error('x')",
        "SELECT CASE WHEN true THEN 1 END, x::INT, x BETWEEN 1 AND 2, x IN (1) FROM orders",
        "SELECT nobody_knows_me(1)",
        "SELECT match_net(1), other_net(2) FROM other_rows(3), seen, orders, match_later",
        "FROM main.orders, workspace.orders, workspace.main.orders",
        "WITH hidden AS (SELECT 1) FROM hidden",
        'WITH "x.csv" AS (SELECT 1) FROM "x.csv"',
        "FROM summary",
    ],
)
def test_computing_from_what_the_node_may_read_is_allowed_everywhere(
    parse: Parser, query: str
) -> None:
    for kind in PLACES:
        judged(parse, query, kind)


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("FROM hidden", "relation", "add 'hidden' to depends_on of 'match'"),
        ("FROM unseen", "relation", "unseen belongs to node stranger"),
        ("SELECT stranger_net(1)", "relation", "stranger_net belongs to node stranger"),
        ("FROM stranger_rows(1)", "relation", "stranger_rows belongs to node stranger"),
        ("FROM nobodys(1)", "relation", "there is no table, view or macro nobodys"),
        ("FROM ordesr", "relation", "did you mean orders?"),
        ("FROM _trace", "relation", "_trace belongs to the engine"),
        ("FROM MAIN._Trace", "relation", "_Trace belongs to the engine"),
        ("WITH RECURSIVE _trace(x) AS (FROM _trace UNION FROM _trace) FROM _trace", "relation", ""),
        ("FROM 'data/x.csv'", "file", "files cannot be read; read summary, match_*, seen"),
        ('FROM "https://x.y/z.parquet"', "file", "files cannot be read"),
        ("FROM vault.orders", "schema", "only schema main can be read"),
        ("FROM temp.main.orders", "schema", "only schema main"),
        ("FROM elsewhere.main.orders", "schema", "only schema main"),
        ("FROM a.b.c.orders", "schema", "only schema main"),
        ("FROM information_schema.orders", "schema", "only schema main"),
        ("FROM pg_catalog.pg_settings", "relation", "pg_catalog.pg_settings is not allowed"),
        ("FROM read_csv('x')", "function", "read_csv() is not allowed in FROM: read summary"),
        ("SHOW memory_limit", "setting", "SHOW MEMORY_LIMIT is not allowed"),
        ("SHOW VARIABLES", "setting", "SHOW VARIABLES is not allowed"),
        ("SHOW DATABASES", "setting", "SHOW DATABASES is not allowed"),
        ("SHOW hidden", "relation", "hidden belongs to node hidden"),
        ("DESCRIBE hidden", "relation", "hidden belongs to node hidden"),
        ("SELECT $x", "parameter", "write the value"),
        ("WITH x AS (DELETE FROM orders RETURNING *) FROM x", "write", "DELETE is not allowed"),
        ("WITH x AS (COPY orders TO 'f') SELECT 1", "write", "COPY is not allowed"),
    ],
)
def test_refusal_says_what_why_and_what_instead(
    parse: Parser, query: str, code: str, words: str
) -> None:
    with pytest.raises(Refused) as refusal:
        judged(parse, query)
    assert refusal.value.code == code
    assert words in str(refusal.value)


CATALOG_QUERIES = [
    "FROM information_schema.columns",
    "FROM duckdb_columns",
    "FROM duckdb_tables()",
    "FROM pg_catalog.pg_class",
    "FROM sqlite_master",
]


@pytest.mark.parametrize("query", CATALOG_QUERIES)
def test_catalog_can_be_looked_at_but_nothing_is_built_on_it(parse: Parser, query: str) -> None:
    judged(parse, query, "agent_read")
    judged(parse, query, "check")
    with pytest.raises(Refused, match="depend on what happens to be finished"):
        judged(parse, query, "definition")


@pytest.mark.parametrize("query", ["DESCRIBE orders", "SUMMARIZE orders", "SHOW TABLES"])
@pytest.mark.parametrize("kind", ["check", "definition"])
def test_only_an_agent_describes(parse: Parser, query: str, kind: PlaceKind) -> None:
    judged(parse, query, "agent_read")
    with pytest.raises(Refused, match="use SELECT"):
        judged(parse, query, kind)
