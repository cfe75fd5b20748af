"""`taskgraph inspect-xlsx`: what is in a workbook, before a spec names it as a source."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import click

from taskgraph.cli.ending import write_line
from taskgraph.cli.json_lines import SCHEMA_VERSION
from taskgraph.cli.settings import option
from taskgraph.cli.text import printable
from taskgraph.errors import IngestError, SettingsError
from taskgraph.ingest.inspection import (
    LOOKED_AT_ROWS,
    Cell,
    Grid,
    SheetFacts,
    TableFacts,
    inspect_range,
    inspect_workbook,
)
from taskgraph.wording import counted

_View: TypeAlias = tuple[Iterable[str], Mapping[str, Any]]
"""Lines for a person, and the same as JSON."""
_SHOWN = 5
_WIDEST_CELL = 24
_WIDEST_SAMPLE = 30


@click.command("inspect-xlsx")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("sheet", required=False)
@click.argument("cells", required=False, metavar="[RANGE]")
@option("json", "as_json", is_flag=True, help="Write JSON.")
def command(file: Path, sheet: str | None, cells: str | None, *, as_json: bool) -> None:
    """Look into a workbook: sheets, tables, formulas.

    With SHEET look at that one only; with RANGE, such as A1:F12, show it cell by cell.
    """
    try:
        lines, value = _range(file, sheet, cells) if sheet and cells else _workbook(file, sheet)
    except IngestError as error:  # here it is what was asked for that is wrong, not a node
        raise SettingsError(str(error), error.hint) from error
    if as_json:
        value = {"schema_version": SCHEMA_VERSION, **value}
        lines = [json.dumps(value, indent=2, default=str)]
    for line in lines:
        write_line(line, sys.stdout)


def _range(file: Path, sheet: str, cells: str) -> _View:
    grid = inspect_range(file, sheet, cells)
    return grid_lines(grid), _grid_json(grid)


def _workbook(file: Path, sheet: str | None) -> _View:
    sheets = inspect_workbook(file, sheet)
    return workbook_lines(sheets), {"sheets": [asdict(facts) for facts in sheets]}


def workbook_lines(sheets: Sequence[SheetFacts]) -> Iterator[str]:
    """Tells of each sheet: its size, its tables and their columns, its formulas."""
    for number, facts in enumerate(sheets):
        if number:
            yield ""
        yield "  ".join([printable(facts.name), *_marks(facts)])
        for table in facts.tables:
            yield from _table_lines(table)
        yield from _formula_lines(facts.formulas)


def grid_lines(grid: Grid) -> Iterator[str]:
    """Shows a range with the letters and numbers of its cells, and its formulas below."""
    shown = [[str(number), *map(_shown, cells)] for number, cells in grid.rows]
    table = [["", *grid.columns], *shown]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()
    for _, cells in grid.rows:
        yield from (_formula_line(cell) for cell in cells if cell and cell.formula)


def _marks(facts: SheetFacts) -> Iterator[str]:
    yield facts.used or "empty"
    if facts.visibility != "visible":
        yield facts.visibility
    if facts.merged:
        yield f"merged {_some(facts.merged)}"


def _table_lines(table: TableFacts) -> Iterator[str]:
    for title in table.title:
        yield f"    title   {printable(title)}"
    yield f"    table   {table.range}  {counted(table.row_count, 'row')}"
    if table.total_row:
        yield f"    total   row {table.total_row}, left out"
    width = max(len(column.name) for column in table.columns)
    kinds = max(len(column.type) for column in table.columns)
    for column in table.columns:
        samples = ", ".join(_cut(sample, _WIDEST_SAMPLE) for sample in column.samples)
        yield f"        {printable(column.name):<{width}}  {column.type:<{kinds}}  {samples}".rstrip()
    yield from (f"    warn    {printable(warning)}" for warning in table.warnings)
    yield f"    source  {json.dumps(dict(table.source), ensure_ascii=False)}"


def _formula_lines(formulas: Sequence[Cell]) -> Iterator[str]:
    if not formulas:
        return
    unsaved = sum(cell.value is None for cell in formulas)
    told = f", {unsaved} without a saved value" if unsaved else ""
    yield f"    {counted(len(formulas), 'formula')} in the first {LOOKED_AT_ROWS:,} rows{told}"
    yield from (f"        {_formula_line(cell)}" for cell in formulas[:_SHOWN])
    if len(formulas) > _SHOWN:
        yield f"        and {len(formulas) - _SHOWN:,} more"


def _formula_line(cell: Cell) -> str:
    value = "no saved value" if cell.value is None else printable(str(cell.value))
    return f"{cell.address}  {printable(cell.formula or '')}  -> {value}"


def _grid_json(grid: Grid) -> Mapping[str, Any]:
    cells = [asdict(cell) for _, row in grid.rows for cell in row if cell]
    return {"sheet": grid.sheet, "range": grid.range, "cells": cells}


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return "?" if cell.value is None else _cut(str(cell.value), _WIDEST_CELL)


def _cut(text: str, width: int) -> str:
    line = printable(text).replace("\n", " ")
    return line if len(line) <= width else f"{line[: width - 3]}..."


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
