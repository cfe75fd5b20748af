"""Bank reconciliation as it is recommended: SQL for what is certain, one agent for the rest."""

from __future__ import annotations

from typing import Any

from books import BOOKS
from result import result
from rules import RULES
from task import DOMAIN, RULE, checks, outputs, views

BANK, LEDGER = "certain_open_bank", "certain_open_ledger"

REST: dict[str, Any] = {
    "name": "rest",
    "depends_on": ["certain"],
    "description": "What takes judgement: the lines and entries that no rule has matched",
    "prompt": f"""
            Reconcile what is left of a month: the lines of {BANK} with the entries
            of {LEDGER}. Amounts are as the bank sees them: money in is positive.

            What is certain has been matched already (certain_matches), and what certainly has
            no other side is in alone_lines and alone_entries; prepare_bank and prepare_ledger
            have everything. Of these, only learn: how the bank writes a company, say. The other
            tables are steps on the way there.

            {DOMAIN}

            {RULE}

            {views("rest", BANK, LEDGER)}
    """,
    "output_columns": outputs("rest"),
    "validate": checks("rest", BANK, LEDGER, waiting=0.35),
}

NODES = [
    *BOOKS,
    *RULES,
    REST,
    result(nodes=["rest"], matched=["certain", "rest"], alone=["alone", "rest"], open_share=0.05),
]
