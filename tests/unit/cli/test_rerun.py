"""`rerun`, `plan` and the selection of `run`, as a person types them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from taskgraph.cli import group
from taskgraph.testing import FakeOpenRouter

SPEC = """
NODES = [
    {"name": "orders", "source": "orders.csv"},
    {"name": "clean", "depends_on": ["orders"], "sql": "CREATE VIEW clean_all AS FROM orders"},
    {
        "name": "sums",
        "depends_on": ["clean"],
        "prompt": "Add up the orders.",
        "output_columns": {"sums_all": ["amount"]},
        "validate": {"total": "SELECT if(amount > 0, 'pass', 'fail') AS status, 'n' AS message FROM sums_all"},
    },
]
"""
ANSWER = "CREATE VIEW sums_all AS SELECT sum(amount) AS amount FROM clean_all"
DRY = [
    "REUSE  source orders  (data of jan.db)",
    "RUN    sql    clean   (SQL)",
    "REUSE  prompt sums    (if its checks pass)",
    "",
    "RUN=1 REUSE=2 TOTAL=3   A model is asked only where earlier SQL no longer holds.",
]


def taskgraph(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(group, arguments, env=environment)


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.com")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(autouse=True, scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first month that a model was asked for, in a folder of its own."""
    folder = tmp_path_factory.mktemp("january")
    with pytest.MonkeyPatch.context() as patch, FakeOpenRouter() as server:
        patch.chdir(folder)
        Path("spec.py").write_text(SPEC)
        Path("orders.csv").write_text("id,amount\n1,5.0\n")
        git("init", "-q", ".")
        git("add", "spec.py")
        git("commit", "-qm", "spec")
        server.agent("sums").call(("run_sql", {"sql": ANSWER})).reply("Done.")
        ended = taskgraph(
            *("run", "-s", "spec.py", "-o", "jan.db"),
            OPENROUTER_API_KEY="sk-or-v1-test",
            TASKGRAPH_BASE_URL=server.base_url,
        )
        assert ended.exit_code == 0, ended.stderr
    return folder


@pytest.fixture(autouse=True)
def here(january: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(january)
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    Path("spec.py").write_text(SPEC)
    Path("orders.csv").write_text("id,amount\n1,5.0\n")


def amount(file: str) -> object:
    with duckdb.connect(file, read_only=True) as connection:
        return connection.execute("SELECT amount FROM sums_all").fetchall()[0][0]


def test_sql_that_holds_needs_no_key(january: Path) -> None:
    Path("orders.csv").write_text("id,amount\n1,5.0\n2,7.0\n")
    ended = taskgraph("rerun", "jan.db", "-o", "feb.db", "--reingest")
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == "feb.db\n"
    lines = ended.stderr.splitlines()
    assert lines[:2] == ["Spec: spec.py, as it was.", "1 of 3 RUN   source orders  (--reingest)"]
    assert lines[-4].startswith("3 of 3 REUSE prompt sums    (checks pass)  1 row")
    assert lines[-2].startswith("Done. PASS=2 WARN=0 FAIL=0 SKIP=0 REUSE=1 TOTAL=3")
    assert lines[-1].startswith("Saved ")
    assert amount("feb.db") == 12.0
    shown = taskgraph("show", "feb.db", "--node", "sums").stdout
    assert shown.startswith("REUSE prompt sums  (checks pass)  1 row")
    assert shown.endswith("-- last words\nDone.\n")


def test_sql_that_no_longer_holds_needs_one(january: Path) -> None:
    Path("orders.csv").write_text("id,amount\n1,-5.0\n")
    ended = taskgraph("rerun", "jan.db", "-o", "bad.db", "--reingest")
    assert ended.exit_code == 1
    assert "3 of 3 REPAIR prompt sums    (total: 1 fail)" in ended.stderr
    assert "OPENROUTER_API_KEY" in ended.stderr


@pytest.mark.parametrize("arguments", [("plan", "jan.db"), ("rerun", "jan.db", "--dry-run")], ids=" ".join)  # fmt: skip
def test_plan_is_told_and_nothing_runs(arguments: tuple[str, ...]) -> None:
    before = sorted(path.name for path in Path().iterdir())
    ended = taskgraph(*arguments)
    assert ended.stdout.splitlines() == DRY
    assert sorted(path.name for path in Path().iterdir()) == before
    told = json.loads(taskgraph(*arguments, "--json").stdout)
    assert told["nodes"][2] == {"name": "sums", "kind": "prompt", "action": "reuse", "why": "if its checks pass"}  # fmt: skip


FILES = {
    "other_size": ("orders.csv", "id,amount\n1,50.0\n", (), "REUSE  source orders  (data of jan.db; orders.csv has changed since: --reingest)"),
    "same_size": ("orders.csv", "id,amount\n1,6.0\n", (), "REUSE  source orders  (data of jan.db; orders.csv has changed since: --reingest)"),
    "gone": ("orders.csv", None, (), DRY[0]),
    "gone_and_needed": ("orders.csv", None, ("--reingest",), "RUN    source orders  (--reingest; there is no file 'orders.csv')"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_plan_says_that_a_file_is_another_one_or_gone(case: str) -> None:
    name, text, arguments, told = FILES[case]
    Path(name).unlink() if text is None else Path(name).write_text(text)
    ended = taskgraph("plan", "jan.db", *arguments)
    assert ended.exit_code == 0
    assert ended.stdout.splitlines()[0] == told


ORIGINS = {
    "changed": (f"{SPEC}# more\n", "spec.py has changed since jan.db, so it is taken from its git commit"),
    "gone": (None, "spec.py is not there, so it is taken from its git commit"),
    "broken": ("NODES = [", "spec.py no longer loads, so it is taken from its git commit"),
}  # fmt: skip


@pytest.mark.parametrize("case", ORIGINS)
def test_recorded_spec_is_had_from_git(case: str) -> None:
    text, told = ORIGINS[case]
    Path("spec.py").unlink() if text is None else Path("spec.py").write_text(text)
    ended = taskgraph("plan", "jan.db")
    assert ended.stdout.splitlines() == DRY
    assert ended.stderr.startswith(f"Spec: {told}")
    assert not list(Path(".git/worktrees").glob("*"))


def test_commit_on_record_is_that_of_the_text_that_ran() -> None:
    Path("spec.py").write_text(f"{SPEC}# more\n")
    ended = taskgraph("rerun", "jan.db", "-S", "clean", "-o", "commit.db")
    assert ended.exit_code == 0, ended.stderr
    with duckdb.connect("commit.db", read_only=True) as connection:
        [(text,)] = connection.execute(
            "SELECT value FROM _workspace_meta WHERE key = 'spec'"
        ).fetchall()
    spec = json.loads(text)
    assert (spec["file"], spec["git"]["dirty"]) == ("spec.py", False)


def test_recorded_spec_is_had_from_the_file_where_git_has_it_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    Path("spec.py").unlink()
    ended = taskgraph("plan", "jan.db")
    assert ended.stdout.splitlines() == DRY
    assert ended.stderr == "Spec: spec.py is not there, so it is taken from jan.db.\n"


def test_run_takes_from_a_file_what_is_not_selected() -> None:
    needs = taskgraph("run", "-s", "spec.py", "-S", "clean", "-o", "part.db")
    assert needs.exit_code == 2
    assert "what is selected needs orders, which is not selected" in needs.stderr
    ended = taskgraph("run", "-s", "spec.py", "-S", "clean", "--from", "jan.db", "-o", "part.db")
    assert ended.exit_code == 0, ended.stderr
    assert ended.stderr.splitlines()[:2] == [
        "From jan.db: 1 of 2 as they are.",
        "2 of 2 RUN   sql    clean   (selected)",
    ]
    assert taskgraph("run", "-s", "spec.py", "--from", "jan.db").exit_code == 2
