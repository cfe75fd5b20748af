"""`taskgraph rerun`: what an earlier run did, done again, with models only where they are needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from taskgraph.cli.conduct import FILE, Manner, manner_options
from taskgraph.cli.earlier_spec import spec_of
from taskgraph.cli.ending import ExitCode
from taskgraph.cli.plan import write_plan
from taskgraph.cli.planning import Choice, planned_rerun, rerun_options, selection_options
from taskgraph.cli.project import read_project
from taskgraph.cli.settings import (
    option,
    overridden,
    run_settings,
    run_settings_options,
    stated,
)
from taskgraph.cli.starting import carry_out
from taskgraph.earlier import read_earlier


@click.command("rerun")
@click.argument("previous", type=FILE)
# Not from the environment: TASKGRAPH_SPEC says which spec `run` runs.
@click.option("--spec", "-s", help="Module or file.", show_default="the one that PREVIOUS had")
@option("output", "-o", type=FILE, help="File to write.", show_default="runs/<spec>_<UTC>.db")
@rerun_options
@selection_options
@option("dry-run", is_flag=True, help="Only say what would happen, as `plan` does.")
@run_settings_options
@manner_options
@option("force", "-f", is_flag=True, help="Replace an existing output.")
@click.pass_context
def command(
    ctx: click.Context,
    previous: Path,
    spec: str | None,
    output: Path | None,
    mode: Literal["validate", "review"],
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    *,
    reingest: bool,
    allow_changes: bool,
    dry_run: bool,
    force: bool,
    **_others: Any,
) -> ExitCode | None:
    """Run again what PREVIOUS, a .db, was made by: next month, or with another spec.

    SQL that agents wrote is run again and checked; an agent is asked only where it no longer
    holds, or where the prompt has changed. Sources are taken from PREVIOUS, unless the spec has
    them from elsewhere. PREVIOUS is only read.
    """
    project = read_project(Path.cwd())
    manner, given = Manner.of(ctx), stated(ctx)
    earlier = read_earlier(previous)
    loaded = overridden(ctx.with_resource(spec_of(earlier, spec, project)), given)
    choice = Choice(select, exclude)
    plan = planned_rerun(
        loaded, earlier, choice, mode, reingest=reingest, allow_changes=allow_changes
    )
    if dry_run:
        write_plan(loaded, plan, as_json=manner.as_json)
        return None
    settings = run_settings(project.settings, given)
    return carry_out(loaded, plan, output, settings, given, manner, force=force)
