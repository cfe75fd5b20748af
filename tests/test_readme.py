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

from taskgraph.loader import load_spec

ROOT = Path(__file__).parent.parent
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
    return folder


def test_every_command_runs_as_printed(clone: Path) -> None:
    folder = clone
    (clone / "spec.py").write_text(spec_text())
    for command in COMMANDS:
        if command in ELSEWHERE:
            continue
        for part in command.split(" && "):
            if part.startswith("cd "):
                folder = folder / part.removeprefix("cd ")
                continue
            in_clone = "expenses" in part or "examples" in part or "spec.py" in part
            done = run(part, clone if in_clone else folder)
            assert done.returncode == 0, f"{part}\n{done.stdout}{done.stderr}"
            if " rerun " in part:
                assert_printed(part, done.stderr)
    assert_april(clone / "april.db")


def assert_april(database: Path) -> None:
    """What the README says of the SQL of March is so."""
    truth = ROOT / "examples" / "expenses" / "truth" / "2026-04"
    with duckdb.connect(database, read_only=True) as connection:
        booked = connection.execute(f"""
            SELECT count(*), count_if(account IS NOT DISTINCT FROM right_one), count_if(account <> right_one)
            FROM classify_lines JOIN (SELECT transaction_id, account AS right_one
                FROM read_csv('{truth / "accounts.csv"}', all_varchar = true)) USING (transaction_id)
        """).fetchall()
        # One of two equal charges on one card is as good as the other.
        matched = connection.execute(f"""
            WITH line AS (
                SELECT transaction_id AS id, format('{{}} {{}} {{}}', employee, merchant_text, amount_eur) AS it
                FROM prepare_card
            )
            SELECT count(*), count_if(found.it IS NOT DISTINCT FROM meant.it),
                count_if(found.it IS NOT NULL AND found.it IS DISTINCT FROM meant.it)
            FROM match_claims
            JOIN read_csv('{truth / "claims.csv"}', all_varchar = true) AS truth USING (claim_id)
            LEFT JOIN line AS found ON found.id = match_claims.transaction_id
            LEFT JOIN line AS meant ON meant.id = truth.transaction_id
        """).fetchall()
    assert booked == [(123, 120, 0)]
    assert matched == [(102, 99, 0)]
    assert "120 of April's 123 lines right and leaves 3 open; of 102 claims it finds 99" in README


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
