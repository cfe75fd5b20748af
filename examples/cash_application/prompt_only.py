"""Cash application by one agent, from the prepared payments, items and advice to the result."""

from __future__ import annotations

from typing import Any

from books import BOOKS
from result import result
from task import DOMAIN, RULE, checks, outputs, views

PAYMENTS, ITEMS = "prepare_payments", "prepare_items"

APPLY: dict[str, Any] = {
    "name": "apply",
    "depends_on": ["prepare"],
    "description": "The whole cash application",
    "prompt": f"""
            Apply a month's payments, {PAYMENTS}, to the open items, {ITEMS}.
            prepare_advice has the remittance advice.

            {DOMAIN}

            {RULE}

            {views("apply", PAYMENTS, ITEMS)}
    """,
    "output_columns": outputs("apply"),
    "validate": checks("apply", PAYMENTS, ITEMS, odd=0.1, short=0.25),
}

NODES = [
    *BOOKS,
    APPLY,
    result(nodes=["apply"], applied=["apply"], account=["apply"], open_share=0.05),
]
