"""Turns a source into a table of the workspace, with `_row_id` 1..n in source order.

paths, options   which files, and what is said about them
text             CSV and TSV; `inference` and `rules` find types, `encoding` finds UTF-8
structured       JSON and Parquet
workbook         Excel
records          Python's lists and dicts; `values` finds types
frames           polars, pandas, Arrow
reading, load    what each of these hands over, and how the workspace takes it in
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from inspect import iscoroutine
from pathlib import Path
from typing import Any, TypeAlias, assert_never, cast

import duckdb

from taskgraph.database import Cursor
from taskgraph.errors import IngestError
from taskgraph.events import SourceFile
from taskgraph.ingest.load import LoadedTable, create_empty, load, load_rows
from taskgraph.ingest.names import require_columns
from taskgraph.ingest.options import (
    ACCEPTED,
    FileRequest,
    file_request,
    is_file_request,
    is_path,
    source_problems,
)
from taskgraph.ingest.paths import FoundFile, find_files, source_files
from taskgraph.ingest.reading import Reading, Rows, plain
from taskgraph.spec import SourceNode

__all__ = ["Ingested", "ingest", "source_problems"]

_Open: TypeAlias = AbstractContextManager[Reading] | AbstractContextManager[Rows]


@dataclass(frozen=True, slots=True)
class Ingested:
    """A source that is now a table."""

    table: str
    row_count: int
    columns: tuple[tuple[str, str], ...]
    """Name and DuckDB type of each column but `_row_id`."""
    warnings: tuple[str, ...]
    """What a person should know of the data; nothing stopped for it."""
    files: tuple[SourceFile, ...] = ()
    """What it was read from, in the order of reading; none for data that came from Python."""


def ingest(cursor: Cursor, node: SourceNode, directory: Path | None) -> Ingested:
    """Makes the table of a source node, or nothing at all. Blocks: run it in a thread.

    Args:
        cursor: of the workspace.
        node: its source is called, if it can be, and read.
        directory: where relative paths start; None for the working directory.

    Raises:
        IngestError: the source cannot be read, or lacks a required column.
    """
    source = _called(node.source)
    if not (is_path(source) or is_file_request(source)):
        return _take(cursor, node, _open_data(source))
    request = file_request(source)
    files = find_files(request, directory)
    # Hashing takes a tenth of the time that reading takes: it goes on beside it.
    with _readable_files(), ThreadPoolExecutor(1) as beside:
        facts = beside.submit(source_files, files)
        taken = _take(cursor, node, _open_files(files, request))
        return replace(taken, files=facts.result())


@contextmanager
def _readable_files() -> Generator[None]:
    """Turns what the system and DuckDB say of files into an `IngestError`, without their paths."""
    try:
        yield
    except OSError as error:
        name = Path(str(error.filename)).name if error.filename else "a file"
        raise IngestError(f"{name!r} cannot be read: {error.strerror}") from error
    except duckdb.Error as error:
        raise IngestError(f"the source cannot be read: {plain(error)}") from error


def _take(cursor: Cursor, node: SourceNode, opened: _Open) -> Ingested:
    with opened as reading:
        if not reading.names:
            loaded = create_empty(cursor, node.name, _declared(node, reading))
        else:
            require_columns(node.columns, reading.names)
            loaded = _loaded(cursor, node.name, reading)
    empty = () if loaded.row_count else ("the table is empty",)
    warnings = (*reading.warnings, *empty)
    return Ingested(node.name, loaded.row_count, loaded.columns, warnings)


def _loaded(cursor: Cursor, table: str, reading: Reading | Rows) -> LoadedTable:
    if isinstance(reading, Rows):
        return load_rows(cursor, table, reading)
    return load(cursor, table, reading)


def _called(source: object) -> object:
    """Calls a callable, once; what it raises is the spec's own affair."""
    if not callable(source):
        return source
    data = source()
    if iscoroutine(data):
        data.close()
        raise IngestError("the source is an async function", hint="make it a plain function")
    if callable(data):
        raise IngestError(f"the source's function returned a function; {ACCEPTED}")
    return data


# What reads a workbook, or a frame, is loaded where there is one: a tenth of what a run loads.
# ruff: noqa: PLC0415
def _open_files(files: Sequence[FoundFile], request: FileRequest) -> _Open:
    match request.format:
        case "csv" | "tsv":
            from taskgraph.ingest.text import read_text

            return read_text(files, request)
        case "json":
            from taskgraph.ingest.structured import read_json

            return read_json(files, request)
        case "parquet":
            from taskgraph.ingest.structured import read_parquet

            return read_parquet(files, request)
        case "xlsx" | "xls":
            from taskgraph.ingest.workbook import read_workbook

            return read_workbook(files, request)
        case _:
            assert_never(request.format)


def _open_data(source: object) -> _Open:
    from taskgraph.ingest import frames, records

    frame = frames.open_frame(source)
    if frame is not None:
        return frame
    if isinstance(source, (list, tuple)):
        return nullcontext(records.read_records(cast("Sequence[object]", source)))
    unknown = f"source is of type {type(source).__name__}; {ACCEPTED}"
    problems = source_problems(source)
    if isinstance(source, dict) and not problems:
        return nullcontext(records.read_columns(cast("dict[object, Any]", source)))
    raise IngestError("; ".join(problems) or unknown)


def _declared(node: SourceNode, reading: Reading | Rows) -> tuple[str, ...]:
    """The columns of a source that has none to show: those that the node asks for."""
    if node.columns:
        return tuple(node.columns)
    reasons = "; ".join(reading.warnings)
    raise IngestError(
        f"the source has neither rows nor columns{f': {reasons}' if reasons else ''}",
        hint="name its columns in `columns` for it to be an empty table when there is no data",
    )
