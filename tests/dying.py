"""The command line, in a process that kills itself at a chosen moment; `killing` starts it.

    python -m dying MOMENT NUMBER DELAY_S ARGUMENTS ...

It dies by SIGKILL, DELAY_S seconds after it came to MOMENT for the NUMBER-th time: in the middle of
whatever it does then.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import taskgraph.cli
from taskgraph import finish, output, resume, runner
from taskgraph.database import Cursor, Database

Moment: TypeAlias = Literal["node", "commit", "undo", "close", "export", "publish", "rename"]
_PLACES: dict[Moment, tuple[Any, str]] = {
    # a node's tables are made, and are committed with its record
    "node": (finish, "write_outcome"),
    # anything is committed: nodes, batches of the record, what the file says of the run
    "commit": (Cursor, "transaction"),
    # what a killed run left is undone
    "undo": (resume, "_forget"),
    # the log is written into the file
    "close": (Database, "close"),
    "export": (runner, "run_exports"),
    # the file is finished, and is put in its place: before that, around the rename, and after it
    "publish": (output, "_fsync"),
    "rename": (Path, "replace"),
}
MOMENTS = tuple(_PLACES)
EARLY = MOMENTS[:3]
LATE = MOMENTS[3:]


def die_at(moment: Moment, number: int, delay_s: float) -> None:
    """Arranges for the death of this process."""
    times = itertools.count(1)

    def come() -> None:
        if next(times) == number:
            threading.Thread(target=_die, args=(delay_s,)).start()

    owner, name = _PLACES[moment]
    setattr(owner, name, _watched(getattr(owner, name), come))


def _watched(function: Callable[..., Any], come: Callable[[], None]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        come()
        return function(*arguments, **options)

    return call


def _die(delay_s: float) -> None:
    time.sleep(delay_s)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    chosen, number, delay_s, *sys.argv[1:] = sys.argv[1:]
    die_at(next(one for one in MOMENTS if one == chosen), int(number), float(delay_s))
    taskgraph.cli.main()
