"""Walking DuckDB's trees: what is read, called and built, and which names are CTEs."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from taskgraph.errors import QueryFailed, Refused
from taskgraph.sql import Parser, parser
from taskgraph.sql_tree import Call, Construct, Relation, Show, TableCall, read_tree, uses


@pytest.fixture(scope="module")
def parse() -> Generator[Parser]:
    with parser() as opened:
        yield opened


def relations(parse: Parser, query: str) -> set[str]:
    return {".".join(use.path) for use in uses(parse.tree(query)) if isinstance(use, Relation)}


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("SELECT * FROM t, main.u, c.main.w", {"t", "main.u", "c.main.w"}),
        ("WITH t AS (SELECT 1) FROM t", set[str]()),
        ('WITH T AS (SELECT 1) FROM "t"', set[str]()),
        ("WITH t AS (SELECT 1) FROM main.t", {"main.t"}),
        ("WITH t AS (FROM t) FROM t", {"t"}),
        ("WITH a AS (FROM b), b AS (SELECT 1) FROM a", {"b"}),
        ("WITH a AS (SELECT 1), b AS (FROM a) FROM b", set[str]()),
        ("FROM (WITH t AS (SELECT 1) FROM t), t", {"t"}),
        ("(WITH t AS (SELECT 1) FROM t) UNION ALL FROM t", {"t"}),
        ("WITH t AS (SELECT 1) (FROM t UNION ALL FROM t)", set[str]()),
        ("WITH t AS (SELECT 1) SELECT (FROM t), EXISTS (FROM t) ORDER BY (FROM t)", set[str]()),
        ("WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x FROM t) FROM t", set[str]()),
        ("WITH RECURSIVE t(x) AS (FROM t UNION ALL SELECT x FROM t) FROM t", {"t"}),
        ("WITH RECURSIVE t AS (FROM t) FROM t", {"t"}),
        (
            "WITH RECURSIVE t(x) USING KEY (x) AS (SELECT 1 UNION FROM recurring.t) FROM t",
            set[str](),
        ),
        ("WITH t AS (SELECT 1) FROM recurring.t", {"recurring.t"}),
        ("WITH RECURSIVE t(x) AS (SELECT 1 UNION FROM t) FROM t, recurring.t", {"recurring.t"}),
        ("SELECT * FROM t AS u, u", {"t", "u"}),
        (
            "SELECT x FROM t WHERE x IN (FROM u) QUALIFY row_number() OVER () = (FROM w)",
            {"t", "u", "w"},
        ),
        ("SELECT list_transform([1], lambda x: (SELECT max(x) FROM t))", {"t"}),
        ("PIVOT t ON a IN ('x') USING sum(b)", {"t"}),
        ("DESCRIBE t", {"t"}),
        ("SUMMARIZE FROM t", {"t"}),
        ("FROM 'file.csv'", {"file.csv"}),
        ("FROM t AT (VERSION => (SELECT max(v) FROM u))", {"t", "u"}),
        ("FROM (VALUES ((FROM t)))", {"t"}),
    ],
)
def test_relations_are_those_that_no_cte_in_scope_hides(
    parse: Parser, query: str, read: set[str]
) -> None:
    assert relations(parse, query) == read


@pytest.mark.parametrize(
    ("query", "use"),
    [
        ("SELECT F(1)", Call("f")),
        ("SELECT a.b.f(1)", Call("f")),
        ("SELECT 1 + 2", Call("+")),
        ("SELECT row_number() OVER ()", Call("row_number")),
        ("SELECT COLUMNS(c -> f(c)) FROM t", Call("f")),
        ("SELECT * REPLACE (f(a) AS a) FROM t", Call("f")),
        ("FROM F(1)", TableCall("f")),
        ("FROM f(1)", Call("f")),
        ("SHOW TABLES", Show('"tables"')),
        ("SHOW x", Show("x")),
        ("DESCRIBE t", Show(None)),
        ("SELECT ?", Construct("PARAMETER")),
        ("WITH x AS (DELETE FROM t) SELECT 1", Construct("DELETE_QUERY_NODE")),
        ("WITH x AS (COPY t TO 'f') SELECT 1", Construct("COPY_QUERY_NODE")),
    ],
)
def test_use_is_found(parse: Parser, query: str, use: object) -> None:
    assert use in list(uses(parse.tree(query)))


def test_wide_and_deep_trees_are_walked(parse: Parser) -> None:
    query = "SELECT " + "+".join(["f(1)"] * 200) + " FROM t"
    assert sum(use == Call("f") for use in uses(parse.tree(query))) == 200


def test_too_deep_a_tree_is_refused() -> None:
    with pytest.raises(Refused, match="nested too deeply"):
        read_tree('{"statements": ' + "[" * 100_000 + "]" * 100_000 + "}", "statements")


def test_more_than_one_tree_is_refused() -> None:
    with pytest.raises(Refused, match="expected one statement"):
        read_tree('{"error": false, "statements": [1, 2]}', "statements")


def test_duckdbs_error_is_passed_on() -> None:
    with pytest.raises(QueryFailed, match="no such thing"):
        read_tree('{"error": true, "error_message": "no such thing"}', "plans")


def chain_of_ctes(length: int, how: str, reads: str = "FROM {0}, {0} AS other") -> str:
    rest = (f"c{n} AS {how} ({reads.format(f'c{n - 1}')})" for n in range(1, length))
    return f"WITH {', '.join([f'c0 AS {how} (SELECT 1)', *rest])} FROM c{length - 1}"


def test_ctes_that_copy_one_another_are_refused_before_they_are_planned(parse: Parser) -> None:
    with pytest.raises(Refused, match="copied more than 1,000 times: leave out NOT MATERIALIZED"):
        parse.tree(chain_of_ctes(11, "NOT MATERIALIZED"))
    parse.tree(chain_of_ctes(10, "NOT MATERIALIZED"))
    parse.tree(chain_of_ctes(30, "NOT MATERIALIZED", "FROM {0}"))
    parse.tree(chain_of_ctes(30, ""))
    parse.tree(chain_of_ctes(30, "MATERIALIZED"))
