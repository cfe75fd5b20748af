"""An invented company's customers and vendors, and how the bank writes the name of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

FIRST = [
    "Nor",
    "Kes",
    "Bran",
    "Tal",
    "Var",
    "Ell",
    "Ost",
    "Hal",
    "Rim",
    "Sol",
    "Wen",
    "Gar",
    "Lan",
    "Fin",
    "Mar",
    "Det",
    "Ulm",
    "Bor",
    "Ves",
    "Krö",
]
LAST = [
    "vik",
    "sel",
    "dau",
    "heim",
    "nau",
    "rich",
    "berg",
    "feld",
    "mann",
    "stedt",
    "holt",
    "wald",
    "brück",
    "ner",
    "ling",
    "horn",
]
TRADES = {
    "EUR": [
        "Metallbau",
        "Logistik",
        "Optik",
        "Handel",
        "Druck",
        "Elektro",
        "Büro",
        "Reinigung",
        "Verpackung",
        "Software",
        "Catering",
        "Möbel",
        "Chemie",
        "Labor",
        "Werbung",
        "Energie",
    ],
    "USD": ["Supply", "Optics", "Freight", "Tooling", "Systems", "Polymers"],
    "GBP": ["Instruments", "Castings", "Haulage", "Textiles", "Packaging", "Print"],
    "CHF": ["Präzision", "Pharma", "Uhren", "Treuhand"],
}
FORMS = {"EUR": ("GmbH", "KG", "AG", "GmbH & Co. KG"), "USD": ("Inc",), "GBP": ("Ltd",)}
BRANDS = ["Lumo", "Pixa", "Zenti", "Quiro", "Obeo", "Yuma", "Tivi", "Wexo", "Jolu", "Xano"]
BRAND_ENDS = ("PAY", "SHOP", "24", "ONLINE", "DIRECT", "HUB")

OPAQUE = frozenset({"brand", "code"})
"""Ways in which a bank writes a name that nobody can read who sees only the line."""

FOLDED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "AE", "Ö": "OE", "Ü": "UE"}
)


@dataclass(frozen=True)
class Party:
    """A customer or vendor, as the ledger has it and as the bank does."""

    name: str
    customer: bool
    currency: str
    bank_name: str
    style: str
    """How the bank writes the name: full, cut, squashed, brand or code."""
    number_format: str
    """Of a vendor's invoices; our own to customers are numbered through."""
    since: int = 0
    """The first month with it; months count from the first that the company has."""


@dataclass(frozen=True)
class Company:
    """Who there is to deal with in one month."""

    customers: Sequence[Party]
    vendors: Sequence[Party]
    platform: Party
    """The customer with the most lines: a marketplace that pays order by order at list prices."""
    month: int
    """Counted from the first that the company has."""


def company_of(seed: int, size: int, opaque: float, month: int) -> Company:
    """Returns the company of a seed in a month: some vendors are new each month.

    Args:
        seed: of the company.
        size: its counterparties in the first month.
        opaque: share of them that a bank line names by brand or code.
        month: 0 for the first.
    """
    parties = list(_drawn(Random(f"{seed} parties"), size, opaque, since=0))
    for later in range(1, month + 1):
        newcomers = _drawn(Random(f"{seed} parties of month {later}"), size // 12, opaque, later)
        parties += [replace(party, customer=False) for party in newcomers]
    return Company(
        customers=[party for party in parties if party.customer],
        vendors=[party for party in parties if not party.customer],
        platform=Party("Marktring Plattform SE", True, "EUR", "MARKTRING PLATTFORM", "full", ""),
        month=month,
    )


def _drawn(chance: Random, size: int, opaque: float, since: int) -> Iterator[Party]:
    stem = ""
    for number in range(max(6, size)):
        # One in six has the family name of the one before it, in another trade.
        stem = (
            stem if stem and chance.random() < 1 / 6 else chance.choice(FIRST) + chance.choice(LAST)
        )
        currency = chance.choices(("EUR", "USD", "GBP", "CHF"), (78, 10, 8, 4))[0]
        form = chance.choice(FORMS.get(currency, ("AG",)))
        name = f"{stem} {chance.choice(TRADES[currency])} {form}"
        hidden = chance.random() < opaque
        style = chance.choice(("brand", "code") if hidden else ("full", "full", "cut", "squashed"))
        yield Party(
            name=name,
            customer=number % 2 == 0,
            currency=currency,
            bank_name=_bank_name(chance, name, style),
            style=style,
            number_format=chance.choice(("A-{}", "{}/26", "R{}", "INV{}", "26-{}")),
            since=since,
        )


def _bank_name(chance: Random, name: str, style: str) -> str:
    plain = name.translate(FOLDED).upper().replace("&", "U").replace(".", "")
    match style:
        case "cut":
            return plain[: chance.randrange(9, 14)].strip()
        case "squashed":
            return "".join(sign for sign in plain if sign not in "AEIOU")[:12].strip()
        case "brand":
            return (
                f"{chance.choice(BRANDS)}{chance.choice(LAST)}*{chance.choice(BRAND_ENDS)}".upper()
            )
        case "code":
            return f"{chance.choice(('CRED', 'MNDT', 'CPTY'))}{chance.randrange(10**7, 10**8)}"
        case _:
            return plain
