"""The live view of a run: what has ended scrolls away as lines, what runs stays below them.

This module imports rich, and is imported only where a terminal is there to show it on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic

from rich.console import Console
from rich.live import Live
from rich.text import Text

from taskgraph.cli.console import RunLines, ending_lines
from taskgraph.cli.lines import finding_lines, outcome_line, went_wrong
from taskgraph.cli.standing import Running, Standing
from taskgraph.cli.text import printable, short
from taskgraph.cli.width import clipped, columns_of, padded
from taskgraph.events import Event as RunEvent
from taskgraph.events import NodeStarted, Outcome, RunEnded, RunStarted
from taskgraph.spec import Kind
from taskgraph.wording import dollars, duration, tokens

_SECONDS_BETWEEN = 0.25
_CALM_S = 0.4
"""Nodes that end sooner are not shown: they would only flicker."""
_MOST_RUNNING = 12
_LEAST_ROOM = 12
"""Columns that a statement or an error needs to say anything."""
_MOST_WARNINGS = 5
_WITHOUT_STATEMENT: Mapping[Kind, str] = {"source": "reads", "sql": "runs", "prompt": "begins"}
_BAR = 20
"""Columns of the bar that shows how many nodes are done."""
_VERDICTS = {
    "PASS": ("green", 3),
    "REUSE": ("cyan", 3),
    "WARN": ("yellow", 4),
    "SKIP": ("bright_black", 4),
    "FAIL": ("red", 8),
    "STOP": ("magenta", 8),
}
"""Word to its style, and how much it matters."""


class _Lines(RunLines):
    """What has ended, without the numbers that the summary tells, in lines that fit."""

    def __init__(self, console: Console) -> None:
        super().__init__(console.width)
        self._console = console

    def _place(self, node: str) -> str:
        del node
        return ""

    def _end(self, outcome: Outcome) -> Iterator[str]:
        width = self._console.width
        line = outcome_line(outcome, min(self._names, width // 3))
        left = width - columns_of(Text.from_ansi(line).plain) - 3
        if went_wrong(outcome) and outcome.error and left >= _LEAST_ROOM:
            line = f"{line}  {clipped(short(outcome.error), left)}"
        yield line
        for warning in outcome.warnings[:_MOST_WARNINGS]:
            yield from finding_lines(warning, width)
        if len(outcome.warnings) > _MOST_WARNINGS:
            yield f"    ... {len(outcome.warnings) - _MOST_WARNINGS} more in the table _checks"


class LiveView:
    """Listens to a run and shows how it stands, until it ends or is closed."""

    def __init__(self, console: Console, clock: Callable[[], float] = monotonic) -> None:
        """Shows nothing yet.

        Args:
            console: where to show it.
            clock: seconds.
        """
        self._console = console
        self._clock = clock
        self._standing = Standing(clock)
        self._lines = _Lines(console)
        self._waiting: list[str] = []
        # Nothing is printed while this lock is held, for rich holds its own when it asks for the
        # picture.
        self._lock = Lock()
        self._live = Live(
            console=console,
            get_renderable=self.picture,
            auto_refresh=False,
            transient=True,
            # What a spec's own code prints to a pipe is for whoever reads the pipe.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._closed = Event()
        self._thread = Thread(target=self._keep_fresh, daemon=True)

    def __call__(self, event: RunEvent) -> None:
        """Takes in what the event changes; it is shown within a quarter of a second."""
        ended = isinstance(event, RunEnded)
        if ended:
            self.close()
        lines = ending_lines(event, self._console.width) if ended else self._lines.of(event)
        with self._lock:
            self._standing.record(event)
            if not isinstance(event, NodeStarted) or event.why:
                self._waiting += lines
        if isinstance(event, RunStarted):
            self._open()
        elif not self._live.is_started:
            self.refresh()

    def _open(self) -> None:
        self._live.start()
        # Shown, for nobody could show it again if the process is killed.
        self._console.show_cursor(True)
        self.refresh()
        self._thread.start()

    def close(self) -> None:
        """Leaves the terminal as it was, with all lines that were written."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
        self.refresh()
        self._live.stop()

    def _keep_fresh(self) -> None:
        # Lines are written together, a few times a second: one by one they cost a millisecond each
        # of the thread that runs the nodes, and flicker.
        while not self._closed.wait(_SECONDS_BETWEEN):
            self.refresh()

    def refresh(self) -> None:
        """Writes the lines that wait, above the picture of this moment."""
        with self._lock:
            lines, self._waiting = self._waiting, []
        if self._live.is_started:
            # rich draws the picture of its last refresh below what is printed.
            self._live.refresh()
        if lines:
            self._console.print(Text.from_ansi("\n".join(lines)))

    def picture(self) -> Text:
        """Returns what is to be seen now below the lines that stay."""
        with self._lock:
            lines = list(self._picture_lines(self._console.width, self._console.height))
        return Text("\n").join(lines)

    def _picture_lines(self, width: int, height: int) -> Iterator[Text]:
        now = self._clock()
        shown = [
            (name, one)
            for name, one in self._standing.running.items()
            if one.kind == "prompt" or now - one.since >= _CALM_S
        ]
        room = max(1, min(_MOST_RUNNING, height - 5))
        yield Text("")
        for name, running in shown[:room]:
            yield _running_line(name, running, now, width, _name_width(shown, width))
        if len(shown) > room:
            yield Text(f"  ... and {len(shown) - room} more run", style="dim")
        if self._standing.waiting and height > 8:
            yield Text(clipped(f"  then {', '.join(self._next())}", width - 1), style="dim")
        yield _summary(self._standing, now, width)

    def _next(self) -> list[str]:
        return list(self._standing.waiting)[:20]


def _name_width(shown: list[tuple[str, Running]], width: int) -> int:
    longest = max((columns_of(name) for name, _ in shown), default=0)
    return min(longest, max(10, width // 4))


def _running_line(name: str, running: Running, now: float, width: int, names: int) -> Text:
    """Says what a node does: its name, what it took, and the first words of its statement."""
    parts = [duration((now - running.since) * 1000).rjust(5)]
    if running.kind == "prompt":
        parts.append(f"turn {max(1, running.turns + running.thinks)}".ljust(7))
        if width >= 60:
            parts.append(f"{tokens(running.usage.total_tokens):>4} tok")
            parts.append(_cost(running.usage.cost_usd).rjust(7))
    head = f"  {padded(clipped(name, names), names)}  "
    facts = "  ".join(parts).rstrip()
    left = width - 1 - columns_of(head) - columns_of(facts) - 2
    doing = clipped(_doing(running), left) if left >= _LEAST_ROOM else ""
    return Text.assemble((head, "bold"), facts, (f"  {doing}".rstrip(), "dim"))


def _doing(running: Running) -> str:
    statement = printable(running.statement)
    if running.thinks:
        return f"after {statement}" if statement else "thinks"
    return statement or _WITHOUT_STATEMENT[running.kind]


def _cost(cost_usd: float | None) -> str:
    return "" if cost_usd is None else dollars(cost_usd)


def _summary(standing: Standing, now: float, width: int) -> Text:
    """Sums the run up in one line; where it is narrow, what matters least is left out."""
    parts = list(_parts(standing, now))
    while len(parts) > 1 and sum(part.text.cell_len + 2 for part in parts) > width:
        parts.remove(min(parts, key=lambda part: part.weight))
    return Text("  ").join([part.text for part in parts])


@dataclass(frozen=True, slots=True)
class _Part:
    weight: int
    """What weighs least gives way first."""
    text: Text


def _parts(standing: Standing, now: float) -> Iterator[_Part]:
    """Says how far the run is, how its nodes stand, and what it took of its budget."""
    if standing.total:
        done = _BAR * standing.done // standing.total
        yield _Part(0, Text.assemble(("━" * done, "green"), ("─" * (_BAR - done), "dim")))
    yield _Part(9, Text(f"{standing.done} of {standing.total}"))
    for word, (style, weight) in _VERDICTS.items():
        if count := standing.verdicts[word]:
            yield _Part(weight, Text(f"{count} {word.lower()}", style=style))
    if standing.running:
        yield _Part(2, Text(f"{len(standing.running)} running"))
    if standing.usage.total_tokens:
        yield _Part(1, Text(f"{tokens(standing.usage.total_tokens)} tok"))
    if cost := _budget(standing):
        yield _Part(6, Text(cost))
    yield _Part(5, Text(duration((now - standing.began) * 1000)))


def _budget(standing: Standing) -> str:
    cost = standing.usage.cost_usd
    if standing.max_cost is None:
        return "" if cost is None else dollars(cost)
    return f"{dollars(cost or 0.0)} of {dollars(standing.max_cost)}"


def live_view() -> LiveView:
    """Returns a view on the terminal that stderr is."""
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    return LiveView(console)
