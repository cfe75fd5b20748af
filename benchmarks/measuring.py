"""Runs commands, each in a process of its own and in turns, and says what each of them took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
LONGEST_S = 1800
"""A command that takes longer is ended, and told as failed."""
MIB = 2**20


@dataclass(frozen=True)
class Contender:
    """One way of doing the work of a case.

    A command may print `{"seconds": ..., "processor": ...}` as its last line, where what it takes
    to get ready is not to be counted; otherwise the whole process counts.
    """

    name: str
    command: tuple[str, ...]
    output: str | None = None
    """The file that it leaves in its folder, whose size is told."""
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Case:
    """The same work, done by several contenders; the first of them is the floor."""

    suite: str
    name: str
    contenders: tuple[Contender, ...]
    rounds: int = 3


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    seconds: float
    processor: float | None = None
    """Seconds of processor time of all threads: what is left to compare on a busy machine."""
    peak_mib: float | None = None
    """Of the whole process."""
    file_mib: float | None = None


@dataclass(frozen=True)
class Line:
    """What a contender took in a case: medians."""

    suite: str
    case: str
    contender: str
    rounds: int
    cost: Cost | None = None
    per_floor: float | None = None
    processor_per_floor: float | None = None
    failure: str | None = None


class Failed(Exception):
    """A command did not do its work."""


def compare(case: Case) -> Iterator[Line]:
    """Lets the contenders take turns, and yields the medians of each."""
    taken: dict[str, list[Cost]] = {one.name: [] for one in case.contenders}
    failures: dict[str, str] = {}
    for _ in range(case.rounds):
        for one in case.contenders:
            if one.name in failures:
                continue
            try:
                taken[one.name].append(run(one))
            except Failed as failure:
                failures[one.name] = str(failure)
    floor = middle(taken[case.contenders[0].name])
    for one in case.contenders:
        yield _line(case, one.name, taken[one.name], floor, failures.get(one.name))


def _line(
    case: Case, name: str, taken: Sequence[Cost], floor: Cost | None, failure: str | None
) -> Line:
    cost = None if failure else middle(taken)
    if cost is None or floor is None:
        return Line(case.suite, case.name, name, len(taken), cost, failure=failure)
    return Line(
        *(case.suite, case.name, name, len(taken), cost),
        cost.seconds / floor.seconds,
        cost.processor / floor.processor if cost.processor and floor.processor else None,
    )


def middle(costs: Sequence[Cost]) -> Cost | None:
    """Returns the median of each measure; None of nothing."""
    if not costs:
        return None
    return Cost(
        median(cost.seconds for cost in costs),
        _median(cost.processor for cost in costs),
        _median(cost.peak_mib for cost in costs),
        _median(cost.file_mib for cost in costs),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def run(contender: Contender) -> Cost:
    """Runs a command once, in a fresh folder, and returns what it took.

    Raises:
        Failed: it ended badly, or took too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        cost, words = _ran(contender, folder)
        return _as_told(cost, words, _size(Path(folder), contender))


def output_of(command: tuple[str, ...]) -> str:
    """Runs a command once, in a fresh folder, and returns what it printed.

    Raises:
        Failed: it ended badly, or took too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _ran(Contender("", command), folder)[1]


def _ran(contender: Contender, folder: str) -> tuple[Cost, str]:
    with tempfile.TemporaryFile() as told:
        started = perf_counter()
        process = subprocess.Popen(
            contender.command,
            cwd=folder,
            env=_environment(contender),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
        )
        watch = threading.Timer(LONGEST_S, process.kill)
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        seconds = perf_counter() - started
        watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        words = told.read().decode("utf-8", "replace").strip()
    if process.returncode:
        raise Failed(f"exit code {process.returncode}: {words[-300:]}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024), words


def _environment(contender: Contender) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **(contender.environment or {})}


def _size(folder: Path, contender: Contender) -> float | None:
    return (folder / contender.output).stat().st_size / MIB if contender.output else None


def _as_told(cost: Cost, words: str, file_mib: float | None) -> Cost:
    last = words.rpartition("\n")[2]
    if not last.startswith('{"seconds"'):
        return Cost(cost.seconds, cost.processor, cost.peak_mib, file_mib)
    own = json.loads(last)
    return Cost(own["seconds"], own["processor"], cost.peak_mib, file_mib)


def python(*arguments: str) -> tuple[str, ...]:
    """Returns the command that runs this interpreter."""
    return (sys.executable, *arguments)


def taskgraph(*arguments: str) -> tuple[str, ...]:
    """Returns the command that runs the tool as a person does."""
    return (str(Path(sys.executable).with_name("taskgraph")), *arguments)
