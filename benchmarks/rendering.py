"""The figures as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from benchmarks.measuring import Cost, Line

_HEAD = ("case", "contender", "time", "ratio", "processor", "ratio", "peak MiB", "file MiB")


def markdown(facts: Mapping[str, str], lines: Sequence[Line]) -> str:
    """Returns the machine's facts and a table for each suite."""
    about = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    tables = [
        f"## {suite}\n\n" + "\n".join(_table(list(of_suite)))
        for suite, of_suite in groupby(lines, key=lambda line: line.suite)
    ]
    return "\n\n".join([about, *tables])


def _table(lines: Sequence[Line]) -> Iterator[str]:
    yield f"| {' | '.join(_HEAD)} |"
    yield f"|---|---|{'---:|' * (len(_HEAD) - 2)}"
    failures = [line for line in lines if line.failure]
    for line in lines:
        if line.cost:
            yield f"| {' | '.join([line.case, line.contender, *_figures(line.cost, line)])} |"
    for line in failures:
        words = " ".join((line.failure or "").split())
        yield f"\n{line.case}, {line.contender}: not measured. {words}"


def _figures(cost: Cost, line: Line) -> list[str]:
    return [
        _time(cost.seconds),
        _ratio(line.per_floor),
        _time(cost.processor),
        _ratio(line.processor_per_floor),
        f"{cost.peak_mib:,.0f}" if cost.peak_mib else "",
        f"{cost.file_mib:,.1f}" if cost.file_mib else "",
    ]


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:,.2f} s" if seconds >= 0.2 else f"{seconds * 1000:,.3g} ms"


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
