"""`taskgraph run`: a spec becomes a `.db`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from taskgraph.cli.conduct import FILE, Manner, manner_options
from taskgraph.cli.ending import ExitCode
from taskgraph.cli.planning import Choice, planned_run, selection_options
from taskgraph.cli.project import read_project
from taskgraph.cli.resume import DEFAULT_FOLDER, demand_unchanged, go_on, unfinished_in
from taskgraph.cli.settings import (
    option,
    overridden,
    run_settings,
    run_settings_options,
    spec_option,
    stated,
)
from taskgraph.cli.specs import load_project_spec
from taskgraph.cli.starting import carry_out
from taskgraph.output import is_unfinished
from taskgraph.runner import read_unfinished


@click.command("run")
@spec_option
@option("output", "-o", type=FILE, help="File to write.", show_default="runs/<spec>_<UTC>.db")
@selection_options
@option("from", "origin", type=FILE, help="A .db to take what is not selected from.")
@run_settings_options
@manner_options
@option("force", "-f", is_flag=True, help="Replace an existing output.")
@option("resume", is_flag=True, help="Go on with an unfinished run, if there is one.")
@click.pass_context
def command(
    ctx: click.Context,
    spec: str | None,
    output: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    origin: Path | None,
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
    manner, given = Manner.of(ctx), stated(ctx)
    loaded = load_project_spec(spec, project)
    if resume and (unfinished := _unfinished(output)):
        earlier = read_unfinished(unfinished)
        demand_unchanged(loaded, unfinished, earlier.meta)
        return go_on(loaded, unfinished, earlier, given, manner)
    loaded = overridden(loaded, given)
    plan = planned_run(loaded, Choice(select, exclude), origin)
    settings = run_settings(project.settings, given)
    return carry_out(loaded, plan, output, settings, given, manner, force=force)


def _unfinished(output: Path | None) -> Path | None:
    """Returns the output whose run can go on: the one named, or the only one there is."""
    found = unfinished_in(DEFAULT_FOLDER) if output is None else [output]
    return found[0] if len(found) == 1 and is_unfinished(found[0]) else None
