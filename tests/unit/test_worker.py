"""Blocking work in threads: its result, its end in time, and what is given up."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Generator

import pytest

from taskgraph.errors import QueryStuck, QueryTimeout
from taskgraph.worker import Workers

pytestmark = pytest.mark.anyio
SHORT_S = 0.05


class Job:
    """Work that waits to be let go; heeds interrupts unless told not to."""

    def __init__(self, *, heeds: bool = True) -> None:
        self.released = threading.Event()
        self.started = threading.Event()
        self.interrupts = 0
        self._heeds = heeds

    def work(self) -> str:
        self.started.set()
        assert self.released.wait(10)
        if self.interrupts and self._heeds:
            raise QueryTimeout("interrupted")
        return "done"

    def interrupt(self) -> None:
        self.interrupts += 1
        if self._heeds:
            self.released.set()


@pytest.fixture
def stuck() -> Generator[Job]:
    job = Job(heeds=False)
    yield job
    job.released.set()


def release(job: Job, workers: Workers) -> None:
    job.released.set()
    concurrent.futures.wait(workers.running, timeout=10)


def ready(value: str) -> Callable[[], str]:
    return lambda: value


def nothing() -> None: ...


async def test_result_comes_back() -> None:
    assert await Workers(1, 1).run(ready("x"), nothing, None) == "x"
    assert await Workers(1, 1).run(ready("x"), nothing, 5) == "x"


async def test_error_comes_back_as_it_was_raised() -> None:
    def fail() -> None:
        raise KeyError("a")

    with pytest.raises(KeyError):
        await Workers(1, 1).run(fail, nothing, None)


async def test_work_whose_time_is_up_is_interrupted() -> None:
    job, workers = Job(), Workers(1, 5)
    with pytest.raises(QueryTimeout, match=r"stopped after 0.05 s: make it cheaper"):
        await workers.run(job.work, job.interrupt, SHORT_S)
    assert job.interrupts == 1
    assert not workers.running


async def test_work_that_ends_by_itself_in_the_last_moment_counts() -> None:
    job = Job(heeds=False)

    def interrupt() -> None:
        job.released.set()

    assert await Workers(1, 5).run(job.work, interrupt, SHORT_S) == "done"


async def test_error_in_the_last_moment_is_told_as_it_is() -> None:
    job = Job(heeds=False)

    def work() -> None:
        job.work()
        raise KeyError("a")

    with pytest.raises(KeyError):
        await Workers(1, 5).run(work, job.released.set, SHORT_S)


async def test_interrupt_that_is_missed_is_repeated() -> None:
    job = Job(heeds=False)

    def interrupt() -> None:
        job.interrupts += 1
        if job.interrupts == 3:
            job.released.set()

    assert await Workers(1, 5).run(job.work, interrupt, SHORT_S) == "done"
    assert job.interrupts == 3


async def test_work_that_heeds_no_interrupt_is_given_up_and_others_go_on(stuck: Job) -> None:
    workers = Workers(1, 0.3)
    with pytest.raises(QueryStuck, match=r"did not end 0.3 s after it was interrupted"):
        await workers.run(stuck.work, stuck.interrupt, SHORT_S)
    assert len(workers.running) == 1
    assert await workers.run(ready("x"), nothing, None) == "x"
    assert not workers.end()
    release(stuck, workers)
    assert workers.end()


async def test_cancelled_work_is_interrupted_before_the_cancellation_passes() -> None:
    job, workers = Job(), Workers(1, 5)
    task = asyncio.create_task(workers.run(job.work, job.interrupt, None))
    await asyncio.to_thread(job.started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert job.interrupts >= 1
    assert not workers.running


async def test_cancellation_passes_even_where_the_work_is_stuck(stuck: Job) -> None:
    workers = Workers(1, 0.3)
    task = asyncio.create_task(workers.run(stuck.work, stuck.interrupt, None))
    await asyncio.to_thread(stuck.started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(workers.running) == 1


async def test_no_more_runs_at_once_than_there_are_places() -> None:
    jobs = [Job() for _ in range(5)]
    workers = Workers(2, 5)
    tasks = [asyncio.create_task(workers.run(job.work, job.interrupt, None)) for job in jobs]
    await asyncio.to_thread(jobs[0].started.wait)
    await asyncio.to_thread(jobs[1].started.wait)
    assert [job.started.is_set() for job in jobs] == [True, True, False, False, False]
    for job in jobs:
        job.released.set()
    assert await asyncio.gather(*tasks) == ["done"] * 5


async def test_end_interrupts_what_still_runs() -> None:
    job, workers = Job(), Workers(1, 5)
    task = asyncio.create_task(workers.run(job.work, job.interrupt, None))
    await asyncio.to_thread(job.started.wait)
    assert workers.end()
    with pytest.raises(QueryTimeout, match="interrupted"):
        await task


def test_thread_that_ends_after_its_loop_has_gone_bothers_nobody(
    stuck: Job, recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    workers = Workers(1, 0.1)

    async def give_up() -> None:
        with pytest.raises(QueryStuck):
            await workers.run(stuck.work, stuck.interrupt, SHORT_S)

    asyncio.run(give_up())
    release(stuck, workers)
    assert not recwarn.list
    assert not caplog.records


def test_idle_workers_end_at_once() -> None:
    assert Workers(1, 5).end()
