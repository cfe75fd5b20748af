"""Sets off bombs in one process, as agents of a run would, and tells how each of them ended.

    python tests/bomb_yard.py FOLDER TIMEOUT_S STUCK_AFTER_S AT_ONCE ID...

Prints one JSON object. A process of its own, because bombs are allowed to take all its memory and
because what is stuck keeps a processor until the process ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TypedDict

from guard_workspace import DATA, NAMES, Workspace
from taskgraph.database import Cursor
from taskgraph.engine import Limits
from taskgraph.errors import OutOfMemory, StatementError
from taskgraph.guard import Guard
from taskgraph.namespace import Scope

PROCESS_BYTES = 2_000_000_000


class Ending(TypedDict):
    """How one bomb ended."""

    outcome: str
    message: str
    seconds: float


class Told(TypedDict):
    """How all of them ended."""

    bombs: dict[str, Ending]
    beats: int
    close_s: float
    stuck: bool


def bombs() -> dict[str, str]:
    """Every bomb: its id and its SQL."""
    lines = (json.loads(line) for line in (DATA / "bombs.jsonl").read_text().splitlines())
    return {line["id"]: line["sql"] for line in lines}


async def _set_off(cursor: Cursor, sql: str, timeout_s: float) -> Ending:
    guard = Guard(cursor, Scope(NAMES, "prep"), "agent")
    started = perf_counter()
    outcome, message = "completes", ""
    try:
        await cursor.run(partial(guard.run, sql, max_rows=10), timeout_s=timeout_s)
    except StatementError as error:
        outcome, message = type(error).__name__, str(error)
    cursor.close()
    return Ending(outcome=outcome, message=message, seconds=perf_counter() - started)


async def _yard(
    workspace: Workspace, ids: list[str], timeout_s: float, at_once: int
) -> tuple[dict[str, Ending], int]:
    endings: dict[str, Ending] = {}
    places = asyncio.Semaphore(at_once)
    beats = 0

    async def one(name: str) -> None:
        async with places:
            cursor = workspace.database.cursor()
            endings[name] = await _set_off(cursor, bombs()[name], timeout_s)

    async def beat() -> None:
        nonlocal beats
        cursor = workspace.database.cursor()
        while len(endings) < len(ids):
            # In the moment in which a bomb has taken all the memory there is none for others.
            with suppress(OutOfMemory):
                [(count,)] = await cursor.run(partial(cursor.rows, "SELECT count(*) FROM orders"))
                assert count == 4
                beats += 1
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        group.create_task(beat())
        for name in ids:
            group.create_task(one(name))
    return endings, beats


def main(folder: str, timeout_s: str, stuck_after_s: str, at_once: str, *ids: str) -> None:
    """Does what the module says."""
    limits = Limits(
        memory="400MB",
        temp_directory_size="100MB",
        stuck_after_s=float(stuck_after_s),
        process_memory=PROCESS_BYTES,
    )
    workspace = Workspace(Path(folder), limits)
    endings, beats = asyncio.run(_yard(workspace, list(ids), float(timeout_s), int(at_once)))
    started = perf_counter()
    workspace.close()
    told = Told(
        bombs=endings,
        beats=beats,
        close_s=perf_counter() - started,
        stuck=workspace.database.stuck,
    )
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
