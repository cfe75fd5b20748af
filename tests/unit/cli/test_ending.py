from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from taskgraph import errors
from taskgraph.cli.ending import ExitCode, exit_code, run_exit_code, tell, write_line
from taskgraph.errors import SettingsError, TaskgraphError
from taskgraph.events import RunEnded

CODES: dict[type[TaskgraphError], ExitCode] = {
    errors.SpecError: ExitCode.USAGE,
    errors.SettingsError: ExitCode.USAGE,
    errors.OutputError: ExitCode.USAGE,
    errors.WorkspaceError: ExitCode.USAGE,
    errors.IngestError: ExitCode.FAILED,
    errors.AgentFailed: ExitCode.FAILED,
    errors.ModelRejected: ExitCode.FAILED,
    errors.NodeLimit: ExitCode.STOPPED,
    errors.RunLimit: ExitCode.STOPPED,
    errors.AuthenticationFailed: ExitCode.USAGE,
    errors.WrongEndpoint: ExitCode.USAGE,
    errors.InternalError: ExitCode.FAILED,
}


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_error_has_its_exit_code(kind: type[TaskgraphError]) -> None:
    error = errors.SpecError("x", ()) if kind is errors.SpecError else kind("it is wrong")
    assert exit_code(error) == CODES[kind]


@pytest.mark.parametrize(
    ("status", "code"), [("passed", 0), ("failed", 1), ("stopped", 3), ("interrupted", 130)]
)
def test_run_has_its_exit_code(status: str, code: int) -> None:
    assert run_exit_code(RunEnded("x.db", status, (), 0.0)) == code  # type: ignore[arg-type]


def test_error_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(SettingsError("max_cost is 0", hint="Give it more.")) == 2
    assert capsys.readouterr() == ("", "Error: max_cost is 0\nHint: Give it more.\n")


def test_error_without_a_hint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell(SettingsError("max_cost is 0"))
    assert capsys.readouterr().err == "Error: max_cost is 0\n"


def test_reader_that_went_away_is_no_error() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        os.close(reading)
        write_line("one", stream)
        write_line("two", stream)
        stream.write("three")  # what closing flushes must not fail either


def test_bug_is_told_in_two_lines_and_its_traceback_kept(tmp_path: Path) -> None:
    broken = (
        "import click; from taskgraph import cli;"
        "cli.group.add_command(click.Command('broken')); cli.main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", broken, "broken"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    missing = "No module named 'taskgraph.cli.broken'"
    (kept,) = tmp_path.iterdir()
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"Error: this is a bug in Taskgraph: ModuleNotFoundError: {missing}",
        f"Hint: please report it with the traceback in {kept}",
    ]
    assert "Traceback (most recent call last)" in kept.read_text()
