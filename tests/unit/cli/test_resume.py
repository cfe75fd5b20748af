from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from taskgraph.cli import group
from taskgraph.testing import FakeOpenRouter

SPEC = """
from helper import ROWS

NODES = [
    {"name": "orders", "source": ROWS},
    {
        "name": "sums",
        "depends_on": ["orders"],
        "prompt": "Add up the orders.",
        "output_columns": {"sums_all": ["amount"]},
    },
]
"""
HELPER = "ROWS = [{'id': 1, 'amount': 5.0}]\n"
ANSWER = "CREATE VIEW sums_all AS SELECT sum(amount) AS amount FROM orders"
OTHER_PROMPT = SPEC.replace("Add up", "Sum")


def taskgraph(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(group, arguments, env=environment)


@pytest.fixture
def server() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter() as server:
        yield server


@pytest.fixture(autouse=True)
def stopped(server: FakeOpenRouter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that has used up its model calls, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-test")
    monkeypatch.setenv("TASKGRAPH_BASE_URL", server.base_url)
    Path("spec.py").write_text(SPEC)
    Path("helper.py").write_text(HELPER)
    server.agent("sums").call(("run_sql", {"sql": ANSWER})).reply("No more calls.")
    ended = taskgraph("run", "-s", "spec.py", "-o", "runs/out.db", "--max-iterations", "1")
    assert ended.exit_code == 3, ended.stderr
    assert ended.stderr.splitlines()[-1] == "Go on with: taskgraph resume runs/out.db"
    return Path("runs/out.db")


def amounts(file: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(file, read_only=True) as connection:
        return connection.execute("SELECT amount FROM sums_all").fetchall()


@pytest.mark.parametrize(
    "command",
    [
        ("resume",),
        ("resume", "runs/out.db"),
        ("resume", "runs/out.db.partial"),
        ("run", "--resume", "-s", "spec.py"),
        ("run", "--resume", "-s", "spec.py", "-o", "runs/out.db"),
    ],
    ids=" ".join,
)
def test_unfinished_run_goes_on(
    stopped: Path, server: FakeOpenRouter, command: tuple[str, ...]
) -> None:
    server.agent("sums").reply("Done.")
    ended = taskgraph(*command, "--max-iterations", "5")
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == "runs/out.db\n"
    assert ended.stderr.splitlines()[:2] == [
        "Going on: 1 of 2 have passed.",
        "2 of 2 START prompt sums",
    ]
    assert amounts(stopped) == [(5.0,)]


def test_settings_are_those_of_the_run() -> None:
    ended = taskgraph("resume")
    assert ended.exit_code == 3
    assert "all 1 model calls (max_iterations) are used" in ended.stderr


def test_server_is_that_of_the_run(server: FakeOpenRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TASKGRAPH_BASE_URL")
    monkeypatch.delenv("OPENROUTER_API_KEY")
    server.agent("sums").reply("Done.")
    ended = taskgraph("resume", "--max-iterations", "5")
    assert ended.exit_code == 0, ended.stderr


@pytest.mark.parametrize("said_by", ["flag", "environment"])
def test_server_is_another_one_if_that_is_said(said_by: str, server: FakeOpenRouter) -> None:
    there = len(server.agent("sums").seen)
    with FakeOpenRouter() as other:
        other.agent("sums").reply("Done.")
        flag = ("--base-url", other.base_url) if said_by == "flag" else ()
        environment = {} if flag else {"TASKGRAPH_BASE_URL": other.base_url}
        ended = taskgraph("resume", "--max-iterations", "5", *flag, **environment)
        assert ended.exit_code == 0, ended.stderr
        assert len(other.agent("sums").seen) == 1
    assert len(server.agent("sums").seen) == there


COMMANDS = (
    ("report", "runs/out.db"),
    ("plan", "runs/out.db"),
    ("rerun", "runs/out.db"),
    ("record", "runs/out.db", "answers.jsonl"),
    ("diff", "runs/out.db", "runs/out.db"),
    ("extract-spec", "runs/out.db", "old.py"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=[name for name, *_ in COMMANDS])
def test_who_needs_an_ended_run_is_told_to_go_on_with_it(command: tuple[str, ...]) -> None:
    ended = taskgraph(*command)
    assert ended.exit_code == 2
    assert "the run of 'runs/out.db' is unfinished" in ended.stderr
    assert "Go on with it: taskgraph resume runs/out.db." in ended.stderr


def test_without_unfinished_runs_a_run_begins_and_a_resume_has_nothing_to_do(
    stopped: Path, server: FakeOpenRouter
) -> None:
    server.agent("sums").reply("Done.")
    taskgraph("resume", "--max-iterations", "5")
    again = taskgraph("resume")
    assert again.exit_code == 2
    assert "there is no unfinished run in 'runs'" in again.stderr
    assert "nothing is left to do" in taskgraph("resume", str(stopped)).stderr
    server.reset()
    server.agent("sums").call(("run_sql", {"sql": ANSWER})).reply("Done.")
    assert taskgraph("run", "--resume", "-s", "spec.py", "-o", "new.db").exit_code == 0


def test_one_of_several_has_to_be_named(stopped: Path) -> None:
    Path("runs/a b.db.partial").write_bytes(b"")
    ended = taskgraph("resume")
    assert ended.exit_code == 2
    assert "there are 2 unfinished runs in 'runs'" in ended.stderr
    assert "taskgraph resume 'runs/a b.db'" in ended.stderr


def test_second_run_of_an_unfinished_output_is_told_to_resume(stopped: Path) -> None:
    ended = taskgraph("run", "-s", "spec.py", "-o", str(stopped))
    assert ended.exit_code == 2
    assert "taskgraph resume runs/out.db" in ended.stderr


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("spec.py", OTHER_PROMPT, "defined otherwise: sums"),
        ("spec.py", f"{SPEC}# done\n", "no node is defined otherwise"),
        ("helper.py", HELPER.replace("5", "6"), "no node is defined otherwise"),
    ],
    ids=["prompt", "comment", "helper"],
)
@pytest.mark.parametrize("command", [("resume",), ("run", "--resume", "-s", "spec.py")])
def test_person_is_asked_which_spec_is_meant_if_it_has_changed(
    file: str, text: str, what: str, command: tuple[str, ...]
) -> None:
    Path(file).write_text(text)
    ended = taskgraph(*command, "--max-iterations", "5")
    assert ended.exit_code == 2
    assert f"the spec has changed since the run began ({what})" in ended.stderr
    assert "taskgraph resume runs/out.db --spec current" in ended.stderr
    assert "taskgraph resume runs/out.db --spec recorded" in ended.stderr


def prompts(server: FakeOpenRouter) -> list[str]:
    return [str(seen.messages[1]["content"]) for seen in server.agent("sums").seen]


def test_recorded_spec_goes_on_where_it_stood(stopped: Path, server: FakeOpenRouter) -> None:
    Path("spec.py").write_text(OTHER_PROMPT)
    server.agent("sums").reply("Done.")
    ended = taskgraph("resume", "--spec", "recorded", "--max-iterations", "5")
    assert ended.exit_code == 0, ended.stderr
    assert "Add up the orders." in prompts(server)[-1]
    assert amounts(stopped) == [(5.0,)]


@pytest.mark.parametrize("name", ["current", "spec.py"])
def test_current_spec_begins_changed_nodes_anew(
    stopped: Path, server: FakeOpenRouter, name: str
) -> None:
    Path("spec.py").write_text(OTHER_PROMPT)
    server.reset()
    server.agent("sums").call(("run_sql", {"sql": ANSWER})).reply("Done.")
    ended = taskgraph("resume", "--spec", name, "--max-iterations", "5")
    assert ended.exit_code == 0, ended.stderr
    assert "Sum the orders." in prompts(server)[-1]
    assert amounts(stopped) == [(5.0,)]


def test_recorded_spec_cannot_be_had_without_what_it_imported() -> None:
    Path("spec.py").write_text(OTHER_PROMPT)
    Path("helper.py").write_text(HELPER.replace("5", "6"))
    ended = taskgraph("resume", "--spec", "recorded")
    assert ended.exit_code == 2
    assert "cannot be had as it was: what it imports from beside it has changed" in ended.stderr


def test_recorded_spec_needs_no_file_of_it(stopped: Path, server: FakeOpenRouter) -> None:
    Path("spec.py").write_text(SPEC.replace("from helper import ROWS", HELPER))
    server.reset()
    server.agent("sums").call(("run_sql", {"sql": ANSWER})).reply("No more.").reply("Done.")
    flags = ("-o", "alone.db", "--max-iterations", "1")
    assert taskgraph("run", "-s", "spec.py", *flags).exit_code == 3
    Path("spec.py").unlink()
    asked = taskgraph("resume", "alone.db", "--max-iterations", "5")
    assert (asked.exit_code, "--spec recorded" in asked.stderr) == (2, True)
    ended = taskgraph("resume", "alone.db", "--spec", "recorded", "--max-iterations", "5")
    assert ended.exit_code == 0, ended.stderr
    assert "Spec: spec.py is not there, so it is taken from alone.db.partial." in ended.stderr
    assert amounts(Path("alone.db")) == [(5.0,)]


def test_flags_of_the_run_still_go_before_what_nodes_say(server: FakeOpenRouter) -> None:
    Path("spec.py").write_text(SPEC.replace('"prompt":', '"model": "of/node", "prompt":'))
    server.reset()
    server.agent("sums").call(("run_sql", {"sql": ANSWER})).reply("No more.").reply("Done.")
    flags = ("-m", "of/flag", "--max-iterations", "1")
    assert taskgraph("run", "-s", "spec.py", "-o", "other.db", *flags).exit_code == 3
    assert taskgraph("resume", "other.db", "--max-iterations", "5").exit_code == 0
    assert {seen.model for seen in server.agent("sums").seen} == {"of/flag"}
