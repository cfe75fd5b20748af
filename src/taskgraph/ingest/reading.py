"""What every reader hands over: a stream of rows that the workspace can take in.

The workspace is locked: it reads no file. Files are read in an unlocked DuckDB in memory, and
come over as Arrow; a relation's `__arrow_c_stream__` needs no pyarrow for that.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from taskgraph.database import quote, quote_text, scratch
from taskgraph.ingest.names import ROW_ID

Arrow: TypeAlias = Any
"""Something of pyarrow's, which has no type stubs."""

STAGED = "staged"
"""The scratch table that a reader fills, in source order."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A source, opened: its rows, once, and the names of its columns."""

    stream: object
    """Whatever DuckDB can register. Its first column numbers the rows from 1; None where there
    are no columns at all."""
    names: tuple[str, ...]
    """The names that the other columns are to have, in order."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """A source that is Python's own data already."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    """DuckDB's names of the columns' types."""
    columns: tuple[Sequence[Any], ...]
    """The values of each column, as DuckDB's appender takes them."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArrowStream:
    """Shows DuckDB the Arrow stream of an object, and nothing else of it.

    DuckDB imports pyarrow to read an object that it recognises as polars' or its own.
    """

    origin: Any

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Returns the origin's stream, as the Arrow PyCapsule interface says."""
        return self.origin.__arrow_c_stream__(requested_schema)


def pyarrow(part: str = "pyarrow") -> Any:
    """Returns the library, loaded when it is first asked for: that takes 130 ms.

    Args:
        part: `pyarrow`, or one of its modules.
    """
    return import_module(part)


@contextmanager
def staging() -> Generator[duckdb.DuckDBPyConnection]:
    """Opens a scratch database with the workspace's time zone."""
    with scratch() as connection:
        connection.execute("SET TimeZone='UTC'")
        # In memory DuckDB would spill into `.tmp` of the working directory.
        connection.execute(f"SET temp_directory={quote_text(tempfile.gettempdir())}")
        yield connection


def file_text(path: Path) -> str:
    """Returns a path as SQL text that stands for this one file: DuckDB takes `a[1].csv` for more."""
    return quote_text(escape(str(path)))


def staged(
    connection: duckdb.DuckDBPyConnection,
    columns: Mapping[str, str],
    warnings: tuple[str, ...] = (),
) -> Reading:
    """Reads the staged table, numbered in its own order.

    Row ids come from `rowid`: `row_number() OVER ()` would run on one thread.

    Args:
        connection: holds the table `staged`.
        columns: name to the SQL expression that gives its value.
        warnings: what reading it has brought up.
    """
    values = [f"{expression} AS {quote(name)}" for name, expression in columns.items()]
    numbered = ", ".join([f"rowid + 1 AS {ROW_ID}", *values])
    relation = connection.sql(f"SELECT {numbered} FROM {STAGED}")
    return Reading(ArrowStream(relation), tuple(columns), warnings)


def plain(error: duckdb.Error) -> str:
    """Returns the first line of an error, without its class and without a path."""
    line = str(error).splitlines()[0]
    line = re.sub(r"^(\w+ )*Error: ", "", line)
    return re.sub(r' in file "[^"]*",?', "", line).strip()
