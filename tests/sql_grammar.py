"""SQL from a grammar that means harm: statements that often parse, bind and run, and try to get out.

Names of CTEs, aliases and columns come from the same pool as the names of what must not be read,
so that scoping is what is tested most.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

OWN = ("prep_a", "prep_b", "PREP_C", '"prep d"', "`prep_e`", "clean_orders")
READABLE = ("orders", "other_view", "main.orders", "taskgraph.main.other_view", '"ORDERS"')
FORBIDDEN = (
    *("_trace", "main._trace", "hidden", "hide_view", "taskgraph.hide_view", '"_Trace"'),
    *("`hidden`", "main.`_trace`", "`x.csv`"),
    *("vault.secret", "'/etc/hostname'", "'x.csv'", "pg_settings", "temp.orders", "recurring.c"),
)
CATALOG = ("duckdb_views", "information_schema.tables", "duckdb_tables()", "sqlite_master")
CTES = ("c", "d", "_trace", "hidden", "orders", '"x.csv"', "hide_view", "prep_a")
COMPUTING = ("upper", "length", "concat", "coalesce", "hash", "prep_m", "other_m", "PREP_N")
ACTING = (
    *("nextval", "currval", "current_setting", "getvariable", "sleep_ms", "write_log", "setseed"),
    *("`getvariable`", "`hide_m`", "system.main.getvariable"),
    *("hide_m", "query", "json_serialize_plan", "read_text", '"Nextval"', "main.nextval", "invoke"),
)
TABLES = ("range(3)", "unnest(['a'])", "other_rows(1)", "prep_rows(1)", "generate_series(1, 2)")
ACTING_TABLES = (
    *("read_text('/etc/hostname')", "query('FROM _trace')", "query_table('_trace')"),
    *("hide_rows(1)", "duckdb_settings()", "glob('*')", "checkpoint()", "enable_logging()"),
    *("read_csv('x.csv')", "range(nextval('s'))", "pragma_database_size()"),
)
BLANKS = (" ", "  ", "\n", "\t", " /* c */ ", " -- c\n", "\u00a0", " /* ' */ ")

Rule = Callable[[DrawFn, int], str]


def _choice(draw: DrawFn, *options: str) -> str:
    return draw(st.sampled_from(options))


def _odds(draw: DrawFn, percent: int) -> bool:
    return draw(st.integers(0, 99)) < percent


def _rule(draw: DrawFn, depth: int, *rules: Rule) -> str:
    """One of the rules; the simple ones, which stand first, where it is deep enough."""
    chosen = rules if depth > 0 else rules[: max(1, len(rules) // 2)]
    return draw(st.sampled_from(chosen))(draw, depth - 1)


def _name(draw: DrawFn, depth: int) -> str:
    pools = (*[READABLE] * 8, *[OWN] * 2, *[CTES] * 4, FORBIDDEN, CATALOG)
    return draw(st.sampled_from(draw(st.sampled_from(pools))))


def _expression(draw: DrawFn, depth: int) -> str:
    def column(draw: DrawFn, depth: int) -> str:
        return _choice(draw, "x", "x", "x", "NULL", "'a'", '"x"', "_trace")

    def call(draw: DrawFn, depth: int) -> str:
        pool = COMPUTING if _odds(draw, 92) else ACTING
        return f"{_choice(draw, *pool)}({_expression(draw, depth)})"

    def chain(draw: DrawFn, depth: int) -> str:
        name = "upper" if _odds(draw, 80) else _choice(draw, "hide_m", "nextval")
        return f"({_expression(draw, depth)}).{name}()"

    def subquery(draw: DrawFn, depth: int) -> str:
        before = _choice(draw, "", "EXISTS ", "x IN ", "ARRAY")
        return f"{before}({query(draw, depth)})"

    def lambdas(draw: DrawFn, depth: int) -> str:
        head = _choice(draw, "lambda v:", "v ->")
        return f"list_transform(['a'], {head} {_expression(draw, depth)})"

    def case(draw: DrawFn, depth: int) -> str:
        inner = _expression(draw, depth)
        return f"CASE WHEN {inner} IS NULL THEN {inner} ELSE 'b' END"

    def joined(draw: DrawFn, depth: int) -> str:
        return f"{_expression(draw, depth)} || {_expression(draw, depth)}"

    def window(draw: DrawFn, depth: int) -> str:
        return f"max({_expression(draw, 0)}) OVER (ORDER BY {_expression(draw, 0)})"

    return _rule(
        draw, depth, column, column, call, call, chain, subquery, lambdas, case, joined, window
    )


def _relation(draw: DrawFn, depth: int) -> str:
    def aliased(draw: DrawFn, depth: int) -> str:
        return f"{_name(draw, depth)} AS {_choice(draw, *CTES)}"

    def function(draw: DrawFn, depth: int) -> str:
        return _choice(draw, *(TABLES if _odds(draw, 90) else ACTING_TABLES))

    def nested(draw: DrawFn, depth: int) -> str:
        return f"({query(draw, depth)}) {_choice(draw, 'AS t', 'AS orders', 'AS _trace', '')}"

    def joined(draw: DrawFn, depth: int) -> str:
        how = _choice(draw, ",", "CROSS JOIN", "POSITIONAL JOIN", "NATURAL JOIN")
        return f"{_relation(draw, depth)} {how} {_relation(draw, depth)}"

    def pivoted(draw: DrawFn, depth: int) -> str:
        return f"({_pivot(draw, depth)})"

    def described(draw: DrawFn, depth: int) -> str:
        return f"({_choice(draw, 'DESCRIBE', 'SUMMARIZE', 'SHOW')} {_name(draw, depth)})"

    return _rule(draw, depth, _name, _name, aliased, function, nested, joined, pivoted, described)


def _pivot(draw: DrawFn, depth: int) -> str:
    within = _choice(
        draw,
        "",
        " IN ('a', 'b')",
        " IN ('a', 'b')",
        " IN (SELECT x FROM orders)",
        " IN (FROM _trace)",
    )
    using = _choice(draw, "", " USING count(*)", " USING max(id) GROUP BY x")
    on = _expression(draw, depth) if _odds(draw, 20) else "x"
    return f"PIVOT {_relation(draw, depth)} ON {on}{within}{using}"


def _ctes(draw: DrawFn, depth: int) -> tuple[str, str]:
    """A WITH clause, and the name of one of its CTEs."""
    recursive = _choice(draw, "", "RECURSIVE ")
    names = [_choice(draw, *CTES) for _ in range(draw(st.integers(1, 2)))]
    parts = [_cte(draw, depth, name) for name in names]
    return f"WITH {recursive}{', '.join(parts)} ", _choice(draw, *names)


def _cte(draw: DrawFn, depth: int, name: str) -> str:
    columns = _choice(draw, "", "", "(id, x)", "(x)")
    kind = _choice(draw, "", "", " MATERIALIZED", " NOT MATERIALIZED")
    parts = [f"FROM {name}", f"SELECT x FROM {name}", query(draw, depth), query(draw, depth)]
    if _odds(draw, 6):
        body = _choice(
            draw,
            "DELETE FROM orders RETURNING *",
            "INSERT INTO orders VALUES (9, 'z') RETURNING *",
            "UPDATE hidden SET x = 'z' RETURNING *",
            "COPY orders TO 'x.csv'",
        )
    elif _odds(draw, 40):
        how = _choice(draw, "UNION", "UNION ALL", "UNION")
        body = f"({_choice(draw, *parts)}) {how} ({_choice(draw, *parts)} LIMIT 3)"
    else:
        body = _choice(draw, *parts)
    return f"{name}{columns} AS{kind} ({body})"


def query(draw: DrawFn, depth: int) -> str:
    """A query, or what looks like one."""

    def plain(draw: DrawFn, depth: int) -> str:
        what = _choice(draw, "*", "*", "x", _expression(draw, depth))
        return f"SELECT {what} FROM {_relation(draw, depth)}"

    def short(draw: DrawFn, depth: int) -> str:
        return f"{_choice(draw, 'FROM', 'FROM', 'FROM', 'TABLE')} {_name(draw, depth)}"

    def values(draw: DrawFn, depth: int) -> str:
        return f"SELECT {_choice(draw, '1 AS id, ', '')}'a' AS x"

    def filtered(draw: DrawFn, depth: int) -> str:
        clause = _choice(draw, "WHERE", "QUALIFY", "ORDER BY", "GROUP BY ALL HAVING")
        return f"{plain(draw, depth)} {clause} {_expression(draw, depth)} IS NOT NULL"

    def combined(draw: DrawFn, depth: int) -> str:
        how = _choice(draw, "UNION ALL", "UNION BY NAME", "EXCEPT", "INTERSECT")
        return f"({query(draw, depth)}) {how} ({query(draw, depth)})"

    def with_ctes(draw: DrawFn, depth: int) -> str:
        clause, name = _ctes(draw, depth)
        body = f"FROM {name}" if _odds(draw, 50) else _rule(draw, depth, plain, short, nested)
        return clause + body

    def nested(draw: DrawFn, depth: int) -> str:
        return f"FROM ({query(draw, depth)})"

    return _rule(
        draw, depth, plain, plain, short, values, filtered, combined, with_ctes, with_ctes, _pivot
    )


def _definition(draw: DrawFn, depth: int) -> str:
    own = _odds(draw, 85)
    name = _choice(draw, *(OWN if own else (*READABLE, *FORBIDDEN, "hide_new", "prep", "prep_")))
    if _odds(draw, 15):
        what = _choice(draw, "VIEW", "VIEW IF EXISTS", "MACRO", "MACRO TABLE", "TABLE", "SCHEMA")
        name = name if _odds(draw, 70) else _choice(draw, "prep_m", "prep_rows")
        return f"DROP {what} {name}{_choice(draw, '', ' CASCADE')}"
    how = " OR REPLACE" if _odds(draw, 85) else _choice(draw, "", " TEMP", " OR REPLACE TEMP")
    if _odds(draw, 60):
        kind = (
            "VIEW" if _odds(draw, 90) else _choice(draw, "RECURSIVE VIEW", "SECURE VIEW", "TABLE")
        )
        columns = "" if _odds(draw, 80) else _choice(draw, "(x)", " WITH (defer_binding)")
        return f"CREATE{how} {kind} {name}{columns} AS {query(draw, depth)}"
    macro = _choice(draw, *(("prep_m", "PREP_N") if own else ("hide_m", "other_m", "upper")))
    default = "" if _odds(draw, 50) else f" := {_choice(draw, *DEFAULTS)}"
    if _odds(draw, 50):
        overload = "" if _odds(draw, 80) else f", (v, w) AS {_expression(draw, depth)}"
        value = _choice(
            draw,
            "v",
            _expression(draw, depth),
            f"concat(v, {_choice(draw, *COMPUTING)}(v))",
            f"(SELECT max({_expression(draw, depth)}) FROM {_relation(draw, depth)})",
        )
        return f"CREATE{how} MACRO {macro}(v{default}) AS {value}{overload}"
    macro = "prep_rows" if own else "hide_rows"
    return f"CREATE{how} MACRO {macro}(v{default}) AS TABLE {query(draw, depth)}"


DEFAULTS = (
    *("1", "upper('a')", "nextval('s')", "hide_m(1)", "getvariable('a')", "`getvariable` ('a')"),
    *("main.`GetVariable`('a')", "('a').getvariable()", "[getvariable('a')]", "other_m(1)"),
)
OTHERS = (
    *("DELETE FROM orders", "INSERT INTO prep_a VALUES (1)", "UPDATE _trace SET x = 'z'", "COMMIT"),
    *(
        "TRUNCATE hidden",
        "SET threads = 1",
        "SET VARIABLE v = 1",
        "USE vault",
        "BEGIN",
        "CHECKPOINT",
    ),
    *("PRAGMA show_tables", "CALL checkpoint()", "ATTACH ':memory:' AS m", "COPY orders TO 'x'"),
    *("PREPARE p AS SELECT 1", "EXECUTE p", "CREATE SEQUENCE prep_s", "CREATE TYPE prep_t AS INT"),
    *("ALTER VIEW prep_a RENAME TO hide_a", "COMMENT ON VIEW prep_a IS 'x'", "LOAD json", "VACUUM"),
    *("CREATE SECRET s (TYPE http)", "EXPORT DATABASE 'x'", "SHOW threads", "SHOW TABLES"),
)


@st.composite
def statements(draw: DrawFn) -> str:
    """One statement, sometimes two, dressed up."""
    depth = draw(st.integers(1, 4))
    kind = draw(st.integers(0, 99))
    if kind < 50:
        text = query(draw, depth)
    elif kind < 85:
        text = _definition(draw, depth)
    elif kind < 93:
        how = _choice(draw, "EXPLAIN", "EXPLAIN ANALYZE", "EXPLAIN (ANALYZE false)", "DESCRIBE")
        inner = query(draw, depth) if _odds(draw, 60) else _choice(draw, *OTHERS)
        text = f"{how} {inner}"
    else:
        text = _choice(draw, *OTHERS)
    if _odds(draw, 8):
        text = text.replace(" ", _choice(draw, *BLANKS))
    if _odds(draw, 4):
        text = text.swapcase()
    if _odds(draw, 5):
        text = f"{text}; {_choice(draw, *OTHERS)}"
    return text
