"""Numbers what was made, and writes it in the shapes in which it arrives."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from cases import Fact
from scene import Advice, Item, Payment, Scene
from stable_files import Cell, write_csv, write_workbook


def write_month(folder: Path, truth: Path, scene: Scene, facts: Sequence[Fact]) -> None:
    """Writes payments, open items and advice into a folder, and the truth where no spec reads."""
    payments = list(dict.fromkeys(fact.payment for fact in facts))
    # The order must not tell what belongs together.
    scene.chance.shuffle(payments)
    scene.chance.shuffle(scene.advices)
    payments.sort(key=attrgetter("day"))
    ids = {payment: f"P{n:05}" for n, payment in enumerate(payments, 1)}
    write_csv(folder / "payments.csv", _payments(ids), delimiter=";", encoding="cp1252")
    write_workbook(folder / "open_items.xlsx", "Open items", _open_items(scene))
    _write_advice(folder / "advice.jsonl", sorted(scene.advices, key=attrgetter("day")))
    header = ("payment_id", "invoice_id", "kind", "amount", "currency")
    write_csv(truth, [header, *sorted(_truth_row(fact, ids) for fact in facts)])


def _payments(ids: Mapping[Payment, str]) -> Iterator[Sequence[str]]:
    yield ("Payment", "Booked", "Payer", "Text", "Amount", "Currency")
    for payment, number in ids.items():
        amount = f"{payment.cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))
        day = f"{payment.day:%d.%m.%Y}"
        yield (number, day, payment.payer, payment.text, amount, payment.currency)


def _open_items(scene: Scene) -> Iterator[Sequence[Cell]]:
    """The list as programs print it: a row for each customer, below it a row for each item."""
    yield (f"Detwald Instruments GmbH: open items, {scene.year}-{scene.month:02}",)
    yield ()
    yield ("Item", "Dated", "Terms", "Amount", "Currency")
    totals: Counter[str] = Counter()
    for customer, items in groupby(sorted(scene.items, key=_place), attrgetter("customer")):
        yield (f"{customer.number} {customer.name}", None, str(customer.terms))
        for item in items:
            totals[customer.currency] += item.cents
            yield (item.document, item.day, None, item.cents / 100, customer.currency)
    for currency, cents in sorted(totals.items()):
        yield ("Total", None, None, cents / 100, currency)


def _place(item: Item) -> tuple[int, str]:
    return item.customer.number, item.document


def _write_advice(path: Path, advices: Sequence[Advice]) -> None:
    rows = (
        {"advice": n, "received": f"{one.day:%Y-%m-%d}", "sender": one.sender, "text": one.text}
        for n, one in enumerate(advices, 1)
    )
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def _truth_row(fact: Fact, ids: Mapping[Payment, str]) -> tuple[str, ...]:
    return (
        ids[fact.payment],
        fact.item.document if fact.item else "",
        fact.kind,
        f"{fact.cents / 100:.2f}",
        fact.payment.currency,
    )
