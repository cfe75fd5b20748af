"""A spec of the older format, as a person shows and runs it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from taskgraph.cli import group

SPEC = """
from taskgraph import Task

INPUTS = {
    "sales": lambda: [{"shop": "A", "amount": 3}, {"shop": "A", "amount": 4}],
    "rates": {
        "data": {"shop": ["A"], "rate": [2.0]},
        "columns": ["shop", "rate"],
        "validate_sql": ["SELECT 'no rate for ' || shop FROM rates WHERE rate IS NULL"],
    },
    "shops": "shops.csv",
}
TASKS = [
    Task(
        name="totals",
        sql="CREATE VIEW shop_totals AS SELECT shop, sum(amount * rate) AS total FROM sales JOIN rates USING (shop) GROUP BY 1",
        inputs=["sales", "rates"],
        outputs=["shop_totals"],
        output_columns={"shop_totals": ["shop", "total"]},
        validate_sql=["SELECT shop || ' is below zero' FROM shop_totals WHERE total < 0"],
    ),
    {
        "name": "named",
        "sql": "CREATE VIEW named_totals AS SELECT town, total FROM shop_totals JOIN shops USING (shop)",
        "inputs": ["shop_totals", "shops"],
    },
]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.py").write_text(SPEC)
    Path("shops.csv").write_text("shop,town\nA,Ulm\n")


def test_older_format_is_shown_in_todays_terms() -> None:
    shown = CliRunner().invoke(group, ["show", "spec.py", "--node", "totals"]).stdout
    assert shown.splitlines()[:3] == [
        "sql  totals  <- sales, rates",
        "  makes    shop_totals (shop, total)",
        "  checks   sql_1",
    ]
    named = CliRunner().invoke(group, ["show", "spec.py", "--node", "named"]).stdout
    assert named.startswith("sql  named  <- totals, shops\n")


def test_older_format_runs_and_runs_again() -> None:
    for arguments in (["run", "-s", "spec.py", "-o", "1.db"], ["rerun", "1.db", "-o", "2.db"]):
        ended = CliRunner().invoke(group, arguments)
        assert ended.exit_code == 0, ended.stderr
    with duckdb.connect("2.db", read_only=True) as connection:
        assert connection.execute("FROM named_totals").fetchall() == [("Ulm", 14.0)]
        assert connection.execute("SELECT node, status FROM _checks ORDER BY node").fetchall() == [
            ("rates", "pass"),
            ("totals", "pass"),
        ]
