"""Screens as text files: what a person sees, to be read in a review as it would look.

`just screens` writes them anew; `git diff` then shows what has changed for people.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import click
import duckdb
import pytest

from running import run_spec
from taskgraph.llm.scripted import ScriptedModel, run_sql
from taskgraph.loader import load_spec
from taskgraph.settings import RunSettings

FOLDER = Path(__file__).parent / "data" / "screens"
WIDTHS = (80, 120)

SPEC = '''
"""A month of orders, with about everything that can go wrong."""


def payments():
    raise KeyError("amount")


ORDERS = [
    {"id": n, "customer": f"Customer {n % 4}", "amount": n * 12.5, "note": "paid by card" * (n % 3)}
    for n in range(1, 31)
]
NODES = [
    {"name": "orders", "source": ORDERS, "columns": ["id", "amount"]},
    {
        "name": "rates",
        "source": [{"currency": "EUR", "rate": 1.0}],
        "validate": {"known": "SELECT 'pass' AS status, 'all known' AS message FROM rates"},
    },
    {
        "name": "accounts",
        "source": [{"account": "4000"}, {"account": "cash"}],
        "validate": {
            "numbers": "SELECT 'fail' AS status, '' AS message FROM accounts WHERE account::INT > 1",
            "words": "SELECT 'maybe' AS status, 'account ' || account AS message FROM accounts",
        },
        "validate_sql": ["SELECT account, length(account) AS length FROM accounts"],
    },
    {"name": "payments", "source": payments},
    {
        "name": "clean",
        "depends_on": ["orders", "rates"],
        "description": "One line per order, in euros",
        "sql": """
            CREATE VIEW clean_orders AS
            SELECT id, customer, amount * rate AS amount, note FROM orders, rates
        """,
        "output_columns": {"clean_orders": {"id": "BIGINT", "amount": "DOUBLE"}},
        "validate": {
            "large": """
                SELECT 'warn' AS status, 'order ' || id || ' is large' AS message, id, amount
                FROM clean_orders WHERE amount > 350
            """,
            "complete": "SELECT 'pass' AS status, 'all 30 orders are there' AS message",
        },
    },
    {
        "name": "totals",
        "depends_on": ["clean"],
        "sql": """
            CREATE VIEW totals_by_customer AS
            SELECT customer,
                count(*) AS orders,
                sum(amuont) AS amount
            FROM clean_orders
            GROUP BY customer
        """,
    },
    {
        "name": "numbers",
        "depends_on": ["clean"],
        "sql": "CREATE VIEW numbers_all AS\\nSELECT CAST(customer AS INTEGER) AS number FROM orders",
    },
    {
        "name": "bounds",
        "depends_on": ["clean"],
        "sql": "CREATE VIEW bounds_all AS SELECT * FROM clean_orders",
        "validate": {
            "small": """
                SELECT if(amount > 200, 'fail', 'pass') AS status,
                    'order ' || id || ' is over 200' AS message,
                    id, customer, amount, note
                FROM bounds_all ORDER BY id
            """,
            "notes": """
                SELECT 'fail' AS status, count(*) || ' orders have no note' AS message
                FROM bounds_all WHERE note = ''
            """,
        },
    },
    {
        "name": "match",
        "depends_on": ["clean"],
        "prompt": "Match each order with the payment it belongs to.\\nNo order twice.",
        "output_columns": {"match_pairs": ["order_id", "payment_id"]},
        "validate": {
            "all_matched": """
                SELECT 'fail' AS status, 'order ' || order_id || ' has no payment' AS message
                FROM match_pairs WHERE payment_id IS NULL
            """,
        },
        "max_cost": 1.5,
    },
    {
        "name": "classify",
        "depends_on": ["clean"],
        "prompt": "Book each order to an account.",
        "output_columns": {"classify_lines": ["order_id", "account"]},
        "validate": {"any": "SELECT 'pass' AS status, count(*) || ' lines' AS message FROM classify_lines"},
    },
    {"name": "report", "depends_on": ["match"], "sql": "CREATE VIEW report_all AS SELECT * FROM match_pairs"},
    {"name": "summary", "depends_on": ["report"], "sql": "CREATE VIEW summary_all AS SELECT * FROM report_all"},
]
EXPORTS = {"report.xlsx": print}
'''
_PAIRS = "CREATE VIEW match_pairs AS SELECT id AS order_id, NULL AS payment_id FROM clean_orders"
_WORDS = (
    "All 30 orders are listed, but there are no payments in this workspace: the source failed "
    "before it gave a row. I have left payment_id empty rather than invent one.\n\n"
    "Assumption: an order without a payment is open."
)
_SCRIPT = {
    "match": [
        run_sql("SELECT count(*) FROM clean_orders", "SELECT * FROM payments"),
        run_sql(_PAIRS),
        *[_WORDS] * 6,
    ],
    "classify": [
        run_sql(
            "CREATE VIEW classify_lines AS SELECT id AS order_id, '4000' AS account FROM clean_orders"
        ),
        "Every order is revenue: account 4000.",
    ],
}
_FIXED = """
    UPDATE _node_meta SET elapsed_ms = 1200, started_at = TIMESTAMP '2026-11-20 10:15:00'
        + INTERVAL 1 SECOND * list_position([{nodes}], node)
        WHERE started_at IS NOT NULL;
    UPDATE _node_meta SET prompt_tokens = 80000, completion_tokens = 1000 WHERE iterations > 0;
    UPDATE _trace SET elapsed_ms = 34, timestamp = TIMESTAMP '2026-11-20 10:15:00'
        + INTERVAL 1 SECOND * id;
    UPDATE _messages SET content = 'The rules.' WHERE role = 'system';
    UPDATE _messages SET content = 'Your task: ' || node || E'\\nDo it.' WHERE position = 1;
    UPDATE _llm_calls SET prompt_tokens = 20000, completion_tokens = 250, latency_ms = 4200;
    UPDATE _workspace_meta SET value = '2026-11-20T10:15:00+00:00' WHERE key LIKE '%_at_utc';
    UPDATE _workspace_meta SET value = regexp_replace(value, '"elapsed_ms": [0-9.]+', '"elapsed_ms": 9876')
        WHERE key = 'run';
"""
"""Makes what differs between two runs the same."""


def make_run(folder: Path) -> Path:
    """Runs the spec in a folder that is the working directory; returns the file."""
    (folder / "spec.py").write_text(SPEC)
    spec = load_spec("spec.py", directory=folder)
    settings = RunSettings(max_concurrency=1)
    model = ScriptedModel(_SCRIPT, cost_usd=0.0125)
    asyncio.run(run_spec(spec, folder, model=model, settings=settings))
    nodes = ", ".join(f"'{node.name}'" for node in spec.nodes)
    with duckdb.connect(folder / "out.db") as connection:
        connection.execute(_FIXED.replace("{nodes}", nodes))
    return Path("out.db")


def on_screen(written: str) -> str:
    """Returns what a terminal without end shows of what a live view wrote to it."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?\d]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        match part:
            case "\n":
                row, column = row + 1, 0
                lines += [""] * (row == len(lines))
            case "\r":
                column = 0
            case "\x1b[2K":
                lines[row] = ""
            case "\x1b[1A":
                row -= 1
            case _ if part.startswith("\x1b"):
                assert part in ("\x1b[?25l", "\x1b[?25h"), part  # the cursor hides and shows itself
            case _:
                lines[row] = lines[row][:column].ljust(column) + part
                column += len(part)
    return "\n".join(lines)


def assert_screen(name: str, width: int, text: str) -> None:
    """Compares a screen with its file, or writes it where UPDATE_SCREENS is set."""
    path = FOLDER / f"{name}_{width}.txt"
    plain = click.unstyle(text)
    if os.environ.get("UPDATE_SCREENS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(plain, encoding="utf-8")
    if not path.exists():
        pytest.fail(f"there is no {path}: run `just screens`")
    assert plain == path.read_text(encoding="utf-8"), "if it is better so: just screens"
