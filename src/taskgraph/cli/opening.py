"""Opens what a person names: a live run, a finished file, or what a run has left unfinished."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from taskgraph.evidence import Ask
from taskgraph.output import output_path, partial_path
from taskgraph.report import RunReport, asking, report_of
from taskgraph.watch.client import live_run
from taskgraph.watch.wire import Standing


@dataclass(frozen=True, slots=True)
class Opened:
    """A run that can be asked."""

    ask: Ask
    path: Path
    """As it was named."""
    standing: Standing | None
    """What a live run does now; None for one that has ended."""

    @property
    def unended(self) -> frozenset[str]:
        """The nodes of a live run that have no outcome yet."""
        if self.standing is None:
            return frozenset()
        return frozenset((*(one.node for one in self.standing.running), *self.standing.waiting))

    def report(self) -> RunReport:
        """Reads the run's record; nobody came to write that a killed run has ended."""
        report = report_of(self.ask, self.path)
        if self.standing or report.status != "running":
            return report
        return replace(report, meta={**report.meta, "status": "killed"})


@contextmanager
def opened(named: Path) -> Generator[Opened]:
    """Opens a run by its output, or by its unfinished file.

    Raises:
        WorkspaceError: there is none, or its process does not answer.
    """
    with live_run(partial_path(output_path(named))) as live:
        if live:
            yield Opened(live.ask, named, live.standing())
            return
    with asking(left_by(named)) as ask:
        yield Opened(ask, named, None)


def left_by(named: Path) -> Path:
    """Returns the file that a run has left: the one named, or the unfinished one beside it."""
    partial = partial_path(named)
    return partial if partial.exists() and not named.exists() else named
