"""Runs specs for tests: whole runs on real files, with the events kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from taskgraph.events import Event, NodeEnded, Outcome, RunEnded
from taskgraph.llm.model import Model
from taskgraph.llm.service import served_by
from taskgraph.runner import resume, run
from taskgraph.settings import RunSettings
from taskgraph.spec import Spec

DEFAULTS = RunSettings()


@dataclass(frozen=True)
class Made:
    """A file that a run was to write, and what it was made from."""

    path: Path
    spec: Spec
    settings: RunSettings


MADE: list[Made] = []
"""What the running test has made: `replaying` plays it again."""


@dataclass(frozen=True)
class Ran:
    """A run that has ended, and its file."""

    path: Path
    ended: RunEnded
    events: list[Event]

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """Node to outcome."""
        return {outcome.node: outcome for outcome in self.ended.outcomes}

    @property
    def statuses(self) -> dict[str, str]:
        """Node to status."""
        return {node: outcome.status for node, outcome in self.outcomes.items()}

    @property
    def order(self) -> list[str]:
        """Nodes in the order in which they ended."""
        return [event.outcome.node for event in self.events if isinstance(event, NodeEnded)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the finished file answers."""
        return rows_of(self.path, query)


def rows_of(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Asks a closed file, with a plain DuckDB as anybody would."""
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(query).fetchall()


def names_in(folder: Path) -> list[str]:
    """The names of the files in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


async def run_spec(
    spec: Spec,
    folder: Path,
    *,
    model: Model | None = None,
    settings: RunSettings = DEFAULTS,
    replace: bool = False,
) -> Ran:
    """Runs a spec into `folder/out.db`; exports are written below the folder."""
    events: list[Event] = []
    path = folder / "out.db"
    MADE.append(Made(path, spec, settings))
    ended = await run(
        spec,
        path,
        settings,
        open_service=served_by(model, settings),
        emit=events.append,
        replace=replace,
        export_folder=folder,
    )
    return Ran(path, ended, events)


async def resume_spec(
    spec: Spec,
    folder: Path,
    *,
    model: Model | None = None,
    settings: RunSettings = DEFAULTS,
) -> Ran:
    """Goes on with the unfinished run of `folder/out.db`."""
    events: list[Event] = []
    path = folder / "out.db"
    MADE.append(Made(path, spec, settings))
    ended = await resume(
        spec,
        path,
        settings,
        open_service=served_by(model, settings),
        emit=events.append,
        export_folder=folder,
    )
    return Ran(path, ended, events)
