from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from served import sql_call
from taskgraph.cli import group
from taskgraph.testing import Answer, FakeOpenRouter, Seen, text

SPEC = """
NODES = [
    {"name": "orders", "source": [{"id": 1, "amount": 5.0}, {"id": 2, "amount": 7.5}]},
    {
        "name": "sums",
        "depends_on": ["orders"],
        "model": "spec/own",
        "prompt": "Double the orders.",
        "output_columns": {"sums_all": ["id", "amount"]},
    },
]
"""
GOOD, BAD = "openai/gpt-5.2", "openai/gpt-5-mini"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.py").write_text(SPEC)
    (tmp_path / "sums_all.csv").write_text("id,amount\n1,10\n2,15\n")
    return tmp_path


def worker(seen: Seen) -> Answer:
    """Both models call, one of them forgets a row."""
    if any(message["role"] == "tool" for message in seen.messages):
        return text("Done.")
    rows = "orders" if seen.body["model"] == GOOD else "orders WHERE id = 1"
    return sql_call(f"CREATE VIEW sums_all AS SELECT id, 2 * amount AS amount FROM {rows}")


def evaluated(*arguments: str) -> Result:
    # Not strict: to the server, the runs of one node are one conversation that begins anew.
    with FakeOpenRouter(strict=False) as server:
        server.default(worker)
        options = ("--gold", "sums_all.csv", "-m", GOOD, "-m", BAD, "--base-url", server.base_url)
        return CliRunner().invoke(
            group,
            ["eval", "spec.py", *options, "-o", "eval.db", *arguments],
            env={"OPENROUTER_API_KEY": "sk-or-v1-test", "COLUMNS": "120"},
        )


def rows(query: str) -> list[tuple[object, ...]]:
    with duckdb.connect("eval.db", read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_each_model_is_scored_over_its_runs(folder: Path) -> None:
    result = evaluated("--epochs", "2")

    assert result.exit_code == 0, result.stderr
    assert result.stdout == "eval.db\n"
    assert rows('SELECT model, relation, "precision", recall, trials, pass_rate FROM summary') == [
        (GOOD, "sums_all", 1.0, 1.0, 2, 1.0),
        (BAD, "sums_all", 1.0, 0.5, 2, 1.0),
    ]
    assert rows("SELECT count(*), sum(turns), count(cost_usd) FROM trials") == [(4, 8, 4)]
    assert len(list((folder / "eval").glob("*.db"))) == 4
    *_, header, best, _ = result.stderr.splitlines()
    assert header.split() == [
        *("model", "table", "precision", "recall", "f1", "passed", "cost", "turns", "time")
    ]
    assert best.split()[:6] == [GOOD, "sums_all", "100.0%", "100.0%", "100.0%", "2/2"]


def test_one_budget_holds_for_all_runs(folder: Path) -> None:
    result = evaluated("--epochs", "9", "--max-cost", "0.05")

    assert result.exit_code == 3, result.stderr
    assert "Error: a limit is reached in the middle of openai_gpt-5" in result.stderr
    assert "stopped sums: the run reached its limit" in result.stderr
    assert rows("SELECT DISTINCT status FROM trials") == [("passed",)]
    [(spent, tried)] = rows("SELECT sum(cost_usd), count(*) FROM trials")
    assert isinstance(spent, float)
    assert 0 < spent <= 0.05
    assert isinstance(tried, int)
    assert tried < 18


def test_output_of_an_earlier_evaluation_is_kept(folder: Path) -> None:
    (folder / "eval.db").write_text("paid for")

    assert evaluated().exit_code == 2
    assert (folder / "eval.db").read_text() == "paid for"
