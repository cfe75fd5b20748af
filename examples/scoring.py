"""Scores decisions against a truth: precision, recall and F1 by kind, and money in the wrong place.

A decision is a pair: two ids that belong together, or an id and what is said of it. An item that
stays open is no decision: it is missed, but not wrong. The examples' own score.py say how to read
their .db and their truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

Decision = tuple[str, str]


@dataclass(frozen=True)
class Fact:
    """One right decision."""

    decision: Decision
    kind: str
    amount: Decimal
    currency: str


@dataclass
class Score:
    """Counts of decisions."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    misbooked: Counter[str] = field(default_factory=Counter[str])
    """Cents of the decisions that are wrong, by currency, without sign."""

    @property
    def precision(self) -> float:
        """Share of the decisions that are right; 1 where there are none."""
        decided = self.right + self.wrong
        return self.right / decided if decided else 1.0

    @property
    def recall(self) -> float:
        """Share of the truth that was found; 1 where there is nothing to find."""
        true = self.right + self.missed
        return self.right / true if true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        either = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / either if either else 1.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.right + other.right,
            self.wrong + other.wrong,
            self.missed + other.missed,
            self.misbooked + other.misbooked,
        )


def by_kind(
    wanted: Iterable[Fact], found: Iterable[Decision], about: Mapping[str, Fact]
) -> dict[str, Score]:
    """Scores decisions by the kind of what they are about.

    Args:
        wanted: the right decisions.
        found: those that were made.
        about: the truth about each id. A wrong decision counts against the kind that its right
            item has there, else its left item, and is worth the amount.
    """
    true = {fact.decision: fact for fact in wanted}
    scores = {kind: Score() for kind in sorted({fact.kind for fact in true.values()})}
    decided = set(found)
    for decision in sorted(decided):
        if fact := true.get(decision):
            scores[fact.kind].right += 1
            continue
        fact = about.get(decision[1]) or about[decision[0]]
        score = scores.setdefault(fact.kind, Score())
        score.wrong += 1
        score.misbooked[fact.currency] += abs(int(fact.amount * 100))
    for decision in true.keys() - decided:
        scores[true[decision].kind].missed += 1
    return scores


def table(groups: Mapping[str, Mapping[str, Score]]) -> str:
    """Renders scores as text: a row per kind, a total per group, and one of everything."""
    rows: list[tuple[str, ...]] = [
        ("kind", "true", "right", "wrong", "missed", "precision", "recall", "F1", "mis-booked")
    ]
    everything = Score()
    for title, scores in groups.items():
        total = sum(scores.values(), Score())
        everything += total
        rows += [_row(kind, score) for kind, score in scores.items()]
        rows.append(_row(title.upper(), total))
    rows.append(_row("ALL", everything))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_aligned(row, widths) for row in rows)


def _row(name: str, score: Score) -> tuple[str, ...]:
    counts = (score.right + score.missed, score.right, score.wrong, score.missed)
    shares = (score.precision, score.recall, score.f1)
    money = ", ".join(_money(score.misbooked))
    return (name, *map(str, counts), *(f"{share:.1%}" for share in shares), money)


def _money(misbooked: Counter[str]) -> Iterator[str]:
    for currency, cents in sorted(misbooked.items()):
        yield f"{cents / 100:,.2f} {currency}"


def _aligned(row: Iterable[str], widths: Iterable[int]) -> str:
    first, *numbers, money = row
    name_width, *number_widths, _ = widths
    columns = [text.rjust(width) for text, width in zip(numbers, number_widths, strict=True)]
    return "  ".join([first.ljust(name_width), *columns, money]).rstrip()
