"""Events as plain lines, one per node start and end, stable enough to grep, in dbt's manner."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from taskgraph.cli.text import dollars, duration, indented, short, styled, tokens
from taskgraph.events import (
    CheckResult,
    Event,
    ExportEnded,
    NodeEnded,
    NodeStarted,
    Outcome,
    RunEnded,
    RunStarted,
    Saved,
    TakenUp,
    Warned,
)
from taskgraph.llm.messages import NOTHING_USED, Usage
from taskgraph.output import partial_path, resume_command

Write: TypeAlias = Callable[[str], None]

_WORDS = {
    "passed": "PASS",
    "failed": "FAIL",
    "skipped": "SKIP",
    "reused": "REUSE",
    "stopped": "STOP",
    "cancelled": "CANCEL",
}
_ALWAYS_COUNTED = ("PASS", "WARN", "FAIL", "SKIP", "REUSE")
_ONLY_IF_ANY = ("STOP", "CANCEL")
_MOST_FINDINGS = 10
_FIRST_WORD = {"stopped": "Stopped.", "interrupted": "Interrupted."}


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
            case RunStarted(nodes=nodes, kept=kept, earlier=earlier):
                self._total = len(nodes)
                self._width = max((len(name) for name, _ in nodes), default=0)
                self._numbers = {name: number for number, name in enumerate(kept, start=1)}
                return _beginning(len(kept), len(nodes), earlier)
            case NodeStarted(node=node, kind=kind, why=why):
                return (self._begin("RUN" if why else "START", node, kind, why),)
            case TakenUp(node=node, kind=kind, action=action, why=why):
                return (self._begin(action.upper(), node, kind, why),)
            case NodeEnded(outcome=outcome):
                return self._end(outcome)
            case ExportEnded(name=name, error=error):
                return (f"{export_line(name, error)}  {duration(event.elapsed_ms)}",)
            case Warned(message=message, node=node):
                return (warned_line(node, message),)
            case RunEnded():
                return (*failure_lines(event), *closing_lines(event))
            case _:
                return ()

    def _begin(self, word: str, node: str, kind: str, why: str | None) -> str:
        name = f"{node:<{self._width}}  ({short(why)})" if why else node
        return f"{self._place(node)} {styled(word)} {kind:<6} {name}"

    def _end(self, outcome: Outcome) -> Iterator[str]:
        line = f"{self._place(outcome.node)} {outcome_line(outcome, self._width)}"
        if went_wrong(outcome) and outcome.error:
            line = f"{line}  {short(outcome.error)}"
        yield line
        yield from warning_lines(outcome)

    def _place(self, node: str) -> str:
        # Numbered as they start, so that a node's two lines carry one number and it only grows.
        number = self._numbers.setdefault(node, len(self._numbers) + 1)
        return f"{number:>{len(str(self._total))}} of {self._total}"


def _beginning(kept: int, total: int, earlier: str | None) -> Iterable[str]:
    if kept and earlier is None:
        yield f"Going on: {kept} of {total} have passed."
    elif kept:
        yield f"From {earlier}: {kept} of {total} as they are."


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


def verdict(outcome: Outcome) -> str:
    """Returns the outcome in one upper-case word."""
    if outcome.status == "passed" and outcome.warnings:
        return "WARN"
    return _WORDS[outcome.status]


def went_wrong(outcome: Outcome) -> bool:
    """Says whether there is something to tell that a person may have to mend."""
    return outcome.status in ("failed", "stopped")


def outcome_line(outcome: Outcome, width: int) -> str:
    """Tells how a node ended and what it took; names are padded to `width` characters."""
    head = f"{styled(verdict(outcome))} {outcome.kind:<6} {outcome.node:<{width}}"
    return "  ".join([head, *_measures(outcome)]).rstrip()


def warning_lines(outcome: Outcome) -> Iterator[str]:
    """Tells what a node's checks warned of."""
    yield from _finding_lines(outcome.warnings)


def warned_line(node: str | None, message: str) -> str:
    """Tells of a warning that no check gave."""
    about = f" node {node!r}:" if node else ""
    return f"{styled('WARN', 'Warning:')}{about} {indented(message)}"


def export_line(name: str, error: str | None) -> str:
    """Tells whether an export was written."""
    if error is None:
        return f"{styled('PASS')} export {name}"
    return f"{styled('FAIL')} export {name}  {short(error)}"


def closing_lines(ended: RunEnded) -> Iterator[str]:
    """Sums the run up: the counts and the file's path, and how to go on where that is possible."""
    yield ""
    usage = sum((outcome.usage for outcome in ended.outcomes), NOTHING_USED)
    first = _FIRST_WORD.get(ended.status, "Done.")
    parts = [f"{first} {counts_text(ended.outcomes)}", *spent(usage), duration(ended.elapsed_ms)]
    yield f"{'  '.join(parts)}   {file_of(ended)}"
    if ended.saved and ended.status not in _FIRST_WORD:
        yield _saved_line(ended.saved)
    if ended.status in _FIRST_WORD:
        yield f"Go on with: {resume_command(Path(ended.output))}"


def _saved_line(saved: Saved) -> str:
    money, time = dollars(abs(saved.cost_usd)), duration(abs(saved.elapsed_ms))
    if saved.cost_usd >= 0 and saved.elapsed_ms >= 0:
        return f"Saved {money} and {time} of agents' work."
    of_money, of_time = ("more" if one < 0 else "less" for one in (saved.cost_usd, saved.elapsed_ms))
    return f"Agents took {money} {of_money} and {time} {of_time} than before."


def counts(outcomes: Sequence[Outcome]) -> Mapping[str, int]:
    """Counts the verdicts: all that can be, and 0 for those that nothing got."""
    found = Counter(map(verdict, outcomes))
    return {word: found[word] for word in (*_ALWAYS_COUNTED, *_ONLY_IF_ANY)}


def failure_lines(ended: RunEnded) -> Iterator[str]:
    """Tells of each node that failed or was stopped: findings, error, hint, where to look."""
    for outcome in ended.outcomes:
        if went_wrong(outcome):
            yield ""
            yield f"{styled(verdict(outcome))} {outcome.kind} {outcome.node}"
            yield from reason_lines(outcome)
            file = shlex.quote(str(file_of(ended)))
            yield f"    look: taskgraph show {file} --node {outcome.node}"


def reason_lines(outcome: Outcome) -> Iterator[str]:
    """Tells why a node did not pass: what its checks found, the error, and what to do."""
    findings = [check for check in outcome.checks if check.status == "fail"]
    yield from _finding_lines(findings)
    if outcome.error and not _repeats(outcome.error, findings):
        yield f"    error: {indented(outcome.error)}"
    if outcome.hint:
        yield f"    hint: {indented(outcome.hint)}"


def _finding_lines(findings: Sequence[CheckResult]) -> Iterator[str]:
    for finding in findings[:_MOST_FINDINGS]:
        yield finding_line(finding)
    if len(findings) > _MOST_FINDINGS:
        yield f"    ... and {len(findings) - _MOST_FINDINGS} more, see _checks in the file"


def finding_line(finding: CheckResult) -> str:
    """Tells what a check found."""
    status = styled(finding.status.upper(), finding.status)
    return f"    {status} {indented(f'{finding.check}: {finding.message}')}"


def _repeats(error: str, findings: Sequence[CheckResult]) -> bool:
    """Says whether an error only sums up the findings that are told already."""
    return any(error.startswith(f"{finding.check}: {finding.message}") for finding in findings)


def _measures(outcome: Outcome) -> Iterator[str]:
    if outcome.status == "skipped" and outcome.error:
        yield outcome.error
    if outcome.status == "reused" and outcome.why:
        yield f"({short(outcome.why)})"
    if outcome.tables:
        yield _rows(outcome.tables)
    if outcome.iterations:
        yield f"{outcome.iterations} {'turn' if outcome.iterations == 1 else 'turns'}"
    yield from spent(outcome.usage)
    if outcome.started_at:
        yield duration(outcome.elapsed_ms)


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


def counts_text(outcomes: Sequence[Outcome]) -> str:
    """Writes the counts as the last line of a run has them."""
    found = counts(outcomes)
    shown = [word for word in found if found[word] or word in _ALWAYS_COUNTED]
    return " ".join([*(f"{word}={found[word]}" for word in shown), f"TOTAL={len(outcomes)}"])
