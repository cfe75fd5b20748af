"""Loads one sheet of a workbook into Arrow, each of its columns with one type."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

from taskgraph.database import fold
from taskgraph.errors import IngestError
from taskgraph.ingest.cells import MAX_ROWS, column_letters, column_number, parse_range
from taskgraph.ingest.options import FileRequest, nearest
from taskgraph.ingest.paths import FoundFile
from taskgraph.ingest.reading import Arrow, pyarrow
from taskgraph.ingest.sheet_xml import first_row

Book: TypeAlias = Any
"""A `fastexcel.ExcelReader`; fastexcel's types lean on those of pyarrow, which has none."""
_Loaded: TypeAlias = Any
"""A `fastexcel.ExcelSheet`."""

_MIXED = re.compile(r"contains \{([^}]*)\}.*dtype for column (.*?)\s*$", re.DOTALL)
_NUMBERS = "numbers"
_KINDS = {
    "Float": _NUMBERS,
    "Int": _NUMBERS,  # only .xls tells whole numbers from others
    "String": "text",
    "Bool": "booleans",
    "Duration": "durations",
}
_ARROW_KINDS = {
    "double": _NUMBERS,
    "int64": _NUMBERS,
    "bool": "booleans",
    "timestamp[ms]": "dates",
    "duration[ms]": "durations",
}
_ERROR = re.compile(r"Error\((\w+)\)")
_ERRORS = {
    "Div0": "#DIV/0!",
    "NA": "#N/A",
    "Name": "#NAME?",
    "Null": "#NULL!",
    "Num": "#NUM!",
    "Ref": "#REF!",
    "Value": "#VALUE!",
}
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Window:
    """Which cells of a sheet are the table; rows and columns count from 0 over the whole sheet."""

    header: int | None
    """The header's row; None where there is none."""
    first: int
    """The first row of data."""
    last: int | None
    """The last row of data; None for the sheet's."""
    columns: range | None
    """None for all."""

    def cell(self, row: int, column: int) -> str:
        """Names a cell as in `B7`, by its row of data and its column."""
        return f"{column_letters(column)}{self.first + row + 1}"

    def holds(self, cell: str) -> bool:
        """Says whether a cell named as in `B7` is one of the data."""
        letters, digits = re.fullmatch(r"([A-Z]+)(\d+)", cell).groups()  # pyright: ignore[reportOptionalMemberAccess]
        row = int(digits) - 1
        below = self.last is not None and row > self.last
        beside = self.columns is not None and column_number(letters) not in self.columns
        return row >= self.first and not below and not beside


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column of a sheet."""

    name: str
    """As in the Arrow data: calamine's own name, made unique."""
    header: str
    """What its header cell says; empty where that is empty, or there is no header."""
    index: int
    """Place in the sheet, from 0."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that has been read."""

    data: Arrow
    columns: tuple[SheetColumn, ...]
    mixed: Mapping[str, str]
    """Columns read as text because their values are of several kinds, which are told."""
    errors: tuple[tuple[str, str], ...]
    """Cells that hold an error, with the error, such as `B7` and `#N/A`."""


def _fastexcel() -> Any:
    """Returns the library, loaded when it is first asked for: 40 ms, and pyarrow's 130."""
    return import_module("fastexcel")


@contextmanager
def surviving_panics(file: FoundFile) -> Generator[None]:
    """Turns a panic of calamine into an `IngestError`.

    A panic of Rust arrives as a BaseException, which would end the whole run.

    Raises:
        IngestError: the file is damaged in a way that calamine does not foresee.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise IngestError(f"{file.shown} is damaged: {error}") from error


def open_workbook(file: FoundFile) -> Book:
    """Opens a workbook.

    Raises:
        IngestError: it is damaged, encrypted, or no workbook.
    """
    fastexcel = _fastexcel()

    # It reports each column without values as a warning of its own.
    logging.getLogger("fastexcel").setLevel(logging.ERROR)
    try:
        return fastexcel.read_excel(str(file.path))
    except fastexcel.FastExcelError as error:
        raise _unreadable(file, error) from error


def sheet_name(book: Book, file: FoundFile, request: FileRequest) -> str:
    """Returns the name of the sheet that is asked for, whatever the case of its letters.

    Raises:
        IngestError: there is no such sheet; names those that there are.
    """
    names = tuple(book.sheet_names)
    if not names:
        raise IngestError(f"{file.shown} has no sheet")
    if request.sheet is None:
        return names[0]
    by_folded = {fold(name): name for name in names}
    if fold(request.sheet) in by_folded:
        return by_folded[fold(request.sheet)]
    raise IngestError(
        f"{file.shown} has no sheet {request.sheet!r}{nearest(request.sheet, names)} "
        f"(its sheets: {', '.join(map(repr, names))})"
    )


def window_of(book: Book, file: FoundFile, sheet: str, request: FileRequest) -> Window:
    """Returns which cells of a sheet a request asks for.

    Raises:
        IngestError: the range is not one.
    """
    first, last, columns = 0, None, None
    if request.range:
        area = parse_range(request.range)
        first, columns = area.rows.start, area.columns
        last = area.rows.stop - 1 if area.rows.stop < MAX_ROWS else None
    if not request.range or request.skip_rows:
        skipped = max(first, request.skip_rows)
        first = _first_row(book, file, sheet, skipped)
    if request.header == "none":
        return Window(None, first, last, columns)
    header = request.header - 1 if isinstance(request.header, int) else first
    return Window(header, header + 1, last, columns)


class _Mixed(Exception):
    """Some columns hold values of several kinds."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        super().__init__()
        self.columns = columns
        """Column to the kinds of its values."""


def load_sheet(book: Book, file: FoundFile, sheet: str, window: Window) -> Sheet | None:
    """Reads a window of a sheet; None where there is nothing in it.

    Each column gets the type of its values, all of them. calamine's strict mode says which do
    not have one; those are read as text, where its lenient mode would drop what does not fit.

    Raises:
        IngestError: a column mixes durations with other values, which calamine garbles.
    """
    mixed: dict[str, str] = {}
    while True:
        try:
            return _read(book, sheet, window, mixed)
        except _Mixed as found:
            for column, kinds in found.columns.items():
                if "durations" in kinds or mixed.get(column, _NUMBERS) != _NUMBERS:
                    raise IngestError(
                        f"{file.shown}, sheet {sheet!r}: column {column!r} mixes {kinds}",
                        hint="give all of its cells the same format",
                    ) from found
            mixed |= found.columns


def _read(book: Book, sheet: str, window: Window, mixed: Mapping[str, str]) -> Sheet | None:
    """Reads a window, those columns as text that are known to be mixed.

    Raises:
        _Mixed: more of them would have to be.
    """
    fastexcel = _fastexcel()
    try:
        loaded = _loaded(book, sheet, window, mixed)
        data, found = loaded.to_arrow_with_errors()
    except fastexcel.InvalidParametersError:
        return None  # the window begins below the last row
    except fastexcel.UnsupportedColumnTypeCombinationError as error:
        raise _Mixed(_mixture(error)) from error
    except fastexcel.FastExcelError as error:
        raise IngestError(f"sheet {sheet!r} cannot be read: {_reason(error)}") from error
    errors: Sequence[Any] = found.errors if found else ()
    dropped = _dropped(loaded, data, errors)
    if dropped:
        raise _Mixed(dropped)
    if not data.num_columns:
        return None
    columns = _columns(book, sheet, window, loaded.selected_columns)
    as_text = {name: kinds for name, kinds in mixed.items() if kinds != _NUMBERS}
    return Sheet(data, columns, as_text, _errors(loaded, window, errors))


def _loaded(book: Book, sheet: str, window: Window, mixed: Mapping[str, str]) -> _Loaded:
    columns = window.columns
    types = {name: "float" if kinds == _NUMBERS else "string" for name, kinds in mixed.items()}

    def inside(column: Any) -> bool:
        return columns is None or column.absolute_index in columns

    return book.load_sheet(
        sheet,
        header_row=window.header,
        skip_rows=window.first if window.header is None and window.first else None,
        n_rows=None if window.last is None else max(0, window.last - window.first + 1),
        schema_sample_rows=None,
        dtype_coercion="strict",
        use_columns=inside,
        dtypes=types or None,
        whitespace_as_null=True,
    )


def _mixture(error: Exception) -> dict[str, str]:
    """The column that the strict mode complains of, and what it mixes."""
    found = _MIXED.search(str(error))
    if not found:
        raise IngestError(f"a column mixes values of several kinds: {error}") from error
    kinds = sorted({_KINDS.get(kind.strip(), "dates") for kind in found[1].split(",")})
    return {found[2]: " and ".join(kinds)}


def _dropped(loaded: _Loaded, data: Arrow, errors: Sequence[Any]) -> dict[str, str]:
    """Columns that lost a text: `n/a`, `NaN` and the like count as no values among others."""
    compute = pyarrow("pyarrow.compute")
    names = {column.index: column.name for column in loaded.available_columns()}
    lost = {names[one.offset_position[1]] for one in errors if not _ERROR.search(one.detail)}
    found: dict[str, str] = {}
    for name, column in zip(data.schema.names, data.columns, strict=True):
        type_ = str(column.type)
        # A workbook has no number that is NaN: it was the text `NaN`.
        not_a_number = type_ == "double" and compute.any(compute.is_nan(column)).as_py()
        if name in lost or not_a_number:
            found[name] = f"{_ARROW_KINDS.get(type_, 'values')} and text"
    return found


def _columns(
    book: Book,
    sheet: str,
    window: Window,
    found: Sequence[Any],
) -> tuple[SheetColumn, ...]:
    looked_up = [one.name if one.column_name_from == "looked_up" else "" for one in found]
    headers = {one.absolute_index: name for one, name in zip(found, looked_up, strict=True)}
    if window.header is not None and _doubtful(looked_up):
        headers |= _header_cells(book, sheet, window.header)
    return tuple(
        SheetColumn(one.name, headers[one.absolute_index].strip(), one.absolute_index)
        for one in found
    )


def _doubtful(names: Sequence[str]) -> bool:
    """Whether calamine may have changed a name: it numbers doubles, and drops dates and booleans."""
    numbered = (re.fullmatch(r"(.+)_\d+", name) for name in names)
    return "" in names or any(found and found[1] in names for found in numbered)


def _header_cells(book: Book, sheet: str, row: int) -> dict[int, str]:
    """What the cells of the header say, by column."""
    loaded = book.load_sheet(
        sheet, header_row=None, skip_rows=row or None, n_rows=1, dtypes="string"
    )
    [cells] = loaded.to_arrow().to_pylist()
    texts = {one.absolute_index: cells[one.name] or "" for one in loaded.selected_columns}
    return {index: text.removesuffix(" 00:00:00") for index, text in texts.items()}


def _errors(loaded: _Loaded, window: Window, errors: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    places = {column.index: column.absolute_index for column in loaded.available_columns()}
    positions = ((one.offset_position, _ERROR.search(one.detail)) for one in errors)
    return tuple(
        (window.cell(row, places[column]), _ERRORS.get(found[1], found[1]))
        for (row, column), found in sorted(positions, key=lambda one: one[0])
        if found
    )


def _first_row(book: Book, file: FoundFile, sheet: str, skipped: int) -> int:
    """The first row with a value in it after those skipped, from 0."""
    fastexcel = _fastexcel()

    found = first_row(file.path, sheet, skipped)
    if found is not None:
        return found
    try:
        # Without rows to skip calamine begins at the first value, with them at the row named.
        rest = book.load_sheet(sheet, header_row=None).total_height
        whole = book.load_sheet(sheet, header_row=None, skip_rows=1).total_height
    except fastexcel.FastExcelError:
        return skipped  # an empty sheet, or one that cannot be read: that is told elsewhere
    return max(skipped, whole - rest)


def _unreadable(file: FoundFile, error: Exception) -> IngestError:
    with file.path.open("rb") as stream:
        start = stream.read(len(_COMPOUND_FILE))
    if start == _COMPOUND_FILE and file.path.suffix.lower() != ".xls":
        return IngestError(
            f"{file.shown} is protected by a password, or is an .xls under another name",
            hint="save it without a password, as .xlsx",
        )
    return IngestError(f"{file.shown} is damaged, or no workbook: {_reason(error)}")


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].removeprefix("calamine error: ")
