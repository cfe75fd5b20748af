"""An invented company's customers, their terms and habits, and the name under which each pays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

FIRST = [
    "Ar",
    "Bel",
    "Cor",
    "Dan",
    "Elm",
    "Fal",
    "Grün",
    "Hol",
    "Ing",
    "Jor",
    "Kal",
    "Lor",
    "Mer",
    "Nes",
    "Or",
    "Pal",
    "Ros",
    "Sten",
    "Tor",
    "Wil",
]
LAST = [
    "bach",
    "burg",
    "dorf",
    "eck",
    "fors",
    "gard",
    "hain",
    "ick",
    "kamp",
    "lund",
    "moor",
    "nitz",
    "rath",
    "sund",
    "tal",
    "wick",
]
TRADES = {
    "EUR": [
        "Anlagenbau",
        "Apotheken",
        "Bäckerei",
        "Dental",
        "Fenster",
        "Getränke",
        "Hydraulik",
        "Kliniken",
        "Kälte",
        "Lacke",
        "Maschinen",
        "Medizin",
        "Pumpen",
        "Textil",
        "Verlag",
        "Werkzeuge",
    ],
    "USD": ["Devices", "Foods", "Labs", "Medical", "Motors", "Tools"],
    "GBP": ["Bakeries", "Dental", "Joinery", "Marine", "Pumps", "Trading"],
}
FORMS = {"EUR": ("GmbH", "KG", "AG", "GmbH & Co. KG"), "USD": ("Inc",), "GBP": ("Ltd",)}
BRANDS = ["Avo", "Bixo", "Cuvi", "Dezo", "Evio", "Fiba", "Gomo", "Huxi", "Ivea", "Juno"]
HOLDINGS = [
    "Atlas",
    "Borealis",
    "Cetus",
    "Delphi",
    "Eos",
    "Fides",
    "Helios",
    "Juventa",
    "Kronos",
    "Lyra",
]

FOLDED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "AE", "Ö": "OE", "Ü": "UE"}
)


@dataclass(frozen=True)
class Terms:
    """When an invoice is due, and what may be kept for paying early."""

    percent: int
    """Discount; 0 for none."""
    days: int
    """After the invoice's date, within which the discount may be taken."""
    net: int
    """Days until it is due."""

    def __str__(self) -> str:
        early = f"{self.percent}% {self.days} days, " if self.percent else ""
        return f"{early}net {self.net}"


TERMS = (Terms(2, 10, 30), Terms(3, 14, 30), Terms(2, 14, 45), Terms(0, 0, 30), Terms(0, 0, 14))


@dataclass(frozen=True)
class Customer:
    """A customer, as our books have it and as the bank names who pays for it."""

    number: int
    name: str
    currency: str
    terms: Terms
    payer: str
    hidden: bool
    """The payer's name resembles nothing: a brand, or the parent's."""
    early: bool
    """Takes the discount whenever it can."""
    advice: int
    """The way in which its remittance advice is written."""


@dataclass(frozen=True)
class Customers:
    """Who there is to be paid by."""

    single: Sequence[Customer]
    """Those who pay invoices as they come, members of groups among them."""
    groups: Sequence[Sequence[Customer]]
    """Subsidiaries for which one parent pays."""
    statement: Sequence[Customer]
    """Those who pay everything up to a day, at once."""


def customers_of(seed: int, size: int, hidden: float, month: int) -> Customers:
    """Returns the customers of a seed.

    Args:
        seed: of the company.
        size: how many, about.
        hidden: share that a parent pays for, and share that pays under a brand.
        month: 0 for the first. From the second on, one in five has begun to pay under a brand.
    """
    chance = Random(f"{seed} customers")
    everybody = list(_drawn(chance, size, hidden))
    if month:
        everybody = [
            _branded(Random(f"{seed} brand of {one.number}"), one) if one.number % 5 == 0 else one
            for one in everybody
        ]
    on_statement, others = everybody[: size // 6], everybody[size // 6 :]
    groups: list[list[Customer]] = []
    for at in range(0, int(len(others) * hidden) - 2, 3):
        members = [one for one in others[at : at + 3] if one.currency == "EUR"]
        word = HOLDINGS[len(groups) % len(HOLDINGS)]
        turn = len(groups) // len(HOLDINGS)
        name = f"{word.upper()} {chance.choice(LAST).upper()} HOLDING" + (f" {turn}" * bool(turn))
        groups.append([_with_payer(one, name) for one in members])
    grouped = {one.number: one for group in groups for one in group}
    return Customers(
        single=[grouped.get(one.number, one) for one in others],
        groups=[group for group in groups if len(group) > 1],
        statement=on_statement,
    )


def _drawn(chance: Random, size: int, hidden: float) -> Iterator[Customer]:
    stem = ""
    names: set[str] = set()
    while len(names) < size:
        # One in eight has the family name of the one before it, in another trade.
        if not stem or chance.random() > 1 / 8:
            stem = chance.choice(FIRST) + chance.choice(LAST)
        currency = chance.choices(("EUR", "USD", "GBP"), (82, 10, 8))[0]
        name = f"{stem} {chance.choice(TRADES[currency])} {chance.choice(FORMS[currency])}"
        if name in names:
            name = f"{name} {len(names)}"
        names.add(name)
        terms = chance.choice(TERMS)
        one = Customer(
            number=10_000 + len(names),
            name=name,
            currency=currency,
            terms=terms,
            payer=_payer(chance, name),
            hidden=False,
            early=terms.percent > 0 and chance.random() < 0.6,
            advice=chance.randrange(3),
        )
        yield _branded(chance, one) if chance.random() < hidden else one


def _payer(chance: Random, name: str) -> str:
    plain = name.translate(FOLDED).upper().replace("&", "U").replace(".", "")
    match chance.randrange(4):
        case 0:
            return plain[: chance.randrange(10, 15)].strip()
        case 1:
            return "".join(sign for sign in plain if sign not in "AEIOU")[:14].strip()
        case _:
            return plain[:27].strip()


def _branded(chance: Random, one: Customer) -> Customer:
    brand = f"{chance.choice(BRANDS)}{chance.choice(LAST)}{one.number % 100}".upper()
    return _with_payer(one, f"{brand} {chance.choice(('PAY', 'SERVICES', 'SHARED SVC'))}")


def _with_payer(one: Customer, payer: str) -> Customer:
    return replace(one, payer=payer, hidden=True)
