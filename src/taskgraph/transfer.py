"""Copies tables of an earlier file into a new one, before that is opened for work and locked.

A locked database can attach nothing, and one that had attached another file would let agents name
it. So the copy is a short life of the file of its own. Rows keep their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Event

import duckdb

from taskgraph.database import Connection, quote, quote_text
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


async def copy_tables(source: Path, target: Path, tables: Sequence[str]) -> None:
    """Makes a new file with some tables of another one, which is only read.

    A copy that is cancelled or fails leaves no file.

    Args:
        source: the file that has the tables.
        target: the file to make; there must be none.
        tables: their names.

    Raises:
        WorkspaceError: a table cannot be read, or the file not written.
        asyncio.CancelledError: the caller cancelled.
    """
    name, stop = free_name(source), Event()
    try:
        with duckdb.connect(target, config=dict(_CONFIG)) as connection:
            work = partial(_copy, connection, name.absolute(), tables, stop)
            await _ended(work, connection, stop)
    except BaseException as error:
        for path in (target, target.with_name(f"{target.name}.wal")):
            path.unlink(missing_ok=True)
        if isinstance(error, duckdb.Error):
            raise WorkspaceError(
                f"cannot take the tables of {str(source)!r} over: {first_line(error)}"
            ) from error
        raise
    finally:
        give_back(name, source)


async def _ended(work: Callable[[], None], connection: Connection, stop: Event) -> None:
    """Does the work in a thread; where the caller cancels, stops it and waits for its end."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        stop.set()
        connection.interrupt()
        await asyncio.wait([working])
        working.exception()
        raise


def _copy(connection: Connection, source: Path, tables: Sequence[str], stop: Event) -> None:
    connection.execute(f"ATTACH {quote_text(str(source))} AS {_EARLIER} (READ_ONLY)")
    for table in tables:
        if stop.is_set():
            return
        relation = f"{_EARLIER}.main.{quote(table)}"
        connection.execute(f"CREATE TABLE {quote(table)} AS FROM {relation}")
