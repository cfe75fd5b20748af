"""Ctrl-C and SIGTERM: the first one ends a run in good order, the second one at once."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from taskgraph.cli.ending import write_line

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T | None:
    """Runs the coroutine to its end, or cancels it on the first signal and awaits that.

    Returns:
        What the coroutine returned; None if it was cancelled.
    """
    try:
        return asyncio.run(_cancelled_by_signals(work))
    except asyncio.CancelledError:
        return None


async def _cancelled_by_signals(work: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)

    def cancel() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            # Not Python's handler: the interpreter's end waits for threads, and one may be stuck.
            signal.signal(number, signal.SIG_DFL)
        task.cancel()
        write_line("Stopping in good order; interrupt again to stop at once.", sys.stderr)

    for number in _SIGNALS:
        loop.add_signal_handler(number, cancel)
    return await task
