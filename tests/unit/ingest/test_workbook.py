"""Workbooks: each value as what it is, and nothing lost without a word."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.worksheet import Worksheet

from ingesting import Desk, Write

LEGACY = Path(__file__).parents[2] / "data" / "ingest"
_ERRORS = ("#N/A", "#DIV/0!")


def fill(sheet: Worksheet, rows: Sequence[Sequence[Any]], top: int = 1, left: int = 1) -> None:
    """Writes cells, errors as errors."""
    for row, values in enumerate(rows, start=top):
        for column, value in enumerate(values, start=left):
            cell = sheet.cell(row, column, value)
            if value in _ERRORS:
                cell.data_type = "e"


def book(path: Path, *rows: Sequence[Any], top: int = 1, left: int = 1) -> Path:
    """Saves a workbook of one sheet."""
    workbook = openpyxl.Workbook()
    fill(workbook.worksheets[0], rows, top, left)
    workbook.save(path)
    return path


def with_sheet_data(path: Path, rows: str) -> Path:
    """Saves a workbook whose one sheet has rows that openpyxl does not write."""
    book(path, ["x"])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    sheet = re.sub(
        r"<sheetData>.*</sheetData>", f"<sheetData>{rows}</sheetData>", parts[name].decode()
    )
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in (parts | {name: sheet.encode()}).items():
            archive.writestr(part, content)
    return path


COLUMNS: dict[str, tuple[list[Any], str, list[Any]]] = {
    "whole numbers": ([1, None, 3], "BIGINT", [1, None, 3]),
    "numbers": ([1, 2.5, -3], "DOUBLE", [1.0, 2.5, -3.0]),
    "numbers too large to be whole in a workbook": ([2.0**60, 1], "DOUBLE", [2.0**60, 1.0]),
    "text": (["x", " y ", "z"], "VARCHAR", ["x", " y ", "z"]),
    "text that looks like numbers": (["007", "12", "1.50"], "VARCHAR", ["007", "12", "1.50"]),
    "text that looks like dates": (["2024-01-31", "x"], "VARCHAR", ["2024-01-31", "x"]),
    "text that looks like nothing": (["n/a", "NULL", "x"], "VARCHAR", ["n/a", "NULL", "x"]),
    "booleans": ([True, False], "BOOLEAN", [True, False]),
    "dates": ([date(2024, 1, 31), None], "DATE", [date(2024, 1, 31), None]),
    "old dates": (
        [date(1900, 1, 1), date(1900, 3, 1)],
        "DATE",
        [date(1900, 1, 1), date(1900, 3, 1)],
    ),
    "moments": (
        [datetime(2024, 1, 31, 10, 5, 6, 500000), datetime(2024, 1, 31)],  # noqa: DTZ001
        "TIMESTAMP",
        [datetime(2024, 1, 31, 10, 5, 6, 500000), datetime(2024, 1, 31)],  # noqa: DTZ001
    ),
    "times": ([time(8, 30), time(0, 0)], "TIME", [time(8, 30), time(0, 0)]),
    "durations": ([timedelta(hours=30, minutes=5)], "INTERVAL", [timedelta(hours=30, minutes=5)]),
    "nothing": ([None, None], "VARCHAR", [None, None]),
}


@pytest.mark.parametrize(("values", "type_", "expected"), COLUMNS.values(), ids=list(COLUMNS))
def test_a_column_has_the_type_of_its_values(
    desk: Desk, tmp_path: Path, values: list[Any], type_: str, expected: list[Any]
) -> None:
    rows = [[number, value] for number, value in enumerate(values)]
    taken = desk.take(book(tmp_path / "a.xlsx", ["n", "x"], *rows))
    assert (taken.types[1], taken.column("x"), taken.warnings) == (type_, expected, ())


def test_dates_count_from_1904_where_the_workbook_says_so(desk: Desk, tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.epoch = CALENDAR_MAC_1904
    fill(workbook.worksheets[0], [["day", "at"], [date(2024, 1, 31), time(8, 30)]])
    workbook.save(tmp_path / "a.xlsx")
    taken = desk.take(tmp_path / "a.xlsx")
    assert taken.rows == [(date(2024, 1, 31), time(8, 30))]


def test_formulas_have_their_saved_values(desk: Desk, tmp_path: Path) -> None:
    path = with_sheet_data(
        tmp_path / "a.xlsx",
        '<row r="1"><c r="A1" t="inlineStr"><is><t>n</t></is></c>'
        '<c r="B1" t="inlineStr"><is><t>s</t></is></c>'
        '<c r="C1" t="inlineStr"><is><t>b</t></is></c></row>'
        '<row r="2"><c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>"007"</f><v>007</v></c>'
        '<c r="C2" t="b"><f>TRUE</f><v>1</v></c></row>',
    )
    taken = desk.take(path)
    assert (taken.rows, taken.warnings) == ([(2, "007", True)], ())


def test_formulas_without_a_saved_value_are_told(desk: Desk, tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", ["n", "x"], [1, "=A2*2"], [2, "=A3*2"])
    taken = desk.take(path)
    assert taken.rows == [(1, None), (2, None)]
    assert taken.warnings == (
        (
            "2 formulas without a saved value, NULL in the table: B2, B3; open the workbook in a "
            "program that calculates, and save it"
        ),
    )


def test_errors_are_null_and_told_by_cell(desk: Desk, tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", ["n", "s"], [1, "#N/A"], ["#DIV/0!", "x"], top=3, left=2)
    taken = desk.take(path)
    assert taken.rows == [(1, None), (None, "x")]
    assert taken.warnings == ("2 cells with an error, NULL in the table: C4 (#N/A), B5 (#DIV/0!)",)


def test_of_merged_cells_the_first_has_the_value(desk: Desk, tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    fill(sheet, [["title", None], ["n", "x"], [1, "a"], [2, None], [3, None]])
    sheet.merge_cells("A1:B1")
    sheet.merge_cells("B3:B5")
    workbook.save(tmp_path / "a.xlsx")
    taken = desk.take({"path": tmp_path / "a.xlsx", "header": 2})
    assert taken.rows == [(1, "a"), (2, None), (3, None)]
    assert taken.warnings == (
        "1 range of merged cells, of which only the first has the value: B3:B5",
    )


MIXED: dict[str, tuple[list[Any], list[str], str]] = {
    "numbers and a text": (
        [7, "x", 1.25],
        ["7", "x", "1.25"],
        "mixes numbers and text and is kept as text: B3 has 'x'",
    ),
    "a number among texts": (
        ["x", "y", 7],
        ["x", "y", "7"],
        "mixes numbers and text and is kept as text: B4 has '7'",
    ),
    "numbers, some as text": (
        [7, "007"],
        ["7", "007"],
        "mixes numbers and text and is kept as text: B2 has '7'",
    ),
    "what calamine takes for nothing": (
        [7, 8, "n/a"],
        ["7", "8", "n/a"],
        "mixes numbers and text and is kept as text: B4 has 'n/a'",
    ),
    "NaN as text": (
        [7, 8, "NaN"],
        ["7", "8", "NaN"],
        "mixes numbers and text and is kept as text: B2 has '7'",
    ),
    "dates and a text": (
        [date(2024, 1, 31), "soon"],
        ["2024-01-31", "soon"],
        "mixes dates and text and is kept as text: B2 has '2024-01-31'",
    ),
    "times and a text": (
        [time(8, 30), "soon"],
        ["08:30:00", "soon"],
        "mixes dates and text and is kept as text: B2 has '08:30:00'",
    ),
    "booleans and a number": (
        [True, 7],
        ["true", "7"],
        "mixes booleans and numbers and is kept as text: B2 has 'true'",
    ),
}


@pytest.mark.parametrize(("values", "texts", "remark"), MIXED.values(), ids=list(MIXED))
def test_a_mixed_column_is_text_and_told_with_a_cell(
    desk: Desk, tmp_path: Path, values: list[Any], texts: list[str], remark: str
) -> None:
    rows = [[number, value] for number, value in enumerate(values)]
    taken = desk.take(book(tmp_path / "a.xlsx", ["n", "x"], *rows))
    assert (taken.types[1], taken.column("x")) == ("VARCHAR", texts)
    assert taken.warnings == (f"column 'x' {remark}",)


@pytest.mark.parametrize("other", ["x", "n/a", 3.5], ids=["text", "no value", "number"])
def test_durations_among_other_values_are_refused(
    desk: Desk, tmp_path: Path, other: object
) -> None:
    path = book(tmp_path / "a.xlsx", ["x"], [timedelta(hours=30)], [other])
    message = str(desk.refusal(path, tmp_path))
    assert message.startswith("a.xlsx, sheet 'Sheet': column 'x' mixes durations and ")


OPTIONS: dict[str, tuple[dict[str, Any], list[str], list[tuple[Any, ...]]]] = {
    "as it is": (
        {},
        ["Report", "column_2"],
        [("name", "qty"), ("x", "1"), ("y", "2"), ("total", "3")],
    ),
    "header row": ({"header": 4}, ["name", "qty"], [("x", 1), ("y", 2), ("total", 3)]),
    "skipped rows": ({"skip_rows": 2}, ["name", "qty"], [("x", 1), ("y", 2), ("total", 3)]),
    "range": ({"range": "B4:C6"}, ["name", "qty"], [("x", 1), ("y", 2)]),
    "range of columns": ({"range": "c:c", "header": 4}, ["qty"], [(1,), (2,), (3,)]),
    "range with signs": ({"range": "$C$4:$C$5"}, ["qty"], [(1,)]),
    "range, no header": (
        {"range": "B5:C6", "header": None},
        ["column_1", "column_2"],
        [("x", 1), ("y", 2)],
    ),
    "no header, skipped rows": (
        {"header": None, "skip_rows": 4},
        ["column_1", "column_2"],
        [("x", 1), ("y", 2), ("total", 3)],
    ),
}


@pytest.mark.parametrize(("options", "names", "rows"), OPTIONS.values(), ids=list(OPTIONS))
def test_which_cells_are_the_table(
    desk: Desk,
    tmp_path: Path,
    options: dict[str, Any],
    names: list[str],
    rows: list[tuple[Any, ...]],
) -> None:
    cells = [
        ["Report", None],
        [None, None],
        ["name", "qty"],
        ["x", 1],
        ["y", 2],
        [None, None],
        ["total", 3],
    ]
    path = book(tmp_path / "a.xlsx", *cells, top=2, left=2)
    taken = desk.take({"path": path, **options})
    assert (taken.names, taken.rows) == (names, rows)


def test_sheets_by_name(desk: Desk, tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    fill(workbook.worksheets[0], [["first"], [1]])
    hidden = workbook.create_sheet("Sheet 2")
    hidden.sheet_state = "hidden"
    fill(hidden, [["second"], [2]])
    workbook.save(tmp_path / "a.xlsx")
    assert desk.take("a.xlsx", tmp_path).names == ["first"]
    assert desk.take("a.xlsx#Sheet 2", tmp_path).rows == [(2,)]
    assert desk.take({"path": "a.xlsx", "sheet": "sheet 2"}, tmp_path).rows == [(2,)]
    assert str(desk.refusal("a.xlsx#Shet 2", tmp_path)) == (
        "a.xlsx has no sheet 'Shet 2', did you mean 'Sheet 2'? (its sheets: 'Sheet', 'Sheet 2')"
    )


def test_names_are_what_the_header_cells_say(desk: Desk, tmp_path: Path) -> None:
    header = ["a", "a", "a_1", None, 2023, date(2024, 1, 1), True, " b "]
    taken = desk.take(book(tmp_path / "a.xlsx", header, [1] * 8))
    assert taken.names == ["a", "a_2", "a_1", "column_4", "2023", "2024-01-01", "true", "b"]
    assert taken.warnings == (
        "column 2 is a second 'a': it is called 'a_2'",
        "column 4 has no name: it is called 'column_4'",
    )


def test_columns_with_neither_a_name_nor_a_value_are_left_out(desk: Desk, tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", ["a", None, "b"], [1, " ", None])
    taken = desk.take(path)
    assert (taken.names, taken.rows, taken.warnings) == (["a", "b"], [(1, None)], ())


TYPED: dict[str, tuple[dict[str, Any], str, list[Any]]] = {
    "text of whole numbers": ({"types": {"x": "VARCHAR"}}, "VARCHAR", ["7", "12"]),
    "decimals": ({"types": {"x": "DECIMAL(9,2)"}}, "DECIMAL(9,2)", [7, 12]),
    "all text": ({"all_text": True}, "VARCHAR", ["7", "12"]),
}


@pytest.mark.parametrize(("options", "type_", "values"), TYPED.values(), ids=list(TYPED))
def test_types_that_are_asked_for(
    desk: Desk, tmp_path: Path, options: dict[str, Any], type_: str, values: list[Any]
) -> None:
    path = book(tmp_path / "a.xlsx", ["x"], [7], [12])
    taken = desk.take({"path": path, **options})
    assert (taken.types, taken.column("x")) == ([type_], values)


def test_texts_for_null_leave_numbers_numbers(desk: Desk, tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", ["x"], [7], ["n/a"], [2.5])
    taken = desk.take({"path": path, "null_text": ["n/a"]})
    assert (taken.types, taken.rows, taken.warnings) == (["DOUBLE"], [(7.0,), (None,), (2.5,)], ())


BAD: dict[str, tuple[str, bytes, str]] = {
    "no workbook": (
        "a.xlsx",
        b"a,b\n1,2\n",
        "a.xlsx is damaged, or no workbook: Xlsx error: Zip error: invalid Zip archive: Could not find EOCD",
    ),
    "password": (
        "a.xlsx",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        "a.xlsx is protected by a password, or is an .xls under another name",
    ),
    "no .xls": (
        "a.xls",
        b"hello, world",
        "a.xls is damaged, or no workbook: Xls error: Cfb error: Invalid OLE",
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD.values(), ids=list(BAD))
def test_what_is_no_workbook_is_refused(
    desk: Desk, write: Write, name: str, content: bytes, message: str
) -> None:
    path = write(name, content)
    assert str(desk.refusal(path, path.parent)).startswith(message)


def test_an_empty_sheet_says_which(desk: Desk, tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx")
    assert str(desk.refusal(path, tmp_path)) == (
        "the source has neither rows nor columns: a.xlsx, sheet 'Sheet': nothing stands there"
    )
    assert desk.take(path, tmp_path, columns=["a"]).rows == []


def test_a_header_alone_is_an_empty_table(desk: Desk, tmp_path: Path) -> None:
    taken = desk.take(book(tmp_path / "a.xlsx", ["a", "b"]))
    assert (taken.names, taken.warnings) == (["a", "b"], ("the table is empty",))


@pytest.mark.parametrize("options", [{"range": "B3"}, {"range": "3:B"}], ids=["cell", "reversed"])
def test_a_range_that_is_none(desk: Desk, tmp_path: Path, options: dict[str, str]) -> None:
    path = book(tmp_path / "a.xlsx", ["a"], [1])
    assert "is not a range such as 'B3:F20'" in str(desk.refusal({"path": path, **options}))


def test_an_old_workbook(desk: Desk) -> None:
    taken = desk.take("legacy.xls", LEGACY)
    assert dict(taken.ingested.columns) == {
        "account": "VARCHAR",
        "booked": "DATE",
        "at": "TIME",
        "seen": "TIMESTAMP",
        "amount": "DOUBLE",
        "open": "BOOLEAN",
        "rate": "BIGINT",
    }
    moment = datetime(2024, 1, 31, 8, 30, 15)  # noqa: DTZ001
    assert taken.rows[0] == ("00123", date(2024, 1, 31), time(8, 30), moment, 12.5, True, 1)
    assert taken.warnings == ("1 cell with an error, NULL in the table: H5 (#N/A)",)
    assert desk.take("legacy.xls#zweites", LEGACY).rows == [(7,)]
