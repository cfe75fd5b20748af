"""Reads delimited text, CSV and TSV: staged as text, then given types over the whole file."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb

from taskgraph.database import fold, quote, quote_text
from taskgraph.errors import IngestError
from taskgraph.ingest.encoding import as_utf8, not_utf8, with_plain_newlines
from taskgraph.ingest.inference import read_columns
from taskgraph.ingest.names import (
    ColumnNames,
    column_names,
    numbered_names,
    require_same_columns,
)
from taskgraph.ingest.options import FileRequest
from taskgraph.ingest.paths import FoundFile
from taskgraph.ingest.reading import STAGED, Reading, file_text, plain, staged, staging
from taskgraph.ingest.rules import looks_like_data

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 200
_LONGEST_LINE = 16_000_000
"""Bytes. Far above DuckDB's own limit, and its larger buffers read faster."""
_SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the files, its head read."""

    file: FoundFile
    path: Path
    """Where its text stands in UTF-8."""
    delimiter: str
    columns: ColumnNames
    nameless: frozenset[str]
    """Names that were made up for blank cells of the header."""
    rows_above: int
    """Rows before the first one of data."""
    suspicion: str | None
    """What makes the header look like data."""


@contextmanager
def read_text(files: Sequence[FoundFile], request: FileRequest) -> Generator[Reading]:
    """Reads the files, one after another, as one table.

    Raises:
        IngestError: a file is not what it should be; names the file and the line.
    """
    with staging() as connection, ExitStack() as copies:
        parts: list[_Part] = []
        warnings: list[str] = []
        for file in files:
            path = copies.enter_context(as_utf8(file, request.encoding))
            part = _part(file, path, request)
            if part is None:
                warnings.append(f"{file.shown} is empty")
            else:
                parts.append(part)
        if not parts:
            yield Reading(None, (), tuple(warnings))
            return
        columns = _columns(parts, request)
        _stage(connection, parts, columns, request)
        columns = _without_empty_nameless(connection, columns, parts)
        inferred = read_columns(connection, columns, request)
        told = {name: text for part in parts for name, text in part.columns.warnings.items()}
        warnings += [part.suspicion for part in parts if part.suspicion]
        warnings += [text for name, text in told.items() if name in inferred.expressions]
        yield staged(connection, inferred.expressions, (*warnings, *inferred.warnings))


def _part(file: FoundFile, path: Path, request: FileRequest) -> _Part | None:
    """Reads the head of a file; None where there is nothing in it."""
    lines = _first_lines(file, path)
    delimiter = request.delimiter or (
        "\t" if request.format == "tsv" else _delimiter(lines, request)
    )
    records = _records(lines, delimiter, request)
    rows_above = _rows_above(records, request)
    if rows_above is None:
        return None
    if rows_above > len(records):
        raise IngestError(f"{file.shown}: header={rows_above}, but it has {len(records)} rows")
    if request.header == "none":
        made_up = numbered_names(len(records[rows_above]))
        return _Part(file, path, delimiter, made_up, frozenset(), rows_above, None)
    cells = records[rows_above - 1]
    columns = column_names(cells)
    nameless = frozenset(
        name for cell, name in zip(cells, columns.names, strict=True) if not cell.strip()
    )
    suspicion = _suspicion(file.shown, cells)
    return _Part(file, path, delimiter, columns, nameless, rows_above, suspicion)


def _first_lines(file: FoundFile, path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return list(islice(stream, _SAMPLE_LINES))
    except UnicodeDecodeError as error:
        raise (not_utf8(path, file.shown) or IngestError(f"{file.shown}: {error}")) from error


def _delimiter(lines: Sequence[str], request: FileRequest) -> str:
    """Finds the delimiter that splits most of the first rows into as many fields as the header."""

    def score(delimiter: str) -> tuple[int, int]:
        records = _records(lines, delimiter, request)
        above = _rows_above(records, request)
        body = [record for record in records[max(0, (above or 1) - 1) :] if record]
        width = len(body[0]) if body else 0
        return (sum(len(record) == width for record in body), width) if width > 1 else (0, 0)

    return max(_DELIMITERS, key=score)


def _records(lines: Sequence[str], delimiter: str, request: FileRequest) -> list[list[str]]:
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=request.quote or None,
        quoting=csv.QUOTE_MINIMAL if request.quote else csv.QUOTE_NONE,
        escapechar=request.escape,
        doublequote=request.escape is None,
    )
    records: list[list[str]] = []
    # The head is what is wanted: a value too long for this reader is not too long for DuckDB's.
    with suppress(csv.Error):
        records.extend(reader)
    return records


def _rows_above(records: Sequence[Sequence[str]], request: FileRequest) -> int | None:
    """How many rows stand above the data, header included; None for a file without any."""
    if isinstance(request.header, int):
        return request.header
    for position, record in enumerate(records[request.skip_rows :], start=request.skip_rows):
        if any(cell.strip() for cell in record):
            return position if request.header == "none" else position + 1
    return None


def _suspicion(shown: str, cells: Sequence[str]) -> str | None:
    looking = [cell.strip() for cell in cells if looks_like_data(cell.strip())]
    if len(looking) * 2 < len(cells) or not looking:
        return None
    return (
        f"{shown}: the header row holds {looking[0]!r}, which looks like data; "
        "say header=None if the file has no header"
    )


def _columns(parts: Sequence[_Part], request: FileRequest) -> dict[str, str]:
    """Names the staged columns: `c0` and so on to the name that the first file gives it."""
    by_folded: dict[str, str] = {}
    for part in parts:
        for name in part.columns.names:
            by_folded.setdefault(fold(name), name)
    first = parts[0]
    for part in () if request.union_by_name else parts[1:]:
        require_same_columns(
            part.file.shown, part.columns.names, first.file.shown, first.columns.names
        )
    return {f"c{number}": name for number, name in enumerate(by_folded.values())}


def _stage(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[_Part],
    columns: Mapping[str, str],
    request: FileRequest,
) -> None:
    declared = ", ".join(f"{column} VARCHAR" for column in columns)
    connection.execute(f"CREATE TABLE {STAGED} ({declared})")
    by_folded = {fold(name): column for column, name in columns.items()}
    for part in parts:
        order = [by_folded[fold(name)] for name in part.columns.names]
        try:
            _append(connection, part.path, _arguments(part, order, request))
        except duckdb.Error as error:
            _append_again(connection, part, _arguments(part, order, request), error)


def _append(connection: duckdb.DuckDBPyConnection, path: Path, arguments: str) -> None:
    source = f"read_csv({file_text(path)}, {arguments})"
    connection.execute(f"INSERT INTO {STAGED} BY NAME SELECT * FROM {source}")


def _append_again(
    connection: duckdb.DuckDBPyConnection, part: _Part, arguments: str, error: duckdb.Error
) -> None:
    """Reads a file whose lines end in different ways, or raises what is wrong with it."""
    if "invalid state" in str(error):
        with with_plain_newlines(part.path) as path:
            try:
                return _append(connection, path, arguments)
            except duckdb.Error as second:
                error = second
    raise _explained(connection, part, arguments, error) from error


def _arguments(part: _Part, columns: Sequence[str], request: FileRequest) -> str:
    types = ", ".join(f"{quote_text(column)}: 'VARCHAR'" for column in columns)
    nulls = ", ".join(map(quote_text, ("", *request.null_text)))
    options = {
        "auto_detect": "false",
        "header": "false",
        "skip": str(part.rows_above),
        "delim": quote_text(part.delimiter),
        "quote": quote_text(request.quote),
        "escape": quote_text(request.escape or request.quote),
        "nullstr": f"[{nulls}]",
        "null_padding": str(request.null_padding).lower(),
        "strict_mode": "true",
        "max_line_size": str(_LONGEST_LINE),
        "columns": f"{{{types}}}",
    }
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _explained(
    connection: duckdb.DuckDBPyConnection, part: _Part, arguments: str, error: duckdb.Error
) -> IngestError:
    """Reads a bad file once more, for DuckDB to tell which lines are bad and why."""
    shown = part.file.shown
    if encoding := not_utf8(part.path, shown):
        return encoding
    source = f"read_csv({file_text(part.path)}, {arguments}, store_rejects=true)"
    try:
        connection.execute(f"CREATE TEMP TABLE rejected AS SELECT * FROM {source}")
        found = connection.execute(
            "SELECT error_type, error_message, csv_line, byte_position, count(*) OVER () "
            "FROM reject_errors ORDER BY line LIMIT 1"
        ).fetchall()
    except duckdb.Error:
        found = []
    if not found:
        return IngestError(f"{shown}: {plain(error)}")
    [(kind, message, text, position, count)] = found
    line = _line_of(part.path, position)
    others = f" (and {_counted(count - 1, 'more bad line')})" if count > 1 else ""
    what = _fields(message, part) or f"{message.strip().rstrip('.').lower()}"
    return IngestError(
        f"{shown}, line {line}: {what}: {text.strip()[:_SHOWN_CHARACTERS]!r}{others}",
        hint=_HINTS.get(kind),
    )


_HINTS: Mapping[str, str] = {
    "MISSING COLUMNS": "mend the file, or say null_padding=True to fill short rows with NULL; if "
    "the header stands further down, say header=ROW",
    "TOO MANY COLUMNS": "mend the file; if the header stands further down, say header=ROW; if the "
    "delimiter was not recognised, say delimiter",
    "UNQUOTED VALUE": "mend the file, or say quote='' if its quotes are part of the text",
}


def _fields(message: str, part: _Part) -> str | None:
    """Says how many fields a line has, where that is what is wrong."""
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if not counts:
        return None
    expected, found = map(int, counts.groups())
    verb = "is" if expected == 1 else "are"
    fields = f"{_counted(found, 'field')} separated by {part.delimiter!r}"
    return f"{fields}, where {expected} {verb} expected"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _line_of(path: Path, position: int) -> int:
    """The line of the file that a byte stands in: DuckDB counts a quoted newline as none."""
    with path.open("rb") as stream:
        before = stream.read(max(0, position - 1))
    return before.count(b"\n") + 1 if b"\n" in before else before.count(b"\r") + 1


def _without_empty_nameless(
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], parts: Sequence[_Part]
) -> dict[str, str]:
    """Leaves out columns with neither a name nor a value: what a trailing delimiter makes."""
    nameless = frozenset[str]().union(*(part.nameless for part in parts))
    suspects = [column for column, name in columns.items() if name in nameless]
    if not suspects:
        return dict(columns)
    counts = ", ".join(f"count({quote(column)})" for column in suspects)
    [found] = connection.execute(f"SELECT {counts} FROM {STAGED}").fetchall()
    empty = {column for column, count in zip(suspects, found, strict=True) if not count}
    return {column: name for column, name in columns.items() if column not in empty}
