"""`taskgraph run`: a spec becomes a `.db`."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from taskgraph.cli.conduct import FILE, Manner, conduct, manner_options
from taskgraph.cli.ending import ExitCode
from taskgraph.cli.models import as_recorded, recorded_model, service
from taskgraph.cli.project import read_project
from taskgraph.cli.resume import DEFAULT_FOLDER, demand_unchanged, go_on, unfinished_in
from taskgraph.cli.settings import (
    option,
    overridden,
    overrides,
    run_settings,
    run_settings_options,
    spec_option,
    stated,
)
from taskgraph.cli.specs import load_project_spec
from taskgraph.llm.replay import RecordedModel
from taskgraph.output import is_unfinished, partial_path
from taskgraph.runner import read_unfinished, run
from taskgraph.settings import LEAST_THREADS, RunSettings
from taskgraph.spec import SpecOrigin


@click.command("run")
@spec_option
@option("output", "-o", type=FILE, help="File to write.", show_default="runs/<spec>_<UTC>.db")
@run_settings_options
@manner_options
@option("force", "-f", is_flag=True, help="Replace an existing output.")
@option("resume", is_flag=True, help="Go on with an unfinished run, if there is one.")
@click.pass_context
def command(
    ctx: click.Context,
    spec: str | None,
    output: Path | None,
    *,
    force: bool,
    resume: bool,
    **_others: Any,
) -> ExitCode:
    """Run a spec and write its .db file.

    Progress and messages go to stderr. To stdout goes the path of the .db, unless that is a
    terminal, which has it in the progress already; with --json, the events.
    """
    project = read_project(Path.cwd())
    manner, given = Manner.of(ctx, project), stated(ctx)
    loaded = load_project_spec(spec, project)
    if resume and (unfinished := _unfinished(output)):
        earlier = read_unfinished(unfinished)
        demand_unchanged(loaded, unfinished, earlier.meta)
        return go_on(loaded, unfinished, earlier, given, manner)
    loaded = overridden(loaded, given)
    recorded = recorded_model(manner)
    settings = _settings(run_settings(project.settings, given), given, recorded, manner)
    output = output or _default_output(loaded.origin)
    work = run(
        loaded,
        output,
        settings,
        open_service=service(loaded, settings, manner, recorded),
        emit=manner.listener,
        replace=force or _may_replace(output),
    )
    return conduct(work, manner)


def _settings(
    settings: RunSettings,
    given: Collection[str],
    recorded: RecordedModel | None,
    manner: Manner,
) -> RunSettings:
    settings = replace(settings, overrides=overrides(given))
    settings = as_recorded(settings, recorded, frozenset(given))
    if settings.threads is None and manner.record:
        # A recording says how many there were.
        return replace(settings, threads=max(LEAST_THREADS, os.cpu_count() or LEAST_THREADS))
    return settings


def _unfinished(output: Path | None) -> Path | None:
    """Returns the output whose run can go on: the one named, or the only one there is."""
    found = unfinished_in(DEFAULT_FOLDER) if output is None else [output]
    return found[0] if len(found) == 1 and is_unfinished(found[0]) else None


def _default_output(origin: SpecOrigin) -> Path:
    name = (origin.module or Path(origin.file or "spec").stem).rpartition(".")[2]
    return DEFAULT_FOLDER / f"{name}_{datetime.now(UTC):%Y%m%d_%H%M%S}.db"


def _may_replace(output: Path) -> bool:
    """Asks, where there is something to lose and somebody to ask."""
    in_the_way = [path for path in (output, partial_path(output)) if path.exists()]
    if not in_the_way or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return click.confirm(f"{' and '.join(map(str, in_the_way))} exists. Replace it?", err=True)
