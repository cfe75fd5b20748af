"""`taskgraph plan`: what a run or a rerun would do with each node, and why."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from taskgraph.cli.conduct import FILE
from taskgraph.cli.earlier_spec import spec_of
from taskgraph.cli.ending import write_line
from taskgraph.cli.planning import (
    Choice,
    plan_json,
    plan_lines,
    planned_rerun,
    planned_run,
    rerun_options,
    selection_options,
)
from taskgraph.cli.project import read_project
from taskgraph.cli.settings import option
from taskgraph.cli.specs import load_project_spec
from taskgraph.cli.text import wants_color
from taskgraph.earlier import read_earlier
from taskgraph.plan import Plan
from taskgraph.spec import Spec


@click.command("plan")
@click.argument("previous", type=FILE, required=False)
@click.option("--spec", "-s", help="Module or file.", show_default="as run, or rerun, has it")
@selection_options
@option("from", "origin", type=FILE, help="Without PREVIOUS: a .db with what is not selected.")
@rerun_options
@option("json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    previous: Path | None,
    spec: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    origin: Path | None,
    *,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Say what would happen to each node, and why, without running anything.

    PREVIOUS is the .db that `rerun` would start from; without it, the plan is that of `run`.
    """
    choice = Choice(select, exclude)
    project = read_project(Path.cwd())
    if previous is None:
        loaded = load_project_spec(spec, project)
        write_plan(loaded, planned_run(loaded, choice, origin), as_json=as_json)
        return
    earlier = read_earlier(previous)
    loaded = ctx.with_resource(spec_of(earlier, spec, project))
    write_plan(loaded, planned_rerun(loaded, earlier, choice, **wishes), as_json=as_json)


def write_plan(spec: Spec, plan: Plan, *, as_json: bool) -> None:
    """Writes a plan to stdout."""
    color = wants_color(sys.stdout)
    lines = [json.dumps(plan_json(spec, plan), indent=2)] if as_json else plan_lines(spec, plan)
    for line in lines:
        write_line(line, sys.stdout, color=color)
