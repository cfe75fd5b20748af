from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from taskgraph.cli import group
from taskgraph.testing import FakeOpenRouter

GOOD = """
NODES = [
    {"name": "orders", "source": [{"id": 1, "amount": 5.0}, {"id": 2, "amount": 7.5}]},
    {
        "name": "sums",
        "depends_on": ["orders"],
        "sql": "CREATE VIEW sums_all AS SELECT sum(amount) AS amount FROM orders",
        "validate": {"some": "SELECT 'warn' AS status, 'only a few' AS message"},
    },
]
"""
BAD_CHECK = GOOD.replace("'warn'", "'fail'")
BAD_EXPORT = GOOD + "EXPORTS = {'out.csv': lambda connection, path: 1 / 0}\n"
BAD_SPEC = GOOD.replace('"depends_on": ["orders"]', '"depends_on": ["order"]')
PROMPT = """
NODES = [
    {"name": "orders", "source": [{"id": 1, "amount": 5.0}]},
    {
        "name": "sums",
        "depends_on": ["orders"],
        "prompt": "Add up the orders.",
        "output_columns": {"sums_all": ["amount"]},
    },
]
"""
ANSWER = "CREATE VIEW sums_all AS SELECT sum(amount) AS amount FROM orders"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(spec: str, *arguments: str, **environment: str | None) -> Result:
    Path("spec.py").write_text(spec)
    return CliRunner().invoke(group, ["run", "-s", "spec.py", *arguments], env=environment)


def rows(file: str, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(file, read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_passing_run_writes_the_file_and_its_path(folder: Path) -> None:
    result = run(GOOD, "-o", "out.db")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "out.db\n"
    assert rows("out.db", "SELECT amount FROM sums_all") == [(12.5,)]
    lines = result.stderr.splitlines()
    assert lines[:4] == [
        "1 of 2 START source orders",
        lines[1],
        "2 of 2 START sql    sums",
        lines[3],
    ]
    assert lines[1].startswith("1 of 2 PASS  source orders  2 rows  ")
    assert lines[3].startswith("2 of 2 WARN  sql    sums    1 row  ")
    assert lines[4] == "    warn some: only a few"
    assert lines[-1].startswith("Done. PASS=1 WARN=1 FAIL=0 SKIP=0 REUSE=0 TOTAL=2  ")
    assert lines[-1].endswith("   out.db")


def test_output_is_named_after_the_spec_and_the_time(folder: Path) -> None:
    result = run(GOOD)
    (written,) = (folder / "runs").iterdir()
    assert result.stdout == f"runs/{written.name}\n"
    assert written.match("spec_2[0-9][0-9][0-9][01][0-9][0-3][0-9]_[0-2]*.db")


def test_environment_states_options() -> None:
    result = run(GOOD, TASKGRAPH_OUTPUT="env.db", TASKGRAPH_QUIET="1")
    assert (result.stdout, result.stderr) == ("env.db\n", "")


def test_dotenv_states_options_and_the_key(folder: Path) -> None:
    (folder / ".env").write_text(
        "TASKGRAPH_OUTPUT=dotenv.db\nOPENROUTER_API_KEY='curly \u201ckey'\n"
    )
    assert run(GOOD).stdout == "dotenv.db\n"
    assert "the API key for openrouter.ai has a character" in run(PROMPT).stderr


FAILING = {
    "check": (BAD_CHECK, "fail some: 1 row\n    only a few\n"),
    "export": (BAD_EXPORT, "out.csv"),
}


@pytest.mark.parametrize(("spec", "message"), FAILING.values(), ids=FAILING)
@pytest.mark.parametrize("quiet", [(), ("-q",)], ids=["lines", "quiet"])
def test_failure_ends_with_one_and_keeps_the_file(
    spec: str, message: str, quiet: tuple[str, ...]
) -> None:
    result = run(spec, "-o", "out.db", *quiet)
    assert result.exit_code == 1
    assert message in result.stderr
    assert Path("out.db").exists()


def test_failed_node_names_the_command_that_looks_deeper() -> None:
    result = run(BAD_CHECK, "-o", "out.db")
    (line,) = [line for line in result.stderr.splitlines() if "look:" in line]
    _, _, command = line.partition("taskgraph ")
    shown = CliRunner().invoke(group, command.split())
    assert shown.exit_code == 0
    assert "only a few" in shown.stdout


def test_wrong_spec_ends_with_two_before_anything_runs() -> None:
    result = run(BAD_SPEC, "-o", "out.db")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: 1 problem in spec ")
    assert "did you mean 'orders'?" in result.stderr
    assert not list(Path().glob("out.db*"))


def test_existing_output_is_only_replaced_by_force() -> None:
    run(GOOD, "-o", "out.db")
    before = Path("out.db").stat().st_mtime_ns
    refused = run(GOOD, "-o", "out.db")
    assert refused.exit_code == 2
    assert "exists" in refused.stderr
    assert "--force" in refused.stderr
    assert Path("out.db").stat().st_mtime_ns == before
    assert run(GOOD, "-o", "out.db", "--force").exit_code == 0
    assert Path("out.db").stat().st_mtime_ns != before


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2)])
def test_on_a_terminal_the_person_is_asked(answer: str, code: int, folder: Path) -> None:
    run(GOOD, "-o", "out.db")
    person, terminal = pty.openpty()
    os.write(person, f"{answer}\n".encode())
    ended = subprocess.run(
        [sys.executable, "-m", "taskgraph", "run", "-s", "spec.py", "-o", "out.db"],
        stdin=terminal,
        stderr=terminal,
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(terminal)
    assert b"out.db exists. Replace it? [y/N]" in os.read(person, 1_000_000)
    assert ended.returncode == code
    os.close(person)


def test_json_writes_events_and_done_to_stdout() -> None:
    result = run(GOOD, "-o", "out.db", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.stderr == ""
    assert events[0]["event"] == "run_started"
    assert {event["schema_version"] for event in events} == {1}
    done = events[-1]
    assert (done["event"], done["exit_code"], done["output"]) == ("done", 0, "out.db")
    ended = [event["node"] for event in events if event["event"] == "node_ended"]
    assert ended == ["orders", "sums"]


def test_json_tells_the_exit_code_of_a_failure() -> None:
    result = run(BAD_CHECK, "-o", "out.db", "--json")
    assert result.exit_code == json.loads(result.stdout.splitlines()[-1])["exit_code"] == 1


def test_reader_that_goes_away_does_not_end_the_run(folder: Path) -> None:
    run(GOOD)
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "taskgraph", "run", "-s", "spec.py", "-o", "out.db", "--json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert rows("out.db", "SELECT amount FROM sums_all") == [(12.5,)]


def test_missing_key_is_an_error_before_anything_runs() -> None:
    result = run(PROMPT, "-o", "out.db")
    assert result.exit_code == 2
    assert "OPENROUTER_API_KEY" in result.stderr
    assert not list(Path().glob("out.db*"))


def test_key_is_never_shown() -> None:
    result = run(PROMPT, "-o", "out.db", OPENROUTER_API_KEY="sk-or-v1-secret\u2019quote")
    assert result.exit_code == 2
    assert "secret" not in result.output


def test_wrong_address_is_an_error_before_anything_runs() -> None:
    result = run(PROMPT, "-o", "out.db", "--base-url", "localhost:11434/v1")
    assert result.exit_code == 2
    assert "Did you mean http://localhost:11434/v1?" in result.stderr


def test_replay_and_record_exclude_one_another() -> None:
    result = run(PROMPT, "--replay", "a.jsonl", "--record", "b.jsonl")
    assert result.exit_code == 2
    assert "exclude one another" in result.stderr


def test_prompt_node_is_recorded_live_and_replayed_without_key_or_network() -> None:
    with FakeOpenRouter() as server:
        server.agent("sums").call(("run_sql", {"sql": ANSWER})).reply("Done.")
        live = run(
            PROMPT,
            *("-o", "live.db", "--record", "model.jsonl", "--base-url", server.base_url),
            OPENROUTER_API_KEY="sk-or-v1-test",
        )
    assert live.exit_code == 0, live.stderr
    replayed = run(PROMPT, "-o", "replayed.db", "--replay", "model.jsonl")
    assert replayed.exit_code == 0, replayed.stderr
    for file in ("live.db", "replayed.db"):
        assert rows(file, "SELECT amount FROM sums_all") == [(5.0,)]


def test_project_states_spec_address_and_settings(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(
        "[tool.taskgraph]\nspec = 'graphs.sales'\nmax_concurrency = 3\n"
    )
    (folder / "graphs").mkdir()
    (folder / "graphs" / "sales.py").write_text(GOOD)
    result = CliRunner().invoke(group, ["run", "-o", "out.db"])
    assert result.exit_code == 0, result.stderr
    query = "SELECT value FROM _workspace_meta WHERE key = 'node_max_concurrency'"
    assert rows("out.db", query) == [("3",)]
