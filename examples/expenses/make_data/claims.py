"""What people put on their expense reports: mostly right, and wrong in the usual ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import product
from random import Random

from merchants import CASH, MEALS
from purchases import EMPLOYEES, RATES, Purchase


@dataclass(frozen=True)
class Claim:
    """One line of an expense report, as its employee typed it. Money in cents."""

    employee: str
    day: date
    merchant: str
    purpose: str
    cents: int
    currency: str
    receipt: bool
    purchase_id: str | None
    """The truth: the card line it is about; None for what no card paid."""
    again: bool = False
    """Claimed before: the purchase belongs to the other claim."""
    id: str = ""
    submitted: date = date.min


Change = Callable[[Claim, Random], list[Claim]]
Applies = Callable[[Purchase], bool]


def month_of_claims(chance: Random, purchases: Sequence[Purchase]) -> list[Claim]:
    expected = [purchase for purchase in purchases if purchase.claimed]
    chance.shuffle(expected)
    changes = dealt_out(expected)
    claims = [
        claim
        for purchase in expected
        for claim in changes.get(purchase.id, as_it_was)(first_draft(chance, purchase), chance)
    ]
    claims += [paid_in_cash(chance, claim) for claim in chance.sample(claims, 5)]
    return reported(chance, claims, purchases[0].booked)


def dealt_out(expected: Sequence[Purchase]) -> dict[str, Change]:
    """Gives each change to as many purchases as it should befall, none to two."""
    dealt: dict[str, Change] = {}
    for count, applies, change in CHANGES:
        fitting = [p.id for p in expected if p.id not in dealt and p.cents > 0 and applies(p)]
        dealt.update(dict.fromkeys(fitting[:count], change))
    return dealt


def first_draft(chance: Random, purchase: Purchase) -> Claim:
    said = purchase.merchant.said
    return Claim(
        employee=purchase.employee,
        day=purchase.day,
        merchant=mistyped(chance, said) if chance.random() < 0.2 else said,
        purpose=purchase.purpose,
        cents=purchase.cents,
        currency=purchase.currency,
        receipt=chance.random() > 0.1,
        purchase_id=purchase.id,
    )


def mistyped(chance: Random, text: str) -> str:
    """Two neighbours swapped, or one letter lost."""
    at = chance.randrange(1, len(text) - 1)
    if chance.random() < 0.5:
        return text[:at] + text[at + 1 :]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def as_it_was(claim: Claim, _chance: Random) -> list[Claim]:
    return [claim]


def forgotten(_claim: Claim, _chance: Random) -> list[Claim]:
    return []


def claimed_twice(claim: Claim, _chance: Random) -> list[Claim]:
    return [claim, replace(claim, purchase_id=None, again=True)]


def digits_swapped(claim: Claim, _chance: Random) -> list[Claim]:
    tens, ones = divmod(claim.cents // 100 % 100, 10)
    return [replace(claim, cents=claim.cents + 900 * (ones - tens))]


def without_tip(claim: Claim, _chance: Random) -> list[Claim]:
    return [replace(claim, cents=round(claim.cents / 110) * 100)]


def rounded(claim: Claim, _chance: Random) -> list[Claim]:
    return [replace(claim, cents=round(claim.cents / 100) * 100)]


def wrong_month(claim: Claim, _chance: Random) -> list[Claim]:
    return [replace(claim, day=claim.day.replace(month=claim.day.month - 1))]


def day_off(claim: Claim, chance: Random) -> list[Claim]:
    return [replace(claim, day=claim.day + timedelta(days=chance.choice([-2, -1, 1, 4])))]


def own_rate(claim: Claim, chance: Random) -> list[Claim]:
    euros = round(claim.cents * RATES[claim.currency] * chance.uniform(0.975, 1.02))
    return [replace(claim, cents=euros, currency="EUR")]


def currency_forgotten(claim: Claim, _chance: Random) -> list[Claim]:
    return [replace(claim, currency="EUR")]


def in_parts(claim: Claim, chance: Random) -> list[Claim]:
    part = chance.randrange(1400, 3400, 50)
    breakfast = replace(claim, merchant=f"{claim.merchant}, breakfast", cents=part)
    return [replace(claim, cents=claim.cents - part), breakfast]


def swappable(purchase: Purchase) -> bool:
    """Whether swapping the last two digits before the point changes the amount, but not wildly."""
    tens, ones = divmod(purchase.cents // 100 % 100, 10)
    return 0 < abs(900 * (ones - tens)) < 0.22 * purchase.cents


def is_meal(purchase: Purchase) -> bool:
    return purchase.merchant.account == MEALS and purchase.cents_eur > 2000


def is_foreign(purchase: Purchase) -> bool:
    return purchase.original_shown


def is_hotel(purchase: Purchase) -> bool:
    return purchase.merchant.what == "hotel" and purchase.merchant.said != "Airbnb"


def is_uneven(purchase: Purchase) -> bool:
    return purchase.cents % 100 != 0


def is_early_enough(purchase: Purchase) -> bool:
    """Whether the month before has that day too."""
    return purchase.day.day <= 28


def could_be_euros(purchase: Purchase) -> bool:
    return is_foreign(purchase) and purchase.currency != "DKK"


def anything(_purchase: Purchase) -> bool:
    return True


CHANGES: tuple[tuple[int, Applies, Change], ...] = (
    (2, is_hotel, in_parts),
    (1, could_be_euros, currency_forgotten),
    (4, is_foreign, own_rate),
    (3, swappable, digits_swapped),
    (3, is_meal, without_tip),
    (2, is_uneven, rounded),
    (2, is_early_enough, wrong_month),
    (8, anything, day_off),
    (2, anything, claimed_twice),
    (7, anything, forgotten),
)


def paid_in_cash(chance: Random, like: Claim) -> Claim:
    """Something that came up on the same occasion as a real claim."""
    thing = chance.choice(CASH)
    cents = chance.randrange(thing.low * 100, thing.high * 100)
    return Claim(
        employee=like.employee,
        day=like.day,
        merchant=thing.said,
        purpose=thing.what or like.purpose,
        cents=cents - cents % thing.round_to,
        currency="EUR",
        receipt=chance.random() < 0.4,
        purchase_id=None,
    )


def reported(chance: Random, claims: Sequence[Claim], month: date) -> list[Claim]:
    """Puts claims on two reports a person, in the order of the pile of receipts."""
    filed: list[Claim] = []
    middle, end = month.replace(day=16), month.replace(day=1) + timedelta(days=32)
    reports = product(EMPLOYEES, ((False, middle), (True, end)))
    for number, (employee, (late, submitted)) in enumerate(reports, start=1):
        submitted += timedelta(days=chance.randrange(3))
        pile = [claim for claim in claims if claim.employee == employee and is_late(claim) == late]
        chance.shuffle(pile)
        pile.sort(key=lambda claim: claim.again)
        filed += [
            replace(claim, id=f"E{month.month:02}{number:02}-{line:02}", submitted=submitted)
            for line, claim in enumerate(pile, start=1)
        ]
    return filed


def is_late(claim: Claim) -> bool:
    return claim.again or claim.day.day > 14
