"""Fetching within bounds of rows and of bytes."""

from __future__ import annotations

from collections.abc import Generator

import duckdb
import pytest

from taskgraph.result import Result, fetch


@pytest.fixture(scope="module")
def raw() -> Generator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        yield connection


def fetched(raw: duckdb.DuckDBPyConnection, sql: str, max_rows: int) -> Result:
    raw.execute(sql)
    return fetch(raw, max_rows)


@pytest.mark.parametrize(
    ("rows", "max_rows", "shown", "complete"),
    [
        (0, 10, 0, True),
        (10, 10, 10, True),
        (11, 10, 10, False),
        (200, 150, 150, False),
        (5, 0, 0, False),
    ],
)
def test_rows_are_counted(
    raw: duckdb.DuckDBPyConnection, rows: int, max_rows: int, shown: int, *, complete: bool
) -> None:
    result = fetched(raw, f"SELECT range AS n FROM range({rows})", max_rows)
    assert (len(result.rows), result.complete) == (shown, complete)
    assert (result.columns, result.types) == (("n",), ("BIGINT",))
    assert result.rows == tuple((n,) for n in range(shown))


def test_endless_result_costs_no_more_than_what_is_read(raw: duckdb.DuckDBPyConnection) -> None:
    result = fetched(raw, "FROM range(1000000000000)", 10)
    assert not result.complete


@pytest.mark.parametrize(
    "value",
    [
        "repeat('x', 10000)",
        "repeat('x', 10000)::BLOB",
        "[repeat('x', 5000), repeat('y', 5000)]",
        "{'a': repeat('x', 10000), 'b': 1}",
        "MAP {'k': [repeat('x', 10000)]}",
    ],
)
def test_huge_rows_end_the_fetch_early(raw: duckdb.DuckDBPyConnection, value: str) -> None:
    raw.execute(f"SELECT {value} AS big FROM range(1000)")
    result = fetch(raw, 1_000, max_bytes=1_000_000)
    assert 100 <= len(result.rows) < 200
    assert not result.complete
