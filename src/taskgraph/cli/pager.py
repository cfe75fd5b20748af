"""Long texts on a terminal go through a pager, as git does it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable

import click

from taskgraph.cli.ending import write_line
from taskgraph.cli.text import wants_color


def write_paged(lines: Iterable[str]) -> None:
    """Writes to stdout: through $PAGER, or less, where it is a terminal that is too small."""
    color = wants_color(sys.stdout)
    told = list(lines)
    if sys.stdout.isatty() and len(told) >= shutil.get_terminal_size().lines:
        # As git: quit if all fits, keep colours, leave what was shown on the screen.
        os.environ.setdefault("LESS", "FRX")
        click.echo_via_pager((f"{line}\n" for line in told), color=color)
        return
    for line in told:
        write_line(line, sys.stdout, color=color)
