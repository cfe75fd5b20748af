"""Reads JSON and Parquet, which say themselves what their values are."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from taskgraph.database import quote
from taskgraph.errors import IngestError
from taskgraph.ingest.encoding import as_utf8, not_utf8
from taskgraph.ingest.inference import Misfit
from taskgraph.ingest.names import (
    ROW_ID,
    ColumnNames,
    column_names,
    match_columns,
    require_same_columns,
)
from taskgraph.ingest.options import FileRequest
from taskgraph.ingest.paths import FoundFile
from taskgraph.ingest.reading import (
    STAGED,
    ArrowStream,
    Reading,
    file_text,
    plain,
    staged,
    staging,
)

_JSON_OPTIONS = (
    # All rows decide, every level of them, and objects always become STRUCTs, never MAPs.
    "sample_size=-1, maximum_depth=-1, map_inference_threshold=-1, field_appearance_threshold=0"
)
_PARQUET_ROW = "file_row"


@contextmanager
def read_json(files: Sequence[FoundFile], request: FileRequest) -> Generator[Reading]:
    """Reads files of JSON objects, in one array or one to a line, as one table.

    Raises:
        IngestError: a file is not JSON, or holds something else than objects; names the line.
    """
    with staging() as connection, ExitStack() as copies:
        paths = [copies.enter_context(as_utf8(file, request.encoding)) for file in files]
        source = f"read_json({_listed(paths)}, {_JSON_OPTIONS})"
        try:
            connection.execute(f"CREATE TABLE {STAGED} AS SELECT * FROM {source}")
        except duckdb.Error as error:
            raise _json_error(error, files, paths) from error
        types = _types_of(connection, f"FROM {STAGED}")
        if list(types) == ["json"] and not _of_objects(connection, source):
            _require_empty(connection, files)
            yield Reading(None, ())
            return
        columns = column_names(types)
        values, remarks = _json_columns(connection, columns, types)
        wanted = match_columns(request.types, columns.names)
        for name, type_ in wanted.items():
            _require_castable(connection, name, values[name], type_)
        told = [remark for name, remark in remarks.items() if name not in wanted]
        expressions = _with_types(values, wanted)
        yield staged(connection, expressions, (*columns.warnings.values(), *told))


@contextmanager
def read_parquet(files: Sequence[FoundFile], request: FileRequest) -> Generator[Reading]:
    """Reads Parquet files as one table, without holding them in memory.

    Raises:
        IngestError: a file is not Parquet, or its columns are not those of the first.
    """
    with staging() as connection:
        tables = [_parquet_types(connection, file) for file in files]
        for file, table in zip(files, tables, strict=True):
            if not request.union_by_name:
                require_same_columns(file.shown, table, files[0].shown, tables[0])
        source = f"read_parquet({_listed([file.path for file in files])}, union_by_name=true)"
        types = _types_of(connection, f"FROM {source}")
        columns = column_names(types)
        # A file may have a column called `ordinality`: names are given by position.
        own = [f"c{number}" for number in range(len(types))]
        values = [
            f"CAST({one} AS VARCHAR)" if type_ == "TIME WITH TIME ZONE" else one
            for one, type_ in zip(own, types.values(), strict=True)
        ]
        wanted = match_columns(request.types, columns.names)
        typed = _with_types(dict(zip(columns.names, values, strict=True)), wanted)
        selected = ", ".join(f"{value} AS {quote(name)}" for name, value in typed.items())
        relation = connection.sql(
            f"SELECT {_PARQUET_ROW} AS {ROW_ID}, {selected} "
            f"FROM {source} WITH ORDINALITY AS t({', '.join([*own, _PARQUET_ROW])})"
        )
        yield Reading(ArrowStream(relation), columns.names, tuple(columns.warnings.values()))


def _types_of(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    """Column to type of a query, in order."""
    return {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE {query}").fetchall()}


def _with_types(values: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    return {
        name: f"CAST({value} AS {wanted[name]})" if name in wanted else value
        for name, value in values.items()
    }


def _require_castable(
    connection: duckdb.DuckDBPyConnection, name: str, value: str, type_: str
) -> None:
    try:
        found = connection.execute(
            f"SELECT rowid + 1, CAST({value} AS VARCHAR) FROM {STAGED} "
            f"WHERE {value} IS NOT NULL AND TRY_CAST({value} AS {type_}) IS NULL LIMIT 1"
        ).fetchall()
    except duckdb.Error as error:
        raise IngestError(f"types: {type_!r} of column {name!r}: {plain(error)}") from error
    for row, text in found:
        raise IngestError(f"column {name!r} cannot be {type_}: {Misfit(row, text)}")


def _json_columns(
    connection: duckdb.DuckDBPyConnection, columns: ColumnNames, types: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The expression of each column, and what is odd about those of several types."""
    values: dict[str, str] = {}
    remarks: dict[str, str] = {}
    for name, (given, type_) in zip(columns.names, types.items(), strict=True):
        column = quote(given)
        kinds = _json_kinds(connection, column) if type_ == "JSON" else frozenset[str]()
        nested = bool(kinds & {"OBJECT", "ARRAY"})
        # `->>` takes the quotes off a text, and leaves a whole number whole.
        values[name] = f"{column} ->> '$'" if kinds and not nested else column
        if len(kinds) > 1:
            told = ", ".join(sorted(kind.lower() for kind in kinds))
            kept = "JSON" if nested else "text"
            remarks[name] = f"column {name!r} is kept as {kept}: its values are of types {told}"
    return values, remarks


def _json_kinds(connection: duckdb.DuckDBPyConnection, column: str) -> frozenset[str]:
    rows = connection.execute(
        f"SELECT DISTINCT json_type({column}) FROM {STAGED} WHERE {column} IS NOT NULL"
    ).fetchall()
    numbers = {"UBIGINT", "BIGINT", "DOUBLE"}
    return frozenset("NUMBER" if kind in numbers else kind for (kind,) in rows)


def _of_objects(connection: duckdb.DuckDBPyConnection, source: str) -> bool:
    """Whether a single column `json` is a key of that name, and not whatever the file holds."""
    try:
        connection.execute(f"DESCRIBE FROM {source[:-1]}, records=true)").fetchall()
    except duckdb.Error:
        return False
    return True


def _require_empty(connection: duckdb.DuckDBPyConnection, files: Sequence[FoundFile]) -> None:
    [(count,)] = connection.execute(f"SELECT count(*) FROM {STAGED}").fetchall()
    if count:
        shown = ", ".join(file.shown for file in files)
        raise IngestError(
            f"{shown}: holds something else than objects",
            hint="a table is made of an array of objects, or of one object to a line",
        )


def _json_error(
    error: duckdb.Error, files: Sequence[FoundFile], paths: Sequence[Path]
) -> IngestError:
    pairs = list(zip(files, paths, strict=True))
    for file, path in pairs:
        if wrong := not_utf8(path, file.shown):
            return wrong
    named = [file.shown for file, path in pairs if f'"{path}"' in str(error)]
    return IngestError(f"{', '.join(named or [file.shown for file in files])}: {plain(error)}")


def _parquet_types(connection: duckdb.DuckDBPyConnection, file: FoundFile) -> dict[str, str]:
    try:
        return _types_of(connection, f"FROM read_parquet({_listed([file.path])})")
    except duckdb.Error as error:
        message = plain(error).replace(str(file.path), file.shown)
        raise IngestError(f"{file.shown}: {message}") from error


def _listed(paths: Sequence[Path]) -> str:
    return f"[{', '.join(map(file_text, paths))}]"
