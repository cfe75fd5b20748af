"""What all cases draw on: days, customers, invoices, and the words of a payment."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from customers import FOLDED, Customer, Customers
from difficulty import Difficulty

PRICES = (4900, 9900, 11900, 25000, 29750, 50000, 59500, 100000, 119000, 250000)
"""What many invoices come to, in cents."""

HOLIDAYS = {(1, 1), (5, 1), (12, 25), (12, 26)}
OLDEST = 150
"""Days before the month of which invoices may be open."""


@dataclass(frozen=True, eq=False)
class Item:
    """An open item: an invoice, or a credit note with a negative amount."""

    customer: Customer
    document: str
    day: date
    cents: int


@dataclass(frozen=True, eq=False)
class Payment:
    """A payment that the bank has booked."""

    day: date
    payer: str
    text: str
    cents: int
    currency: str


@dataclass(frozen=True, eq=False)
class Advice:
    """What a payer writes about a payment."""

    day: date
    sender: str
    text: str


@dataclass(frozen=True)
class Part:
    """What a payment gives to one item: cents of the payment."""

    item: Item
    cents: int
    why: str = ""
    """What was kept back for, if the customer says so."""


@dataclass(eq=False)
class Scene:
    """One month of one company, while it is made."""

    chance: Random
    year: int
    month: int
    since_first: int
    """Months since the first that the company has."""
    customers: Customers
    difficulty: Difficulty
    payments: int
    """How many there will be."""
    days: list[date] = field(init=False)
    """The bank's working days."""
    items: list[Item] = field(default_factory=list[Item])
    advices: list[Advice] = field(default_factory=list[Advice])
    taken: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Payer and amount: drawn once only, for nobody could tell two such invoices apart."""
    numbers: set[int] = field(default_factory=set[int])
    """Of documents, invoices and credit notes alike."""
    on_statement: list[Customer] = field(init=False)
    """Those who have not paid their statement yet."""

    def __post_init__(self) -> None:
        length = monthrange(self.year, self.month)[1]
        days = [self.first_day + timedelta(days=n) for n in range(length)]
        self.days = [
            day for day in days if day.isoweekday() < 6 and (day.month, day.day) not in HOLIDAYS
        ]
        self.on_statement = list(self.customers.statement)

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)


def happens(scene: Scene, share: float) -> bool:
    return scene.chance.random() < share


def some_customer(scene: Scene) -> Customer:
    """Draws a customer; those at the front of the list have more to do with us."""
    size = len(scene.customers.single)
    return scene.customers.single[min(scene.chance.randrange(size), scene.chance.randrange(size))]


def some_cents(scene: Scene, customer: Customer, *, list_price: float) -> int:
    """Draws an amount that nobody has for whom the same payer pays."""
    while True:
        low = scene.chance.choice((2_000, 20_000, 20_000, 200_000))
        cents = scene.chance.randrange(low, low * 10)
        if happens(scene, list_price):
            cents = scene.chance.choice(PRICES)
            list_price = 0.0
        if (customer.payer, cents) not in scene.taken:
            scene.taken.add((customer.payer, cents))
            return cents


def later_day(scene: Scene, day: date, working_days: int) -> date | None:
    """Returns a working day some working days after one; None after the month's end."""
    later = [known for known in scene.days if known > day]
    return later[working_days - 1] if len(later) >= working_days else None


def invoice(scene: Scene, customer: Customer, booked: date, *, list_price: float = 0.0) -> Item:
    """Draws an invoice that the customer would pay on a day: early for the discount, or when due."""
    terms = customer.terms
    if customer.early and happens(scene, 0.7):
        age = scene.chance.randrange(1, terms.days + 1)
    else:
        age = scene.chance.randrange(max(terms.days + 3, terms.net - 9), terms.net + 12)
    return invoice_of(scene, customer, booked - timedelta(days=age), list_price=list_price)


def invoice_of(scene: Scene, customer: Customer, day: date, *, list_price: float = 0.0) -> Item:
    return item_of(scene, customer, day, some_cents(scene, customer, list_price=list_price))


def item_of(scene: Scene, customer: Customer, day: date, cents: int) -> Item:
    item = Item(customer, _document(scene, day, "RE" if cents > 0 else "GS"), day, cents)
    scene.items.append(item)
    return item


def credit_note(scene: Scene, customer: Customer, booked: date, below: int) -> Item:
    """Draws a credit note over less than an amount in cents."""
    cents = scene.chance.randrange(max(500, below // 20), max(600, below // 2))
    day = booked - timedelta(days=scene.chance.randrange(3, 40))
    return item_of(scene, customer, day, -cents)


def _document(scene: Scene, day: date, kind: str) -> str:
    """Draws a number out of those of the day; they rise from day to day."""
    per_day = max(60, scene.payments // 10)
    index = (day - scene.first_day).days + OLDEST
    start = 20_000 + index * per_day
    while True:
        number = start + scene.chance.randrange(per_day)
        if number not in scene.numbers:
            scene.numbers.add(number)
            return f"{kind}-{number}"


def part_of(item: Item, booked: date) -> Part:
    """What a customer pays for an item: less the discount, if it takes it and is in time."""
    terms = item.customer.terms
    in_time = (booked - item.day).days <= terms.days
    if item.cents > 0 and item.customer.early and terms.percent and in_time:
        return Part(item, item.cents - discount(item))
    return Part(item, item.cents)


def discount(item: Item) -> int:
    """Returns the cents of the discount, rounded half up."""
    return (item.cents * item.customer.terms.percent + 50) // 100


def digits_of(document: str) -> str:
    return document[3:]


def numbers(scene: Scene, items: Sequence[Item]) -> str:
    """What a payment's text says of documents: all in one way, or nothing."""
    return _written(scene, items, scene.difficulty.references)


def told(scene: Scene, items: Sequence[Item]) -> str:
    """The documents' numbers, in any way but none."""
    ways = {way: weight for way, weight in scene.difficulty.references.items() if way != "none"}
    return _written(scene, items, ways)


def _written(scene: Scene, items: Sequence[Item], ways: Mapping[str, int]) -> str:
    digits = [digits_of(item.document) for item in items]
    match scene.chance.choices(tuple(ways), tuple(ways.values()))[0]:
        case "whole":
            return scene.chance.choice((" ", ", ")).join(item.document for item in items)
        case "digits":
            word = scene.chance.choice(("", "RG ", "INV ", "INVOICE "))
            return word + (_shortened(digits) if happens(scene, 0.4) else " ".join(digits))
        case "garbled":
            at = scene.chance.randrange(len(digits))
            digits[at] = garbled(scene.chance, digits[at])
            return " ".join(digits)
        case _:
            customer = f"KD {items[0].customer.number}"
            return scene.chance.choice(("", "", "THANK YOU", "INVOICE", customer))


def _shortened(digits: Sequence[str]) -> str:
    """The first number in full, of the others the last three digits, if that tells them."""
    if len({number[:-3] for number in digits}) > 1:
        return " ".join(digits)
    return "/".join([digits[0], *(number[-3:] for number in digits[1:])])


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


def payment_of(scene: Scene, customer: Customer, booked: date, cents: int, said: str) -> Payment:
    text = said.translate(FOLDED).upper()[: scene.difficulty.width].strip()
    return Payment(booked, customer.payer, text, cents, customer.currency)
