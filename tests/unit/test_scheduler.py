"""Order, limit, isolation, cancellation of a graph of names; events instead of time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import get_ident

import pytest

from taskgraph.scheduler import Blocked, Ending, NotStarted, Passed, Raised, run_graph

pytestmark = pytest.mark.anyio


@dataclass
class Work:
    """Runs names that wait until they are told to end, and notes what happened in which order."""

    log: list[str] = field(default_factory=list[str])
    running: set[str] = field(default_factory=set[str])
    started: dict[str, asyncio.Event] = field(
        default_factory=lambda: defaultdict[str, asyncio.Event](asyncio.Event)
    )
    may_end: dict[str, asyncio.Event] = field(
        default_factory=lambda: defaultdict[str, asyncio.Event](asyncio.Event)
    )

    async def execute(self, name: str) -> None:
        self.log.append(f"start {name}")
        self.running.add(name)
        self.started[name].set()
        try:
            await self.may_end[name].wait()
        except asyncio.CancelledError:
            self.log.append(f"cancel {name}")
            raise
        finally:
            self.running.discard(name)

    def ended(self, name: str, ending: Ending) -> None:
        self.log.append(f"{type(ending).__name__} {name}")

    def release(self, names: Iterable[str]) -> None:
        for name in names:
            self.may_end[name].set()


async def _pass(name: str) -> None:
    del name


async def test_name_starts_the_moment_its_own_dependencies_passed() -> None:
    work = Work()
    # `slow` shares a layer with `fast`; `after_fast` must not wait for it.
    graph = {"slow": [], "fast": [], "after_fast": ["fast"], "last": ["slow", "after_fast"]}
    run = asyncio.create_task(run_graph(graph, work.execute, limit=9, ended=work.ended))
    work.release(["fast"])
    await work.started["after_fast"].wait()
    assert work.running == {"slow", "after_fast"}
    work.release(graph)
    assert await run == dict.fromkeys(graph, Passed())
    assert work.log.index("start last") > work.log.index("Passed slow")


async def test_endings_come_in_the_order_in_which_names_end() -> None:
    endings = await run_graph({"b": ["a"], "a": [], "c": ["b"]}, _pass, limit=1)
    assert list(endings) == ["a", "b", "c"]


async def test_names_that_end_together_are_settled_in_the_order_of_starting() -> None:
    names = [f"n{number}" for number in range(20)]
    endings = await run_graph({name: [] for name in names}, _pass, limit=20)
    assert list(endings) == names


async def test_empty_graph_ends_at_once() -> None:
    assert await run_graph({}, _pass, limit=1) == {}


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_than_the_limit_run_at_once(limit: int) -> None:
    most = 0
    running = 0

    async def execute(name: str) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1

    await run_graph({str(number): [] for number in range(10)}, execute, limit=limit)
    assert most == limit


async def test_place_is_filled_as_soon_as_a_name_ends() -> None:
    work = Work()
    run = asyncio.create_task(run_graph({"a": [], "b": [], "c": []}, work.execute, limit=2))
    await work.started["b"].wait()
    assert not work.started["c"].is_set()
    work.release(["b"])
    await work.started["c"].wait()
    assert work.running == {"a", "c"}
    work.release(["a", "c"])
    await run


class Panic(BaseException):
    """As native libraries raise it."""


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("no"), id="exception"),
        pytest.param(ExceptionGroup("many", [ValueError("one")]), id="group"),
        pytest.param(BaseExceptionGroup("many", [Panic("one")]), id="base_group"),
        pytest.param(SystemExit(3), id="system_exit"),
        pytest.param(Panic("native"), id="base_exception"),
        pytest.param(asyncio.CancelledError("not ours"), id="foreign_cancellation"),
        pytest.param(TimeoutError(), id="timeout"),
        pytest.param(StopAsyncIteration(), id="stop_async_iteration"),
        pytest.param(RecursionError(), id="recursion"),
        pytest.param(MemoryError(), id="memory"),
    ],
)
async def test_whatever_a_name_raises_blocks_only_its_descendants(error: BaseException) -> None:
    async def execute(name: str) -> None:
        if name == "bad":
            raise error

    graph = {"bad": [], "child": ["bad"], "grandchild": ["child", "good"], "good": []}
    assert await run_graph(graph, execute, limit=1) == {
        "bad": Raised(error),
        "child": Blocked(by="bad"),
        "grandchild": Blocked(by="bad"),
        "good": Passed(),
    }


async def test_exit_called_in_a_thread_ends_only_its_name() -> None:
    def work() -> None:
        raise SystemExit(get_ident())

    async def execute(name: str) -> None:
        if name == "bad":
            await asyncio.get_running_loop().run_in_executor(threads, work)

    with ThreadPoolExecutor(1) as threads:
        endings = await run_graph({"bad": [], "good": []}, execute, limit=2)
    assert isinstance(endings["bad"], Raised)
    assert endings["good"] == Passed()


async def test_cancelled_future_of_its_own_ends_only_its_name() -> None:
    async def execute(name: str) -> None:
        if name == "bad":
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    endings = await run_graph({"bad": [], "good": []}, execute, limit=2)
    assert isinstance(endings["bad"], Raised)
    assert endings["good"] == Passed()


async def test_descendant_of_two_failures_is_blocked_once_by_the_first() -> None:
    async def execute(name: str) -> None:
        raise ValueError(name)

    work = Work()
    graph = {"first": [], "second": [], "child": ["first", "second"]}
    endings = await run_graph(graph, execute, limit=1, ended=work.ended)
    assert endings["child"] == Blocked(by="first")
    assert work.log == ["Raised first", "Blocked child", "Raised second"]


async def test_descendants_are_blocked_nearest_first() -> None:
    async def execute(name: str) -> None:
        raise ValueError(name)

    graph = {"bad": [], "far": ["near_a"], "near_a": ["bad"], "near_b": ["bad"]}
    assert list(await run_graph(graph, execute, limit=1)) == ["bad", "near_a", "near_b", "far"]


async def test_long_chain_is_blocked_without_recursion() -> None:
    async def execute(name: str) -> None:
        raise ValueError(name)

    chain = {str(n): [str(n - 1)] if n else [] for n in range(5_000)}
    endings = await run_graph(chain, execute, limit=1)
    assert endings["4999"] == Blocked(by="0")


async def test_nothing_starts_once_it_may_not() -> None:
    started: list[str] = []

    async def execute(name: str) -> None:
        started.append(name)

    graph = {"a": [], "b": ["a"], "c": ["b"]}
    endings = await run_graph(graph, execute, limit=1, may_start=lambda: len(started) < 2)
    assert endings == {"a": Passed(), "b": Passed(), "c": NotStarted()}


async def test_running_names_end_when_nothing_new_may_start() -> None:
    work = Work()
    allowed = True
    run = asyncio.create_task(
        run_graph(
            {"a": [], "b": [], "c": []},
            work.execute,
            limit=2,
            ended=work.ended,
            may_start=lambda: allowed,
        )
    )
    await work.started["b"].wait()
    allowed = False
    work.release(["a", "b"])
    assert await run == {"a": Passed(), "b": Passed(), "c": NotStarted()}
    assert work.log[-1] == "NotStarted c"


async def test_an_answer_that_changes_between_two_questions_ends_the_run_cleanly() -> None:
    answers = iter([True, False, False])
    endings = await run_graph({"a": [], "b": []}, _pass, limit=1, may_start=lambda: next(answers))
    assert endings == {"a": Passed(), "b": NotStarted()}


async def test_a_failure_blocks_even_when_nothing_new_may_start() -> None:
    allowed = True

    async def execute(name: str) -> None:
        nonlocal allowed
        allowed = False
        raise ValueError(name)

    graph = {"a": [], "b": ["a"], "c": []}
    endings = await run_graph(graph, execute, limit=1, may_start=lambda: allowed)
    assert endings["b"] == Blocked(by="a")
    assert endings["c"] == NotStarted()


async def test_cancelling_the_run_cancels_and_awaits_what_runs() -> None:
    work = Work()
    run = asyncio.create_task(
        run_graph({"a": [], "b": [], "c": ["a"]}, work.execute, limit=5, ended=work.ended)
    )
    await work.started["b"].wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not work.running
    assert work.log == ["start a", "start b", "cancel a", "cancel b"]


async def test_name_may_finish_its_cleaning_up_when_the_run_is_cancelled() -> None:
    started = asyncio.Event()
    cleaned: list[str] = []

    async def execute(name: str) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(name)

    run = asyncio.create_task(run_graph({"a": []}, execute, limit=1))
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert cleaned == ["a"]


async def test_error_raised_while_being_cancelled_is_kept_quiet() -> None:
    started = asyncio.Event()

    async def execute(name: str) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError(name)

    run = asyncio.create_task(run_graph({"a": []}, execute, limit=1))
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_error_in_the_listener_is_the_callers_and_stops_the_run() -> None:
    work = Work()

    def ended(name: str, ending: Ending) -> None:
        raise RuntimeError(f"cannot write down {name}")

    run = asyncio.create_task(run_graph({"a": [], "b": []}, work.execute, limit=2, ended=ended))
    await work.started["b"].wait()
    work.release(["a"])
    with pytest.raises(RuntimeError, match="cannot write down a"):
        await run
    assert work.log == ["start a", "start b", "cancel b"]


def test_keyboard_interrupt_passes() -> None:
    async def execute(name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run_graph({"a": []}, execute, limit=1))
