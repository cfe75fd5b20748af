"""Python's own data: lists of dicts, and dicts of lists."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ingesting import Desk


class Colour(Enum):
    RED = "red"


NOON = datetime(2024, 1, 31, 12)  # noqa: DTZ001
NOON_ABROAD = datetime(2024, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))

VALUES: dict[str, tuple[list[Any], str, list[Any]]] = {
    "whole numbers": ([1, None, -(2**63)], "BIGINT", [1, None, -(2**63)]),
    "large whole numbers": ([2**63, 1], "HUGEINT", [2**63, 1]),
    "whole and other numbers": ([1, 2.5], "DOUBLE", [1.0, 2.5]),
    "NaN is no value": ([1.5, float("nan")], "DOUBLE", [1.5, None]),
    "infinity": ([float("inf")], "DOUBLE", [float("inf")]),
    "booleans": ([True, None], "BOOLEAN", [True, None]),
    "text": (["007", "", "ü\x00"], "VARCHAR", ["007", "", "ü\x00"]),
    "decimals": (
        [Decimal("1.10"), Decimal("-1E+3"), 2],
        "DECIMAL(18,2)",
        [Decimal("1.10"), Decimal("-1000.00"), Decimal("2.00")],
    ),
    "long decimals": (
        [Decimal("1e20"), Decimal("0.5")],
        "DECIMAL(38,1)",
        [Decimal("1e20"), Decimal("0.5")],
    ),
    "dates": ([date(2024, 1, 31)], "DATE", [date(2024, 1, 31)]),
    "moments": ([NOON, None], "TIMESTAMP", [NOON, None]),
    "dates and moments": ([date(2024, 1, 31), NOON], "TIMESTAMP", [NOON.replace(hour=0), NOON]),
    "moments with a zone": (
        [NOON_ABROAD],
        "TIMESTAMP WITH TIME ZONE",
        [datetime(2024, 1, 31, 10, tzinfo=UTC)],
    ),
    "times": ([time(1, 2, 3, 4)], "TIME", [time(1, 2, 3, 4)]),
    "durations": ([timedelta(days=40, seconds=1)], "INTERVAL", [timedelta(days=40, seconds=1)]),
    "identifiers": ([UUID(int=5)], "UUID", [UUID(int=5)]),
    "bytes": ([b"\x00\xff", bytearray(b"x")], "BLOB", [b"\x00\xff", b"x"]),
    "nothing": ([None, None], "VARCHAR", [None, None]),
    "lists": ([[1, 2.5], [], None], "DOUBLE[]", [[1.0, 2.5], [], None]),
    "tuples": ([(1, 2)], "BIGINT[]", [[1, 2]]),
    "lists of lists": ([[[1], []]], "BIGINT[][]", [[[1], []]]),
    "dicts": (
        [{"x": 1}, {"y": "z"}, None],
        "STRUCT(x BIGINT, y VARCHAR)",
        [{"x": 1, "y": None}, {"x": None, "y": "z"}, None],
    ),
    "dicts that look like maps to DuckDB": (
        [{"key": [1], "value": [2]}],
        "JSON",
        ['{"key": [1], "value": [2]}'],
    ),
    "dicts of other values": (
        [{"d": Decimal("1.10"), "t": NOON_ABROAD, "i": timedelta(1), "n": float("nan")}],
        "STRUCT(d DECIMAL(18,2), t TIMESTAMP WITH TIME ZONE, i INTERVAL, n VARCHAR)",
        [
            {
                "d": Decimal("1.10"),
                "t": datetime(2024, 1, 31, 10, tzinfo=UTC),
                "i": timedelta(1),
                "n": None,
            }
        ],
    ),
    "dicts of keys and values": (
        [{"key": "a", "value": [2]}],
        "JSON",
        ['{"key": "a", "value": [2]}'],
    ),
    "bytes inside": ([{"b": [b"\x00\xff"]}], "STRUCT(b BLOB[])", [{"b": [b"\x00\xff"]}]),
    "dicts of what JSON does not know": (
        [{"": NOON, "a": timedelta(1), "b": b"\xff", "c": np.int64(5)}],
        "JSON",
        ['{"": "2024-01-31 12:00:00", "a": "1 days 0 seconds 0 microseconds", "b": "ff", "c": 5}'],
    ),
    "empty dicts inside": ([[{}]], "JSON[]", [["{}"]]),
    "dicts that lack every key": ([{"a": 1}, {}], "STRUCT(a BIGINT)", [{"a": 1}, {"a": None}]),
    "empty dicts": ([{}, {}], "JSON", ["{}", "{}"]),
    "dicts whose keys differ in case": ([{"a": 1, "A": 2}], "JSON", ['{"a": 1, "A": 2}']),
    "enums": ([Colour.RED], "VARCHAR", ["red"]),
    "numpy": ([np.int64(5), np.int8(6)], "BIGINT", [5, 6]),
    "numpy and Python": ([np.float32(2.5), 1], "DOUBLE", [2.5, 1.0]),
    "numpy's booleans": ([np.bool_(True)], "BOOLEAN", [True]),
    "numpy's moments": ([np.datetime64("2024-01-31T12:00:00", "ns")], "TIMESTAMP", [NOON]),
    "numpy's arrays": ([np.array([1, 2])], "BIGINT[]", [[1, 2]]),
    "pandas": ([pd.Timestamp(NOON), pd.NaT, pd.NA], "TIMESTAMP", [NOON, None, None]),
}


@pytest.mark.parametrize(("values", "type_", "expected"), VALUES.values(), ids=list(VALUES))
def test_values_keep_their_types(
    desk: Desk, values: list[Any], type_: str, expected: list[Any]
) -> None:
    for source in ([{"x": value} for value in values], {"x": values}):
        taken = desk.take(source)
        assert (taken.types, taken.column("x"), taken.warnings) == ([type_], expected, ())


MIXED: dict[str, tuple[list[Any], list[str], str]] = {
    "number and text": (
        [7, "x", 2.5],
        ["7", "x", "2.5"],
        "is kept as text: it begins with int, row 2 has the str 'x'",
    ),
    "booleans and numbers": (
        [True, 1],
        ["true", "1"],
        "is kept as text: it begins with bool, row 2 has the int '1'",
    ),
    "moments with and without a zone": (
        [NOON, NOON_ABROAD],
        ["2024-01-31 12:00:00", "2024-01-31 12:00:00+02:00"],
        "is kept as text: some of its moments have a time zone, others none",
    ),
    "times with a zone": (
        [time(1, 2, 3, tzinfo=UTC)],
        ["01:02:03+00:00"],
        "is kept as text: TIME has no time zone",
    ),
    "lists and text": (
        [[1, "ü"], "x"],
        ['[1, "ü"]', "x"],
        "is kept as text: it begins with list, row 2 has the str 'x'",
    ),
    "numbers of many digits": (
        [2**200],
        [str(2**200)],
        "is kept as text: a number has more than 38 digits",
    ),
    "whole numbers that a double would change": (
        [2**60 + 1, 0.5],
        [str(2**60 + 1), "0.5"],
        "is kept as text: a DOUBLE would round its largest whole numbers",
    ),
    "decimals of many digits": (
        [Decimal("1e30"), Decimal("1e-30")],
        ["1E+30", "1E-30"],
        "is kept as text: DECIMAL has no room for all of its digits",
    ),
}


@pytest.mark.parametrize(("values", "texts", "remark"), MIXED.values(), ids=list(MIXED))
def test_values_that_do_not_go_together_become_text(
    desk: Desk, values: list[Any], texts: list[str], remark: str
) -> None:
    taken = desk.take({"x": values})
    assert (taken.types, taken.column("x")) == (["VARCHAR"], texts)
    assert taken.warnings == (f"column 'x' {remark}",)


def test_mixed_values_inside_of_lists_and_dicts_become_text_too(desk: Desk) -> None:
    taken = desk.take([{"x": [{"k": [1, "y"]}]}])
    assert taken.types == ["STRUCT(k VARCHAR[])[]"]
    assert taken.rows == [([{"k": ["1", "y"]}],)]
    assert len(taken.warnings) == 1


def test_decimals_beside_floats_are_rounded_and_told(desk: Desk) -> None:
    taken = desk.take({"x": [Decimal("1.5"), 2.5]})
    assert (taken.types, taken.column("x")) == (["DOUBLE"], [1.5, 2.5])
    assert taken.warnings == ("column 'x' mixes Decimal and float: decimals are rounded",)


def test_late_keys_make_columns(desk: Desk) -> None:
    taken = desk.take([{"a": 1}, {"b": "x"}, {}])
    assert (taken.names, taken.rows) == (["a", "b"], [(1, None), (None, "x"), (None, None)])


def test_columns_of_other_kinds_of_sequences(desk: Desk) -> None:
    columns = {"a": range(2), "b": (1, 2), "c": np.array([1, 2]), "d": pl.Series([1, 2])}
    assert desk.take(columns).rows == [(0, 1, 1, 1), (1, 2, 2, 2)]


def test_more_rows_than_go_over_at_once(desk: Desk) -> None:
    taken = desk.take({"x": list(range(25_000)), "y": [{"a": n} for n in range(25_000)]})
    assert taken.column("x") == list(range(25_000))
    assert taken.rows[-1] == (24_999, {"a": 24_999})


REFUSED: dict[str, tuple[object, str]] = {
    "lengths": (
        {"a": [1, 2], "b": [1]},
        "the lists of a dict must be of one length; 'a' has 2, 'b' has 1",
    ),
    "names that are not text": ([{1: "x"}], "a column is called 1, of type int"),
    "items that are no dicts": ([{"a": 1}, 5], "row 2 of the list is of type int, not a dict"),
    "a type without a place": (
        [{"a": 1}, {"a": {1, 2}}],
        "column 'a': row 2 has a value of type set",
    ),
    "a type without a place, inside": (
        [{"a": {"b": 1j}}],
        "column 'a': field 'b': row 1 has a value of type complex",
    ),
    "keys that are not text, inside": (
        [{"a": {(1, 2): 3}}],
        "a value cannot be written as JSON: keys must be str, int, float, bool or None, not tuple",
    ),
    "text that is none": (
        [{"a": "x"}, {"a": "\ud800"}],
        (
            "among rows 1 to 10000: Python Conversion Failure: cannot encode str as UTF-8, surrogate '\\ud800' "
            "at position 0 is not allowed"
        ),
    ),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_makes_no_table_is_refused(desk: Desk, source: object, message: str) -> None:
    assert str(desk.refusal(source)) == message
