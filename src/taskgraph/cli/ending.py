"""How a command ends: every exit code, and what a person is told about an error."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import IO

import click

from taskgraph.errors import LimitReached, RunError, TaskgraphError, UserError
from taskgraph.events import RunEnded


class ExitCode(IntEnum):
    """What a shell, a script or a CI job is told."""

    PASSED = 0
    """Every node and export passed; warnings are allowed."""
    FAILED = 1
    """A node or an export failed, or Taskgraph has a bug."""
    USAGE = 2
    """An option, the spec or a file is wrong; nothing has run. click's own code too."""
    STOPPED = 3
    """A budget or a limit was reached, or the service refused everybody: resumable."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM; 128 + SIGINT, as shells have it."""


_OF_A_RUN = {
    "passed": ExitCode.PASSED,
    "failed": ExitCode.FAILED,
    "stopped": ExitCode.STOPPED,
    "interrupted": ExitCode.INTERRUPTED,
}


def exit_code(error: TaskgraphError) -> ExitCode:
    """Returns the exit code of a command that ended with this error."""
    match error:
        # In the middle of a run, a RunError stops the run; what is raised had nothing to stop.
        case UserError() | RunError():
            return ExitCode.USAGE
        case LimitReached():
            return ExitCode.STOPPED
        case _:
            return ExitCode.FAILED


def run_exit_code(ended: RunEnded) -> ExitCode:
    """Returns the exit code of a run that ended this way."""
    return _OF_A_RUN[ended.status]


def tell(error: TaskgraphError) -> ExitCode:
    """Writes the error and what to do about it, and returns the exit code."""
    click.echo(f"Error: {error}", err=True)
    if error.hint:
        click.echo(f"Hint: {error.hint}", err=True)
    return exit_code(error)


def tell_interrupted() -> ExitCode:
    """Writes that a person stopped the command before it had anything to keep."""
    click.echo("Interrupted.", err=True)
    return ExitCode.INTERRUPTED


def report_bug(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Tells of an exception that nothing foresaw, and keeps its traceback in a file.

    Made for `sys.excepthook`: the interpreter then exits with code 1.
    """
    if not issubclass(kind, Exception):
        sys.__excepthook__(kind, error, trace)
        return
    handle, path = tempfile.mkstemp(prefix="taskgraph-bug-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    first_line = str(error).partition("\n")[0]
    click.echo(f"Error: this is a bug in Taskgraph: {kind.__name__}: {first_line}", err=True)
    click.echo(f"Hint: please report it with the traceback in {path}", err=True)


def write_line(line: str, stream: IO[str], *, color: bool | None = None) -> None:
    """Writes a line; a reader that went away is no reason to end a run that costs money."""
    try:
        click.echo(line, file=stream, color=color)
    except BrokenPipeError:
        _mute(stream)


def _mute(stream: IO[str]) -> None:
    # The way of Python's own manual: else the interpreter's last flush fails once more.
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
