"""One limit's account: what may be spent, was spent, and is promised to calls in flight."""

from __future__ import annotations

import math
from dataclasses import dataclass

from taskgraph.errors import LimitReached, NodeLimit, RunLimit
from taskgraph.llm.prices import Prices

LEAST_COMPLETION_TOKENS = 2048
"""With fewer tokens left a call is not made: its answer would be cut off, and paid for. Anthropic's
models think with 1,024 at least, and refuse a call that leaves them nothing beside."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be spent; None where there is no limit."""

    max_cost: float | None = None
    """US dollars."""
    max_tokens: int | None = None
    """Prompt and completion tokens."""
    max_seconds: float | None = None
    """Wall-clock seconds, from the moment the allowance is given."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent, or is promised to a call in flight."""

    cost_usd: float = 0.0
    perhaps_usd: float = 0.0
    """US dollars of tries that nobody knows whether they were charged; counted as spent."""
    tokens: int = 0

    @property
    def most_usd(self) -> float:
        """US dollars, all uncertain ones included."""
        return self.cost_usd + self.perhaps_usd

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.cost_usd + other.cost_usd,
            self.perhaps_usd + other.perhaps_usd,
            self.tokens + other.tokens,
        )

    def __sub__(self, other: Spending) -> Spending:
        return self + Spending(-other.cost_usd, -other.perhaps_usd, -other.tokens)


@dataclass(frozen=True, slots=True)
class Need:
    """What a call may take before it is made."""

    prompt_tokens: int
    prices: Prices | None

    def of(self, completion_tokens: int) -> Spending:
        """Returns the most that the call can cost with so many completion tokens."""
        tokens = self.prompt_tokens + completion_tokens
        if self.prices is None:
            return Spending(tokens=tokens)
        return Spending(self.prices.most(self.prompt_tokens, completion_tokens), tokens=tokens)

    def completion_for(self, usd: float, tokens: float) -> float:
        """Returns how many completion tokens these dollars and tokens allow; perhaps below 0."""
        allowed = tokens - self.prompt_tokens
        if self.prices is None:
            # Nobody knows what it will cost; a server may still tell afterwards what it did.
            return allowed if usd > 0 else -1
        left = usd - self.prices.most(self.prompt_tokens, 0)
        if self.prices.completion == 0:
            return allowed if left >= 0 else -1
        return min(allowed, left / self.prices.completion)


UNLIMITED = Allowance()
NOTHING_SPENT = Spending()


@dataclass
class Account:
    """One limit's book: the run's, or one node's."""

    name: str
    """The node's name; empty for the run."""
    allowance: Allowance
    opened: float
    spent: Spending = NOTHING_SPENT
    promised: Spending = NOTHING_SPENT
    in_flight: int = 0

    def promise(self, spending: Spending) -> None:
        """Enters a call before it is made."""
        self.promised += spending
        self.in_flight += 1

    def release(self, spending: Spending) -> None:
        """Takes a promise back."""
        self.in_flight -= 1
        # Back to zero exactly: sums of fractions keep a rest.
        self.promised = self.promised - spending if self.in_flight else NOTHING_SPENT

    def affordable(self, need: Need, *, after: Spending) -> float:
        """Returns the completion tokens that the limits allow once `after` is paid."""
        usd = limit_of(self.allowance.max_cost) - after.most_usd
        tokens = limit_of(self.allowance.max_tokens) - after.tokens
        return need.completion_for(usd, tokens)

    def reached(self, need: Need, completion_tokens: int) -> LimitReached:
        """Returns the error that says which limit does not allow a call with so short an answer."""
        usd = limit_of(self.allowance.max_cost) - self.spent.most_usd
        least = need.of(completion_tokens)
        if need.completion_for(usd, math.inf) < completion_tokens:
            return self._error(self._cost_report(least), "max_cost")
        return self._error(self._token_report(least), "max_tokens")

    def too_late(self) -> LimitReached:
        """Returns the error that says that the time is up."""
        seconds = limit_of(self.allowance.max_seconds)
        return self._error(f"limit of {seconds:,.0f} s", "max_seconds")

    def _cost_report(self, least: Spending) -> str:
        limit = _dollars(limit_of(self.allowance.max_cost))
        spent = f"{_dollars(self.spent.most_usd)} is spent"
        if self.spent.perhaps_usd:
            spent += f" ({_dollars(self.spent.perhaps_usd)} of it perhaps)"
        return f"limit of {limit}: {spent}, and the next call may cost {_dollars(least.cost_usd)}"

    def _token_report(self, least: Spending) -> str:
        return (
            f"limit of {self.allowance.max_tokens:,} tokens: {self.spent.tokens:,} are spent, "
            f"and the next call may take {least.tokens:,}"
        )

    def _error(self, what: str, option: str) -> LimitReached:
        if self.name:
            hint = (
                f"Raise {option} of node {self.name!r} in the spec, then: taskgraph resume OUTPUT."
            )
            return NodeLimit(f"node {self.name!r} reached its {what}", hint)
        flag = f"--{option.replace('_', '-')}"
        hint = f"Go on with a higher limit: taskgraph resume OUTPUT {flag} N"
        return RunLimit(f"the run reached its {what}", hint)


def limit_of(value: float | None) -> float:
    """Returns a limit as a number: infinity where there is none."""
    return math.inf if value is None else value


def _dollars(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 0.1 or usd == 0 else f"${usd:.4f}"
