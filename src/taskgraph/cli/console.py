"""Events as plain lines, one per node start and end, stable enough to grep, in dbt's manner."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeAlias

import click

from taskgraph.events import (
    Event,
    ExportEnded,
    NodeEnded,
    NodeStarted,
    Outcome,
    RunEnded,
    RunStarted,
    Warned,
)
from taskgraph.llm.messages import NOTHING_USED, Usage
from taskgraph.output import partial_path

Write: TypeAlias = Callable[[str], None]

_WORDS = {
    "passed": "PASS",
    "failed": "FAIL",
    "skipped": "SKIP",
    "reused": "REUSE",
    "stopped": "STOP",
    "cancelled": "CANCEL",
}
_COLORS = {
    "PASS": "green",
    "WARN": "yellow",
    "FAIL": "red",
    "SKIP": "bright_black",
    "REUSE": "cyan",
    "STOP": "magenta",
    "CANCEL": "magenta",
}
_ALWAYS_COUNTED = ("PASS", "WARN", "FAIL", "SKIP", "REUSE")
_ONLY_IF_ANY = ("STOP", "CANCEL")
_FIRST_WORD = {"stopped": "Stopped.", "interrupted": "Interrupted."}
_LONGEST_ERROR = 100


class PlainLines:
    """Listens to a run and writes a line for whatever a person would want to know."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._total = 0
        self._width = 0
        self._numbers: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        """Writes what the event has to tell."""
        for line in self._lines(event):
            self._write(line)

    def _lines(self, event: Event) -> Iterable[str]:
        match event:
            case RunStarted(nodes=nodes):
                self._total = len(nodes)
                self._width = max((len(name) for name, _ in nodes), default=0)
                return ()
            case NodeStarted(node=node, kind=kind):
                return (f"{self._place(node)} {styled('START')} {kind:<6} {node}",)
            case NodeEnded(outcome=outcome):
                line = f"{self._place(outcome.node)} {outcome_line(outcome, self._width)}"
                return (line, *warning_lines(outcome))
            case ExportEnded(name=name, error=error):
                return (f"{export_line(name, error)}  {duration(event.elapsed_ms)}",)
            case Warned(message=message, node=node):
                return (warned_line(node, message),)
            case RunEnded():
                return (*failure_lines(event), *closing_lines(event))
            case _:
                return ()

    def _place(self, node: str) -> str:
        # Numbered as they start, so that a node's two lines carry one number and it only grows.
        number = self._numbers.setdefault(node, len(self._numbers) + 1)
        return f"{number:>{len(str(self._total))}} of {self._total}"


def failures_only(write: Write) -> Callable[[Event], None]:
    """Returns a listener that is silent as long as all goes well."""

    def listen(event: Event) -> None:
        match event:
            case ExportEnded(name=name, error=str(error)):
                write(export_line(name, error))
            case RunEnded() if event.status != "passed":
                for line in (*failure_lines(event), *closing_lines(event)):
                    write(line)
            case _:
                return

    return listen


def file_of(ended: RunEnded) -> Path:
    """Returns where the run's file is: in its place, or beside it if the run did not get through."""
    output = Path(ended.output)
    return output if ended.status in ("passed", "failed") else partial_path(output)


def wants_color(stream: IO[str]) -> bool:
    """Says whether a person looks at the stream who has not asked for plain text.

    NO_COLOR as https://no-color.org has it: any text but the empty one.
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def verdict(outcome: Outcome) -> str:
    """Returns the outcome in one upper-case word."""
    if outcome.status == "passed" and outcome.warnings:
        return "WARN"
    return _WORDS[outcome.status]


def outcome_line(outcome: Outcome, width: int) -> str:
    """Tells how a node ended and what it took; names are padded to `width` characters."""
    head = f"{styled(verdict(outcome))} {outcome.kind:<6} {outcome.node:<{width}}"
    return "  ".join([head, *_measures(outcome)]).rstrip()


def warning_lines(outcome: Outcome) -> Iterator[str]:
    """Tells what a node's checks warned of."""
    for check in outcome.warnings:
        yield f"    {click.style('warn', fg=_COLORS['WARN'])} {check.check}: {check.message}"


def warned_line(node: str | None, message: str) -> str:
    """Tells of a warning that no check gave."""
    about = f" node {node!r}:" if node else ""
    return f"{click.style('Warning:', fg=_COLORS['WARN'])}{about} {message}"


def export_line(name: str, error: str | None) -> str:
    """Tells whether an export was written."""
    if error is None:
        return f"{styled('PASS')} export {name}"
    return f"{styled('FAIL')} export {name}  {_short(error)}"


def closing_lines(ended: RunEnded) -> Iterator[str]:
    """Sums the run up, the counts and the file's path in the last line."""
    yield ""
    if ended.status in ("stopped", "interrupted"):
        yield "What was done so far is kept; start over with --force."
    usage = sum((outcome.usage for outcome in ended.outcomes), NOTHING_USED)
    first = _FIRST_WORD.get(ended.status, "Done.")
    parts = [f"{first} {counts_text(ended.outcomes)}", *spent(usage), duration(ended.elapsed_ms)]
    yield f"{'  '.join(parts)}   {file_of(ended)}"


def counts(outcomes: Sequence[Outcome]) -> Mapping[str, int]:
    """Counts the verdicts: all that can be, and 0 for those that nothing got."""
    found = Counter(map(verdict, outcomes))
    return {word: found[word] for word in (*_ALWAYS_COUNTED, *_ONLY_IF_ANY)}


def failure_lines(ended: RunEnded) -> Iterator[str]:
    """Tells of each node that failed or was stopped: findings, error, hint, where to look."""
    for outcome in ended.outcomes:
        if outcome.status in ("failed", "stopped"):
            yield ""
            yield f"{styled(verdict(outcome))} {outcome.kind} {outcome.node}"
            yield from reason_lines(outcome)
            file = shlex.quote(str(file_of(ended)))
            yield f"    look: taskgraph show {file} --node {outcome.node}"


def reason_lines(outcome: Outcome) -> Iterator[str]:
    """Tells why a node did not pass: what its checks found, the error, and what to do."""
    for check in outcome.checks:
        if check.status == "fail":
            yield f"    {click.style('fail', fg=_COLORS['FAIL'])} {check.check}: {check.message}"
    if outcome.error:
        yield f"    error: {_indented(outcome.error)}"
    if outcome.hint:
        yield f"    hint: {_indented(outcome.hint)}"


def _indented(text: str) -> str:
    return text.rstrip().replace("\n", "\n      ")


def _measures(outcome: Outcome) -> Iterator[str]:
    if outcome.skipped_because:
        yield f"because {outcome.skipped_because} did not pass"
        return
    if outcome.tables:
        yield _rows(outcome.tables)
    if outcome.iterations:
        yield f"{outcome.iterations} {'turn' if outcome.iterations == 1 else 'turns'}"
    yield from spent(outcome.usage)
    if outcome.started_at:
        yield duration(outcome.elapsed_ms)
    if outcome.error:
        yield _short(outcome.error)


def _rows(tables: tuple[tuple[str, int], ...]) -> str:
    total = sum(count for _, count in tables)
    rows = f"{total:,} {'row' if total == 1 else 'rows'}"
    return rows if len(tables) == 1 else f"{rows} in {len(tables)} tables"


def spent(usage: Usage) -> Iterator[str]:
    """Tells tokens and US dollars, where there are any."""
    if usage.total_tokens:
        yield f"{tokens(usage.total_tokens)} tok"
    if usage.cost_usd is not None:
        yield dollars(usage.cost_usd)


def _short(error: str) -> str:
    line = error.partition("\n")[0]
    return line if len(line) <= _LONGEST_ERROR else f"{line[: _LONGEST_ERROR - 3]}..."


def counts_text(outcomes: Sequence[Outcome]) -> str:
    """Writes the counts as the last line of a run has them."""
    found = counts(outcomes)
    shown = [word for word in found if found[word] or word in _ALWAYS_COUNTED]
    return " ".join([*(f"{word}={found[word]}" for word in shown), f"TOTAL={len(outcomes)}"])


def styled(word: str) -> str:
    """Returns a verdict in its colour, padded to the width of the usual ones."""
    return click.style(f"{word:<5}", fg=_COLORS.get(word))


def tokens(count: int) -> str:
    """Writes a count of tokens: 950, 161k, 1.2M."""
    if count < 1_000:
        return str(count)
    if count < 999_500:
        return f"{count / 1_000:.0f}k"
    return f"{count / 1_000_000:.1f}M"


def dollars(amount: float) -> str:
    """Writes US dollars: to the cent, and below a cent so that something is left to see."""
    if 0 < amount < 0.01:
        return f"${amount:.2g}" if amount >= 0.0001 else "<$0.0001"
    return f"${amount:,.2f}"


def duration(milliseconds: float) -> str:
    """Writes a duration: 0.2s, 42s, 3m12s, 1h05m."""
    seconds = milliseconds / 1_000
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3_600}h{whole % 3_600 // 60:02}m"
