"""Reads delimited text, CSV and TSV: staged as text, then given types over the whole file."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from taskgraph.database import fold, quote, quote_text
from taskgraph.errors import IngestError
from taskgraph.ingest.encoding import as_utf8, not_utf8, with_plain_newlines
from taskgraph.ingest.inference import guess_rules, read_columns, typed_rows
from taskgraph.ingest.layout import TextPart, text_part
from taskgraph.ingest.names import require_same_columns
from taskgraph.ingest.options import FileRequest
from taskgraph.ingest.paths import FoundFile
from taskgraph.ingest.reading import STAGED, Reading, file_text, plain, staged, staging
from taskgraph.ingest.rules import Rule

_LONGEST_LINE = 16_000_000
"""Bytes; eight times DuckDB's own limit."""
_BUFFER = 32_000_000
"""Bytes. Beside so long a line, these buffers take a third of DuckDB's own reading off."""
_SHOWN_CHARACTERS = 120
_SMALL = 1_000_000
"""Bytes. Smaller files are staged as text: there is not enough to win by guessing."""
_KEPT = "kept"
"""The staged column that says whether a row's values are of the types it was read with."""


@contextmanager
def read_text(files: Sequence[FoundFile], request: FileRequest) -> Generator[Reading]:
    """Reads the files, one after another, as one table.

    Raises:
        IngestError: a file is not what it should be; names the file and the line.
    """
    with staging() as connection, ExitStack() as copies:
        parts: list[TextPart] = []
        warnings: list[str] = []
        for file in files:
            path = copies.enter_context(as_utf8(file, request.encoding))
            part = text_part(file, path, request)
            if part is None:
                warnings.append(f"{file.shown} is empty")
            else:
                parts.append(part)
        if not parts:
            yield Reading(None, (), tuple(warnings))
            return
        columns = _columns(parts, request)
        typed = _stage(connection, parts, columns, request)
        columns = _without_empty_nameless(connection, columns, parts)
        inferred = read_columns(connection, columns, request, typed)
        told = {name: text for part in parts for name, text in part.columns.warnings.items()}
        warnings += [part.suspicion for part in parts if part.suspicion]
        warnings += [text for name, text in told.items() if name in inferred.expressions]
        yield staged(connection, inferred.expressions, (*warnings, *inferred.warnings))


def _columns(parts: Sequence[TextPart], request: FileRequest) -> dict[str, str]:
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
    parts: Sequence[TextPart],
    columns: Mapping[str, str],
    request: FileRequest,
) -> Mapping[str, Rule]:
    """Fills the staged table; returns the columns that already have the type of a rule.

    The first rows tell which types to try. Reading with those types, and checking each value on
    the way, costs less than to go over a table of text once more.
    """
    if sum(part.path.stat().st_size for part in parts) > _SMALL:
        _fill_with_sample(connection, parts[0], columns, request)
        guessed = guess_rules(connection, columns, request)
        _fill(connection, parts, columns, request, guessed)
        [(kept,)] = connection.execute(f"SELECT bool_and({_KEPT}) FROM {STAGED}").fetchall()
        if kept:
            return guessed
    _fill(connection, parts, columns, request, {})
    return {}


def _fill_with_sample(
    connection: duckdb.DuckDBPyConnection,
    part: TextPart,
    columns: Mapping[str, str],
    request: FileRequest,
) -> None:
    by_name = dict(zip(part.columns.names, zip(*part.sample, strict=True), strict=False))
    nulls = {"", *request.null_text}
    values = {
        column: [None if text in nulls else text for text in by_name.get(name, ())]
        for column, name in columns.items()
    }
    selected = ", ".join(f"unnest(CAST(${column} AS VARCHAR[])) AS {column}" for column in values)
    connection.execute(f"CREATE OR REPLACE TABLE {STAGED} AS SELECT {selected}", values)


def _fill(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[TextPart],
    columns: Mapping[str, str],
    request: FileRequest,
    typed: Mapping[str, Rule],
) -> None:
    """Fills the staged table anew, with all rows of all files."""
    nothing = {name: f"CAST(NULL AS VARCHAR) AS {name}" for name in columns}
    empty = typed_rows(columns, typed, f"(SELECT {', '.join(nothing.values())})", _KEPT)
    connection.execute(f"CREATE OR REPLACE TABLE {STAGED} AS {empty} LIMIT 0")
    by_folded = {fold(name): column for column, name in columns.items()}
    for part in parts:
        order = [by_folded[fold(name)] for name in part.columns.names]
        lacking = [text for name, text in nothing.items() if name not in order]
        read = f"(SELECT {', '.join(['*', *lacking])} FROM {{source}})"
        rows = typed_rows(columns, typed, read, _KEPT)
        _append(connection, part, _arguments(part, order, request), rows)


def _append(
    connection: duckdb.DuckDBPyConnection, part: TextPart, arguments: str, rows: str
) -> None:
    """Inserts a file; the query `rows` has `{source}` where the file is read."""

    def run(path: Path) -> None:
        source = f"read_csv({file_text(path)}, {arguments})"
        connection.execute(f"INSERT INTO {STAGED} {rows.replace('{source}', source)}")

    try:
        run(part.path)
        return
    except duckdb.Error as error:
        if "invalid state" not in str(error):
            raise _explained(connection, part, arguments, error) from error
    # That is what DuckDB says of a file whose lines end in different ways.
    with with_plain_newlines(part.path) as path:
        try:
            run(path)
        except duckdb.Error as error:
            raise _explained(connection, part, arguments, error) from error


def _arguments(part: TextPart, columns: Sequence[str], request: FileRequest) -> str:
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
        "buffer_size": str(_BUFFER),
        "columns": f"{{{types}}}",
    }
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _explained(
    connection: duckdb.DuckDBPyConnection, part: TextPart, arguments: str, error: duckdb.Error
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


def _fields(message: str, part: TextPart) -> str | None:
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
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], parts: Sequence[TextPart]
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
