"""Reads workbooks, `.xlsx` and `.xls`: calamine does it, some ten times as fast as openpyxl.

A workbook knows numbers, text, booleans, moments and durations. Columns of whole numbers become
BIGINT, of moments at midnight DATE, of times without a day TIME; a column that mixes numbers and
text is text. Rows in which nothing stands are left out. Of merged cells the first has the value.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from taskgraph.database import quote, quote_text
from taskgraph.ingest.inference import read_columns
from taskgraph.ingest.names import column_names, match_columns, numbered_names
from taskgraph.ingest.options import FileRequest
from taskgraph.ingest.paths import FoundFile
from taskgraph.ingest.reading import STAGED, Reading, staged, staging
from taskgraph.ingest.sheet import (
    Sheet,
    Window,
    load_sheet,
    open_workbook,
    sheet_name,
    surviving_panics,
    window_of,
)
from taskgraph.ingest.sheet_xml import SheetXml, scan_sheet

_SHEET = "sheet"
_SHOWN_CELLS = 5
_EXACT_IN_DOUBLE = 2**53
# What a time without a day counts from, in the two date systems of workbooks.
_NO_DAY = "(DATE '1899-12-30', DATE '1899-12-31', DATE '1904-01-01')"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the sheet that becomes one of the table."""

    name: str
    source: str
    """Its name in the registered sheet."""
    index: int
    """Place in the sheet, from 0."""
    value: str
    """SQL expression of its value, over the registered sheet."""
    mixed: str | None
    """What kinds of values it mixes, if it does."""

    @property
    def staged(self) -> str:
        """Its name in the staged table."""
        return f"c{self.index}"


@contextmanager
def read_workbook(files: Sequence[FoundFile], request: FileRequest) -> Generator[Reading]:
    """Reads one sheet, or a range of it, as a table.

    Raises:
        IngestError: the file is no workbook, has no such sheet, or a column cannot be read; names
            the sheet, and the column or the cell.
    """
    [file] = files
    with surviving_panics(file):
        book = open_workbook(file)
        name = sheet_name(book, file, request)
        window = window_of(book, file, name, request)
        sheet = load_sheet(book, file, name, window)
    if sheet is None:
        yield Reading(None, (), (f"{file.shown}, sheet {name!r}: nothing stands there",))
        return
    with staging() as connection:
        connection.register(_SHEET, sheet.data)
        columns, renamed = _columns(connection, sheet, request)
        through_text = _through_text(columns, request)
        _stage(connection, columns, through_text)
        read = read_columns(connection, through_text, request)
        values = {column.name: column.staged for column in columns} | dict(read.expressions)
        mixed = [column for column in columns if column.staged not in through_text]
        warnings = (
            *renamed,
            *read.warnings,
            *_cell_warnings(sheet, window, _scanned(file, name, sheet)),
            *_mixtures(connection, mixed, window),
        )
        yield staged(connection, values, warnings)


def _scanned(file: FoundFile, name: str, sheet: Sheet) -> SheetXml:
    """What the file says of the sheet's empty cells; nothing where there are none."""
    if any(column.null_count for column in sheet.data.columns):
        return scan_sheet(file.path, name)
    return SheetXml()


def _columns(
    connection: duckdb.DuckDBPyConnection, sheet: Sheet, request: FileRequest
) -> tuple[list[_Column], list[str]]:
    """The columns of the table, without those that have neither a name nor a value."""
    headers = [column.header for column in sheet.columns]
    names = numbered_names(len(headers)) if request.header == "none" else column_names(headers)
    columns: list[_Column] = []
    types = _types(connection, [column.name for column in sheet.columns])
    for name, column in zip(names.names, sheet.columns, strict=True):
        type_ = types[column.name]
        if type_ is None and not column.header:
            continue
        mixed = sheet.mixed.get(column.name)
        source = quote(column.name)
        value = _cleaned(source, request) if mixed else f"CAST({source} AS {type_ or 'VARCHAR'})"
        columns.append(_Column(name, column.name, column.index, value, mixed))
    kept = {column.name for column in columns}
    return columns, [text for name, text in names.warnings.items() if name in kept]


def _types(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, str | None]:
    """The type of each column of the registered sheet; None for those without a value."""
    described = connection.execute(f"DESCRIBE {_SHEET}").fetchall()
    facts = ", ".join(
        f"CASE WHEN count({quote(name)}) > 0 THEN {_type(quote(name), row[1])} END"
        for name, row in zip(names, described, strict=True)
    )
    [found] = connection.execute(f"SELECT {facts} FROM {_SHEET}").fetchall()
    return dict(zip(names, found, strict=True))


def _type(column: str, arrow_type: str) -> str:
    """The SQL expression of the type that a column's values are of."""
    if arrow_type == "DOUBLE":
        whole = f"bool_and({column} = trunc({column}) AND abs({column}) < {_EXACT_IN_DOUBLE})"
        return f"CASE WHEN {whole} THEN 'BIGINT' ELSE 'DOUBLE' END"
    if arrow_type.startswith("TIMESTAMP"):
        return (
            f"CASE WHEN bool_and(CAST({column} AS DATE) IN {_NO_DAY}) THEN 'TIME' "
            f"WHEN bool_and(CAST({column} AS TIME) = TIME '00:00:00') THEN 'DATE' "
            "ELSE 'TIMESTAMP' END"
        )
    return quote_text(arrow_type.replace('"NULL"', "VARCHAR"))


def _cleaned(column: str, request: FileRequest) -> str:
    """The text of a mixed column: dates without a clock, times without a day, and null texts."""
    dated = f"regexp_replace({column}, '^(\\d{{4}}-\\d\\d-\\d\\d) 00:00:00$', '\\1')"
    text = f"regexp_replace({dated}, '^(1899-12-3[01]|1904-01-01) ', '')"
    for null in request.null_text:
        text = f"nullif({text}, {quote_text(null)})"
    return text


def _through_text(columns: Sequence[_Column], request: FileRequest) -> dict[str, str]:
    """Staged columns to names, of those whose type is found from their text."""
    given = match_columns(request.types, [column.name for column in columns])
    return {
        column.staged: column.name
        for column in columns
        if request.all_text or column.name in given or (column.mixed and request.null_text)
    }


def _stage(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[_Column],
    through_text: Mapping[str, str],
) -> None:
    values = ", ".join(
        f"CAST({column.value} AS VARCHAR) AS {column.staged}"
        if column.staged in through_text
        else f"{column.value} AS {column.staged}"
        for column in columns
    )
    anything = ", ".join(f"CAST({quote(column.source)} AS VARCHAR)" for column in columns)
    connection.execute(
        f"CREATE TABLE {STAGED} AS SELECT {values} FROM {_SHEET} "
        f"WHERE coalesce({anything}) IS NOT NULL"
    )


def _cell_warnings(sheet: Sheet, window: Window, scan: SheetXml) -> Iterator[str]:
    if sheet.errors:
        told = [f"{cell} ({error})" for cell, error in sheet.errors]
        yield f"{_counted(told, 'cell')} with an error, NULL in the table: {_some(told)}"
    bare = [cell for cell in scan.uncalculated if window.holds(cell)]
    if bare:
        yield (
            f"{_counted(bare, 'formula')} without a saved value, NULL in the table: {_some(bare)}; "
            "open the workbook in a program that calculates, and save it"
        )
    merged = [cells for cells, last_row in scan.merged if last_row > window.first]
    if merged:
        yield (
            f"{_counted(merged, 'range')} of merged cells, of which only the first has the value: "
            f"{_some(merged)}"
        )


def _mixtures(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[_Column], window: Window
) -> Iterator[str]:
    """Tells of columns kept as text: what they mix, and the first of the rarer values."""
    for column in columns:
        if column.mixed is None:
            continue
        [(row, text)] = connection.execute(
            "SELECT min(row), arg_min(text, row) FROM (SELECT row_number() OVER () - 1 AS row, "
            f"{column.value} AS text FROM {_SHEET}) WHERE text IS NOT NULL "
            "GROUP BY TRY_CAST(text AS DOUBLE) IS NULL ORDER BY count(*), min(row) LIMIT 1"
        ).fetchall()
        yield (
            f"column {column.name!r} mixes {column.mixed} and is kept as text: "
            f"{window.cell(row, column.index)} has {text!r}"
        )


def _counted(items: Sequence[str], noun: str) -> str:
    return f"1 {noun}" if len(items) == 1 else f"{len(items)} {noun}s"


def _some(items: Sequence[str]) -> str:
    more = ", ..." if len(items) > _SHOWN_CELLS else ""
    return ", ".join(items[:_SHOWN_CELLS]) + more
