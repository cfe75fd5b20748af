"""Wrong SQL in nodes and checks, one mistake each: the one message, before anything runs."""

from __future__ import annotations

import pytest

from spec_modules import ORDERS, RATES, Given, ask, match, problems, read, table
from taskgraph.namespace import Names, Scope

PASS = "SELECT 'pass' AS status, '' AS message"


def sql(name: str, text: str, *depends_on: str) -> Given:
    """An SQL node."""
    return {"name": name, "sql": text, "depends_on": list(depends_on)}


LATE = ask(name="late", depends_on=["match"], output_columns={"late_all": []})
REST = ask(name="match_rest")

OTHER = "an sql node may only create and drop views and macros, not"
TEXTS = table({
    "none": (None, "must be text, not None"),
    "list": (["SELECT 1"], "must be text, not ['SELECT 1'] (list)"),
    "blank": (" \n ", "must not be empty"),
    "comment": ("-- later", "there is no statement"),
    "syntax": (
        "\nCREATE VIEW match_all AS\nSELEC * FROM orders;\n",
        'Parser Error: syntax error at or near "SELEC", in line 3: SELEC * FROM orders;',
    ),
    "bracket": ("CREATE VIEW match_all AS (FROM orders", "a bracket is not closed"),
    "select": ("SELECT * FROM orders", f"{OTHER} 'SELECT * FROM orders'"),
    "table": ("CREATE TABLE match_t AS FROM orders", f"{OTHER} 'CREATE TABLE match_t AS FROM orders'"),
    "insert_among_others": (
        "CREATE VIEW match_all AS FROM orders; INSERT INTO orders VALUES (1, 2)",
        f"{OTHER} 'INSERT INTO orders VALUES (1, 2)'",
    ),
    "drop_table": ("DROP TABLE orders", f"{OTHER} 'DROP TABLE orders'"),
    "long_statement_is_shown_short": (
        f"SELECT {'id, ' * 50} id\nFROM orders",
        f"{OTHER} 'SELECT {'id, ' * 13}i...'",
    ),
    "delete_in_a_query": (
        "CREATE VIEW match_all AS WITH d AS (DELETE FROM orders RETURNING id) SELECT * FROM d",
        "DELETE is not allowed inside a query: SQL here only reads tables",
    ),
    "parameter": (
        "CREATE VIEW match_all AS SELECT $1 AS x FROM orders",
        "parameters (?, $1, $name) have no value here: write the value",
    ),
    "file": (
        "CREATE VIEW match_all AS FROM 'data/orders.csv'",
        "data/orders.csv: files cannot be read; a source node brings data in",
    ),
    "function_that_reads_files": (
        "CREATE VIEW match_all AS FROM read_csv('orders.csv')",
        "read_csv() is not allowed in FROM: a source node brings data in",
    ),
    "function_that_acts": (
        "CREATE VIEW match_all AS SELECT current_setting('threads') AS n",
        ("the function current_setting is not allowed: SQL here computes from tables, and neither acts nor "
        "looks at settings, sequences or SQL in strings. Leave it out."),
    ),
    "unknown_table": (
        "CREATE VIEW match_all AS FROM order_s",
        "uses 'order_s', which neither a node nor DuckDB makes (did you mean 'orders'?)",
    ),
    "unknown_table_unlike_any": (
        "CREATE VIEW match_all AS FROM zzz_999",
        ("uses 'zzz_999', which neither a node nor DuckDB makes "
        "(there are orders, rates, match_all, late_all)"),
    ),
    "unknown_function": (
        "CREATE VIEW match_all AS SELECT lenght(id) AS n FROM orders",
        "uses 'lenght', which neither a node nor DuckDB makes (did you mean 'length'?)",
    ),
    "table_of_the_engine": (
        "CREATE VIEW match_all AS FROM _trace",
        "reads '_trace': names that start with an underscore are the engine's",
    ),
    "undeclared_source": (
        "CREATE VIEW match_all AS FROM orders, rates",
        "reads 'rates' of node 'rates', which it does not depend on (add 'rates' to depends_on)",
    ),
    "undeclared_source_in_two_statements": (
        "CREATE VIEW match_a AS FROM Rates; CREATE VIEW match_b AS FROM rates",
        "reads 'Rates' of node 'rates', which it does not depend on (add 'rates' to depends_on)",
    ),
    "undeclared_macro": (
        "CREATE VIEW match_all AS SELECT match_rest_double(amount) AS twice FROM orders",
        ("reads 'match_rest_double' of node 'match_rest', which it does not depend on "
        "(add 'match_rest' to depends_on)"),
    ),
    "undeclared_descendant": (
        "CREATE VIEW match_all AS FROM late_all",
        ("reads 'late_all' of node 'late', which it does not depend on "
        "('late' depends on 'match': only one can read the other)"),
    ),
    "own_view_that_is_not_made": (
        "CREATE VIEW match_all AS FROM orders; CREATE VIEW match_top AS FROM match_alll",
        "reads 'match_alll', which node 'match' does not make (did you mean 'match_all'?)",
    ),
    "source_taken_for_a_prefix": (
        "CREATE VIEW match_all AS FROM orders_clean",
        "reads 'orders_clean', which node 'orders' does not make (did you mean 'orders'?)",
    ),
    "output_of_a_source_unlike_any": (
        "CREATE VIEW match_all AS FROM orders_2024_without_returns",
        "reads 'orders_2024_without_returns', which node 'orders' does not make (it makes orders)",
    ),
})  # fmt: skip


@pytest.mark.parametrize(("text", "message"), TEXTS)
def test_wrong_text_of_an_sql_node(text: object, message: str) -> None:
    told = problems(NODES=[ORDERS, RATES, match(sql=text), LATE, REST])
    assert told == [f"node 'match', sql: {message}"]


DEFINITIONS = table({
    "without_prefix": ("CREATE VIEW", "everything", "AS FROM orders"),
    "macro_without_prefix": ("CREATE MACRO", "twice", "(x) AS 2 * x"),
    "own_bare_name": ("CREATE VIEW", "match", "AS FROM orders"),
    "name_of_a_source": ("CREATE VIEW", "orders", "AS SELECT 1 AS x"),
    "name_of_the_engine": ("CREATE VIEW", "_match", "AS FROM orders"),
    "name_of_a_check": ("CREATE VIEW", "match__validation_a", "AS FROM orders"),
    "another_nodes_view": ("DROP VIEW", "late_all", ""),
    "longer_prefix": ("CREATE VIEW", "match_rest_all", "AS FROM orders"),
})  # fmt: skip


@pytest.mark.parametrize(("what", "name", "rest"), DEFINITIONS)
def test_name_that_the_node_does_not_own(what: str, name: str, rest: str) -> None:
    nodes = [ORDERS, RATES, match(), LATE, REST]
    refusal = Scope(Names.of(read(NODES=nodes).nodes), "match").define_refusal(name)
    nodes[2] = match(sql=f"{what} {name} {rest}")
    assert problems(NODES=nodes) == [f"node 'match', sql: {what} {name}: {refusal}"]


DECLARED = table({
    "missing": (
        match(output_columns={"match_total": []}),
        ("node 'match', sql: it does not make 'match_total', which is declared "
        "(did you mean 'match_all'?)"),
    ),
    "dropped_again": (
        match(
            sql="CREATE VIEW match_all AS FROM orders; DROP VIEW match_all",
            output_columns={"match_all": []},
        ),
        "node 'match', sql: it does not make 'match_all', which is declared",
    ),
})  # fmt: skip


@pytest.mark.parametrize(("node", "message"), DECLARED)
def test_sql_node_that_does_not_make_what_it_declares(node: Given, message: str) -> None:
    assert problems(NODES=[ORDERS, node]) == [message]


def test_view_that_is_misspelt_where_it_is_made_is_one_mistake() -> None:
    node = match(sql="CREATE VIEW raport AS FROM orders", outputs=["report"])
    [message] = problems(NODES=[ORDERS, node])
    assert message.startswith("node 'match', sql: CREATE VIEW raport: ")
    assert "report" in message.partition("raport: ")[2]


QUERIES = table({
    "syntax": (
        "SELECT 1 FORM orders o p",
        'Parser Error: syntax error at or near "orders", in line 1: SELECT 1 FORM orders o p',
    ),
    "two": ("SELECT 1; SELECT 2", "must be one query, not 2 statements"),
    "delete": ("DELETE FROM orders", "must be a query, not 'DELETE FROM orders'"),
    "create": ("CREATE VIEW ask_x AS SELECT 1", "must be a query, not 'CREATE VIEW ask_x AS SELECT 1'"),
    "explain": ("EXPLAIN FROM orders", "must be a query, not 'EXPLAIN FROM orders'"),
    "delete_in_a_query": (
        f"WITH d AS (DELETE FROM orders RETURNING id) {PASS} FROM d",
        "DELETE is not allowed inside a query: SQL here only reads tables",
    ),
    "undeclared_source": (
        f"{PASS} FROM rates",
        "reads 'rates' of node 'rates', which it does not depend on (add 'rates' to depends_on)",
    ),
    "view_that_is_not_made": (
        f"{PASS} FROM match_al",
        "reads 'match_al', which node 'match' does not make (did you mean 'match_all'?)",
    ),
    "prompt_node_without_a_view": (
        f"{PASS} FROM ask",
        "reads 'ask', which is a node and no view (its views are called ask_<something>)",
    ),
})  # fmt: skip


@pytest.mark.parametrize(("query", "message"), QUERIES)
def test_wrong_check(query: str, message: str) -> None:
    right = [ORDERS, RATES, match()]
    declared = ask(depends_on=["match"], validate={"fine": PASS, "a": query})
    assert problems(NODES=[*right, declared]) == [f"node 'ask', validate['a']: {message}"]
    older = ask(depends_on=["match"], validate_sql=[PASS, query])
    assert problems(NODES=[*right, older]) == [f"node 'ask', validate_sql[1]: {message}"]


def test_check_of_a_source_reads_what_the_source_depends_on() -> None:
    rates = RATES | {"validate": {"a": f"{PASS} FROM orders, rates"}}
    assert problems(NODES=[ORDERS, rates]) == [
        (
            "node 'rates', validate['a']: reads 'orders' of node 'orders', which it does not depend on "
            "(add 'orders' to depends_on)"
        )
    ]
    assert problems(NODES=[ORDERS, rates | {"depends_on": ["orders"]}]) == []


def test_check_is_not_called_like_one_of_the_older_form() -> None:
    assert problems(NODES=[ORDERS, ask(validate={"SQL_1": PASS}, validate_sql=[PASS])]) == [
        "node 'ask', validate['SQL_1']: is the name of a query of validate_sql (name it otherwise)"
    ]


def test_missing_dependency_is_told_once_however_much_is_read() -> None:
    made = sql("a", "CREATE VIEW a_x AS SELECT 1 AS i; CREATE VIEW a_y AS SELECT 1 AS i")
    reader = match(
        sql="CREATE VIEW match_x AS FROM orders, a_x; CREATE VIEW match_y AS FROM a_y",
        validate={"a": f"{PASS} FROM a_x"},
    )
    assert problems(NODES=[ORDERS, made, reader]) == [
        (
            "node 'match', sql: reads 'a_x' of node 'a', which it does not depend on "
            "(add 'a' to depends_on)"
        )
    ]


QUIET = table({
    "dependency_is_misspelt": (
        [ORDERS, match(depends_on=["order"])],
        ["node 'match', depends_on: there is no node 'order' (did you mean 'orders'?)"],
    ),
    "dependency_of_a_dependency_is_misspelt": (
        [ORDERS, ask(depends_on=["order"]), sql("late", "CREATE VIEW late_x AS FROM orders", "ask")],
        ["node 'ask', depends_on: there is no node 'order' (did you mean 'orders'?)"],
    ),
    "dependency_is_in_a_cycle": (
        [ORDERS, sql("a", "CREATE VIEW a_x AS FROM b_x", "b"), sql("b", "CREATE VIEW b_x AS FROM a_x", "a")],
        ["node 'a', depends_on: the dependencies form a cycle: a -> b -> a"],
    ),
    "owner_has_no_name": (
        [{"source": []}, sql("a", "CREATE VIEW a_x AS FROM orders")],
        ["NODES[0]: has no name"],
    ),
    "owner_has_wrong_outputs": (
        [ask(depends_on=[], output_columns={"report": 3}), sql("a", "CREATE VIEW a_x AS FROM report", "ask")],
        ["node 'ask', output_columns['report']: must be a list of columns, not 3 (int)"],
    ),
    "own_outputs_are_wrong": (
        [sql("a", "CREATE VIEW report AS SELECT 1 AS x") | {"output_columns": {"report": 3}}],
        ["node 'a', output_columns['report']: must be a list of columns, not 3 (int)"],
    ),
    "what_it_reads_did_not_parse": (
        [sql("a", "CREATE VIEW a_x AS SELEC 1"), sql("b", "CREATE VIEW b_x AS FROM a_x", "a")],
        ['node \'a\', sql: Parser Error: syntax error at or near "SELEC", in line 1: CREATE VIEW a_x AS SELEC 1'],
    ),
})  # fmt: skip


@pytest.mark.parametrize(("nodes", "told"), QUIET)
def test_one_mistake_is_not_told_again_where_it_shows(nodes: list[Given], told: list[str]) -> None:
    assert problems(NODES=nodes) == told


RIGHT = table({
    "through_others": ([ORDERS, match(), sql("late", "CREATE VIEW late_x AS FROM orders", "match")],),
    "own_views_and_macros": (
        [sql("a", "CREATE MACRO a_m(x) AS 2 * x; CREATE VIEW a_x AS SELECT a_m(1) AS i; CREATE VIEW a_y AS FROM a_x")],
    ),
    "own_view_that_is_dropped_later": (
        [sql("a", "CREATE VIEW a_x AS SELECT 1 AS i; CREATE VIEW a_y AS FROM a_x; DROP VIEW a_x")],
    ),
    "recursive_view": (
        [sql("a", "CREATE RECURSIVE VIEW a_r(n) AS SELECT 1 UNION ALL SELECT n + 1 FROM a_r WHERE n < 5")],
    ),
    "other_case_and_quotes": ([ORDERS, match(sql='CREATE VIEW "Match_All" AS SELECT * FROM "ORDERS"')],),
    "schema": ([ORDERS, match(sql="CREATE VIEW main.match_all AS SELECT * FROM main.orders")],),
    "cte_like_a_foreign_source": ([ORDERS, RATES, match(sql="CREATE VIEW match_x AS WITH rates AS (FROM orders) FROM rates")],),
    "declared_output": ([ORDERS, match(sql="CREATE VIEW report AS FROM orders", output_columns={"Report": ["id"]})],),
    "output_of_a_prompt_node": ([ORDERS, ask(output_columns={"found": []}), sql("a", "CREATE VIEW a_x AS FROM found, ask_y", "ask")],),
    "checks_of_a_dependency": ([ORDERS | {"validate": {"a": PASS}}, match(sql="CREATE VIEW match_x AS FROM orders__validation_a")],),
    "check_with_pivot": ([ORDERS, ask(validate={"a": "FROM (PIVOT orders ON id) SELECT 'pass' AS status, '' AS message"})],),
    "check_that_ends_in_a_semicolon": ([ORDERS, ask(validate={"a": f"{PASS} FROM orders;"})],),
    "check_of_columns": ([ORDERS, ask(validate={"a": f"{PASS} FROM duckdb_columns()"})],),
})  # fmt: skip


@pytest.mark.parametrize("nodes", RIGHT)
def test_right_sql_has_no_problems(nodes: list[Given]) -> None:
    assert problems(NODES=nodes) == []
