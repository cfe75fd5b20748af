"""The statement and the ledger, as they come, and put into one shape: the same for each strategy.

RECONCILIATION_DATA names the folder of a month; without it, it is January.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from checks import none

FOLDER = os.environ.get("RECONCILIATION_DATA")
DATA = Path(FOLDER).resolve() if FOLDER else Path("data/2026-01")

BOOKS: list[dict[str, Any]] = [
    {
        "name": "statement",
        "source": {"path": f"{DATA}/statement.xlsx", "header": 3},
        "columns": ["Line", "Booked", "Details", "Amount", "Currency"],
        "description": "The bank's statement: a title above, totals below",
    },
    {
        "name": "ledger",
        "source": {
            "path": f"{DATA}/ledger.csv",
            "delimiter": ";",
            "encoding": "cp1252",
            "all_text": True,
        },
        "columns": ["Entry", "Date", "Type", "Name", "Reference", "Text", "Amount", "Currency"],
        "description": "The ledger's entries on the bank account, as a German program exports them",
    },
    {
        "name": "prepare",
        "depends_on": ["statement", "ledger"],
        "description": "Both in one shape, with the bank's sign: money in is positive",
        "sql": """
            CREATE VIEW prepare_bank AS
            SELECT
                "Line"::BIGINT AS bank_id,
                "Booked"::DATE AS booked_on,
                "Details" AS text,
                "Amount"::DECIMAL(14, 2) AS amount,
                "Currency" AS currency
            FROM statement
            WHERE "Line" IS NOT NULL;

            CREATE VIEW prepare_ledger AS
            SELECT
                "Entry" AS ledger_id,
                strptime("Date", '%d.%m.%Y')::DATE AS entered_on,
                "Type" AS type,
                "Name" AS name,
                coalesce("Reference", '') AS reference,
                "Text" AS text,
                -- A payment (PY) stands in the ledger as a positive amount.
                (if("Type" = 'PY', -1, 1)
                    * replace(replace("Amount", '.', ''), ',', '.')::DECIMAL(14, 2)
                )::DECIMAL(14, 2) AS amount,
                "Currency" AS currency
            FROM ledger;
        """,
        "output_columns": {
            "prepare_bank": {
                "bank_id": "BIGINT",
                "booked_on": "DATE",
                "text": "VARCHAR",
                "amount": "DECIMAL(14,2)",
                "currency": "VARCHAR",
            },
            "prepare_ledger": {
                "ledger_id": "VARCHAR",
                "entered_on": "DATE",
                "name": "VARCHAR",
                "amount": "DECIMAL(14,2)",
                "currency": "VARCHAR",
            },
        },
        "validate": {
            "totals_of_the_bank": none(
                "fail",
                "currencies in which the lines do not add up to the total of the statement",
                "currency",
                """(
                    SELECT "Currency" AS currency, round(sum("Amount"), 2) AS total
                    FROM statement WHERE "Details" = 'Total' AND "Line" IS NULL GROUP BY ALL
                ) FULL JOIN (
                    SELECT currency, sum(amount) AS added FROM prepare_bank GROUP BY ALL
                ) USING (currency)
                WHERE total::DECIMAL(14, 2) IS DISTINCT FROM added""",
            ),
            "lines_once": none(
                "fail",
                "lines of the statement that are there twice",
                "bank_id",
                "prepare_bank GROUP BY bank_id HAVING count(*) > 1",
            ),
            "entries_once": none(
                "fail",
                "entries of the ledger that are there twice",
                "ledger_id",
                "prepare_ledger GROUP BY ledger_id HAVING count(*) > 1",
            ),
            "known_types": none(
                "fail",
                "entries that are neither receipts (RC) nor payments (PY): their sign is unknown",
                "ledger_id",
                "prepare_ledger WHERE type NOT IN ('RC', 'PY')",
            ),
        },
    },
]
