"""Copies tables of an earlier file into a new one, before that is opened for work and locked.

A locked database can attach nothing, and one that had attached another file would let agents name
it. So the copy is a short life of the file of its own. Rows keep their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from taskgraph.database import quote, quote_text
from taskgraph.duckdb_errors import first_line
from taskgraph.engine import STORAGE_VERSION
from taskgraph.errors import WorkspaceError
from taskgraph.held_names import free_name, give_back

_EARLIER = '"taskgraph earlier file"'
_CONFIG = {
    "storage_compatibility_version": STORAGE_VERSION,
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def copy_tables(source: Path, target: Path, tables: Iterable[str]) -> None:
    """Makes a new file with some tables of another one, which is only read.

    Args:
        source: the file that has the tables.
        target: the file to make; there must be none.
        tables: their names.

    Raises:
        WorkspaceError: a table cannot be read, or the file not written.
    """
    name = free_name(source)
    try:
        with duckdb.connect(target, config=dict(_CONFIG)) as connection:
            path = quote_text(str(name.absolute()))
            connection.execute(f"ATTACH {path} AS {_EARLIER} (READ_ONLY)")
            for table in tables:
                relation = f"{_EARLIER}.main.{quote(table)}"
                connection.execute(f"CREATE TABLE {quote(table)} AS FROM {relation}")
    except duckdb.Error as error:
        raise WorkspaceError(
            f"cannot take the tables of {str(source)!r} over: {first_line(error)}"
        ) from error
    finally:
        give_back(name, source)
