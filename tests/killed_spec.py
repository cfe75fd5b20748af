"""The run that `killing` kills: a spec with sources, SQL and three agents, and who answers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from taskgraph.testing import Answer, FakeOpenRouter, Seen, ServerState, model_entry

MODEL = "test/model"
PRICE = 0.01
"""US dollars per model call."""
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "cost": PRICE}

SPEC = '''
from pathlib import Path

COUNT = "SELECT if(count(*) = {}, 'pass', 'fail') AS status, count(*) || ' rows' AS message FROM {}"
STEPS = 8

NODES = [
    {"name": "orders", "source": [{"id": n, "amount": n * 1.5, "day": n % 7} for n in range(500)]},
    {"name": "payments", "source": lambda: [{"id": n * 2, "paid": n * 3.0} for n in range(300)]},
    {"name": "days", "source": Path(__file__).with_name("days.csv")},
    {
        "name": "clean",
        "depends_on": ["orders", "payments"],
        "sql": """
            CREATE MACRO clean_cents(x) AS round(x * 100)::BIGINT;
            CREATE VIEW clean_orders AS SELECT id, day, clean_cents(amount) AS cents FROM orders;
            CREATE VIEW clean_payments AS SELECT id, clean_cents(paid) AS cents FROM payments;
        """,
        "validate": {"all": COUNT.format(500, "clean_orders")},
    },
    *(
        {
            "name": f"step{n}",
            "depends_on": [f"step{n - 1}" if n else "clean"],
            "sql": f"CREATE VIEW step{n}_t AS SELECT id, cents + {n} AS cents FROM "
            + (f"step{n - 1}_t" if n else "clean_orders"),
        }
        for n in range(STEPS)
    ),
    {
        "name": "match",
        "depends_on": ["clean"],
        "prompt": "Match the payments with the orders.",
        "output_columns": {"match_pairs": ["id", "cents"], "match_rest": ["id"]},
        "validate": {"pairs": COUNT.format(250, "match_pairs")},
    },
    {
        "name": "sums",
        "depends_on": ["days", "orders"],
        "prompt": "Sum the orders by day.",
        "output_columns": {"sums_all": ["name", "amount"]},
    },
    {
        "name": "review",
        "depends_on": ["match", f"step{STEPS - 1}"],
        "prompt": "Review the match.",
        "output_columns": {"review_all": ["id"]},
    },
    {
        "name": "report",
        "depends_on": ["review", "sums"],
        "sql": "CREATE VIEW report_all AS SELECT count(*) AS n FROM review_all, match_rest",
        "validate": {"any": "SELECT 'warn' AS status, 'n=' || n AS message FROM report_all"},
    },
]


def export(connection, path):
    connection.execute(f"COPY report_all TO '{path}'")


EXPORTS = {"report.csv": export}
'''
DAYS = "day,name\n" + "".join(f"{day},day {day}\n" for day in range(7))


def _turn(*calls: str) -> Answer:
    return Answer(tools=tuple(("run_sql", {"sql": sql}) for sql in calls), usage=USAGE)


def _words(text: str) -> Answer:
    return Answer(text=text, usage=USAGE)


_PAIRS = (
    "CREATE OR REPLACE VIEW match_pairs AS "
    "SELECT id, p.cents FROM clean_orders JOIN clean_payments p USING (id)"
)
_REST = "CREATE VIEW match_rest AS FROM clean_payments ANTI JOIN match_pairs USING (id)"
SCRIPT: Mapping[str, tuple[Answer, ...]] = {
    "match": (
        _turn("FROM clean_orders ORDER BY id LIMIT 3", "SUMMARIZE clean_payments"),
        _turn("CREATE VIEW match_pairs AS SELECT id FROM nowhere", "SELECT 1; SELECT 2"),
        _turn("CREATE MACRO match_is(a, b) AS a = b", f"{_PAIRS} LIMIT 9; FROM range(2)"),
        _turn(_REST, "CREATE VIEW match_tmp AS FROM match_rest; DROP VIEW match_tmp"),
        _words("All done."),  # but for 241 pairs
        _turn(_PAIRS, "DROP TABLE clean_orders"),
        _words("Now all is done."),
    ),
    "sums": (
        _turn("FROM days ORDER BY day"),
        _turn(
            "CREATE VIEW sums_base AS SELECT day, sum(amount) AS amount FROM orders GROUP BY day",
            "CREATE VIEW sums_all AS SELECT name, amount FROM sums_base JOIN days USING (day)",
        ),
        _words("Summed."),
    ),
    "review": (
        _turn("SELECT count(*) FROM match_pairs", "SELECT count(*) FROM step7_t"),
        _turn("CREATE VIEW review_all AS SELECT id FROM match_pairs WHERE cents > 40000"),
        _turn("SELECT count(*) AS n FROM review_all"),
        _words("Reviewed."),
    ),
}
CALLS = sum(map(len, SCRIPT.values()))
Call: TypeAlias = tuple[str, int]
"""Node and step."""


def call_of(seen: Seen) -> Call:
    """Returns which call a request is, by what was said before."""
    return seen.lane, 1 + sum(message["role"] == "assistant" for message in seen.messages)


def _answer(seen: Seen) -> Answer:
    node, step = call_of(seen)
    return SCRIPT[node][step - 1]


def serving() -> FakeOpenRouter:
    """A server that answers by what was said before: the same question, the same answer."""
    server = FakeOpenRouter(state=ServerState(models=[model_entry(MODEL)]))
    server.default(_answer)
    return server
