"""A month of payments: an agent reads the provider's report, the bank's totals say if it is right.

Runs on January, or on another month in data/ with MONTHLY_MONTH=2026-02.
"""

from __future__ import annotations

import os
from typing import Any

MONTH = os.environ.get("MONTHLY_MONTH", "2026-01")

NODES: list[dict[str, Any]] = [
    {
        "name": "report",
        "source": f"data/{MONTH}.csv",
        "description": "The payment provider's report. They change its format without notice.",
    },
    {"name": "bank", "source": "data/bank.csv", "columns": ["month", "payments", "total_eur"]},
    {
        "name": "expected",
        "depends_on": ["bank"],
        "sql": f"CREATE VIEW expected_month AS FROM bank WHERE month = '{MONTH}'",
        "output_columns": {"expected_month": ["payments", "total_eur"]},
    },
    {
        "name": "payments",
        "depends_on": ["report", "expected"],
        "prompt": """
            Read the provider's report into one row per payment: the day, the customer, and the
            amount in euros. The bank's totals of the month are in expected_month.
        """,
        "output_columns": {
            "payments_all": {
                "paid_on": "DATE",
                "customer": "VARCHAR",
                "amount_eur": "DECIMAL(12,2)",
            }
        },
        "validate": {
            "count": """
                SELECT if(count(*) = any_value(e.payments), 'pass', 'fail') AS status,
                    format('{} payments, the bank has {}', count(*), any_value(e.payments)) AS message
                FROM payments_all, expected_month AS e
            """,
            "total": """
                SELECT if(sum(amount_eur) = any_value(e.total_eur)::DECIMAL(12,2), 'pass', 'fail')
                    AS status,
                    format('{} EUR, the bank has {}', sum(amount_eur), any_value(e.total_eur))
                    AS message
                FROM payments_all, expected_month AS e
            """,
            "days": f"""
                SELECT if(count_if(strftime(paid_on, '%Y-%m') IS DISTINCT FROM '{MONTH}') = 0,
                    'pass', 'fail') AS status, 'all in {MONTH}' AS message
                FROM payments_all
            """,
        },
    },
    {
        "name": "customers",
        "depends_on": ["payments"],
        "sql": """
            CREATE VIEW customers_totals AS
            SELECT customer, count(*) AS payments, sum(amount_eur) AS amount_eur
            FROM payments_all GROUP BY customer ORDER BY customer
        """,
        "output_columns": {"customers_totals": ["customer", "amount_eur"]},
    },
]
