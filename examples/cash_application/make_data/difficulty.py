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
    """What a payment's text makes of an invoice number, to weight."""
    hidden: float
    """Share of customers that a parent pays for, and share that pays under a brand."""
    list_prices: float
    """Share of amounts out of the price list, which many invoices have."""
    silent: float
    """Share of deductions and credit notes that nobody mentions."""
    width: int
    """Characters of a payment's text."""


EASY = Difficulty(
    cases={"single": 80, "discount": 10, "several": 10, "open": 10},
    references={"whole": 80, "digits": 20},
    hidden=0.0,
    list_prices=0.05,
    silent=0.0,
    width=140,
)
MEDIUM = Difficulty(
    cases={
        "single": 50,
        "discount": 8,
        "several": 8,
        "advised": 9,
        "partial": 3,
        "short_pay": 2,
        "overpayment": 2,
        "credit_note": 3,
        "duplicate": 2,
        "parent": 2,
        "statement": 2,
        "prepayment": 2,
        "stranger": 1,
        "open": 14,
    },
    references={"whole": 50, "digits": 25, "garbled": 5, "none": 20},
    hidden=0.1,
    list_prices=0.1,
    silent=0.1,
    width=100,
)
HARD = Difficulty(
    cases={
        "single": 38,
        "discount": 8,
        "late_discount": 3,
        "several": 8,
        "advised": 11,
        "partial": 4,
        "short_pay": 4,
        "overpayment": 4,
        "credit_note": 5,
        "duplicate": 4,
        "parent": 4,
        "bare": 4,
        "statement": 3,
        "twin": 3,
        "prepayment": 3,
        "stranger": 2,
        "open": 16,
    },
    references={"whole": 30, "digits": 25, "garbled": 13, "none": 32},
    hidden=0.18,
    list_prices=0.2,
    silent=0.3,
    width=70,
)

DIFFICULTIES = {"easy": EASY, "medium": MEDIUM, "hard": HARD}
