"""Which columns a column comes from, over several nodes and through what SQL can do."""

from __future__ import annotations

import pytest

from taskgraph.events import Definition
from taskgraph.page.lineage import ColumnOf, lineage_of

TABLES = {
    "orders": ("id", "Amount", "customer"),
    "customers": ("customer", "country"),
    "v": ("x",),
    "late": ("y",),
}


def _from(query: str) -> set[str]:
    found = lineage_of([Definition("v", f"CREATE VIEW v AS {query}")], TABLES)
    assert not found.unknown
    return {f"{one.table}.{one.column}" for one in found.origins[ColumnOf("v", "x")]}


@pytest.mark.parametrize(
    ("query", "origins"),
    [
        ("SELECT id AS x FROM orders", {"orders.id"}),
        ("SELECT AMOUNT + id AS x FROM orders", {"orders.Amount", "orders.id"}),
        ("SELECT 1 AS x FROM orders", set[str]()),
        (
            "WITH o AS (FROM orders) SELECT c.country AS x FROM o JOIN customers c USING (customer)",
            {"customers.country"},
        ),
        (
            "SELECT sum(amount) OVER (PARTITION BY customer) AS x FROM orders",
            {"orders.Amount", "orders.customer"},
        ),
        (
            "SELECT amount AS x FROM orders UNION ALL SELECT country FROM customers",
            {"orders.Amount", "customers.country"},
        ),
        (
            "SELECT (SELECT max(country) FROM customers) || customer AS x FROM orders",
            {"customers.country", "orders.customer"},
        ),
        ("SELECT list_transform([id], lambda n: n + amount) AS x FROM orders", {"orders.id", "orders.Amount"}),
    ],
)  # fmt: skip
def test_a_column_comes_from_what_its_expression_reads(query: str, origins: set[str]) -> None:
    assert _from(query) == origins


def test_a_column_is_followed_to_the_sources() -> None:
    lineage = lineage_of(
        [
            Definition("late", "CREATE VIEW late(y) AS SELECT x FROM v"),
            Definition("v", "CREATE OR REPLACE VIEW main.v AS SELECT id + amount AS x FROM orders"),
            Definition("half", "CREATE MACRO half(n) AS n / 2"),
        ],
        TABLES,
    )
    assert lineage.origins[ColumnOf("late", "y")] == (ColumnOf("v", "x"),)
    assert lineage.sources(ColumnOf("late", "y")) == (
        ColumnOf("orders", "Amount"),
        ColumnOf("orders", "id"),
    )


def test_sql_that_cannot_be_read_is_said_and_stops_nothing() -> None:
    lineage = lineage_of(
        [
            Definition("v", "CREATE VIEW v AS SELECT FROM WHERE"),
            Definition("late", "CREATE VIEW late AS SELECT id AS y FROM orders"),
        ],
        TABLES,
    )
    assert set(lineage.unknown) == {"v"}
    assert lineage.origins[ColumnOf("late", "y")] == (ColumnOf("orders", "id"),)
