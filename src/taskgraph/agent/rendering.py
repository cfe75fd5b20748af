"""Query results as text for a model: few tokens, and one way to read each cell.

A result is its number of rows, a line `column TYPE|column TYPE`, and a line per row. Text that
could be taken for something else stands as the SQL literal that DuckDB reads back as that text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, cast

from taskgraph.database import Result, Row, Value, quote, quote_text

CELL_CHARACTERS = 1_000
"""Characters of a cell that are always shown; more where a result has few rows."""
PREVIEW_ROWS = 5
_PREVIEW_CELL_CHARACTERS = 100
_PREVIEW_CHARACTERS = 2_000
_NAME_CHARACTERS = 200
_EXPLAIN_COLUMNS = ("explain_key", "explain_value")
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def result_text(result: Result, max_characters: int) -> str | None:
    """Returns all rows of a result, None where that takes more than `max_characters`."""
    if result.columns == _EXPLAIN_COLUMNS:
        # A plan is drawn over many lines; escaped into one, nobody can read it.
        return _joined((str(row[1]) for row in result.rows), max_characters)
    cell_characters = max(CELL_CHARACTERS, max_characters // (2 * max(1, len(result.rows))))
    return _joined(_lines(result, cell_characters), max_characters)


def preview_text(result: Result, max_characters: int) -> str:
    """Returns the first rows of a result, short whatever the rows hold."""
    lines = (row_line(row, _PREVIEW_CELL_CHARACTERS) for row in result.rows[:PREVIEW_ROWS])
    return cut("\n".join(lines), min(max_characters, _PREVIEW_CHARACTERS))


def rows_text(count: int) -> str:
    """Returns `1 row` or `12,345 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def columns_text(columns: Sequence[str], types: Sequence[str], separator: str = "|") -> str:
    """Returns `name TYPE` of each column."""
    return separator.join(
        f"{_column_name(name)} {cut(kind, _NAME_CHARACTERS)}"
        for name, kind in zip(columns, types, strict=True)
    )


def row_line(row: Row, cell_characters: int) -> str:
    """Returns one row's cells, separated by `|`, each cut after `cell_characters`."""
    return "|".join(cell(value, cell_characters) for value in row)


def cell(value: Value, max_characters: int) -> str:
    """Returns one value; what is cut off is counted: `abc…(+1,234 characters)`."""
    if isinstance(value, str):
        return _text(value[:max_characters]) + _rest(value, max_characters)
    return cut(_literal(value), max_characters)


def cut(text: str, max_characters: int) -> str:
    """Returns the text, or its beginning and how much is missing."""
    return text[:max_characters] + _rest(text, max_characters)


def _rest(text: str, max_characters: int) -> str:
    missing = len(text) - max_characters
    return f"…(+{missing:,} characters)" if missing > 0 else ""


def _lines(result: Result, cell_characters: int) -> Iterator[str]:
    yield rows_text(len(result.rows))
    yield columns_text(result.columns, result.types)
    for row in result.rows:
        yield row_line(row, cell_characters)


def _joined(lines: Iterable[str], max_characters: int) -> str | None:
    kept: list[str] = []
    size = -1
    for line in lines:
        size += len(line) + 1
        if size > max_characters:
            return None
        kept.append(line)
    return "\n".join(kept)


def _column_name(name: str) -> str:
    name = cut(name, _NAME_CHARACTERS)
    misread = not name.isprintable() or any(mark in name for mark in ' "|')
    return quote(name) if misread else name


def _text(text: str) -> str:
    return text if _reads_as_itself(text) else _quoted(text)


def _reads_as_itself(text: str) -> bool:
    return (
        bool(text)
        and text.isprintable()
        and text == text.strip()
        and "|" not in text
        and not text.startswith(("'", "E'"))
        and text.upper() != "NULL"
    )


def _quoted(text: str) -> str:
    if text.isprintable():
        return quote_text(text)
    # Blanks that look like a space, such as U+00A0, are not printable: a model must see them.
    return "E'" + "".join(map(_escaped, text)) + "'"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02X}" for byte in character.encode("utf-8", "replace"))


def _literal(value: Value) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case str():
            return _quoted(value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            return _timestamp(value)
        case date() | time():
            return value.isoformat()
        case bytes():
            return "".join(f"\\x{byte:02X}" for byte in value)
        case Mapping():
            pairs = cast("Mapping[Any, Any]", value).items()
            return "{" + ", ".join(f"{_literal(key)}: {_literal(one)}" for key, one in pairs) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_literal, cast("Sequence[Any]", value))) + "]"
        case _:
            return str(value)


def _timestamp(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat(sep=" ")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + "+00"
