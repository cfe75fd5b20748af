"""`taskgraph record`: a run's model answers as text that belongs into a repository."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from taskgraph.cli.conduct import FILE
from taskgraph.cli.ending import write_line
from taskgraph.cli.settings import option
from taskgraph.errors import WorkspaceError
from taskgraph.llm.recording import demand_new, write_recording
from taskgraph.playback import recording_of
from taskgraph.wording import counted


@click.command("record")
@click.argument("file", type=FILE)
@click.argument("recording", type=FILE)
@option("force", "-f", is_flag=True, help="Replace an existing recording.")
def command(file: Path, recording: Path, *, force: bool) -> None:
    """Write what the models said in a run as text.

    FILE is a run's .db. RECORDING gets a line of JSON for each answer: what the model said, and
    hashes of what it was asked. It holds no key, no path, no data but what the model repeats, and
    `run --replay RECORDING` runs from it.
    """
    read = recording_of(file)
    answers = [call.node for call in read.calls if call.answer]
    if not answers:
        raise WorkspaceError(f"no model has answered in {str(file)!r}: there is nothing to record")
    if not force:
        demand_new(recording)
    write_recording(read, recording)
    nodes = len(set(answers))
    write_line(
        f"{recording}: {counted(len(answers), 'answer')} of {counted(nodes, 'node')}", sys.stdout
    )
