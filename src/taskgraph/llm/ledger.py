"""What a run and its nodes may spend, have spent, and have promised: one book for all agents.

A call is entered before it is made, at the most it can cost, and corrected when its usage is
known. So the spending stays within the limits even with many calls in flight; what can exceed
them is only what a server charges beyond the tokens that it was allowed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from taskgraph.errors import LimitReached
from taskgraph.llm.accounts import (
    LEAST_COMPLETION_TOKENS,
    NOTHING_SPENT,
    UNLIMITED,
    Account,
    Allowance,
    Need,
    Spending,
    limit_of,
)
from taskgraph.llm.clock import REAL_CLOCK, Clock
from taskgraph.llm.messages import ModelRequest, ModelResponse, Usage
from taskgraph.llm.model import LostSpend
from taskgraph.llm.prices import PRICES_AS_OF, PriceOf, known_prices
from taskgraph.llm.wire import BYTES_PER_TOKEN, estimate_tokens


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call that may be made."""

    request: ModelRequest
    """As it may be sent: with fewer completion tokens where the rest of a budget asks for it."""
    promised: Spending
    need: Need


def _ignore(message: str) -> None:
    del message


class Ledger:
    """The book of a run: its own account and one for each node that asks a model."""

    def __init__(
        self,
        allowance: Allowance = UNLIMITED,
        *,
        price_of: PriceOf = known_prices,
        warn: Callable[[str], None] = _ignore,
        spent: Spending = NOTHING_SPENT,
        clock: Clock = REAL_CLOCK,
    ) -> None:
        """Opens the book.

        Args:
            allowance: the run's.
            price_of: prices for calls whose cost the server does not tell.
            warn: told once per model what cannot be known about its cost.
            spent: what an earlier part of a resumed run spent already.
            clock: for wall-clock limits.
        """
        self._price_of = price_of
        self._warn = warn
        self._clock = clock
        self._run = Account("", allowance, clock.monotonic(), spent)
        self._nodes: dict[str, Account] = {}
        self._warned: set[str] = set()
        self._settled = asyncio.Event()

    def allow(self, asker: str, allowance: Allowance) -> None:
        """Gives a node its allowance; its time runs from now. Earlier spending stays."""
        account = self._account(asker)
        account.allowance = allowance
        account.opened = self._clock.monotonic()

    def spending(self, asker: str | None = None) -> Spending:
        """Returns what a node has spent, or the run when None."""
        return (self._run if asker is None else self._account(asker)).spent

    def seconds_left(self, asker: str) -> float | None:
        """Returns how long the node, or the run, may still work; None without a limit.

        Raises:
            LimitReached: the time is up.
        """
        lefts: list[float] = []
        for account in self._accounts(asker):
            left = limit_of(account.allowance.max_seconds) - (
                self._clock.monotonic() - account.opened
            )
            if left <= 0:
                raise account.too_late()
            lefts.append(left)
        return None if min(lefts) == math.inf else min(lefts)

    def out_of_time(self, asker: str) -> LimitReached:
        """Returns the error for a call that was broken off because the time was up."""
        return min(
            self._accounts(asker),
            key=lambda account: account.opened + limit_of(account.allowance.max_seconds),
        ).too_late()

    async def reserve(self, request: ModelRequest) -> Reservation:
        """Enters a call before it is made.

        Where the rest of a budget does not allow the whole answer, the call waits for those in
        flight, which mostly take far less than they may; when none is left, it gets what is left.

        Raises:
            LimitReached: not even a short answer can be paid.
        """
        need = Need(estimate_tokens(request), self._price_of(request.model))
        while True:
            tokens = self._allowed_tokens(request, need)
            if tokens is not None:
                return self._promise(replace(request, max_tokens=tokens), need)
            await self._settled.wait()

    def settle(self, reservation: Reservation, response: ModelResponse) -> ModelResponse:
        """Enters what a call took; returns the response with every number that is known."""
        self.release(reservation)
        usage = response.usage
        if usage.total_tokens == 0:
            usage = _estimated(usage, reservation.need, response)
        if usage.cost_usd is None:
            usage = replace(usage, cost_usd=self._table_cost(usage, reservation))
            response = replace(response, cost_source="none" if usage.cost_usd is None else "table")
        self._enter(reservation.request.asker, _spending(usage))
        return replace(response, usage=usage)

    def release(self, reservation: Reservation) -> None:
        """Takes back a call that gave no answer."""
        for account in self._accounts(reservation.request.asker):
            account.release(reservation.promised)
        self._settled.set()
        self._settled = asyncio.Event()

    def note_lost(self, lost: LostSpend) -> Spending:
        """Enters a try that was, or may have been, paid for in vain; returns what it took."""
        need = Need(estimate_tokens(lost.request), self._price_of(lost.request.model))
        if lost.usage is None:
            most = need.of(lost.request.max_tokens)
            spending = Spending(perhaps_usd=most.cost_usd, tokens=most.tokens)
        elif lost.usage.cost_usd is None and need.prices:
            spending = Spending(need.prices.cost(lost.usage), tokens=lost.usage.total_tokens)
        else:
            spending = _spending(lost.usage)
        self._enter(lost.request.asker, spending)
        return spending

    def carry(self, spent: Mapping[str, Spending]) -> None:
        """Enters what each node spent in the earlier parts of a resumed run."""
        for asker, spending in spent.items():
            self._enter(asker, spending)

    def _allowed_tokens(self, request: ModelRequest, need: Need) -> int | None:
        """Completion tokens for a call; None where calls in flight must be waited for."""
        allowed = request.max_tokens
        least = min(LEAST_COMPLETION_TOKENS, allowed)
        for account in self._accounts(request.asker):
            best = account.affordable(need, after=account.spent)
            if best < least:
                raise account.reached(need, least)
            now = account.affordable(need, after=account.spent + account.promised)
            if now < allowed and account.in_flight:
                return None
            allowed = min(allowed, math.floor(min(now, allowed)))
        return allowed

    def _promise(self, request: ModelRequest, need: Need) -> Reservation:
        promised = need.of(request.max_tokens)
        for account in self._accounts(request.asker):
            account.promise(promised)
        return Reservation(request, promised, need)

    def _enter(self, asker: str, spending: Spending) -> None:
        for account in self._accounts(asker):
            account.spent += spending

    def _table_cost(self, usage: Usage, reservation: Reservation) -> float | None:
        model = reservation.request.model
        prices = reservation.need.prices
        if prices is None:
            self._warn_once(
                model,
                f"nobody tells what {model!r} costs: its dollars are not counted, "
                "and only limits on tokens hold",
            )
            return None
        self._warn_once(
            model,
            f"the server does not tell what {model!r} costs: "
            f"counted by its list of prices, or ours of {PRICES_AS_OF}",
        )
        return prices.cost(usage)

    def _warn_once(self, model: str, message: str) -> None:
        if model not in self._warned:
            self._warned.add(model)
            self._warn(message)

    def _account(self, asker: str) -> Account:
        if asker not in self._nodes:
            self._nodes[asker] = Account(asker, UNLIMITED, self._clock.monotonic())
        return self._nodes[asker]

    def _accounts(self, asker: str) -> tuple[Account, Account]:
        return self._account(asker), self._run


def _spending(usage: Usage) -> Spending:
    return Spending(usage.cost_usd or 0.0, tokens=usage.total_tokens)


def _estimated(usage: Usage, need: Need, response: ModelResponse) -> Usage:
    said = (response.message.content or "") + (response.message.reasoning or "")
    said += "".join(call.arguments for call in response.message.tool_calls)
    completion = max(1, round(len(said.encode(errors="replace")) / BYTES_PER_TOKEN))
    return replace(usage, prompt_tokens=need.prompt_tokens, completion_tokens=completion)
