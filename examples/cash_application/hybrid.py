"""Cash application as it is recommended: SQL for what is certain, one agent for the rest."""

from __future__ import annotations

from typing import Any

from books import BOOKS
from result import result
from rules import RULES
from task import DOMAIN, RULE, checks, outputs, views

PAYMENTS, ITEMS = "certain_open_payments", "certain_open_items"

REST: dict[str, Any] = {
    "name": "rest",
    "depends_on": ["certain"],
    "description": "What takes judgement: the payments and items that no rule has settled",
    "prompt": f"""
            Apply what is left of a month's payments: those of {PAYMENTS} to the
            items of {ITEMS}. prepare_advice has the remittance advice, of all.

            What is certain has been applied already (certain_applied), or is on account
            (aside_account). prepare_payments and prepare_items have everything, known_payers
            whom a payer has paid for. Of these, only learn. The other tables are steps on the
            way there.

            {DOMAIN}

            {RULE}

            {views("rest", PAYMENTS, ITEMS)}
    """,
    "output_columns": outputs("rest"),
    "validate": checks("rest", PAYMENTS, ITEMS, odd=0.25, short=0.8),
}

NODES = [
    *BOOKS,
    *RULES,
    REST,
    result(nodes=["rest"], applied=["certain", "rest"], account=["aside", "rest"], open_share=0.05),
]
