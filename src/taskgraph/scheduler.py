"""Runs a graph of names through an async function, each as soon as its own dependencies passed.

Knows no SQL, no model and no database. Holds the program's one isolation boundary: whatever
`execute` raises ends that name only; a `KeyboardInterrupt` and the caller's own cancellation pass.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Passed:
    """`execute` returned: the name's dependents may start."""


@dataclass(frozen=True, slots=True)
class Raised:
    """`execute` raised; the name's descendants are blocked."""

    error: BaseException
    """Seldom no `Exception`: a `sys.exit()` in a spec's code, a panic in a native library."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A dependency did not pass, so the name never started."""

    by: str
    """The nearest ancestor that ran and did not pass."""


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Nothing new was allowed to start any more."""


Ending: TypeAlias = Passed | Raised | Blocked | NotStarted
Execute: TypeAlias = Callable[[str], Awaitable[None]]
Ended: TypeAlias = Callable[[str, Ending], None]


def _ignore(name: str, ending: Ending) -> None:
    del name, ending


@dataclass
class _Schedule:
    dependents: dict[str, list[str]]
    waiting_for: dict[str, int]
    ready: deque[str]
    ended: Ended
    endings: dict[str, Ending] = field(default_factory=dict[str, Ending])

    def settle(self, name: str, ending: Ending) -> None:
        """Notes how a name ended, and readies or blocks those that waited for it."""
        self.endings[name] = ending
        self.ended(name, ending)
        if isinstance(ending, Passed):
            self._release_dependents(name)
        else:
            self._block_descendants(name)

    def _release_dependents(self, name: str) -> None:
        for dependent in self.dependents[name]:
            self.waiting_for[dependent] -= 1
            if self.waiting_for[dependent] == 0:
                self.ready.append(dependent)

    def _block_descendants(self, name: str) -> None:
        # A queue, not recursion: a chain of 10,000 names is a legal graph.
        blocked = deque(self.dependents[name])
        while blocked:
            descendant = blocked.popleft()
            if descendant not in self.endings:
                self.endings[descendant] = Blocked(by=name)
                self.ended(descendant, self.endings[descendant])
                blocked.extend(self.dependents[descendant])


async def run_graph(
    dependencies: Mapping[str, Collection[str]],
    execute: Execute,
    *,
    limit: int,
    ended: Ended = _ignore,
    may_start: Callable[[], bool] = lambda: True,
) -> dict[str, Ending]:
    """Runs every name once its dependencies have passed, at most `limit` at a time.

    Args:
        dependencies: name to the names it waits for; every name has a key, and there is no cycle.
        execute: does the work of one name. Returning means passed; raising means not passed.
        limit: how many names may run at once, at least 1.
        ended: told of each ending, in the order in which they happen.
        may_start: asked before each start; while it says no, nothing starts.

    Returns:
        How each name ended, in the order in which they ended.

    Raises:
        asyncio.CancelledError: the caller was cancelled; running names were cancelled and awaited.
    """
    schedule = _schedule(dependencies, ended)
    running: dict[asyncio.Task[Ending], str] = {}
    try:
        while True:
            while schedule.ready and len(running) < limit and may_start():
                name = schedule.ready.popleft()
                running[asyncio.create_task(_attempt(execute, name), name=name)] = name
            if not running:
                break
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            # `done` is a set: settle in the order of starting, so that a run can be repeated.
            for task in [task for task in running if task in done]:
                schedule.settle(running.pop(task), task.result())
    finally:
        await _cancel(running)
    for name in dependencies:
        if name not in schedule.endings:
            schedule.endings[name] = NotStarted()
            ended(name, NotStarted())
    return schedule.endings


def _schedule(dependencies: Mapping[str, Collection[str]], ended: Ended) -> _Schedule:
    dependents: dict[str, list[str]] = {name: [] for name in dependencies}
    for name, needed in dependencies.items():
        for dependency in needed:
            dependents[dependency].append(name)
    return _Schedule(
        dependents=dependents,
        waiting_for={name: len(needed) for name, needed in dependencies.items()},
        ready=deque(name for name, needed in dependencies.items() if not needed),
        ended=ended,
    )


async def _attempt(execute: Execute, name: str) -> Ending:
    try:
        await execute(name)
    except BaseException as error:
        # The program's one isolation boundary. `Exception` alone would let a `sys.exit()` in a
        # spec's code, a panic in a native library, or a cancelled future of its own end the run.
        if isinstance(error, KeyboardInterrupt) or _is_cancelled_by_us(error):
            raise
        return Raised(error)
    return Passed()


def _is_cancelled_by_us(error: BaseException) -> bool:
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and bool(task and task.cancelling())


async def _cancel(running: Mapping[asyncio.Task[Ending], str]) -> None:
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
