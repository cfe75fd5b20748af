"""`inspect-xlsx`: what a person learns of a workbook before a spec names it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner

from ingesting import Desk
from taskgraph.cli import group

WHOLE = """\
Bank  A1:G6  merged A1:D1
    title   Statement March
    table   A2:D5  3 rows
    total   row 6, left out
        Date    VARCHAR  2024-03-01, 2024-03-02, n/a
        Text    VARCHAR  fee, x
        Amount  DOUBLE   -1.5, 3.0, 2.25
        Rate    BIGINT   4
    warn    1 formula without a saved value, NULL in the table: D5; open the workbook in a program \
that calculates, and save it
    source  {"path": "book.xlsx", "sheet": "Bank", "range": "A2:D5"}
    table   F2:G3  1 row
        code  VARCHAR  A
        name  VARCHAR  Alpha
    source  {"path": "book.xlsx", "sheet": "Bank", "range": "F2:G3"}
    2 formulas in the first 2,000 rows, 2 without a saved value
        D5  =D4*2  -> no saved value
        C6  =SUM(C3:C5)  -> no saved value

Lookup  B3:C4  hidden
    table   B3:C4  2 rows
        column_1  BIGINT  1, 2
        column_2  DOUBLE  0.5, 0.7
    source  {"path": "book.xlsx", "sheet": "Lookup", "range": "B3:C4", "header": "none"}

Notes  A1:A1

Empty  empty
"""
GRID = """\
   A      B  C     D
5  n/a    x  2.25  ?
6  Total     ?
D5  =D4*2  -> no saved value
C6  =SUM(C3:C5)  -> no saved value
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workbooks")
    book = openpyxl.Workbook()
    bank = book.worksheets[0]
    bank.title = "Bank"
    bank["A1"] = "Statement March"
    bank.merge_cells("A1:D1")
    rows: list[list[Any]] = [
        ["Date", "Text", "Amount", "Rate", None, "code", "name"],
        ["2024-03-01", "fee", -1.5, 4, None, "A", "Alpha"],
        ["2024-03-02", "x", 3, 4],
        ["n/a", "x", 2.25, "=D4*2"],
        ["Total", None, "=SUM(C3:C5)"],
    ]
    for row in rows:
        bank.append(row)
    lookup = book.create_sheet("Lookup")
    lookup.sheet_state = "hidden"
    for address, value in {"B3": 1, "C3": 0.5, "B4": 2, "C4": 0.7}.items():
        lookup[address] = value
    book.create_sheet("Notes")["A1"] = "ask Mareike"
    book.create_sheet("Empty")
    book.save(folder / "book.xlsx")
    (folder / "no.xlsx").write_text("no workbook")
    (folder / "old.xls").write_bytes(b"")
    return folder


def _inspect(folder: Path, *arguments: str) -> tuple[int, str]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(group, ["inspect-xlsx", *arguments])
    finally:
        os.chdir(before)
    return result.exit_code, result.output


def test_each_sheet_shows_its_tables_as_a_source_would_read_them(folder: Path) -> None:
    assert _inspect(folder, "book.xlsx") == (0, WHOLE)


def test_what_is_shown_as_a_source_is_one(folder: Path, desk: Desk) -> None:
    _, output = _inspect(folder, "book.xlsx", "--json")
    facts = json.loads(output)
    assert facts["schema_version"] == 1
    table = facts["sheets"][0]["tables"][0]
    taken = desk.take({**table["source"], "path": str(folder / "book.xlsx")})
    assert [column["name"] for column in table["columns"]] == list(taken.names)
    assert [column["type"] for column in table["columns"]] == list(taken.types)
    assert table["row_count"] == len(taken.rows)


def test_a_range_is_shown_cell_by_cell(folder: Path) -> None:
    assert _inspect(folder, "book.xlsx", "bank", "a5:d9") == (0, GRID)
    _, output = _inspect(folder, "book.xlsx", "Bank", "C6:C6", "--json")
    assert json.loads(output)["cells"] == [
        {"address": "C6", "value": None, "formula": "=SUM(C3:C5)"}
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["book.xlsx", "Bnk"], "no sheet 'Bnk', did you mean 'Bank'?"),
        (["book.xlsx", "Bank", "C"], "range 'C' is not a range such as 'B3:F20'"),
        (["no.xlsx"], "no.xlsx is damaged, or no workbook"),
        (["old.xls"], "save it as .xlsx"),
        (["missing.xlsx"], "'missing.xlsx' does not exist"),
    ],
)
def test_what_cannot_be_looked_into_is_said(
    folder: Path, arguments: list[str], message: str
) -> None:
    code, output = _inspect(folder, *arguments)
    assert code == 2
    assert message.lower() in output.lower()
