"""What DuckDB's parser says of a text, without running or binding it."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from taskgraph.errors import Refused, StatementError
from taskgraph.sql import Parser, Statement, builtins, parser
from taskgraph.sql_text import AGENT_TEXT
from taskgraph.sql_tree import uses


@pytest.fixture(scope="module")
def parse() -> Generator[Parser]:
    with parser() as opened:
        yield opened


def only(parse: Parser, text: str) -> Statement:
    [statement] = parse.split(text)
    return statement


def test_text_is_split_into_exact_statements_with_their_kinds(parse: Parser) -> None:
    found = parse.split("SELECT ';' -- ;\n; CREATE VIEW v AS SELECT 1;; DROP VIEW v")
    assert [one.kind for one in found] == ["select", "create", "drop"]
    assert all(parse.split(one.text) == (one,) for one in found)


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("SELECT ';'", "SELECT ';'"),
        ("SELECT 1; -- done", "SELECT 1;"),
        ("SELECT 1 -- done;", "SELECT 1 -- done;"),
        ("SELECT 'ü'; /* done */", "SELECT 'ü';"),
    ],
)
def test_comment_behind_the_semicolon_is_no_part_of_a_statement(
    parse: Parser, text: str, statement: str
) -> None:
    assert only(parse, text).text == statement


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("-- ü: why\nSELECT 1", ["-- ü: why\nSELECT 1"]),
        ("SELECT 1;\n-- two\n/* lines */ SELECT 2", ["SELECT 1;", "-- two\n/* lines */\nSELECT 2"]),
        ("SELECT 1; -- about one\nSELECT 2", ["SELECT 1;", "SELECT 2"]),
        ("SELECT 1; /* from one\nto two */ SELECT 2", ["SELECT 1;", "SELECT 2"]),
        ("-- SELECT 1\nSELECT 1; ;\n-- none", ["-- SELECT 1\nSELECT 1; ;"]),
        ("/* 'don''t; */\nSELECT ';'", ["/* 'don''t; */\nSELECT ';'"]),
    ],
    ids=["first", "between", "same line", "across lines", "nothing after", "quotes"],
)
def test_comments_on_the_lines_before_a_statement_stay_with_it(
    parse: Parser, text: str, statements: list[str]
) -> None:
    found = parse.split(text)
    assert [one.text for one in found] == statements
    assert all(parse.split(one.text) == (one,) for one in found)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("FROM t", "select"),
        ("PIVOT t ON a", "multi"),
        ("EXPLAIN SELECT 1", "explain"),
        ("SET threads = 1", "set"),
        ("UPDATE EXTENSIONS", "unknown"),
    ],
)
def test_kind_is_duckdbs(parse: Parser, text: str, kind: str) -> None:
    assert only(parse, text).kind == kind


def test_parameters_are_noticed(parse: Parser) -> None:
    assert only(parse, "SELECT $a").has_parameters
    assert not only(parse, "SELECT 1").has_parameters


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "empty", "no statement"),
        (" -- nothing", "empty", "no statement"),
        ("SELECT\nnonsense FROM", "syntax", "LINE 2"),
        ("SELECT (", "syntax", "not closed"),
        ("SELECT '" + "x" * 70_000 + "'", "too_long", "70,009 bytes"),
    ],
)
def test_text_that_cannot_be_split_is_refused(
    parse: Parser, text: str, code: str, words: str
) -> None:
    with pytest.raises(Refused, match=words) as refusal:
        parse.split(text, AGENT_TEXT)
    assert refusal.value.code == code


def test_unicode_blanks_are_spaces_in_the_text_that_is_judged_and_run(parse: Parser) -> None:
    assert only(parse, "SELECT\u00a01").text == "SELECT 1"


def test_text_that_reads_differently_once_normalised_is_refused(parse: Parser) -> None:
    # An apostrophe in a comment makes DuckDB's scanner take what follows for a string, and leave
    # the blank there: it is part of a name here, and none in the statement by itself.
    with pytest.raises(Refused) as refusal:
        parse.split("SELECT 1 /* ' */; SELECT 2 a\u00a0, 3")
    assert refusal.value.code == "ambiguous"


def test_trees_are_those_of_every_query_in_a_statement(parse: Parser) -> None:
    macro = only(parse, "CREATE MACRO m(x) AS x, (x, y) AS (SELECT y)")
    assert len(list(parse.trees(macro))) == 2


def test_tree_of_what_is_no_query_is_an_error(parse: Parser) -> None:
    with pytest.raises(Refused, match="can only stand in a query"):
        parse.tree("DROP VIEW v")


@pytest.mark.parametrize(
    ("text", "kind", "name", "reads"),
    [
        ("SELECT a FROM t JOIN u USING (i)", "select", None, {"t", "u"}),
        ("SELECT f(a), sum(b) FROM main.t", "select", None, {"f", "t"}),
        ("FROM m(1)", "select", None, {"m"}),
        ("WITH c AS (FROM t) FROM c", "select", None, {"t"}),
        ("FROM range(3), duckdb_tables, information_schema.tables", "select", None, set[str]()),
        ("PIVOT t ON a IN (SELECT b FROM u)", "select", None, {"t", "u"}),
        ("EXPLAIN FROM t", "explain", None, {"t"}),
        ("DESCRIBE t", "select", None, {"t"}),
        ("CREATE VIEW main.v AS FROM t", "create_view", "v", {"t"}),
        ('CREATE MACRO "M x"(a) AS f(a)', "create_macro", "M x", {"f"}),
        ("CREATE MACRO m(a) AS TABLE FROM t WHERE b = a", "create_macro", "m", {"t"}),
        ("DROP VIEW IF EXISTS v", "drop_view", "v", set[str]()),
        ("DROP MACRO m", "drop_macro", "m", set[str]()),
        ("CREATE TABLE t AS FROM u", "create", None, set[str]()),
        ("SET threads = 1", "set", None, set[str]()),
    ],
)
def test_outline_says_what_a_statement_makes_and_reads(
    parse: Parser, text: str, kind: str, name: str | None, reads: set[str]
) -> None:
    outline = parse.outline(only(parse, text))
    assert (outline.kind, outline.name, set(outline.reads)) == (kind, name, reads)


def test_outline_names_each_relation_once(parse: Parser) -> None:
    assert parse.outline(only(parse, "FROM t, t a, (FROM t)")).reads == ("t",)


def test_builtins_are_duckdbs_own() -> None:
    own = builtins()
    assert {"sum", "read_csv", "+", "row_number", "list_transform"} <= own.functions
    assert {"read_csv", "range", "histogram"} <= own.table_functions <= own.functions
    assert "nextval" in own.volatile
    assert {"duckdb_tables", "pg_class"} <= own.relations
    assert "columns" in own.information_schema
    assert "columns" not in own.relations
    assert "memory_limit" in own.settings
    assert builtins() is own


def test_queries_learnt_together_are_known_as_each_by_itself(parse: Parser) -> None:
    learnt = [f"SELECT f{n}(a) FROM t{n} JOIN t{n} b USING (a)" for n in range(3)]
    parse.learn([*learnt, "SELECT FROM WHERE", "DROP VIEW v"])
    alone = [tuple(dict.fromkeys(uses(parse.tree(query)))) for query in learnt]
    assert [parse.uses(query) for query in learnt] == alone


@pytest.mark.parametrize("query", ["SELECT FROM WHERE learnt", "DROP VIEW learnt"])
def test_what_cannot_be_learnt_is_refused_when_it_is_asked_for(parse: Parser, query: str) -> None:
    parse.learn([query])
    with pytest.raises(StatementError):
        parse.uses(query)
