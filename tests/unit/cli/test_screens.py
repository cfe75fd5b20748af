"""What a person sees, at 80 and 120 columns, held against the files in tests/data/screens."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from screens import FOLDER, WIDTHS, assert_screen, make_run
from taskgraph.cli import group
from taskgraph.cli.console import PlainLines
from taskgraph.events import NodeEnded, NodeStarted, RunEnded, RunStarted
from taskgraph.report import read_report

SHOWN = {
    "show_run": ["out.db"],
    "show_failed_node": ["out.db", "--node", "match"],
    "show_checks": ["out.db", "-n", "clean"],
    "show_trace": ["out.db", "--trace", "-S", "totals", "-S", "classify"],
    "show_spec": ["spec.py"],
    "show_declared_node": ["spec.py", "-S", "match"],
}


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the spec has been run; the working directory of these tests."""
    path = tmp_path_factory.mktemp("screens")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        make_run(path)
        yield path


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SHOWN)
def test_what_show_prints(name: str, width: int) -> None:
    shown = CliRunner().invoke(group, ["show", *SHOWN[name]], env={"COLUMNS": str(width)})
    assert shown.exit_code == 0, shown.output
    assert_screen(name, width, shown.stdout)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_run_prints_without_a_terminal(width: int) -> None:
    outcomes = read_report(Path("out.db")).outcomes
    lines: list[str] = []
    listen = PlainLines(lines.append, width)
    listen(RunStarted("out.db", tuple((one.node, one.kind) for one in outcomes)))
    for outcome in outcomes:
        if outcome.started_at:
            listen(NodeStarted(outcome.node, outcome.kind))
        listen(NodeEnded(outcome))
    listen(RunEnded("out.db", "failed", outcomes, 9876.0))
    assert_screen("run", width, "\n".join(lines) + "\n")


def test_commands_that_look_deeper_work() -> None:
    report = (FOLDER / "run_80.txt").read_text(encoding="utf-8")
    commands = re.findall(r"^ +(?:look: )?taskgraph (.+)$", report, re.MULTILINE)
    by_kind = {command.split()[0]: command for command in commands}
    assert by_kind.keys() == {"show", "sql"}
    for command in by_kind.values():
        looked = CliRunner().invoke(group, shlex.split(command))
        assert looked.exit_code == 0, f"{command}\n{looked.output}"


def test_readme_shows_what_a_run_prints() -> None:
    readme = (FOLDER.parents[2] / "README.md").read_text(encoding="utf-8")
    [failure] = re.findall(r"^```\n(── FAIL .*?)^```", readme, re.DOTALL | re.MULTILINE)
    assert failure in (FOLDER / "run_80.txt").read_text(encoding="utf-8")
