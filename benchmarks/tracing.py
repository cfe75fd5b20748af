"""What the record of one statement costs, with so many objects in the file.

    python -m benchmarks.tracing OBJECTS

Prints seconds per statement, as `measuring` wants them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from taskgraph.database import Database
from taskgraph.events import StatementRun
from taskgraph.trace import TraceWriter, begin_record

_STATEMENTS = 5_000
_AT_ONCE = 100


async def measure(path: Path, objects: int) -> tuple[float, float]:
    """Returns seconds and processor seconds per statement."""
    database = Database.create(path)
    cursor = database.cursor()
    with cursor.transaction():
        for number in range(objects):
            cursor.execute(f"CREATE VIEW filler_{number} AS SELECT {number} AS a")
    begin_record(cursor, {})
    writer = TraceWriter(cursor)
    wall, processor = perf_counter(), process_time()
    for number in range(1, _STATEMENTS + 1):
        writer.record(StatementRun("node", "agent", "select", f"SELECT {number}", 0.5, "1 row"))
        if number % _AT_ONCE == 0:
            await writer.settled()
    wall, processor = perf_counter() - wall, process_time() - processor
    cursor.close()
    database.close()
    return wall / _STATEMENTS, processor / _STATEMENTS


def main(objects: int) -> None:
    """Measures once and prints JSON."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, processor = asyncio.run(measure(Path(folder) / "out.db", objects))
    print(json.dumps({"seconds": seconds, "processor": processor}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
