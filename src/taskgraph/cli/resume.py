"""`taskgraph resume`: an unfinished run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from taskgraph.cli.conduct import FILE, Manner, conduct, manner_options
from taskgraph.cli.earlier_spec import spec_of
from taskgraph.cli.ending import ExitCode
from taskgraph.cli.models import planned_service, recorded_model
from taskgraph.cli.project import Project, read_project
from taskgraph.cli.settings import (
    overridden,
    overrides,
    resume_settings_options,
    stated,
)
from taskgraph.errors import SettingsError, WorkspaceError
from taskgraph.loader import load_spec
from taskgraph.output import output_path, partial_path, resume_command
from taskgraph.plan import changed_nodes, plan_resume
from taskgraph.provenance import texts_from_json, texts_of
from taskgraph.recorded import Recorded
from taskgraph.runner import read_unfinished, resume
from taskgraph.spec import Spec

DEFAULT_FOLDER = Path("runs")
_MOST_CHANGES = 5


@click.command("resume")
@click.argument("output", type=FILE, required=False)
# Not from the environment: TASKGRAPH_SPEC says which spec `run` runs.
@click.option(
    "--spec",
    "-s",
    help="`current`: the spec as it is; `recorded`: as it was; or where it is now.",
    show_default="current, unless it has changed",
)
@resume_settings_options
@manner_options
@click.pass_context
def command(ctx: click.Context, output: Path | None, spec: str | None, **_others: Any) -> ExitCode:
    """Go on with an unfinished or failed run.

    OUTPUT is the file that the run was to write; without it, the only unfinished one in runs/.
    What has passed stays, interrupted agents go on with their conversations, and what has failed
    is tried again. The settings are those of the run, unless a flag says otherwise.
    """
    project = read_project(Path.cwd())
    output = output_path(output) if output else _only_unfinished(DEFAULT_FOLDER)
    recorded = read_unfinished(output)
    if spec == "recorded":
        kept = _Unfinished(_file_of(output), recorded.meta)
        loaded = ctx.with_resource(spec_of(kept, None, project))
    else:
        loaded = _spec(spec, output, recorded, project)
    return go_on(loaded, output, recorded, stated(ctx), Manner.of(ctx))


def go_on(
    spec: Spec, output: Path, recorded: Recorded, given: Mapping[str, Any], manner: Manner
) -> ExitCode:
    """Resumes a run with its own settings, except for those that are given."""
    earlier = recorded.identity.settings
    firm = overrides([*given, *earlier.overrides])
    settings = replace(earlier, **given, overrides=firm)
    spec = overridden(spec, firm)
    plan = plan_resume(spec, recorded)
    open_service = planned_service(spec, plan, settings, manner, recorded_model(manner))
    work = resume(spec, output, settings, open_service=open_service, emit=manner.listener)
    return conduct(work, manner)


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """A file that keeps the spec of its run."""

    path: Path
    meta: Mapping[str, str]


def _file_of(output: Path) -> Path:
    partial = partial_path(output)
    return partial if partial.exists() else output


def unfinished_in(folder: Path) -> list[Path]:
    """Returns the outputs of all unfinished runs in a folder."""
    return sorted(output_path(path) for path in folder.glob("*.db.partial"))


def demand_unchanged(spec: Spec, output: Path, meta: Mapping[str, str]) -> None:
    """Makes sure that a spec is the one that the run began with.

    Raises:
        SettingsError: it is not, and the person has to say which one is meant.
    """
    if texts_of(spec) != texts_from_json(meta["spec"]):
        raise _asks_which(spec, output, meta)


def _only_unfinished(folder: Path) -> Path:
    found = unfinished_in(folder)
    if len(found) == 1:
        return found[0]
    if not found:
        raise WorkspaceError(
            f"there is no unfinished run in {str(folder)!r}",
            hint="Name the file that the run was to write: taskgraph resume OUTPUT.",
        )
    commands = "\n  ".join(map(resume_command, found))
    raise WorkspaceError(
        f"there are {len(found)} unfinished runs in {str(folder)!r}",
        hint=f"Say which:\n  {commands}",
    )


def _spec(choice: str | None, output: Path, recorded: Recorded, project: Project) -> Spec:
    origin: Mapping[str, Any] = json.loads(recorded.meta["spec"])
    named = choice if choice not in (None, "current", "recorded") else None
    target: str | None = named or origin["module"] or origin["file"]
    if target is None:
        raise WorkspaceError(f"the spec of {str(output)!r} was built in memory: resume it there")
    try:
        spec = _load(target, project)
    except SettingsError as error:
        if named:
            raise
        command = resume_command(output)
        raise SettingsError(
            str(error),
            hint=f"Say where it is now: {command} --spec FILE. Or go on with the text that the run "
            f"has kept: {command} --spec recorded.",
        ) from error
    if choice is None:
        demand_unchanged(spec, output, recorded.meta)
    return spec


def _load(target: str, project: Project) -> Spec:
    """Loads the spec from where the person is, or else from the project's folder."""
    try:
        return load_spec(target, directory=Path.cwd())
    except SettingsError:
        if project.directory == Path.cwd():
            raise
        return load_spec(target, directory=project.directory)


def _asks_which(spec: Spec, output: Path, meta: Mapping[str, str]) -> SettingsError:
    changed = changed_nodes(spec, meta)
    shown = ", ".join(changed[:_MOST_CHANGES]) + (", ..." if len(changed) > _MOST_CHANGES else "")
    what = f"defined otherwise: {shown}" if changed else "no node is defined otherwise"
    command = resume_command(output)
    return SettingsError(
        f"the spec has changed since the run began ({what})",
        hint=f"Run what has changed, and all that depends on it, again: {command} --spec current. "
        f"Or go on as it was: {command} --spec recorded.",
    )
