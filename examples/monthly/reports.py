"""Makes a year of a payment provider's reports, whose format drifts in May and in September.

    uv run python examples/monthly/reports.py

Invented, from a fixed seed, always byte for byte the same.

- From May on, amounts are in cents: nothing in the file says so.
- From September on, columns have other names.
"""

from __future__ import annotations

import calendar
import csv
import random
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent / "data"
MONTHS = tuple(f"2026-{number:02}" for number in range(1, 13))
CUSTOMERS = ("Aurora Books", "Bergmann KG", "Café Luz", "Delta Freight", "Elm Street Clinic")


def main(folder: Path = FOLDER) -> None:
    """Writes a report for each month, and what the bank says arrived in each."""
    folder.mkdir(parents=True, exist_ok=True)
    bank: list[tuple[object, ...]] = [("month", "payments", "total_eur")]
    for month in MONTHS:
        payments = list(_payments(month))
        _write(folder / f"{month}.csv", [_header(month), *(_row(month, *one) for one in payments)])
        total = sum(cents for _, _, cents in payments)
        bank.append((month, len(payments), _euros(total)))
    _write(folder / "bank.csv", bank)


def _payments(month: str) -> Iterator[tuple[int, str, int]]:
    """Day, customer and cents of each payment."""
    chance = random.Random(month)
    days = calendar.monthrange(2026, int(month[-2:]))[1]
    for _ in range(chance.randint(40, 60)):
        yield chance.randint(1, days), chance.choice(CUSTOMERS), chance.randint(500, 90_000)


def _header(month: str) -> tuple[str, ...]:
    return (
        ("paid_on", "customer", "amount") if month < "2026-09" else ("value_date", "payer", "sum")
    )


def _row(month: str, day: int, customer: str, cents: int) -> tuple[object, ...]:
    return (f"{month}-{day:02}", customer, _euros(cents) if month < "2026-05" else cents)


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _write(path: Path, rows: list[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
