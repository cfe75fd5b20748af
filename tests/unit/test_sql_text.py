"""Limits on text, DuckDB's tokens, and the cuts that make parseable queries of statements."""

from __future__ import annotations

import pytest

from taskgraph.errors import Refused
from taskgraph.sql_text import (
    AGENT_TEXT,
    MAX_BRACKET_DEPTH,
    MAX_DYNAMIC_PIVOTS,
    MAX_LAMBDA_DEPTH,
    MAX_NAME_PARTS,
    SPEC_TEXT,
    called_names,
    check_text,
    definition,
    explained,
    static_pivots,
    tokens,
    unquote,
)


def nested_lambdas(depth: int) -> str:
    return "SELECT " + "list_transform([1], lambda x: " * depth + "x" + ")" * depth


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT\t1\r\n\v\f",
        "SELECT '((((' -- ((((",
        "SELECT " + "(" * MAX_BRACKET_DEPTH + "1" + ")" * MAX_BRACKET_DEPTH,
        nested_lambdas(MAX_LAMBDA_DEPTH),
        "SELECT " + ", ".join("list_transform([1], lambda x: x)" for _ in range(50)),
        "SELECT a" + ".b" * MAX_NAME_PARTS + ", c" + ".d" * MAX_NAME_PARTS,
        "",
    ],
    ids=["plain", "blanks", "quoted brackets", "deep", "lambdas", "many lambdas", "names", "empty"],
)
def test_honest_text_passes(text: str) -> None:
    check_text(text, AGENT_TEXT)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT '" + "x" * 66_000 + "'", "too_long"),
        ("SELECT 1" + ", 1" * 11_000, "too_long"),
        ("SELECT " + "(" * 101 + "1" + ")" * 101, "too_deep"),
        ("SELECT " + "[" * 101 + "1" + "]" * 101, "too_deep"),
        ("SELECT " + "(" * 5_000, "too_deep"),
        (nested_lambdas(MAX_LAMBDA_DEPTH + 1), "too_deep"),
        (nested_lambdas(7).replace("lambda x:", "x ->"), "too_deep"),
        ("SELECT " + "[x FOR x IN " * 7 + "[1]" + "]" * 7, "too_deep"),
        ("SELECT a" + ".b" * (MAX_NAME_PARTS + 1), "too_deep"),
        ("SELECT a" + " . /* c */ b" * 5_000, "too_deep"),
        ("SELECT (1", "syntax"),
        ("SELECT 1)", "syntax"),
        ("SELECT 1\0", "text"),
        ("SELECT '\x1b[31m'", "text"),
        ("SELECT '\x7f'", "text"),
        ("SELECT '\ud800'", "text"),
    ],
)
def test_text_that_would_hurt_is_refused_before_the_parser(text: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_text(text, AGENT_TEXT)
    assert refusal.value.code == code


def test_a_spec_may_hold_longer_texts_than_an_agent() -> None:
    text = "SELECT 1;\n" * 10_000
    check_text(text, SPEC_TEXT)
    with pytest.raises(Refused, match=r"100,000 bytes, the limit is 65,536: split it"):
        check_text(text, AGENT_TEXT)


def test_tokens_are_duckdbs_with_byte_positions_and_without_comments() -> None:
    found = tokens("SELECT 'ü' /* c */ AS \"Ä\" -- end")
    assert [(one.kind, one.text, one.start) for one in found] == [
        ("keyword", "SELECT", 0),
        ("string_const", "'ü'", 7),
        ("keyword", "AS", 20),
        ("identifier", '"Ä"', 23),
    ]
    assert tokens("") == []
    assert found[0].word == "select"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x", "x"),
        ('"x"', "x"),
        ('"a""b"', 'a"b'),
        ("`a``b`", "a`b"),
        ("'a''b'", "a'b"),
        ("$$x$$", "x"),
        ("$t$x$y$t$", "x$y"),
        ("E'x\\x5f''y'", "x\\x5f'y"),
    ],
)
def test_unquoted_name_is_what_duckdb_takes_it_for(text: str, name: str) -> None:
    assert unquote(text) == name


def test_called_names_are_every_name_before_a_bracket() -> None:
    text = "SELECT F(1), \"G\" /* c */ (2), o.h(3), x IN (1), 'i'(4), `K`(5) FROM j"
    assert list(called_names(tokens(text))) == ["f", "g", "h", "in", "k"]


@pytest.mark.parametrize(
    ("text", "kind", "path", "bodies"),
    [
        ("CREATE VIEW v AS SELECT 1", "create_view", ("v",), ("SELECT 1",)),
        ("create or replace view v(a) as FROM t", "create_view", ("v",), ("FROM t",)),
        ("CREATE VIEW IF NOT EXISTS m.v AS SELECT 1", "create_view", ("m", "v"), ("SELECT 1",)),
        ('CREATE VIEW c."S x"."v;" AS SELECT 1', "create_view", ("c", "S x", "v;"), ("SELECT 1",)),
        ("CREATE VIEW 'v' AS SELECT 1", "create_view", ("v",), ("SELECT 1",)),
        ("CREATE TEMP VIEW v AS SELECT 1", "create_view", ("v",), ("SELECT 1",)),
        ("CREATE RECURSIVE VIEW v(n) AS SELECT 1", "create_view", ("v",), ("SELECT 1",)),
        ("CREATE VIEW v WITH (x = true) AS SELECT 1", "create_view", ("v",), ("SELECT 1",)),
        ("CREATE VIEW v AS /* c */ SELECT 'é' AS x", "create_view", ("v",), ("SELECT 'é' AS x",)),
        ("CREATE VIEW v", "create_view", ("v",), ()),
        ("CREATE VIEW v AS", "create_view", ("v",), ("",)),
        ("CREATE MACRO m(x) AS x + 1", "create_macro", ("m",), ("SELECT x + 1",)),
        ("CREATE FUNCTION m(x) AS x", "create_macro", ("m",), ("SELECT x",)),
        ("CREATE MACRO m() AS TABLE FROM t", "create_macro", ("m",), ("FROM t",)),
        (
            "CREATE MACRO m(x) AS x, (x, y) AS x + y",
            "create_macro",
            ("m",),
            ("SELECT x", "SELECT x + y"),
        ),
        (
            "CREATE MACRO m(x) AS TABLE SELECT x, (x) AS y, (1) AS z",
            "create_macro",
            ("m",),
            ("SELECT x, (x) AS y, (1) AS z",),
        ),
        (
            "CREATE MACRO m(x) AS TABLE SELECT x, (x, y) AS TABLE SELECT y",
            "create_macro",
            ("m",),
            ("SELECT x", "SELECT y"),
        ),
        ("CREATE MACRO m(x) AS f(x, (x)) , y", "create_macro", ("m",), ("SELECT f(x, (x)) , y",)),
        ("CREATE MACRO m(x) AS TABLE", "create_macro", ("m",), ("",)),
        ("DROP VIEW v", "drop_view", ("v",), ()),
        ("DROP VIEW IF EXISTS main.v CASCADE", "drop_view", ("main", "v"), ()),
        ("DROP MACRO TABLE m", "drop_macro", ("m",), ()),
        ("DROP VIEW v.", "drop_view", ("v",), ()),
    ],
)
def test_definition_is_cut_at_its_tokens(
    text: str, kind: str, path: tuple[str, ...], bodies: tuple[str, ...]
) -> None:
    cut = definition(text)
    assert cut is not None
    assert (cut.kind, cut.path, tuple(body.strip() for body in cut.bodies)) == (kind, path, bodies)


def test_every_token_of_a_definition_stands_in_its_header_or_in_a_body() -> None:
    text = "CREATE MACRO m(x := f(1)) AS x, (x, y := g(2)) AS h(x)"
    cut = definition(text)
    assert cut is not None
    assert [token.text for token in cut.header] == [
        *("CREATE", "MACRO", "m", "(", "x", ":=", "f", "(", "1", ")", ")", "AS"),
        *(",", "(", "x", ",", "y", ":=", "g", "(", "2", ")", ")", "AS"),
    ]


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "CREATE TABLE t(a INT)", "DROP TABLE t", "CREATE", "CREATE VIEW", "ALTER VIEW v"],
)
def test_other_statements_are_no_definition(text: str) -> None:
    assert definition(text) is None


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("EXPLAIN SELECT 1", "SELECT 1"),
        ("explain analyze SELECT 1", "SELECT 1"),
        ("EXPLAIN (ANALYZE, FORMAT json) SELECT 1", "SELECT 1"),
        ("EXPLAIN (ANALYZE (true)) SELECT 1", "SELECT 1"),
        ("EXPLAIN (SELECT 1)", "(SELECT 1)"),
        ("EXPLAIN /* c */ FROM t", "FROM t"),
        ("EXPLAIN", ""),
    ],
)
def test_explained_statement_is_what_follows_the_options(text: str, inner: str) -> None:
    assert explained(text) == inner


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("PIVOT t ON a USING sum(b)", ["PIVOT t ON x IN (1) USING sum(b)", "SELECT a"]),
        ("PIVOT t ON a, b IN (1)", ["PIVOT t ON x IN (1)", "SELECT a, b IN (1)"]),
        ("FROM (PIVOT t ON a) p", ["FROM (PIVOT t ON x IN (1) ) p", "SELECT a"]),
        (
            "PIVOT t JOIN u ON t.i = u.i ON a GROUP BY b",
            ["PIVOT t JOIN u ON t.i = u.i ON x IN (1) GROUP BY b", "SELECT a"],
        ),
        (
            "PIVOT_WIDER (PIVOT t ON a) ON b",
            ["PIVOT_WIDER (PIVOT t ON x IN (1) ) ON x IN (1)", "SELECT a", "SELECT b"],
        ),
        ("PIVOT 'é' ON \"ü\" LIMIT 1", ["PIVOT 'é' ON x IN (1) LIMIT 1", 'SELECT "ü"']),
        ("PIVOT t", ["PIVOT t"]),
    ],
)
def test_pivots_get_constant_lists_and_their_expressions_stand_alone(
    text: str, queries: list[str]
) -> None:
    assert [query.strip() for query in static_pivots(text)] == queries


def test_endless_pivots_are_refused() -> None:
    text = "FROM " + ", ".join("(PIVOT t ON a)" for _ in range(MAX_DYNAMIC_PIVOTS + 1))
    with pytest.raises(Refused, match="more than 20 PIVOTs"):
        static_pivots(text)
