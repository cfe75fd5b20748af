"""Numbers what was made, and writes it in the shapes in which a bank and a ledger hand it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cases import Fact
from scene import Entry, Line, Scene
from stable_files import Cell, write_csv, write_workbook


def write_month(folder: Path, truth: Path, scene: Scene, facts: Sequence[Fact]) -> None:
    """Writes statement and ledger into a folder, and the truth into a file that no spec reads."""
    lines = list(dict.fromkeys(fact.line for fact in facts if fact.line))
    entries = [fact.entry for fact in facts if fact.entry]
    # The order must not tell what belongs together.
    scene.chance.shuffle(lines)
    scene.chance.shuffle(entries)
    bank_ids = {line: n for n, line in enumerate(sorted(lines, key=lambda line: line.day), 1)}
    ledger_ids = {
        entry: f"L{n:05}" for n, entry in enumerate(sorted(entries, key=lambda e: e.day), 1)
    }
    write_workbook(folder / "statement.xlsx", "Statement", _statement(scene, bank_ids))
    write_csv(folder / "ledger.csv", _ledger(ledger_ids), delimiter=";", encoding="cp1252")
    write_csv(
        truth,
        [
            ("bank_id", "ledger_id", "kind", "amount", "currency"),
            *sorted(_truth_row(fact, bank_ids, ledger_ids) for fact in facts),
        ],
    )


def _statement(scene: Scene, bank_ids: Mapping[Line, int]) -> list[Sequence[Cell]]:
    totals = dict.fromkeys(sorted({line.currency for line in bank_ids}), 0)
    for line in bank_ids:
        totals[line.currency] += line.cents
    period = f"{scene.year}-{scene.month:02}"
    return [
        (f"Detwald Instruments GmbH: account statement {period}, all currencies",),
        (),
        ("Line", "Booked", "Details", "Amount", "Currency"),
        *(
            (number, line.day, line.text, line.cents / 100, line.currency)
            for line, number in bank_ids.items()
        ),
        *((None, None, "Total", cents / 100, currency) for currency, cents in totals.items()),
    ]


def _ledger(ledger_ids: Mapping[Entry, str]) -> list[Sequence[str]]:
    header = ("Entry", "Date", "Type", "Name", "Reference", "Text", "Amount", "Currency")
    return [header, *(_entry_row(entry, number) for entry, number in ledger_ids.items())]


def _entry_row(entry: Entry, number: str) -> Sequence[str]:
    # Payments are positive in the ledger: it says in the type which way the money goes.
    cents = entry.cents if entry.type == "RC" else -entry.cents
    return (
        number,
        f"{entry.day:%d.%m.%Y}",
        entry.type,
        entry.name,
        entry.reference,
        entry.text,
        f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,")),
        entry.currency,
    )


def _truth_row(
    fact: Fact, bank_ids: Mapping[Line, int], ledger_ids: Mapping[Entry, str]
) -> tuple[str, ...]:
    item = fact.entry or fact.line
    assert item
    return (
        str(bank_ids[fact.line]) if fact.line else "",
        ledger_ids[fact.entry] if fact.entry else "",
        fact.kind,
        f"{item.cents / 100:.2f}",
        item.currency,
    )
