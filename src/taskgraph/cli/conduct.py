"""What `run` and `resume` have in common: who answers, who listens, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from taskgraph.cli.console import PlainLines, failures_only, file_of
from taskgraph.cli.ending import ExitCode, run_exit_code, write_line
from taskgraph.cli.github import annotation_lines, in_github, write_summary
from taskgraph.cli.interrupt import run_interruptibly
from taskgraph.cli.json_lines import json_lines
from taskgraph.cli.settings import option
from taskgraph.cli.text import wants_color
from taskgraph.cli.width import width_of
from taskgraph.events import Emit, RunEnded
from taskgraph.report import RunReport, read_report

Function = TypeVar("Function", bound=Callable[..., Any])

FILE: click.Path = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    option("replay", type=FILE, help="Answer from this .db or recording: no key, no network."),
    option(
        "on-divergence",
        type=click.Choice(["stop", "live"]),
        default="stop",
        help="What a node does once the recording does not fit.",
    ),
    option("no-llm", is_flag=True, help="Ask no model, whatever happens."),
    option("record", type=FILE, help="Write the model's answers into this recording."),
    option("quiet", "-q", is_flag=True, help="Tell of failures only."),
    option("json", "as_json", is_flag=True, help="Write the events to stdout as JSON lines."),
    option("junit", type=FILE, help="Write nodes and checks as JUnit XML."),
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a person wants a run to be carried out; nothing of it changes what comes out."""

    replay: Path | None
    on_divergence: Literal["stop", "live"]
    no_llm: bool
    record: Path | None
    quiet: bool
    as_json: bool
    junit: Path | None

    @classmethod
    def of(cls, ctx: click.Context) -> Manner:
        """Reads it from a command's options.

        Raises:
            click.UsageError: two of them exclude one another.
        """
        given = ctx.params
        if given["replay"] and given["record"]:
            raise click.UsageError(
                "--replay and --record exclude one another: `taskgraph record` makes a recording "
                "of the finished run."
            )
        return cls(
            replay=given["replay"],
            on_divergence=given["on_divergence"],
            no_llm=given["no_llm"],
            record=given["record"],
            quiet=given["quiet"],
            as_json=given["as_json"],
            junit=given["junit"],
        )

    @property
    def listener(self) -> Emit:
        """What tells a person, or a program, of the run."""
        if self.as_json:
            return json_lines(lambda line: write_line(line, sys.stdout))
        color = wants_color(sys.stderr)

        def write(line: str) -> None:
            write_line(line, sys.stderr, color=color)

        if color and not self.quiet:
            return _live()
        width = width_of(sys.stderr)
        return failures_only(write, width) if self.quiet else PlainLines(write, width)


def _live() -> Emit:
    """Returns the live view; the terminal is left in order however the command ends."""
    from taskgraph.cli.live import live_view  # noqa: PLC0415  # rich is for terminals only

    view = live_view()
    click.get_current_context().call_on_close(view.close)
    return view


def manner_options(function: Function) -> Function:
    """Gives a command the options that say how to carry out a run."""
    for add in reversed(_OPTIONS):
        function = add(function)
    return function


def conduct(work: Coroutine[Any, Any, RunEnded], manner: Manner) -> ExitCode:
    """Runs to the end or the first interruption, and writes where the file is."""
    ended = run_interruptibly(work)
    if ended is None:
        return ExitCode.INTERRUPTED
    if manner.junit or in_github():
        _tell_ci(read_report(file_of(ended)), manner)
    if not manner.as_json and (manner.quiet or not sys.stdout.isatty()):
        write_line(str(file_of(ended)), sys.stdout)
    return run_exit_code(ended)


def _tell_ci(report: RunReport, manner: Manner) -> None:
    if manner.junit:
        from taskgraph.cli.junit import write_junit  # noqa: PLC0415 - few runs need an XML library

        write_junit(report, manner.junit)
    if in_github():
        for line in annotation_lines(report):
            write_line(line, sys.stderr)
        write_summary(report)
