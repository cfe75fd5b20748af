"""Remittance advice: what payers write about a payment, each in a way of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from customers import FOLDED, Customer
from scene import Advice, Part, Scene, digits_of, happens

WHY = ("damaged goods", "freight", "short delivery", "wrong price", "return")


def advise(
    scene: Scene, customer: Customer, booked: date, cents: int, parts: Sequence[Part]
) -> str:
    """Writes advice of a payment; returns the number that it goes by."""
    number = str(scene.chance.randrange(4_000, 10_000))
    ways = (_table, _prose, _list)
    way = ways[customer.advice]
    if scene.since_first and customer.advice == 2:
        way = _portal
    day = booked - timedelta(days=scene.chance.randrange(3))
    text = way(number, customer.currency, cents, parts)
    scene.advices.append(Advice(day, _sender(scene, customer), text))
    return number


def _sender(scene: Scene, customer: Customer) -> str:
    if customer.hidden and happens(scene, 0.5):
        return "noreply@ap-services.example"
    stem, trade, *_ = customer.name.translate(FOLDED).lower().split()
    return f"accounts@{stem}-{trade}.example"


def _german(cents: int) -> str:
    return f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))


def _english(cents: int) -> str:
    return f"{cents / 100:,.2f}"


def _table(number: str, currency: str, cents: int, parts: Sequence[Part]) -> str:
    rows = [
        " | ".join(
            (
                part.item.document,
                f"{part.item.day:%d.%m.%Y}",
                _german(part.item.cents),
                _german(part.item.cents - part.cents),
                _german(part.cents),
                *filter(None, (part.why,)),
            )
        )
        for part in parts
    ]
    head = f"Avis {number}\nBeleg | Datum | Betrag | Abzug | Zahlung {currency}"
    return "\n".join([head, *rows, f"Summe {_german(cents)}"])


def _prose(number: str, currency: str, cents: int, parts: Sequence[Part]) -> str:
    paid = [digits_of(part.item.document) for part in parts if part.cents > 0]
    credits = [digits_of(part.item.document) for part in parts if part.cents < 0]
    kept = [
        f"From {digits_of(part.item.document)} we kept "
        f"{_english(part.item.cents - part.cents)} ({part.why})."
        for part in parts
        if part.why
    ]
    *front, last = paid
    names = f"{', '.join(front)} and {last}" if front else last
    sentences = [
        f"Hello, we paid {currency} {_english(cents)} for {names} (our ref {number}).",
        *(f"Your credit {credit} is taken off." for credit in credits),
        *kept,
        "Kind regards",
    ]
    return " ".join(sentences)


def _list(number: str, currency: str, cents: int, parts: Sequence[Part]) -> str:
    rows = [
        f"{'Credit' if part.cents < 0 else 'Inv'} {digits_of(part.item.document)}: "
        f"{_english(part.cents)}" + (f" less {part.why}" if part.why else "")
        for part in parts
    ]
    return f"PAYMENT ADVICE {number}; " + "; ".join([*rows, f"total {currency} {_english(cents)}"])


def _portal(number: str, currency: str, cents: int, parts: Sequence[Part]) -> str:
    """From the second month on: numbers in groups of digits, amounts in cents."""
    rows = [
        f"doc={part.item.document[:2]}{digits_of(part.item.document)[:2]} "
        f"{digits_of(part.item.document)[2:]} amt={part.cents}"
        + (f" ded={part.why}" * bool(part.why))
        for part in parts
    ]
    return f"portal export {number} cur={currency} sum={cents} :: " + " :: ".join(rows)
