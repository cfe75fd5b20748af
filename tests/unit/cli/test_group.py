from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from taskgraph.cli import group

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=60
    )


def test_help_loads_no_engine_no_frames_and_no_network() -> None:
    asked = "import sys; from taskgraph import cli; sys.argv = ['taskgraph', '--help']\n"
    told = "try: cli.main()\nfinally: print(*sys.modules, file=sys.stderr)"
    ended = run("-c", asked + told)
    loaded = {name.partition(".")[0] for name in ended.stderr.split()}
    assert ended.returncode == 0
    assert "click" in loaded
    assert not loaded & {"duckdb", "polars", "httpx", "rich", "openpyxl", "pyarrow", "asyncio"}


def test_package_runs_as_a_module() -> None:
    ended = run("-m", "taskgraph", "--version")
    assert ended.stdout == f"taskgraph, version {version('taskgraph-duckdb')}\n"


def test_both_commands_of_the_package_are_this_one() -> None:
    scripts = tomllib.loads(PYPROJECT.read_text())["project"]["scripts"]
    assert scripts == {"taskgraph": "taskgraph.cli:main", "tg": "taskgraph.cli:main"}


@pytest.mark.parametrize("command", sorted(group.commands))
def test_every_listed_command_is_there_and_has_help(command: str) -> None:
    listing = CliRunner().invoke(group, ["--help"]).stdout
    result = CliRunner().invoke(group, [command, "--help"])
    assert re.search(rf"^  {command} +\w", listing, re.MULTILINE)
    assert result.exit_code == 0
    assert f"Usage: taskgraph {command} [OPTIONS]" in result.stdout
    assert "TASKGRAPH_" in result.stdout or command == "stop"  # which has no option


def test_mistyped_command_is_a_usage_error_with_the_nearest() -> None:
    result = CliRunner().invoke(group, ["shwo"])
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr
    assert "show" in result.stderr


def test_shell_completes_commands_and_their_options() -> None:
    asked = {"_TASKGRAPH_COMPLETE": "bash_complete", "COMP_WORDS": "taskgraph show --tr"}
    told = CliRunner().invoke(group, [], prog_name="taskgraph", env={**asked, "COMP_CWORD": "2"})
    assert told.stdout == "plain,--trace\n"
