"""The command line: parse, call, render.

This module imports nothing heavy, so that `--help` and a mistyped command answer at once: a
command's own module is imported when the command is used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from taskgraph.cli import ending
from taskgraph.cli.project import load_dotenv
from taskgraph.errors import InternalError, TaskgraphError

_COMMANDS = {
    "init": "Start a project: a spec that runs at once, its data, and the guide.",
    "run": "Run a spec and write its .db file.",
    "rerun": "Run an earlier .db again: next month, or with another spec.",
    "plan": "Say what a run or a rerun would do, and why.",
    "resume": "Go on with an unfinished or failed run.",
    "stop": "End a live run in good order; resume goes on.",
    "record": "Write a run's model answers as text, for --replay.",
    "show": "Show a spec's graph, or what is in a .db file.",
    "sql": "Ask a .db file in SQL, also while its run goes on.",
    "report": "Write what is in a .db file as one HTML page.",
    "eval": "Score models: runs of a spec against tables of gold.",
    "diff": "Show what differs between two .db files.",
    "extract-spec": "Write the spec that a .db was made from.",
    "inspect-xlsx": "Look into a workbook: sheets, tables, formulas.",
}
"""Command to short help. A command lives in the module of its name, as `command`."""


class _Group(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, _imported(name) if name else listed, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            code = super().invoke(ctx)
        except InternalError:
            raise
        except TaskgraphError as error:
            code = ending.tell(error)
        except (KeyboardInterrupt, click.Abort):
            code = ending.tell_interrupted()
        ctx.exit(code or 0)  # a command that returns nothing has done its work


def _imported(name: str) -> click.Command:
    return import_module(f"taskgraph.cli.{name.replace('-', '_')}").command


@click.group(
    "taskgraph",
    cls=_Group,
    commands={name: click.Command(name, help=text) for name, text in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 passed, 1 a node or an export failed, 2 usage or spec error, "
    "3 stopped at a limit, 130 interrupted.",
)
@click.version_option(None, "--version", package_name="taskgraph-duckdb", prog_name="taskgraph")
def group() -> None:
    """Run graphs of SQL and LLM nodes inside one DuckDB file."""
    load_dotenv()


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    sys.excepthook = ending.report_bug
    group(prog_name="taskgraph")
