"""Blocking work in threads of its own: interrupted when its time is up, given up when stuck.

Knows no database. A thread cannot be ended from outside; one that does not heed its interrupt is
left behind. It is a daemon and belongs to no executor, so that nothing waits for it: neither the
run, nor the event loop's end, nor the interpreter's. A thread whose work has ended does the next:
what DuckDB allocates anew in each thread costs as much as a small statement.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from taskgraph.errors import QueryStuck, QueryTimeout

T = TypeVar("T")
Interrupt = Callable[[], None]
_Inbox: TypeAlias = SimpleQueue[Callable[[], None] | None]
"""Where a thread waits for what it is to do; None ends it."""

_AGAIN_S = 0.25


class Workers:
    """Runs at most so many pieces of blocking work at once."""

    def __init__(self, places: int, stuck_after_s: float) -> None:
        """Prepares the places.

        Args:
            places: how much work may run at once; what is stuck no longer counts.
            stuck_after_s: seconds that interrupted work gets to end.
        """
        self._places = asyncio.Semaphore(places)
        self._stuck_after_s = stuck_after_s
        self._running: dict[Future[Any], Interrupt] = {}
        self._given_up: set[Future[Any]] = set()
        self._idle: list[_Inbox] = []

    async def run(self, work: Callable[[], T], interrupt: Interrupt, timeout_s: float | None) -> T:
        """Does the work in a thread; see `Cursor.run`."""
        async with self._places:
            future = self._start(work, interrupt)
            waiting = asyncio.wrap_future(future)
            waiting.add_done_callback(_look_at)
            try:
                await asyncio.wait([waiting], timeout=timeout_s)
                await self._stop(waiting, interrupt)
            except asyncio.CancelledError:
                await self._stop(waiting, interrupt)
                raise
            finally:
                if not waiting.done():
                    self._given_up.add(future)
        if not waiting.done():
            raise QueryStuck(
                f"it did not end {self._stuck_after_s:g} s after it was interrupted, and goes on:"
                " a function call on a huge value, or a chain of views that are expanded many"
                " times (read such a view once, through WITH ... AS MATERIALIZED)"
            )
        # What ended by itself in the last moment did its work, and must not be called a failure.
        if timeout_s is not None and isinstance(waiting.exception(), QueryTimeout):
            raise QueryTimeout(
                f"stopped after {timeout_s:g} s: make it cheaper (filter or aggregate before"
                " joining, join on equality, look at fewer rows)"
            )
        return waiting.result()

    @property
    def running(self) -> frozenset[Future[Any]]:
        """What has not ended yet."""
        return frozenset(self._running)

    def end(self) -> bool:
        """Interrupts what still runs and waits for it, for a bounded time; says if all ended."""
        deadline = time.monotonic() + self._stuck_after_s
        while (waited_for := self.running - self._given_up) and time.monotonic() < deadline:
            for future in waited_for:
                self._running.get(future, _nothing)()
            concurrent.futures.wait(waited_for, timeout=_AGAIN_S)
        while self._idle:
            self._idle.pop().put(None)
        return not self._running

    def _start(self, work: Callable[[], T], interrupt: Interrupt) -> Future[T]:
        future: Future[T] = Future()
        self._running[future] = interrupt
        future.add_done_callback(self._running.pop)
        inbox = self._idle.pop() if self._idle else self._new_thread()
        inbox.put(partial(self._do, work, future, inbox))
        return future

    def _new_thread(self) -> _Inbox:
        inbox: _Inbox = SimpleQueue()
        threading.Thread(target=_work_on, args=(inbox,), name="duckdb", daemon=True).start()
        return inbox

    def _do(self, work: Callable[[], T], future: Future[T], inbox: _Inbox) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            self._idle.append(inbox)
            future.set_exception(error)
        else:
            # Before anybody is told, who would otherwise start another thread.
            self._idle.append(inbox)
            future.set_result(result)

    async def _stop(self, waiting: asyncio.Future[T], interrupt: Interrupt) -> None:
        # An interrupt that falls between two statements of the work is lost: repeat it.
        deadline = time.monotonic() + self._stuck_after_s
        while not waiting.done() and time.monotonic() < deadline:
            interrupt()
            await asyncio.wait([waiting], timeout=_AGAIN_S)


def _nothing() -> None: ...


def _work_on(inbox: _Inbox) -> None:
    for do in iter(inbox.get, None):
        do()
        del do  # it holds a connection


def _look_at(waiting: asyncio.Future[Any]) -> None:
    # What is stuck may end long after the last one who could be told has gone.
    waiting.exception()
