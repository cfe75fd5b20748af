"""Scores a reconciliation against the truth.

    uv run python examples/bank_reconciliation/score.py FILE.db truth.csv

Matches and lines without a counterpart are scored apart: a return is not a match. Among the
latter, what the result calls `open` is no decision; the others count if their kind is right.
"""

from __future__ import annotations

import csv
import sys
from decimal import Decimal
from pathlib import Path

import duckdb

sys.path.append(str(Path(__file__).resolve().parent.parent))  # what the examples share

from scoring import Decision, Fact, Score, by_kind, table

MATCHES = "SELECT bank_id::VARCHAR, ledger_id FROM result_matches"
UNMATCHED = """
    SELECT coalesce(bank_id::VARCHAR, ledger_id), kind FROM result_unmatched WHERE kind <> 'open'
"""


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(table(scored(Path(sys.argv[1]), Path(sys.argv[2]))))


def scored(database: Path, truth: Path) -> dict[str, dict[str, Score]]:
    pairs, alone = facts_of(truth)
    about = {item: fact for fact in alone for item in fact.decision[:1]}
    about |= {item: fact for fact in pairs for item in fact.decision}
    with duckdb.connect(str(database), read_only=True) as connection:
        return {
            "matches": by_kind(pairs, decisions(connection, MATCHES), about),
            "unmatched": by_kind(alone, decisions(connection, UNMATCHED), about),
        }


def facts_of(truth: Path) -> tuple[list[Fact], list[Fact]]:
    """Reads the pairs, and what has no counterpart with its kind."""
    pairs: list[Fact] = []
    alone: list[Fact] = []
    with truth.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            bank, ledger, kind = row["bank_id"], row["ledger_id"], row["kind"]
            decision = (bank, ledger) if bank and ledger else (bank or ledger, kind)
            fact = Fact(decision, kind, Decimal(row["amount"]), row["currency"])
            (pairs if bank and ledger else alone).append(fact)
    return pairs, alone


def decisions(connection: duckdb.DuckDBPyConnection, query: str) -> list[Decision]:
    return [(left, right) for left, right in connection.execute(query).fetchall()]


if __name__ == "__main__":
    main()
