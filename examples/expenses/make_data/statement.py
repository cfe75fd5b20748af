"""Writes what was made, in the shape in which a bank and an expense tool hand it over."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from claims import Claim
from purchases import Purchase


def write_statement(path: Path, purchases: Sequence[Purchase]) -> None:
    """Writes the card statement; it was downloaded in two parts that overlap by four lines."""
    header = (
        "transaction_id",
        "booked_on",
        "card",
        "merchant",
        "amount_eur",
        "original_amount",
        "original_currency",
    )
    middle = len(purchases) // 2
    downloaded = [*purchases[: middle + 4], *purchases[middle:]]
    write_csv(path, header, [statement_line(purchase) for purchase in downloaded])


def statement_line(purchase: Purchase) -> tuple[str, ...]:
    shown = purchase.original_shown
    return (
        purchase.id,
        purchase.booked.isoformat(),
        f"**** {purchase.card}",
        purchase.text,
        money(purchase.cents_eur),
        money(purchase.cents) if shown else "",
        purchase.currency if shown else "",
    )


def write_claims(path: Path, claims: Sequence[Claim]) -> None:
    lines = [
        {
            "claim_id": claim.id,
            "employee": claim.employee,
            "submitted_on": claim.submitted.isoformat(),
            "spent_on": claim.day.isoformat(),
            "merchant": claim.merchant,
            "purpose": claim.purpose,
            "amount": claim.cents / 100,
            "currency": claim.currency,
            "receipt": claim.receipt,
        }
        for claim in claims
    ]
    text = ",\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    path.write_text(f"[\n{text}\n]\n", encoding="utf-8")


def write_truth(folder: Path, purchases: Iterable[Purchase], claims: Iterable[Claim]) -> None:
    accounts = ((purchase.id, purchase.merchant.account or "") for purchase in purchases)
    write_csv(folder / "accounts.csv", ("transaction_id", "account"), accounts)
    matches = ((claim.id, claim.purchase_id or "") for claim in claims)
    write_csv(folder / "claims.csv", ("claim_id", "transaction_id"), matches)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def money(cents: int) -> str:
    return f"{cents / 100:.2f}"
