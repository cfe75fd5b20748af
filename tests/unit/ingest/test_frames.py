"""polars, pandas and Arrow."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from ingesting import Desk
from taskgraph.ingest.frames import open_frame
from taskgraph.ingest.reading import ArrowStream, pyarrow

pa = pyarrow()

NOON = datetime(2024, 1, 31, 12)  # noqa: DTZ001

POLARS: dict[str, tuple[pl.DataFrame | pl.LazyFrame, list[str], list[tuple[Any, ...]]]] = {
    "frame": (
        pl.DataFrame({"a": [1, None], "b": ["x", "y"]}),
        ["BIGINT", "VARCHAR"],
        [(1, "x"), (None, "y")],
    ),
    "lazy": (pl.LazyFrame({"a": [1, 2, 3]}).filter(pl.col("a") > 1), ["BIGINT"], [(2,), (3,)]),
    "nothing but null": (
        pl.DataFrame({"a": [None], "b": [[None]]}),
        ["VARCHAR", "VARCHAR[]"],
        [(None, [None])],
    ),
    "structs of null": (
        pl.DataFrame({"a": [{"x": None}]}),
        ["STRUCT(x VARCHAR)"],
        [({"x": None},)],
    ),
    "NaN stays": (
        pl.DataFrame({"a": [float("inf"), None]}),
        ["DOUBLE"],
        [(float("inf"),), (None,)],
    ),
    "categories": (pl.DataFrame({"a": ["x"]}, schema={"a": pl.Categorical}), ["VARCHAR"], [("x",)]),
    "times": (pl.DataFrame({"a": [time(1, 2, 3)]}), ["TIME"], [(time(1, 2, 3),)]),
    "decimals": (pl.DataFrame({"a": [Decimal("1.10")]}), ["DECIMAL(38,2)"], [(Decimal("1.10"),)]),
    "128 bits": (
        pl.DataFrame({"a": [2**100]}, schema={"a": pl.Int128}),
        ["DECIMAL(38,0)"],
        [(Decimal(2**100),)],
    ),
    "a zone": (
        pl.DataFrame({"a": [NOON]}).with_columns(pl.col("a").dt.replace_time_zone("Europe/Berlin")),
        ["TIMESTAMP WITH TIME ZONE"],
        [(datetime(2024, 1, 31, 11, tzinfo=UTC),)],
    ),
    "nested": (pl.DataFrame({"a": [[{"x": 1}]]}), ["STRUCT(x BIGINT)[]"], [([{"x": 1}],)]),
    "names": (
        pl.DataFrame({"a": [1], "A": [2], "": [3], "_row_id": [4]}),
        ["BIGINT"] * 4,
        [(1, 2, 3, 4)],
    ),
    "no rows": (pl.DataFrame({"a": [1]}).clear(), ["BIGINT"], []),
}


@pytest.mark.parametrize(("frame", "types", "rows"), POLARS.values(), ids=list(POLARS))
def test_polars(
    desk: Desk, frame: pl.DataFrame | pl.LazyFrame, types: list[str], rows: list[tuple[Any, ...]]
) -> None:
    taken = desk.take(frame)
    assert (taken.types, taken.rows) == (types, rows)


def test_names_of_a_frame_become_unique(desk: Desk) -> None:
    taken = desk.take(pl.DataFrame({"a": [1], "A": [2], "": [3], "_row_id": [4]}))
    assert taken.names == ["a", "A_2", "column_3", "_row_id_2"]
    assert len(taken.warnings) == 3


PANDAS: dict[str, tuple[pd.DataFrame, list[str], list[str], list[tuple[Any, ...]]]] = {
    "missing values": (
        pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None]}),
        ["a", "b"],
        ["DOUBLE", "VARCHAR"],
        [(1.5, "x"), (None, None)],
    ),
    "objects": (
        pd.DataFrame({"a": [Decimal("1.1"), None], "b": [date(2024, 1, 31), None], "c": [[1], []]}),
        ["a", "b", "c"],
        ["DECIMAL(2,1)", "DATE", "BIGINT[]"],
        [(Decimal("1.1"), date(2024, 1, 31), [1]), (None, None, [])],
    ),
    "nanoseconds that are none": (
        pd.DataFrame({"a": np.array(["2024-01-31T12:00:00"], dtype="datetime64[ns]")}),
        ["a"],
        ["TIMESTAMP"],
        [(NOON,)],
    ),
    "nanoseconds": (
        pd.DataFrame({"a": np.array(["2024-01-31T12:00:00.000000001"], dtype="datetime64[ns]")}),
        ["a"],
        ["TIMESTAMP_NS"],
        [(NOON,)],
    ),
    "an index with a name": (
        pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="key")),
        ["key", "a"],
        ["VARCHAR", "BIGINT"],
        [("x", 1)],
    ),
    "an index without one": (pd.DataFrame({"a": [1]}, index=["x"]), ["a"], ["BIGINT"], [(1,)]),
    "numbers for names": (pd.DataFrame([[1, 2]]), ["0", "1"], ["BIGINT", "BIGINT"], [(1, 2)]),
}


@pytest.mark.parametrize(("frame", "names", "types", "rows"), PANDAS.values(), ids=list(PANDAS))
def test_pandas(
    desk: Desk, frame: pd.DataFrame, names: list[str], types: list[str], rows: list[tuple[Any, ...]]
) -> None:
    taken = desk.take(frame)
    assert (taken.names, taken.types, taken.rows, taken.warnings) == (names, types, rows, ())


def test_a_mixed_column_of_pandas_becomes_text(desk: Desk) -> None:
    taken = desk.take(pd.DataFrame({"a": [7, "x", None]}))
    assert (taken.types, taken.column("a")) == (["VARCHAR"], ["7", "x", None])
    assert taken.warnings == (
        "column 'a' is kept as text: it begins with int, row 2 has the str 'x'",
    )


TABLE: Any = pa.table({"a": [1, None], "b": ["x", "y"]})
ARROW: dict[str, object] = {
    "table": TABLE,
    "batch": TABLE.to_batches()[0],
    "reader": TABLE.to_reader(),
    "several batches": pa.Table.from_batches(
        [TABLE.slice(0, 1).to_batches()[0], TABLE.slice(1).to_batches()[0]]
    ),
    "a relation of DuckDB": duckdb.sql(
        "SELECT * FROM (VALUES (1::BIGINT, 'x'), (NULL, 'y')) t(a, b)"
    ),
}


@pytest.mark.parametrize("source", ARROW.values(), ids=ARROW)
def test_arrow(desk: Desk, source: object) -> None:
    taken = desk.take(source)
    assert (taken.names, taken.types) == (["a", "b"], ["BIGINT", "VARCHAR"])
    assert taken.rows == [(1, "x"), (None, "y")]


def test_names_of_arrow_may_be_doubled(desk: Desk) -> None:
    taken = desk.take(pa.table([[1], [2]], names=["a", "a"]))
    assert (taken.names, taken.rows) == (["a", "a_2"], [(1, 2)])


REFUSED: dict[str, tuple[object, str]] = {
    "objects": (
        pl.DataFrame({"a": [object()]}, schema={"a": pl.Object}),
        "column 'a' holds Python objects (pl.Object)",
    ),
    "a lazy frame that fails": (
        pl.LazyFrame({"a": [1]}).select("b"),
        'the LazyFrame cannot be collected: unable to find column "b"; valid columns: ["a"]',
    ),
    "a series": (
        pl.Series("a", [1]),
        "the Arrow data is not a table: Cannot import schema: ArrowSchema describes non-struct type int64",
    ),
    "a type of Arrow that DuckDB does not know": (
        pa.table({"a": pa.array([1.0], pa.float16())}),
        "the source cannot be read: Unsupported Internal Arrow Type e",
    ),
    "no columns": (pl.DataFrame(), "the source has neither rows nor columns"),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_table_is_refused(desk: Desk, source: object, message: str) -> None:
    assert str(desk.refusal(source)) == message


def test_columns_of_a_polars_frame_are_not_copied() -> None:
    frame = pl.DataFrame({"a": range(1_000), "b": [float(number) for number in range(1_000)]})
    opened = open_frame(frame)
    assert opened is not None
    with opened as reading:
        assert isinstance(reading.stream, ArrowStream)
        handed = reading.stream.origin
    assert _addresses(handed, ["c0", "c1"]) == _addresses(frame, ["a", "b"])


def _addresses(frame: pl.DataFrame, names: list[str]) -> list[int]:
    """Where the values of some columns are in memory."""
    columns: list[Any] = [frame[name].to_arrow() for name in names]
    return [column.buffers()[1].address for column in columns]


def test_columns_of_an_arrow_table_are_not_copied() -> None:
    opened = open_frame(TABLE)
    assert opened is not None
    with opened as reading:
        stream: Any = reading.stream
        batch = next(iter(stream))
    [own] = TABLE.to_batches()
    assert batch.column(1).buffers()[1].address == own.column(0).buffers()[1].address
