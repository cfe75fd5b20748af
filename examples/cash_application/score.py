"""Scores a cash application against the truth.

    uv run python examples/cash_application/score.py FILE.db truth.csv

A decision is right if payment, item and amount are those of the truth; on account, if payment,
kind and amount are. What stays `open` is no decision: it is missed, but not wrong.
"""

from __future__ import annotations

import csv
import sys
from decimal import Decimal
from pathlib import Path

import duckdb

sys.path.append(str(Path(__file__).resolve().parent.parent))  # what the examples share

from scoring import Decision, Fact, Score, by_kind, table

APPLIED = """
    SELECT payment_id, invoice_id, part.amount, currency
    FROM result_applied AS part JOIN prepare_payments USING (payment_id)
"""
ON_ACCOUNT = """
    SELECT payment_id, kind, part.amount, currency
    FROM result_on_account AS part JOIN prepare_payments USING (payment_id) WHERE kind <> 'open'
"""


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(table(scored(Path(sys.argv[1]), Path(sys.argv[2]))))


def scored(database: Path, truth: Path) -> dict[str, dict[str, Score]]:
    applied, on_account = facts_of(truth)
    kinds = {fact.decision[0]: fact.kind for fact in [*on_account, *applied]}
    with duckdb.connect(str(database), read_only=True) as connection:
        return {
            "applied": _compared(applied, connection, APPLIED, kinds),
            "on account": _compared(on_account, connection, ON_ACCOUNT, kinds),
        }


def facts_of(truth: Path) -> tuple[list[Fact], list[Fact]]:
    """Reads what is applied to an item, and what stays on account."""
    applied: list[Fact] = []
    on_account: list[Fact] = []
    with truth.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            amount = Decimal(row["amount"])
            decision = _decision(row["payment_id"], row["invoice_id"] or row["kind"], amount)
            fact = Fact(decision, row["kind"], amount, row["currency"])
            (applied if row["invoice_id"] else on_account).append(fact)
    return applied, on_account


def _decision(payment: str, placed: str, amount: Decimal) -> Decision:
    return payment, f"{payment} {placed} {amount}"


def _compared(
    wanted: list[Fact], connection: duckdb.DuckDBPyConnection, query: str, kinds: dict[str, str]
) -> dict[str, Score]:
    """Scores what a query finds; a wrong decision counts as what the payment really is."""
    found = [
        Fact(_decision(payment, placed, amount), kinds[payment], amount, currency)
        for payment, placed, amount, currency in connection.execute(query).fetchall()
    ]
    about = {fact.decision[1]: fact for fact in found}
    return by_kind(wanted, [fact.decision for fact in found], about)


if __name__ == "__main__":
    main()
