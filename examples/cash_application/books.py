"""Payments, open items and advice, as they come, and put into shape: the same for each strategy.

CASH_DATA names the folder of a month; without it, it is January.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from checks import none

FOLDER = os.environ.get("CASH_DATA")
DATA = Path(FOLDER).resolve() if FOLDER else Path("data/2026-01")

BOOKS: list[dict[str, Any]] = [
    {
        "name": "payments",
        "source": {
            "path": f"{DATA}/payments.csv",
            "delimiter": ";",
            "encoding": "cp1252",
            "all_text": True,
        },
        "columns": ["Payment", "Booked", "Payer", "Text", "Amount", "Currency"],
        "description": "What the bank has received, as it exports it",
    },
    {
        "name": "open_items",
        "source": {"path": f"{DATA}/open_items.xlsx", "header": 3},
        "columns": ["Item", "Dated", "Terms", "Amount", "Currency"],
        "description": "The list of open items: a row per customer, its items below, totals",
    },
    {
        "name": "advice",
        "source": f"{DATA}/advice.jsonl",
        "columns": ["advice", "received", "sender", "text"],
        "description": "Remittance advice: what payers write about their payments",
    },
    {
        "name": "prepare",
        "depends_on": ["payments", "open_items", "advice"],
        "description": "All three as tables: each item with its customer and terms",
        "sql": r"""
            CREATE VIEW prepare_payments AS
            SELECT
                "Payment" AS payment_id,
                strptime("Booked", '%d.%m.%Y')::DATE AS booked_on,
                "Payer" AS payer,
                coalesce("Text", '') AS text,
                replace(replace("Amount", '.', ''), ',', '.')::DECIMAL(14, 2) AS amount,
                "Currency" AS currency
            FROM payments;

            CREATE VIEW prepare_items AS
            WITH filled AS (
                SELECT *,
                    -- A customer's row has no date, and the terms of the items below it.
                    last_value(if("Dated" IS NULL, "Item", NULL) IGNORE NULLS) OVER above AS owner,
                    last_value("Terms" IGNORE NULLS) OVER above AS of_owner
                FROM open_items
                WINDOW above AS (
                    ORDER BY _row_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                )
            ),
            items AS (
                SELECT
                    "Item" AS invoice_id,
                    regexp_extract(owner, '^[0-9]+')::BIGINT AS customer_no,
                    regexp_replace(owner, '^[0-9]+ ', '') AS customer,
                    "Dated"::DATE AS dated_on,
                    "Amount"::DECIMAL(14, 2) AS amount,
                    "Currency" AS currency,
                    coalesce(try_cast(regexp_extract(of_owner, '([0-9]+)%', 1) AS INTEGER), 0)
                        AS percent,
                    coalesce(try_cast(regexp_extract(of_owner, '([0-9]+) days', 1) AS INTEGER), 0)
                        AS discount_days,
                    regexp_extract(of_owner, 'net ([0-9]+)', 1)::INTEGER AS net_days
                FROM filled
                WHERE "Dated" IS NOT NULL
            )
            SELECT *,
                if(amount > 0, round(amount * percent * 0.01, 2), 0)::DECIMAL(14, 2) AS discount
            FROM items;

            CREATE VIEW prepare_advice AS
            SELECT advice::BIGINT AS advice_id, received::DATE AS received_on, sender, text
            FROM advice;
        """,
        "output_columns": {
            "prepare_payments": {
                "payment_id": "VARCHAR",
                "booked_on": "DATE",
                "payer": "VARCHAR",
                "text": "VARCHAR",
                "amount": "DECIMAL(14,2)",
                "currency": "VARCHAR",
            },
            "prepare_items": {
                "invoice_id": "VARCHAR",
                "customer_no": "BIGINT",
                "customer": "VARCHAR",
                "dated_on": "DATE",
                "amount": "DECIMAL(14,2)",
                "currency": "VARCHAR",
                "percent": "INTEGER",
                "discount_days": "INTEGER",
                "net_days": "INTEGER",
                "discount": "DECIMAL(14,2)",
            },
            "prepare_advice": {"advice_id": "BIGINT", "received_on": "DATE", "text": "VARCHAR"},
        },
        "validate": {
            "totals_of_the_list": none(
                "fail",
                "currencies in which the items do not add up to the total of the list",
                "currency",
                """(
                    SELECT "Currency" AS currency, round(sum("Amount"), 2) AS total
                    FROM open_items WHERE "Item" = 'Total' GROUP BY ALL
                ) FULL JOIN (
                    SELECT currency, sum(amount) AS added FROM prepare_items GROUP BY ALL
                ) USING (currency)
                WHERE total::DECIMAL(14, 2) IS DISTINCT FROM added""",
            ),
            "payments_once": none(
                "fail",
                "payments that are there twice",
                "payment_id",
                "prepare_payments GROUP BY payment_id HAVING count(*) > 1",
            ),
            "items_once": none(
                "fail",
                "items that are there twice",
                "invoice_id",
                "prepare_items GROUP BY invoice_id HAVING count(*) > 1",
            ),
            "received": none(
                "fail",
                "payments that are not positive",
                "payment_id",
                "prepare_payments WHERE coalesce(amount <= 0, true)",
            ),
        },
    },
]
