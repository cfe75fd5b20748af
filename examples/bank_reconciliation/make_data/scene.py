"""What all cases draw on: the days of the month, amounts, invoice numbers, and the bank's words."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from company import FOLDED, OPAQUE, Company, Party
from difficulty import Difficulty

PRICES = (4900, 9900, 11900, 25000, 29750, 50000, 59500, 100000, 119000, 250000)
"""What many invoices come to, in cents."""

HOLIDAYS = {(1, 1), (5, 1), (12, 25), (12, 26)}


@dataclass(frozen=True, eq=False)
class Line:
    """A line of the bank statement. Cents are as the bank has them: money in is positive."""

    day: date
    text: str
    cents: int
    currency: str


@dataclass(frozen=True, eq=False)
class Entry:
    """An entry of the ledger. Cents as in the bank; the ledger's own sign follows from the type."""

    day: date
    type: str
    """RC for receipts, PY for payments; a reversal keeps the type of what it reverses."""
    name: str
    reference: str
    text: str
    cents: int
    currency: str


@dataclass(eq=False)
class Scene:
    """One month of one company, while it is made."""

    chance: Random
    year: int
    month: int
    company: Company
    difficulty: Difficulty
    days: list[date] = field(init=False)
    """The bank's working days."""
    taken: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Party and amount: drawn once only, for nobody could tell two such payments apart."""
    last_invoice: int = 20_000

    def __post_init__(self) -> None:
        first = date(self.year, self.month, 1)
        length = monthrange(self.year, self.month)[1]
        days = [first + timedelta(days=n) for n in range(length)]
        self.days = [
            day for day in days if day.isoweekday() < 6 and (day.month, day.day) not in HOLIDAYS
        ]
        self.last_invoice += 10_000 * self.month

    @property
    def last_day(self) -> date:
        return date(self.year, self.month, monthrange(self.year, self.month)[1])


def happens(scene: Scene, share: float) -> bool:
    return scene.chance.random() < share


def some_party(scene: Scene, *, customer: bool, readable: bool = False) -> Party:
    """Draws a party; those at the front of the list have more to do with us."""
    parties = scene.company.customers if customer else scene.company.vendors
    if readable:
        parties = [party for party in parties if party.style not in OPAQUE]
    size = len(parties)
    return parties[min(scene.chance.randrange(size), scene.chance.randrange(size))]


def some_cents(scene: Scene, party: Party, *, list_price: float = 0.0) -> int:
    """Draws an amount that this party does not have yet."""
    while True:
        low = scene.chance.choice((2_000, 20_000, 20_000, 200_000))
        cents = scene.chance.randrange(low, low * 10)
        if happens(scene, list_price):
            cents = scene.chance.choice(PRICES)
            list_price = 0.0
        if (party.name, cents) not in scene.taken:
            scene.taken.add((party.name, cents))
            return cents


def working_day_after(scene: Scene, day: date, working_days: int = 0) -> date | None:
    """Returns the first working day not before a day, or one later; None after the month's end."""
    later = [known for known in scene.days if known >= day]
    return later[working_days] if len(later) > working_days else None


def entered_on(scene: Scene, booked: date, *, customer: bool) -> date:
    """Draws the day of the entry that belongs to a bank line."""
    if happens(scene, scene.difficulty.late):
        days = scene.chance.randrange(5, 10)
    elif customer:
        days = scene.chance.randrange(-2, 3)
    else:
        days = scene.chance.randrange(4)
    day = booked - timedelta(days=days)
    # What is paid at a weekend reaches the bank on Monday.
    if booked.isoweekday() == 1 and days in (1, 2):
        day = booked - timedelta(days=days + scene.chance.randrange(2))
    return min(day, scene.last_day)


def new_reference(scene: Scene, party: Party) -> str:
    """Draws an invoice number: ours, in order, to a customer; the vendor's own otherwise."""
    if party.customer:
        scene.last_invoice += scene.chance.randrange(1, 4)
        return f"RE-{scene.last_invoice}"
    return party.number_format.format(scene.chance.randrange(10_000, 100_000))


def digits_of(reference: str) -> str:
    """The running number in a reference, without year and letters."""
    return max("".join(sign if sign.isdigit() else " " for sign in reference).split(), key=len)


def on_the_line(scene: Scene, reference: str) -> str:
    """What is left of an invoice number when the bank prints it."""
    kinds = scene.difficulty.references
    digits = digits_of(reference)
    match scene.chance.choices(tuple(kinds), tuple(kinds.values()))[0]:
        case "whole":
            return reference
        case "digits":
            return f"{scene.chance.choice(('', 'RG', 'NR', 'INV '))}{digits}"
        case "garbled":
            return garbled(scene.chance, digits)
        case _:
            return scene.chance.choice(("", "", "THANK YOU", "INVOICE", "AS AGREED", "KD 4471"))


def garbled(chance: Random, digits: str) -> str:
    """One digit lost, one wrong, two swapped, or a blank in the middle."""
    at = chance.randrange(1, len(digits) - 1)
    return chance.choice(
        (
            digits[:at] + digits[at + 1 :],
            digits[:at] + str((int(digits[at]) + chance.randrange(1, 10)) % 10) + digits[at + 1 :],
            digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :],
            f"{digits[:at]} {digits[at:]}",
        )
    )


def mistyped(scene: Scene, name: str) -> str:
    """Now and then two neighbours swapped or one letter lost, within the first word."""
    word = name.partition(" ")[0]
    if len(word) < 5 or not happens(scene, scene.difficulty.typos):
        return name
    at = scene.chance.randrange(1, len(word) - 1)
    if happens(scene, 0.5):
        return name[:at] + name[at + 1 :]
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]


def bank_text(scene: Scene, party: Party, cents: int, said: str = "", remark: str = "") -> str:
    """What the bank prints, cut off at the width: how it was paid, a remark, who, what they said."""
    if cents > 0:
        ways = ("SEPA CREDIT", "TRF FROM", "CR", "INCOMING WIRE")
    else:
        ways = ("SEPA TRANSFER", "TRF TO", "DD", "OUTGOING WIRE")
    name = party.bank_name if party.style in OPAQUE else mistyped(scene, party.bank_name)
    text = " ".join(filter(None, (scene.chance.choice(ways), remark, name, said)))
    return text.translate(FOLDED).upper()[: scene.difficulty.width].strip()


def line_of(
    scene: Scene, party: Party, day: date, cents: int, said: str = "", remark: str = ""
) -> Line:
    return Line(day, bank_text(scene, party, cents, said, remark), cents, party.currency)


def entry_of(
    scene: Scene, party: Party, day: date, cents: int, reference: str, text: str = ""
) -> Entry:
    kind = "RC" if party.customer else "PY"
    said = text or ("Receipt" if party.customer else "Payment")
    return Entry(day, kind, mistyped(scene, party.name), reference, said, cents, party.currency)


def signed(party: Party, cents: int) -> int:
    """Money in from customers, out to vendors."""
    return cents if party.customer else -cents
