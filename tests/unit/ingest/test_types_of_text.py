"""The types of columns of text: found over all values, and only where none is lost."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import duckdb
import pytest

from ingesting import Desk, Write
from taskgraph.ingest.inference import read_columns
from taskgraph.ingest.options import FileRequest
from taskgraph.ingest.reading import STAGED, staging

Case = tuple[list[str], str, list[object]]


@pytest.fixture(scope="module")
def scratch() -> Generator[duckdb.DuckDBPyConnection]:
    with staging() as connection:
        yield connection


@dataclass(frozen=True)
class Column:
    type: str
    values: list[object]
    warnings: tuple[str, ...]


def read(connection: duckdb.DuckDBPyConnection, texts: list[str], **options: Any) -> Column:
    """Reads a column `x` of texts; an empty one is none, as in a file."""
    connection.execute(f"CREATE OR REPLACE TABLE {STAGED} (c0 VARCHAR)")
    connection.execute(f"INSERT INTO {STAGED} SELECT nullif(unnest($1), '')", [texts])
    request = FileRequest(path="a.csv", format="csv", **options)
    found = read_columns(connection, {"c0": "x"}, request)
    query = f"SELECT {found.expressions['x']} AS x FROM {STAGED} ORDER BY rowid"
    [(_, type_, *_)] = connection.execute(f"DESCRIBE {query}").fetchall()
    values = [value for (value,) in connection.execute(query).fetchall()]
    return Column(type_, values, found.warnings)


TYPES: dict[str, Case] = {
    "whole numbers": (["1", "-20", "0"], "BIGINT", [1, -20, 0]),
    "the largest": (["9223372036854775807"], "BIGINT", [9223372036854775807]),
    "beyond the largest": (["9223372036854775808", "1"], "VARCHAR", ["9223372036854775808", "1"]),
    "twenty digits": (["12345678901234567890"], "VARCHAR", ["12345678901234567890"]),
    "leading zeros": (["007", "008"], "VARCHAR", ["007", "008"]),
    "a leading zero at last": (["7", "10", "010"], "VARCHAR", ["7", "10", "010"]),
    "a leading zero before a point": (["00.5", "1.5"], "VARCHAR", ["00.5", "1.5"]),
    "phone numbers": (["+4930123", "+4930124"], "VARCHAR", ["+4930123", "+4930124"]),
    "decimals": (["1.5", "2", "-.5", "3."], "DOUBLE", [1.5, 2.0, -0.5, 3.0]),
    "trailing zeros": (["1.10", "1.00000000000000000000"], "DOUBLE", [1.1, 1.0]),
    "exponents": (["1e-05", "1.5E+10", "2.5e3"], "DOUBLE", [1e-05, 1.5e10, 2500.0]),
    "codes that look like exponents": (["12E4", "13E5"], "VARCHAR", ["12E4", "13E5"]),
    "as Python writes doubles": (["0.30000000000000004", "1e-300"], "DOUBLE", [0.1 + 0.2, 1e-300]),
    "long, and written as a double is": (
        ["1000000000000000.0", "-1.2345678901234568e+17"],
        "DOUBLE",
        [1e15, -1.2345678901234568e17],
    ),
    "too large for a double": (["1e+400", "1.5"], "VARCHAR", ["1e+400", "1.5"]),
    "cents that a double would lose": (
        ["1234567890123456.78", "1.5"],
        "VARCHAR",
        ["1234567890123456.78", "1.5"],
    ),
    "large codes among decimals": (
        ["12345678901234567", "1.5"],
        "VARCHAR",
        ["12345678901234567", "1.5"],
    ),
    "not numbers": (["nan", "inf"], "VARCHAR", ["nan", "inf"]),
    "digits parted by lines": (["1_000", "2_000"], "VARCHAR", ["1_000", "2_000"]),
    "hexadecimal": (["0x10", "0x11"], "VARCHAR", ["0x10", "0x11"]),
    "thousands, when nobody said so": (["1,000", "2,000"], "VARCHAR", ["1,000", "2,000"]),
    "spaces around numbers": ([" 1", "2 "], "BIGINT", [1, 2]),
    "spaces around text stay": ([" x", "y "], "VARCHAR", [" x", "y "]),
    "booleans": (["true", "FALSE", "True"], "BOOLEAN", [True, False, True]),
    "letters are no booleans": (["t", "f"], "VARCHAR", ["t", "f"]),
    "dates": (["2024-01-31", "2024-02-29"], "DATE", [date(2024, 1, 31), date(2024, 2, 29)]),
    "a day that is none": (["2024-01-31", "2023-02-29"], "VARCHAR", ["2024-01-31", "2023-02-29"]),
    "dotted dates": (["31.1.2024", "01.02.2024"], "DATE", [date(2024, 1, 31), date(2024, 2, 1)]),
    "slashes, year first": (["2024/1/31"], "DATE", [date(2024, 1, 31)]),
    "day first beyond doubt": (
        ["01/02/2024", "31/01/2024"],
        "DATE",
        [date(2024, 2, 1), date(2024, 1, 31)],
    ),
    "month first beyond doubt": (
        ["01/02/2024", "01/31/2024"],
        "DATE",
        [date(2024, 1, 2), date(2024, 1, 31)],
    ),
    "two digits for the year": (["31.01.24"], "VARCHAR", ["31.01.24"]),
    "timestamps": (
        ["2024-01-31 10:00:05", "2024-01-31T10:00:05.25", "2024-01-31 10:00"],
        "TIMESTAMP",
        [
            datetime(2024, 1, 31, 10, 0, 5),  # noqa: DTZ001
            datetime(2024, 1, 31, 10, 0, 5, 250000),  # noqa: DTZ001
            datetime(2024, 1, 31, 10, 0),  # noqa: DTZ001
        ],
    ),
    "seven digits of a second, the last a zero": (
        ["2024-01-31T10:00:05.1234560"],
        "TIMESTAMP",
        [datetime(2024, 1, 31, 10, 0, 5, 123456)],  # noqa: DTZ001
    ),
    "nanoseconds stay text": (
        ["2024-01-31T10:00:05.123456789"],
        "VARCHAR",
        ["2024-01-31T10:00:05.123456789"],
    ),
    "timestamps with a zone": (
        ["2024-01-31T10:00:00Z", "2024-01-31 12:00:00+02:00"],
        "TIMESTAMP WITH TIME ZONE",
        [datetime(2024, 1, 31, 10, tzinfo=UTC)] * 2,
    ),
    "dotted timestamps": (["31.01.2024 10:05"], "TIMESTAMP", [datetime(2024, 1, 31, 10, 5)]),  # noqa: DTZ001
    "times": (["10:00:05", "23:59:59"], "TIME", [time(10, 0, 5), time(23, 59, 59)]),
    "minutes and seconds may be a duration": (["10:05"], "VARCHAR", ["10:05"]),
    "text": (["x", "1"], "VARCHAR", ["x", "1"]),
    "nothing": (["", ""], "VARCHAR", [None, None]),
    "nothing among numbers": (["1", "", "3"], "BIGINT", [1, None, 3]),
}


@pytest.mark.parametrize(("texts", "type_", "values"), TYPES.values(), ids=list(TYPES))
def test_a_column_gets_the_type_that_gives_back_every_value(
    scratch: duckdb.DuckDBPyConnection, texts: list[str], type_: str, values: list[object]
) -> None:
    column = read(scratch, texts)
    assert (column.type, column.values) == (type_, values)


@pytest.mark.parametrize(
    ("last", "type_"),
    [
        ("2.5", "DOUBLE"),
        ("x", "VARCHAR"),
        ("007", "VARCHAR"),
        ("12345678901234567890", "VARCHAR"),
        ("", "BIGINT"),
    ],
)
def test_a_value_far_down_decides_too(
    scratch: duckdb.DuckDBPyConnection, last: str, type_: str
) -> None:
    assert read(scratch, [*["1"] * 3_000, last]).type == type_


def test_a_column_that_begins_with_nothing_is_judged_by_what_follows(
    scratch: duckdb.DuckDBPyConnection,
) -> None:
    assert read(scratch, [*[""] * 3_000, "2024-01-31"]).type == "DATE"


def test_a_file_is_judged_to_its_last_line(desk: Desk, write: Write) -> None:
    path = write("a.csv", "n,x\n" + "1,1\n" * 5_000 + "1,007\n")
    assert desk.take(path).types == ["BIGINT", "VARCHAR"]


OPTIONS: dict[str, tuple[list[str], dict[str, Any], str, list[object]]] = {
    "decimal comma": (["1,5", "-2"], {"decimal": ","}, "DOUBLE", [1.5, -2.0]),
    "decimal comma with thousands": (
        ["1.234,5", "12,25"],
        {"decimal": ",", "thousands": "."},
        "DOUBLE",
        [1234.5, 12.25],
    ),
    "thousands": (["1,234,567", "12"], {"thousands": ","}, "BIGINT", [1234567, 12]),
    "thousands in the wrong place": (["12,34"], {"thousands": ","}, "VARCHAR", ["12,34"]),
    "date format": (["01/02/2024"], {"date_format": "%d/%m/%Y"}, "DATE", [date(2024, 2, 1)]),
    "date format with a time": (
        ["1.2.24 5:06"],
        {"date_format": "%d.%m.%y %H:%M"},
        "TIMESTAMP",
        [datetime(2024, 2, 1, 5, 6)],  # noqa: DTZ001
    ),
    "type": (["007"], {"types": {"x": "INTEGER"}}, "INTEGER", [7]),
    "type, other case": (["007"], {"types": {"X": "varchar"}}, "VARCHAR", ["007"]),
    "type of text": (["7"], {"types": {"x": "VARCHAR"}}, "VARCHAR", ["7"]),
    "type with a comma": (
        ["1,5"],
        {"types": {"x": "DECIMAL(9,2)"}, "decimal": ","},
        "DECIMAL(9,2)",
        [1.5],
    ),
    "type with a format": (
        ["01/02/2024"],
        {"types": {"x": "DATE"}, "date_format": "%m/%d/%Y"},
        "DATE",
        [date(2024, 1, 2)],
    ),
    "all text": (["1"], {"all_text": True}, "VARCHAR", ["1"]),
}


@pytest.mark.parametrize(
    ("texts", "options", "type_", "values"), OPTIONS.values(), ids=list(OPTIONS)
)
def test_options_say_how_values_are_written(
    scratch: duckdb.DuckDBPyConnection,
    texts: list[str],
    options: dict[str, Any],
    type_: str,
    values: list[object],
) -> None:
    column = read(scratch, texts, **options)
    assert (column.type, column.values) == (type_, values)


REMARKS: dict[str, tuple[list[str], str]] = {
    "dates of two meanings": (
        ["01/02/2024", "03/04/2024"],
        (
            "column 'x' is kept as text: its dates could be day or month first; say which with the "
            "option date_format, such as '%d/%m/%Y'"
        ),
    ),
    "an odd value among numbers": (
        [*["1.5"] * 20, "n/a"],
        "column 'x' is kept as text: row 21 has 'n/a', where nearly all are numbers",
    ),
    "an odd value among dates": (
        [*["2024-01-31"] * 20, "soon"],
        "column 'x' is kept as text: row 21 has 'soon', where nearly all are dates",
    ),
    "digits that are rounded": (
        ["0.12345678901234567890", "1.5"],
        (
            "column 'x' has more digits than a DOUBLE keeps (17); ask for a DECIMAL with the option "
            "types if they matter"
        ),
    ),
}


@pytest.mark.parametrize(("texts", "remark"), REMARKS.values(), ids=list(REMARKS))
def test_a_doubtful_column_is_told(
    scratch: duckdb.DuckDBPyConnection, texts: list[str], remark: str
) -> None:
    assert read(scratch, texts).warnings == (remark,)


def test_codes_with_leading_zeros_are_no_reason_to_warn(
    scratch: duckdb.DuckDBPyConnection,
) -> None:
    assert read(scratch, [*["4711"] * 30, "0815"]).warnings == ()
