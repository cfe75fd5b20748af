"""What was bought with the company's cards in one month, as the bank has it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from merchants import BANK, EVERYDAY, ON_THE_ROAD, SUBSCRIPTIONS, WAYS, Merchant
from policy import CARD_LOST, CARDS, NEEDS_CLAIM

EMPLOYEES = sorted(set(CARDS.values()))
BUYER_OF_SUBSCRIPTIONS = "Tomasz Wójcik"
CITIES = {
    "BERLIN": "EUR",
    "MUENCHEN": "EUR",
    "KOELN": "EUR",
    "WIEN": "EUR",
    "LONDON": "GBP",
    "ZUERICH": "CHF",
    "KOBENHAVN": "DKK",
    "NEW YORK": "USD",
}
RATES = {"EUR": 1.0, "GBP": 1.1542, "CHF": 1.0631, "DKK": 0.134, "USD": 0.8614}
"""Euros for one unit, before the day's noise."""
FEE = Merchant(BANK, "", "AUSLANDSENTGELT 1,75%", "", 0, 0)


@dataclass(frozen=True)
class Purchase:
    """One card line. Money is in cents, so that nothing is lost to rounding."""

    employee: str
    card: str
    day: date
    booked: date
    merchant: Merchant
    text: str
    cents: int
    currency: str
    """What the employee saw on the receipt."""
    cents_eur: int
    purpose: str
    original_shown: bool
    """False where the statement has euros only."""
    claimed: bool
    """Whether an expense report is expected to have it."""
    id: str = ""


def month_of_purchases(chance: Random, year: int, month: int) -> list[Purchase]:
    first = date(year, month, 1)
    days = [first + timedelta(days=n) for n in range(monthrange(year, month)[1] - 4)]
    made = [
        *trips(chance, days),
        *everyday(chance, days),
        *(
            bought(chance, BUYER_OF_SUBSCRIPTIONS, merchant, chance.choice(days), "")
            for merchant in known(SUBSCRIPTIONS, month)
        ),
    ]
    made += [*refunds(chance, made), *charged_twice(chance, made)]
    made += foreign_fees(made, days[-1])
    chance.shuffle(made)
    made.sort(key=lambda purchase: purchase.booked)
    return [replace(p, id=f"T{year % 100}{month:02}-{n:03}") for n, p in enumerate(made, start=1)]


def trips(chance: Random, days: list[date]) -> Iterator[Purchase]:
    travellers = chance.sample(EMPLOYEES, 7)
    for traveller, city in zip(travellers, chance.sample(sorted(CITIES), 7), strict=True):
        yield from trip(chance, traveller, city, chance.choice(days[2:-4]))


def trip(chance: Random, employee: str, city: str, start: date) -> Iterator[Purchase]:
    """The ticket, rides and meals, and a hotel."""
    currency = CITIES[city]
    nights = chance.randrange(1, 4)
    event = chance.choice(["client meeting", "workshop", "conference", "project kick-off"])
    purpose = f"{city.title()}, {event}"
    here = [
        merchant
        for merchant in known(ON_THE_ROAD, start.month)
        if merchant.currency == currency and merchant.city in ("", city)
    ]
    by_rail = currency == "EUR" and city != "WIEN"
    ways = [way for way in known(WAYS, start.month) if (way.what == "rail") == by_rail]
    yield bought(chance, employee, chance.choice(ways), start - timedelta(days=1), purpose)
    for night in range(nights + 1):
        day = start + timedelta(days=night)
        for what in ("ride", "meal"):
            choices = [merchant for merchant in here if merchant.what == what]
            for merchant in chance.sample(choices, chance.randrange(3)):
                yield bought(chance, employee, merchant, day, purpose, city)
    hotel = chance.choice([merchant for merchant in here if merchant.what == "hotel"])
    bill = replace(hotel, low=hotel.low * nights, high=hotel.high * nights)
    yield bought(chance, employee, bill, start + timedelta(days=nights), purpose, city)


def everyday(chance: Random, days: list[date]) -> Iterator[Purchase]:
    for _ in range(44):
        merchant = chance.choice(known(EVERYDAY, days[0].month))
        day = chance.choice(days)
        yield bought(chance, chance.choice(EMPLOYEES), merchant, day, merchant.what)


def refunds(chance: Random, made: list[Purchase]) -> Iterator[Purchase]:
    """Two returned things; only one of their owners will think of the report."""
    returned = [p for p in made if p.merchant.what in ("rail", "headset", "charger", "book")]
    for purchase, claimed in zip(chance.sample(returned, 2), (True, False), strict=True):
        yield replace(
            purchase,
            day=purchase.day + timedelta(days=5),
            booked=working_day(purchase.booked + timedelta(days=5)),
            cents=-purchase.cents,
            cents_eur=-purchase.cents_eur,
            purpose=f"returned: {purchase.purpose}",
            claimed=claimed,
        )


def charged_twice(chance: Random, made: list[Purchase]) -> Iterator[Purchase]:
    purchase = chance.choice([p for p in made if p.merchant.what in ("ride", "meal")])
    later = working_day(purchase.booked + timedelta(days=6))
    yield replace(purchase, booked=later, claimed=False)


def foreign_fees(made: list[Purchase], day: date) -> Iterator[Purchase]:
    foreign: dict[str, list[Purchase]] = {}
    for purchase in made:
        if purchase.original_shown:
            foreign.setdefault(purchase.card, []).append(purchase)
    for card, purchases in sorted(foreign.items()):
        fee = round(sum(purchase.cents_eur for purchase in purchases) * 0.0175)
        yield replace(
            purchases[0],
            card=card,
            day=day,
            booked=working_day(day + timedelta(days=1)),
            merchant=FEE,
            text=FEE.text,
            cents=fee,
            currency="EUR",
            cents_eur=fee,
            original_shown=False,
            claimed=False,
        )


def bought(
    chance: Random,
    employee: str,
    merchant: Merchant,
    day: date,
    purpose: str,
    city: str = "HAMBURG",
) -> Purchase:
    cents = chance.randrange(merchant.low * 100, merchant.high * 100)
    cents -= cents % merchant.round_to
    foreign = merchant.currency != "EUR"
    # A terminal that offers to bill in euros does so at a poor rate, and the bank sees no other.
    billed_in_euros = foreign and chance.random() < 0.12
    noise = 1.035 if billed_in_euros else chance.uniform(0.995, 1.005) if foreign else 1
    return Purchase(
        employee=employee,
        card=card_of(employee, day),
        day=day,
        booked=working_day(day + timedelta(days=chance.choice([1, 1, 2, 2, 3]))),
        merchant=merchant,
        text=statement_text(chance, merchant.text, city),
        cents=cents,
        currency=merchant.currency,
        cents_eur=round(cents * RATES[merchant.currency] * noise),
        purpose=purpose,
        original_shown=foreign and not billed_in_euros,
        claimed=merchant.account is None or merchant.account in NEEDS_CLAIM,
    )


def statement_text(chance: Random, template: str, city: str) -> str:
    """Fills in numbers and places, and cuts the name off where a card network does."""
    name, _, place = template.replace("CITY", city).partition("|")
    signs = {"#": "0123456789", "@": "ABCDEFGHJKLMNPRSTUVWXYZ123456789"}
    name = "".join(chance.choice(signs[sign]) if sign in signs else sign for sign in name)
    return f"{name[:22]:<22} {place[:13]}".rstrip()


def card_of(employee: str, day: date) -> str:
    cards = [card for card, holder in CARDS.items() if holder == employee]
    return cards[-1] if day > CARD_LOST else cards[0]


def working_day(day: date) -> date:
    """The day itself, or the Monday after a weekend."""
    return day + timedelta(days=max(0, 8 - day.isoweekday()) if day.isoweekday() > 5 else 0)


def known(merchants: Iterable[Merchant], month: int) -> list[Merchant]:
    return [merchant for merchant in merchants if merchant.since <= month]
