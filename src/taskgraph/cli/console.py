"""Events as plain lines, one per node start and end, stable enough to grep, in dbt's manner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from taskgraph.cli.failures import failure_lines, told_in_full
from taskgraph.cli.lines import (
    counts_text,
    export_lines,
    outcome_line,
    spent,
    warned_line,
    warning_lines,
    went_wrong,
)
from taskgraph.cli.text import short, styled
from taskgraph.errors import RunLimit
from taskgraph.events import (
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
from taskgraph.llm.messages import NOTHING_USED
from taskgraph.output import left_at, resume_command
from taskgraph.report import read_evidence_of
from taskgraph.wording import dollars, duration, tokens

Write: TypeAlias = Callable[[str], None]

_WIDEST_NAME = 40
"""Names are padded to the longest, but not to one that is longer than this."""
_FIRST_WORD = {"stopped": "Stopped.", "interrupted": "Interrupted."}


class PlainLines:
    """Listens to a run and writes a line for whatever a person would want to know."""

    def __init__(self, write: Write, width: int = 80) -> None:
        self._write = write
        self._lines = RunLines(width)

    def __call__(self, event: Event) -> None:
        """Writes what the event has to tell."""
        for line in self._lines.of(event):
            self._write(line)


class RunLines:
    """Puts each event of a run into words; `width` is for the failures that are told at its end."""

    def __init__(self, width: int) -> None:
        self._columns = width
        self._total = 0
        self._names = 0
        self._numbers: dict[str, int] = {}

    def of(self, event: Event) -> Iterable[str]:
        """Returns the lines that tell of an event, none where a person need not know."""
        match event:
            case RunStarted(nodes=nodes, kept=kept, earlier=earlier):
                self._total = len(nodes)
                self._names = min(_WIDEST_NAME, max((len(name) for name, _ in nodes), default=0))
                self._numbers = {name: number for number, name in enumerate(kept, start=1)}
                return _beginning(len(kept), len(nodes), earlier)
            case NodeStarted(node=node, kind=kind, why=why):
                return (self._begin("RUN" if why else "START", node, kind, why),)
            case TakenUp(node=node, kind=kind, action=action, why=why):
                return (self._begin(action.upper(), node, kind, why),)
            case NodeEnded(outcome=outcome):
                return self._end(outcome)
            case ExportEnded(name=name, error=error):
                return export_lines(name, error, event.elapsed_ms)
            case Warned(message=message, node=node):
                return (warned_line(node, message),)
            case RunEnded():
                return ending_lines(event, self._columns)
            case _:
                return ()

    def _begin(self, word: str, node: str, kind: str, why: str | None) -> str:
        name = f"{node:<{self._names}}  ({short(why)})" if why else node
        return f"{self._place(node)}{styled(word)} {kind:<6} {name}"

    def _end(self, outcome: Outcome) -> Iterator[str]:
        line = f"{self._place(outcome.node)}{outcome_line(outcome, self._names)}"
        if went_wrong(outcome) and outcome.error:
            line = f"{line}  {short(outcome.error)}"
        yield line
        yield from warning_lines(outcome)

    def _place(self, node: str) -> str:
        # Numbered as they start, so that a node's two lines carry one number and it only grows.
        number = self._numbers.setdefault(node, len(self._numbers) + 1)
        return f"{number:>{len(str(self._total))}} of {self._total} "


def _beginning(kept: int, total: int, earlier: str | None) -> Iterable[str]:
    if kept and earlier is None:
        yield f"Going on: {kept} of {total} have passed."
    elif kept:
        yield f"From {earlier}: {kept} of {total} as they are."


def failures_only(write: Write, width: int = 80) -> Callable[[Event], None]:
    """Returns a listener that is silent as long as all goes well."""

    def listen(event: Event) -> None:
        match event:
            case ExportEnded(name=name, error=str(error)):
                for line in export_lines(name, error):
                    write(line)
            case RunEnded() if event.status != "passed":
                for line in ending_lines(event, width):
                    write(line)
            case _:
                return

    return listen


def file_of(ended: RunEnded) -> Path:
    """Returns where the run's file is: in its place, or beside it if the run did not get through."""
    return left_at(Path(ended.output), ended.status)


def ending_lines(ended: RunEnded, width: int) -> Iterator[str]:
    """Tells why nodes did not pass, from what the file holds, and sums the run up."""
    file = file_of(ended)
    evidence = read_evidence_of(file, told_in_full(ended.outcomes))
    yield from failure_lines(ended.outcomes, evidence, str(file), width)
    yield ""
    yield from _closing_lines(ended, file)


def _closing_lines(ended: RunEnded, file: Path) -> Iterator[str]:
    usage = sum((outcome.usage for outcome in ended.outcomes), NOTHING_USED)
    first = _FIRST_WORD.get(ended.status, "Done.")
    parts = [f"{first} {counts_text(ended.outcomes)}", *spent(usage), duration(ended.elapsed_ms)]
    yield f"{'  '.join(parts)}   {file}"
    if ended.saved and ended.status not in _FIRST_WORD:
        yield _saved_line(ended.saved)
    if ended.status in _FIRST_WORD:
        yield f"Go on with: {resume_command(Path(ended.output))}{_higher_limit(ended)}"


def _higher_limit(ended: RunEnded) -> str:
    """Returns the option without which the run would stop at its limit again; empty if none is."""
    hints = (one.hint for one in ended.outcomes if one.error_type == RunLimit.__name__)
    return next((hint.partition("OUTPUT")[2] for hint in hints if hint), "")


def _saved_line(saved: Saved) -> str:
    """Tells what is saved, or what it took more; the money decides, the rest only agrees."""
    sign = -1 if saved.cost_usd < 0 else 1
    count, elapsed_ms = sign * saved.tokens, sign * saved.elapsed_ms
    parts = [f"{tokens(count)} tok"] if count > 0 else []
    parts.append(dollars(sign * saved.cost_usd))
    parts += [duration(elapsed_ms)] if elapsed_ms > 0 else []
    amounts = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    if sign < 0:
        return f"Agents took {amounts} more than before."
    return f"Saved {amounts} of agents' work."
