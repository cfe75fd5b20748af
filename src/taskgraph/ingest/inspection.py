"""Looks into a workbook before a spec is written: sheets, tables, formulas, cells.

A table's columns are read as a source's are: what is shown here is what a node would get.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias
from zipfile import BadZipFile

from taskgraph.database import quote, scratch
from taskgraph.errors import IngestError
from taskgraph.ingest.cells import column_letters, parse_range
from taskgraph.ingest.islands import Island, Values, find_islands
from taskgraph.ingest.options import FileRequest
from taskgraph.ingest.paths import FoundFile, find_files
from taskgraph.ingest.sheet import (
    Book,
    open_workbook,
    sheet_name,
    surviving_panics,
)
from taskgraph.ingest.sheet_xml import scan_sheet
from taskgraph.ingest.workbook import read_workbook

LOOKED_AT_ROWS = 2_000
"""Rows of a sheet in which tables and formulas are looked for; a table may go on below them."""
_SAMPLES = 3

Visibility: TypeAlias = Literal["visible", "hidden", "very hidden"]
_Sides: TypeAlias = tuple[Values, Values]
"""What people see in cells, and what was typed into them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is not empty."""

    address: str
    """As in `B7`."""
    value: object
    """What is saved as its value; None for a formula that was never calculated."""
    formula: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column as a source's table would have it."""

    name: str
    type: str
    """DuckDB's name of it."""
    samples: tuple[str, ...]
    """Its first different values."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table that seems to stand in a sheet."""

    range: str
    """As in `B3:F20`, the row of names included, a row of totals not."""
    source: Mapping[str, str]
    """What a node's `source` would be."""
    columns: tuple[ColumnFacts, ...]
    row_count: int
    title: tuple[str, ...]
    """What is written above it."""
    total_row: int | None
    """The number of a row below that sums it up, counted from 1."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What is in a sheet."""

    name: str
    visibility: Visibility
    used: str | None
    """The cells that are used, as in `A1:F120`; None for an empty sheet."""
    merged: tuple[str, ...]
    tables: tuple[TableFacts, ...]
    formulas: tuple[Cell, ...]
    """Of the first rows."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A range of a sheet, cell by cell."""

    sheet: str
    range: str
    columns: tuple[str, ...]
    """Letters."""
    rows: tuple[tuple[int, tuple[Cell | None, ...]], ...]
    """Number, from 1, and the row's cells."""


def inspect_workbook(path: Path, sheet: str | None = None) -> tuple[SheetFacts, ...]:
    """Says what is in a workbook's sheets.

    Args:
        path: an `.xlsx` or `.xlsm` file.
        sheet: the only one to look at; None for all.

    Raises:
        IngestError: there is no such file or sheet, or it is no workbook.
    """
    file, book = _opened(path)
    names = [_named(book, file, sheet)] if sheet else list(book.sheet_names)
    with _opened_twice(file) as both:
        return tuple(_sheet(book, file, name, both.cells(name, LOOKED_AT_ROWS)) for name in names)


def inspect_range(path: Path, sheet: str, cells: str) -> Grid:
    """Returns the cells of a range, such as `A1:F12`.

    Raises:
        IngestError: there is no such file or sheet, it is no workbook, or the range is not one.
    """
    file, book = _opened(path)
    name = _named(book, file, sheet)
    area = parse_range(cells)
    with _opened_twice(file) as both:
        seen, typed = both.cells(name, area.rows.stop)
    columns = area.columns
    return Grid(
        sheet=name,
        range=cells.upper(),
        columns=tuple(map(column_letters, columns)),
        rows=tuple(
            (row + 1, tuple(_cell(seen, typed, row, column) for column in columns))
            for row in range(area.rows.start, min(area.rows.stop, len(seen)))
        ),
    )


def _opened(path: Path) -> tuple[FoundFile, Book]:
    [found] = find_files(FileRequest(path=str(path), format="xlsx"), None)
    file = FoundFile(found.path, str(path))
    if path.suffix.lower() == ".xls":
        raise IngestError(
            f"{file.shown} is in the older format, which has to be looked at in a spreadsheet",
            hint="Save it as .xlsx to look into it here; a source reads .xls as well.",
        )
    with surviving_panics(file):
        return file, open_workbook(file)


def _named(book: Book, file: FoundFile, sheet: str) -> str:
    return sheet_name(book, file, FileRequest(path=file.shown, format="xlsx", sheet=sheet))


def _sheet(book: Book, file: FoundFile, name: str, sides: _Sides) -> SheetFacts:
    loaded = book.load_sheet(name, header_row=None, dtypes="string")
    seen, typed = sides
    places = [column.absolute_index for column in loaded.available_columns()]
    first = next((row for row, cells in enumerate(seen) if any(_is_filled(c) for c in cells)), 0)
    last = first + loaded.total_height - 1
    used = f"{_address(first, places[0])}:{_address(last, places[-1])}" if places else None
    return SheetFacts(
        name=name,
        visibility=_VISIBILITIES[loaded.visible],
        used=used,
        merged=tuple(cells for cells, _ in scan_sheet(file.path, name).merged),
        tables=tuple(_table(file, name, island, len(seen), last) for island in find_islands(seen)),
        formulas=tuple(_formulas(seen, typed)),
    )


_VISIBILITIES: Mapping[str, Visibility] = {
    "visible": "visible",
    "hidden": "hidden",
    "veryhidden": "very hidden",
}


def _table(file: FoundFile, sheet: str, island: Island, looked_at: int, last: int) -> TableFacts:
    goes_on = island.bottom == looked_at - 1 and looked_at >= LOOKED_AT_ROWS
    bottom = last if goes_on else island.bottom
    cells = f"{_address(island.top, island.left)}:{_address(bottom, island.right)}"
    header = {} if island.has_header else {"header": "none"}
    request = FileRequest(
        path=file.shown,
        format="xlsx",
        sheet=sheet,
        range=cells,
        header="first" if island.has_header else "none",
    )
    with read_workbook([file], request) as reading, scratch() as connection:
        connection.register("source", reading.stream)
        connection.execute("CREATE TABLE t AS FROM source")
        [(count,)] = connection.execute("SELECT count(*) FROM t").fetchall()
        _, *described = connection.execute("DESCRIBE t").fetchall()
        columns = tuple(
            ColumnFacts(name, type_, _samples(connection, column))
            for name, (column, type_, *_) in zip(reading.names, described, strict=True)
        )
    return TableFacts(
        range=cells,
        source={"path": file.shown, "sheet": sheet, "range": cells, **header},
        columns=columns,
        row_count=count,
        title=island.title,
        total_row=None if island.total_row is None else island.total_row + 1,
        warnings=reading.warnings,
    )


def _samples(connection: Any, column: str) -> tuple[str, ...]:
    rows = connection.execute(
        f"SELECT text FROM (SELECT CAST({quote(column)} AS VARCHAR) AS text, rowid AS row FROM t) "
        f"WHERE text IS NOT NULL GROUP BY text ORDER BY min(row) LIMIT {_SAMPLES}"
    ).fetchall()
    return tuple(text for (text,) in rows)


def _formulas(seen: Values, typed: Values) -> Iterator[Cell]:
    for row, cells in enumerate(typed):
        for column in range(len(cells)):
            cell = _cell(seen, typed, row, column)
            if cell and cell.formula:
                yield cell


def _cell(seen: Values, typed: Values, row: int, column: int) -> Cell | None:
    value, text = _at(seen, row, column), _at(typed, row, column)
    if isinstance(text, _Formula):
        return Cell(_address(row, column), value, text.text)
    return Cell(_address(row, column), value) if _is_filled(value) else None


def _at(values: Values, row: int, column: int) -> object:
    return values[row][column] if row < len(values) and column < len(values[row]) else None


def _is_filled(value: object) -> bool:
    return value is not None and value != ""


def _address(row: int, column: int) -> str:
    return f"{column_letters(column)}{row + 1}"


@dataclass(frozen=True, slots=True)
class _Formula:
    text: str


class _TwiceOpened:
    """A workbook opened twice: openpyxl tells either values or formulas."""

    def __init__(self, file: FoundFile) -> None:
        openpyxl = import_module("openpyxl")
        self.seen = openpyxl.load_workbook(file.path, read_only=True, data_only=True)
        self.typed = openpyxl.load_workbook(file.path, read_only=True)

    def cells(self, sheet: str, rows: int) -> _Sides:
        """Returns the first rows of a sheet."""
        seen = [[cell.value for cell in row] for row in _rows(self.seen[sheet], rows)]
        typed = [[_typed(cell) for cell in row] for row in _rows(self.typed[sheet], rows)]
        return seen, typed

    def close(self) -> None:
        """Closes the file."""
        self.seen.close()
        self.typed.close()


@contextmanager
def _opened_twice(file: FoundFile) -> Generator[_TwiceOpened]:
    try:
        with closing(_TwiceOpened(file)) as both:
            yield both
    except (BadZipFile, KeyError, ValueError, TypeError) as error:
        raise IngestError(f"{file.shown} cannot be looked into: {error}") from error


def _rows(sheet: Any, last: int) -> Iterator[Sequence[Any]]:
    # Files that other programs wrote may misstate which cells are used.
    sheet.reset_dimensions()
    return sheet.iter_rows(min_row=1, max_row=last)


def _typed(cell: Any) -> object:
    if cell.data_type != "f":
        return cell.value
    return _Formula(str(getattr(cell.value, "text", cell.value)))
