"""How a file of delimited text is laid out: its delimiter, its header, where the data begins.

Python's csv module reads the first lines for that. DuckDB's sniffer would take a file with one
ragged row for a file with one column, and would decide for each file anew whether it has a header.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from taskgraph.errors import IngestError
from taskgraph.ingest.encoding import not_utf8
from taskgraph.ingest.names import ColumnNames, column_names, numbered_names
from taskgraph.ingest.options import FileRequest
from taskgraph.ingest.paths import FoundFile
from taskgraph.ingest.rules import looks_like_data

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 200

Record = Sequence[str]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A file of text, its head read."""

    file: FoundFile
    path: Path
    """Where its text stands in UTF-8."""
    delimiter: str
    columns: ColumnNames
    nameless: frozenset[str]
    """Names that were made up for blank cells of the header."""
    rows_above: int
    """Rows before the first one of data."""
    sample: tuple[Record, ...]
    """Some of the first rows of data, whole ones only."""
    suspicion: str | None = None
    """What makes the header look like data."""


def text_part(file: FoundFile, path: Path, request: FileRequest) -> TextPart | None:
    """Reads the head of a file; None where there is nothing in it.

    Args:
        file: as it was found.
        path: its text in UTF-8.
        request: what is said about it; what is not said is found out.

    Raises:
        IngestError: the text is not UTF-8, or ends above the header.
    """
    lines = _first_lines(file, path, request)
    delimiter = request.delimiter or _delimiter(lines, request)
    records = _records(lines, delimiter, request)
    above = _rows_above(records, request)
    if above is None:
        return None
    if above > len(records):
        raise IngestError(f"{file.shown}: header={above}, but it has {len(records)} rows")
    headless = request.header == "none"
    cells = [cell.strip() for cell in records[above if headless else above - 1]]
    columns = numbered_names(len(cells)) if headless else column_names(cells)
    named = zip(cells, columns.names, strict=True)
    return TextPart(
        file,
        path,
        delimiter,
        columns,
        frozenset() if headless else frozenset(name for cell, name in named if not cell),
        above,
        # The last record may have been cut in its middle.
        tuple(one for one in records[above:-1] if len(one) == len(cells)),
        None if headless else _suspicion(file.shown, cells),
    )


def _first_lines(file: FoundFile, path: Path, request: FileRequest) -> list[str]:
    header = request.header if isinstance(request.header, int) else 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return list(islice(stream, _SAMPLE_LINES + request.skip_rows + header))
    except UnicodeDecodeError as error:
        raise (not_utf8(path, file.shown) or IngestError(f"{file.shown}: {error}")) from error


def _delimiter(lines: Sequence[str], request: FileRequest) -> str:
    """Finds the delimiter that splits most of the first rows into as many fields as the header."""
    if request.format == "tsv":
        return "\t"

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


def _rows_above(records: Sequence[Record], request: FileRequest) -> int | None:
    """How many rows stand above the data, header included; None for a file without any."""
    if isinstance(request.header, int):
        return request.header
    for position, record in enumerate(records[request.skip_rows :], start=request.skip_rows):
        if any(cell.strip() for cell in record):
            return position if request.header == "none" else position + 1
    return None


def _suspicion(shown: str, cells: Record) -> str | None:
    looking = [cell for cell in cells if looks_like_data(cell)]
    if not looking or len(looking) * 2 < len(cells):
        return None
    return (
        f"{shown}: the header row holds {looking[0]!r}, which looks like data; "
        "say header=None if the file has no header"
    )
