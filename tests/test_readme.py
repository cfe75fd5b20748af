"""The README is right: its commands run as printed, in its order, and its spec is a spec."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from running import rows_of
from taskgraph.llm.recording import read_recording
from taskgraph.loader import load_spec
from taskgraph.playback import recording_of

ROOT = Path(__file__).parent.parent
EXPENSES = ROOT / "examples" / "expenses"
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.removeprefix("$ ").partition("  #")[0].rstrip()
    for block in re.findall(r"^```console\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("$ ")
]
ELSEWHERE = {
    "uv tool install .": ".ci/run installs the built wheel into a clean environment",
    "taskgraph run --base-url http://localhost:11434/v1 -m qwen3-coder": "needs such a server",
    "uv run taskgraph run --spec spec.py": "needs a key: tested below",
    "taskgraph stop expenses.db": "needs a run that goes on: tests/unit/cli/test_sql.py",
    "taskgraph resume expenses.db": "needs one that was stopped: the same test",
    "uv run pytest": "this is it",
}
"""Commands that are not run here, and why."""
TIME = r"(\d+m)?\d+(\.\d)?s"


def split(command: str) -> tuple[dict[str, str], list[str]]:
    """What a command sets in its environment, and its words."""
    words = shlex.split(command)
    variables = [word for word in words if re.match(r"[A-Z_]+=", word)]
    return dict(one.split("=", 1) for one in variables), words[len(variables) :]


def arguments(words: list[str]) -> list[str]:
    """The command with this environment's programs in the place of uv's."""
    if words[:2] == ["uv", "run"]:
        words = words[2:]
    if words[:3] == ["uvx", "--from", "duckdb-cli"]:
        return [str(Path(sys.executable).with_name("duckdb")), *words[4:]]
    assert words[0] == "taskgraph", words
    return [sys.executable, "-m", "taskgraph", *words[1:]]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    variables, words = split(command)
    return subprocess.run(
        arguments(words),
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a clone to the commands, and is written to instead of it."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "spec.py").write_text(spec_text())
    return folder


@pytest.fixture(scope="module")
def printed(clone: Path) -> list[tuple[str, subprocess.CompletedProcess[str]]]:
    """Every command that can be run here, and how it ended."""
    folder, done = clone, list[tuple[str, subprocess.CompletedProcess[str]]]()
    for part in [part for one in COMMANDS if one not in ELSEWHERE for part in one.split(" && ")]:
        if part.startswith("cd "):
            folder = folder / part.removeprefix("cd ")
            continue
        in_clone = "expenses" in part or "examples" in part or "spec.py" in part
        done.append((part, run(part, clone if in_clone else folder)))
    return done


def test_every_command_runs_as_printed(
    printed: list[tuple[str, subprocess.CompletedProcess[str]]],
) -> None:
    for command, done in printed:
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        if " rerun " in command:
            assert_printed(command, done.stderr)


@pytest.mark.usefixtures("printed")
def test_what_is_said_of_the_sql_of_march_in_april_is_so(clone: Path) -> None:
    database = clone / "april.db"
    truth = EXPENSES / "truth" / "2026-04"
    with duckdb.connect(database, read_only=True) as connection:
        booked = connection.execute(f"""
            SELECT count(*), count_if(account IS NULL), count_if(account IS NULL AND right_one IS NULL),
                count_if(account IS NOT NULL AND account IS DISTINCT FROM right_one)
            FROM classify_lines JOIN (SELECT transaction_id, account AS right_one
                FROM read_csv('{truth / "accounts.csv"}', all_varchar = true)) USING (transaction_id)
        """).fetchall()
        # One of two equal charges on one card is as good as the other.
        matched = connection.execute(f"""
            WITH line AS (
                SELECT transaction_id AS id, format('{{}} {{}} {{}}', employee, merchant_text, amount_eur) AS it
                FROM prepare_card
            )
            SELECT count(*), count_if(found.it IS NULL),
                count_if(found.it IS NULL AND meant.it IS NULL),
                count_if(found.it IS NOT NULL AND found.it IS DISTINCT FROM meant.it)
            FROM match_claims
            JOIN read_csv('{truth / "claims.csv"}', all_varchar = true) AS truth USING (claim_id)
            LEFT JOIN line AS found ON found.id = match_claims.transaction_id
            LEFT JOIN line AS meant ON meant.id = truth.transaction_id
        """).fetchall()
    assert booked == [(123, 4, 1, 0)]
    assert matched == [(102, 10, 7, 0)]
    assert (
        "leaves 4 of April's 123 lines open, 1 of them rightly, and 10 of 102 claims, 7 of them "
        "rightly; every account and every transaction that it gives is right." in README
    )


def assert_printed(command: str, output: str) -> None:
    """Whatever the README prints below a command stands in its output, but for times."""
    printed = README.partition(f"$ {command}\n```\n\n```\n")[2].partition("```")[0]
    lines = [re.sub(TIME, "#", line) for line in printed.splitlines()]
    assert lines
    for line in lines:
        assert line in re.sub(TIME, "#", output).splitlines()


def test_no_command_is_left_out_that_is_gone() -> None:
    assert ELSEWHERE.keys() <= set(COMMANDS)


def spec_text() -> str:
    [text] = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return text


def test_the_picture_shows_the_run_of_the_example() -> None:
    [file] = re.findall(r"!\[.*\]\((\S+)\)", README)
    shown = (ROOT / file).read_text(encoding="utf-8")
    for node in load_spec(str(EXPENSES / "spec.py"), directory=ROOT).nodes:
        assert f"{node.name}&#160;" in shown


def test_the_spec_is_a_spec(tmp_path: Path) -> None:
    (tmp_path / "spec.py").write_text(spec_text())
    spec = load_spec("spec.py", directory=tmp_path)
    assert [node.kind for node in spec.nodes] == ["source", "source", "sql", "prompt"]


def test_a_missing_key_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "spec.py").write_text(spec_text())
    done = run("uv run taskgraph run --spec spec.py", tmp_path)
    assert done.returncode == 2
    assert "OPENROUTER_API_KEY" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spec.py"]


@pytest.fixture
def expenses(clone: Path, printed: object) -> Path:
    """The database that the recorded agents made."""
    del printed
    return clone / "expenses.db"


@pytest.mark.slow
def test_file_of_the_expenses_holds_their_recording(expenses: Path) -> None:
    """So that the file replays as the recording does: the same answers to the same questions."""
    kept, recording = recording_of(expenses), read_recording(EXPENSES / "recording.jsonl")

    for one, other in zip(kept.calls, recording.calls, strict=True):
        assert (one.node, one.step, one.messages) == (other.node, other.step, other.messages)
        assert one.answer is not None
        assert other.answer is not None
        assert one.answer.message == other.answer.message
    assert kept.circumstances.threads == recording.circumstances.threads


@pytest.mark.slow
def test_recorded_agents_book_nearly_every_line_right(expenses: Path) -> None:
    truth = EXPENSES / "truth" / "2026-03" / "accounts.csv"
    [(lines, right, wrong)] = rows_of(
        expenses,
        f"""
        SELECT count(*), count_if(found.account IS NOT DISTINCT FROM truth.account),
            count_if(found.account <> truth.account)
        FROM read_csv('{truth}', all_varchar = true) AS truth
        JOIN classify_lines AS found USING (transaction_id)
        """,
    )

    assert lines == 116
    assert right >= 0.95 * lines
    assert wrong <= 0.03 * lines


@pytest.mark.slow
def test_recorded_agents_match_nearly_every_claim(expenses: Path) -> None:
    truth = EXPENSES / "truth" / "2026-03" / "claims.csv"
    # One of two equal charges on one card is as good as the other.
    [(claims, right, wrong)] = rows_of(
        expenses,
        f"""
        WITH line AS (
            SELECT transaction_id, format('{{}} {{}} {{}}', employee, merchant_text, amount_eur) AS it
            FROM prepare_card
        )
        SELECT count(*), count_if(found.it IS NOT DISTINCT FROM meant.it),
            count_if(found.it IS NOT NULL AND found.it IS DISTINCT FROM meant.it)
        FROM read_csv('{truth}', all_varchar = true) AS truth
        JOIN match_claims USING (claim_id)
        LEFT JOIN line AS meant ON meant.transaction_id = truth.transaction_id
        LEFT JOIN line AS found ON found.transaction_id = match_claims.transaction_id
        """,
    )

    assert claims == 97
    assert right >= 0.95 * claims
    assert wrong <= 0.03 * claims
