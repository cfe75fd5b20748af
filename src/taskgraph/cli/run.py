"""`taskgraph run`: a spec becomes a `.db`."""

from __future__ import annotations

import dataclasses
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from taskgraph.cli.console import PlainLines, failures_only, file_of
from taskgraph.cli.ending import ExitCode, run_exit_code, write_line
from taskgraph.cli.interrupt import run_interruptibly
from taskgraph.cli.json_lines import json_lines
from taskgraph.cli.models import service
from taskgraph.cli.project import read_project
from taskgraph.cli.settings import (
    option,
    overridden,
    run_settings,
    run_settings_options,
    spec_option,
    stated,
)
from taskgraph.cli.specs import load_project_spec
from taskgraph.cli.text import wants_color
from taskgraph.events import Emit
from taskgraph.llm.recording import RecordedModel
from taskgraph.output import partial_path
from taskgraph.runner import run
from taskgraph.settings import DEFAULT_BASE_URL, LEAST_THREADS
from taskgraph.spec import SpecOrigin

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("run")
@spec_option
@option("output", "-o", type=_FILE, help="File to write.", show_default="runs/<spec>_<UTC>.db")
@run_settings_options
@option("base-url", help="Any server of chat completions.", show_default=DEFAULT_BASE_URL)
@option("replay", type=_FILE, help="Answer from this recording: no key, no network.")
@option("record", type=_FILE, help="Write the model's answers into this recording.")
@option("quiet", "-q", is_flag=True, help="Tell of failures only.")
@option("force", "-f", is_flag=True, help="Replace an existing output.")
@option("json", "as_json", is_flag=True, help="Write the events to stdout as JSON lines.")
@click.pass_context
def command(
    ctx: click.Context,
    spec: str | None,
    output: Path | None,
    base_url: str | None,
    replay: Path | None,
    record: Path | None,
    *,
    quiet: bool,
    force: bool,
    as_json: bool,
    **_settings: Any,
) -> ExitCode:
    """Run a spec and write its .db file.

    Progress and messages go to stderr. To stdout goes the path of the .db, unless that is a
    terminal, which has it in the progress already; with --json, the events.
    """
    if replay and record:
        raise click.UsageError("--replay and --record exclude one another.")
    project = read_project(Path.cwd())
    given = stated(ctx)
    settings = run_settings(project.settings, given)
    loaded = overridden(load_project_spec(spec, project), given)
    recorded = RecordedModel(replay) if replay else None
    if settings.threads is None and (recorded or record):
        settings = dataclasses.replace(settings, threads=_threads(recorded))
    open_service = service(
        loaded,
        settings,
        base_url=base_url or project.base_url or DEFAULT_BASE_URL,
        recorded=recorded,
        record=record,
    )
    output = output or _default_output(loaded.origin)
    emit = _listener(quiet=quiet, as_json=as_json)
    ended = run_interruptibly(
        run(
            loaded,
            output,
            settings,
            open_service=open_service,
            emit=emit,
            replace=force or _may_replace(output),
        )
    )
    if ended is None:
        return ExitCode.INTERRUPTED
    if not as_json and (quiet or not sys.stdout.isatty()):
        write_line(str(file_of(ended)), sys.stdout)
    return run_exit_code(ended)


def _threads(recorded: RecordedModel | None) -> int:
    """As many as the recorded run had, for they decide about the order of rows; else all cores."""
    return recorded.threads if recorded else max(LEAST_THREADS, os.cpu_count() or LEAST_THREADS)


def _default_output(origin: SpecOrigin) -> Path:
    name = (origin.module or Path(origin.file or "spec").stem).rpartition(".")[2]
    return Path("runs", f"{name}_{datetime.now(UTC):%Y%m%d_%H%M%S}.db")


def _may_replace(output: Path) -> bool:
    """Asks, where there is something to lose and somebody to ask."""
    in_the_way = [path for path in (output, partial_path(output)) if path.exists()]
    if not in_the_way or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return click.confirm(f"{' and '.join(map(str, in_the_way))} exists. Replace it?", err=True)


def _listener(*, quiet: bool, as_json: bool) -> Emit:
    if as_json:
        return json_lines(lambda line: write_line(line, sys.stdout))
    color = wants_color(sys.stderr)

    def write(line: str) -> None:
        write_line(line, sys.stderr, color=color)

    return failures_only(write) if quiet else PlainLines(write)
