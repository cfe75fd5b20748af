"""How often each thing happens, for each of the three difficulties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Difficulty:
    """Shares and weights; the README says what the kinds of case are."""

    cases: Mapping[str, int]
    """Kind of case to weight."""
    references: Mapping[str, int]
    """What has become of an invoice number on its way to the bank line, to weight."""
    opaque: float
    """Share of counterparties that a bank line names by brand or code."""
    list_prices: float
    """Share of amounts out of the price list, which many invoices have."""
    typos: float
    """Share of names mistyped, in bank line or ledger."""
    late: float
    """Share of payments that take up to nine days."""
    width: int
    """Characters of a bank line's text."""


EASY = Difficulty(
    cases={"single": 900, "fee": 30, "run": 5, "void": 5, "outstanding": 20, "unbooked": 5},
    references={"whole": 80, "digits": 20},
    opaque=0.0,
    list_prices=0.05,
    typos=0.0,
    late=0.0,
    width=60,
)
MEDIUM = Difficulty(
    cases={
        "single": 700,
        "platform": 30,
        "weekly": 8,
        "twin": 12,
        "run": 10,
        "batch": 8,
        "transposed": 8,
        "net_of_fee": 6,
        "reissue": 8,
        "void": 8,
        "returned": 6,
        "correction": 4,
        "fee": 35,
        "unbooked": 10,
        "outstanding": 30,
    },
    references={"whole": 55, "digits": 20, "garbled": 5, "none": 20},
    opaque=0.08,
    list_prices=0.12,
    typos=0.04,
    late=0.02,
    width=48,
)
HARD = Difficulty(
    cases={
        "single": 610,
        "platform": 45,
        "weekly": 14,
        "twin": 22,
        "run": 15,
        "batch": 16,
        "transposed": 20,
        "net_of_fee": 18,
        "reissue": 18,
        "void": 14,
        "returned": 11,
        "correction": 8,
        "fee": 40,
        "unbooked": 20,
        "outstanding": 40,
    },
    references={"whole": 34, "digits": 16, "garbled": 14, "none": 36},
    opaque=0.18,
    list_prices=0.25,
    typos=0.1,
    late=0.05,
    width=40,
)

DIFFICULTIES = {"easy": EASY, "medium": MEDIUM, "hard": HARD}
