"""Bank reconciliation by one agent, from the prepared statement and ledger to the result."""

from __future__ import annotations

from typing import Any

from books import BOOKS
from result import result
from task import DOMAIN, RULE, checks, outputs, views

BANK, LEDGER = "prepare_bank", "prepare_ledger"

MATCH: dict[str, Any] = {
    "name": "match",
    "depends_on": ["prepare"],
    "description": "The whole reconciliation",
    "prompt": f"""
            Reconcile a month: the lines of {BANK} with the entries of {LEDGER}.
            Amounts are as the bank sees them: money in is positive.

            {DOMAIN}

            {RULE}

            {views("match", BANK, LEDGER)}
    """,
    "output_columns": outputs("match"),
    "validate": checks("match", BANK, LEDGER, waiting=0.1),
}

NODES = [
    *BOOKS,
    MATCH,
    result(nodes=["match"], matched=["match"], alone=["match"], open_share=0.05),
]
