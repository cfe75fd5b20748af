"""Runs a spec's exports on the finished database; one export's failure does not stop the others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter

from taskgraph.database import Connection, read_only
from taskgraph.events import Emit, ExportEnded
from taskgraph.redaction import described
from taskgraph.scheduler import Ending, Raised, run_graph
from taskgraph.spec import Export


async def run_exports(
    database: Path, exports: Mapping[str, Export], folder: Path, emit: Emit
) -> tuple[ExportEnded, ...]:
    """Calls each export with a connection to the finished file and the path to write.

    The connection is read-only and, unlike the one that agents saw, not locked: an export is the
    spec's own code and may `COPY` to files. One at a time, in declared order.

    Args:
        database: the closed workspace file.
        exports: path as declared to its function.
        folder: where relative paths start; missing folders are made.
        emit: told of each ending.

    Returns:
        How each export ended, in declared order.
    """
    ended: list[ExportEnded] = []
    started = perf_counter()

    def note(name: str, ending: Ending) -> None:
        nonlocal started
        now = perf_counter()
        error = described(ending.error) if isinstance(ending, Raised) else None
        ended.append(ExportEnded(name, (now - started) * 1000, error))
        emit(ended[-1])
        started = now

    with read_only(database) as connection:

        async def write(name: str) -> None:
            await asyncio.to_thread(partial(_write, exports[name], connection, folder / name))

        await run_graph(dict.fromkeys(exports, ()), write, limit=1, ended=note)
    return tuple(ended)


def _write(export: Export, connection: Connection, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cursor = connection.cursor()
    try:
        export(cursor, path)
    finally:
        cursor.close()
