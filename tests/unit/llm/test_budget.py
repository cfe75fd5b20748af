"""Limits on dollars, tokens and time, kept by one book for all agents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from model_wire import MODEL, JumpingClock, request
from taskgraph.errors import LimitReached, ModelUnreachable, NodeLimit, RunLimit
from taskgraph.llm.accounts import LEAST_COMPLETION_TOKENS, Allowance, Spending
from taskgraph.llm.budget import BudgetedModel
from taskgraph.llm.ledger import Ledger
from taskgraph.llm.messages import AssistantMessage, ModelRequest, ModelResponse, Usage
from taskgraph.llm.model import LostSpend
from taskgraph.llm.prices import Prices
from taskgraph.llm.wire import estimate_tokens

pytestmark = pytest.mark.anyio

CENT_A_TOKEN = Prices(prompt=0.0, completion=0.01)


class Spender:
    """A model whose answers take what they are told to, when they are let."""

    def __init__(self, tokens: int, cost: float | None, gate: asyncio.Event | None = None) -> None:
        self.requests: list[ModelRequest] = []
        self.in_flight = self.peak = 0
        self._tokens = tokens
        self._cost = cost
        self._gate = gate

    async def complete(self, request: ModelRequest) -> ModelResponse:
        self.requests.append(request)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            if self._gate:
                await self._gate.wait()
        finally:
            self.in_flight -= 1
        tokens = min(self._tokens, request.max_tokens)
        usage = Usage(10, tokens, cost_usd=self._cost)
        return ModelResponse(
            AssistantMessage("done"),
            "stop",
            usage,
            request.model,
            cost_source="none" if self._cost is None else "server",
        )


def book(
    allowance: Allowance | None = None,
    prices: Prices | None = CENT_A_TOKEN,
    warn: Callable[[str], None] = lambda message: None,
    spent: Spending | None = None,
) -> Ledger:
    return Ledger(
        allowance or Allowance(),
        price_of=lambda _: prices,
        warn=warn,
        spent=spent or Spending(),
    )


async def test_spending_is_entered_for_node_and_run() -> None:
    ledger = book()
    one = BudgetedModel(Spender(100, 0.5), ledger, "a")
    other = BudgetedModel(Spender(200, 0.25), ledger, "b")
    await one.complete(request("a"))
    await one.complete(request("a"))
    await other.complete(request("b"))
    assert ledger.spending("a") == Spending(1.0, tokens=220)
    assert ledger.spending("b") == Spending(0.25, tokens=210)
    assert ledger.spending() == Spending(1.25, tokens=430)


async def test_call_that_a_budget_does_not_allow_is_not_made() -> None:
    spender = Spender(1000, 12.0)
    model = BudgetedModel(spender, book(), "a", Allowance(max_cost=20.0))
    await model.complete(request(max_tokens=1500))
    with pytest.raises(NodeLimit) as caught:
        await model.complete(request(max_tokens=1500))
    assert str(caught.value) == (
        "node 'a' reached its limit of $20.00: $12.00 is spent, and the next call may cost $15.00"
    )
    assert caught.value.hint == (
        "Raise max_cost of node 'a' in the spec, then: taskgraph resume OUTPUT."
    )
    assert len(spender.requests) == 1


async def test_limit_of_the_run_stops_the_run() -> None:
    model = BudgetedModel(Spender(1000, 12.0), book(Allowance(max_cost=20.0)), "a")
    await model.complete(request())
    with pytest.raises(RunLimit, match=r"the run reached its limit of \$20\.00") as caught:
        await model.complete(request())
    assert caught.value.hint == ("Go on with a higher limit: taskgraph resume OUTPUT --max-cost N")


async def test_tokens_are_a_limit_too() -> None:
    model = BudgetedModel(Spender(1500, 0.0), book(), "a", Allowance(max_tokens=2600))
    await model.complete(request(max_tokens=1500))
    with pytest.raises(NodeLimit, match=r"2,600 tokens: 1,510 are spent") as caught:
        await model.complete(request(max_tokens=1500))
    assert "max_tokens" in str(caught.value.hint)


async def test_rest_of_a_budget_buys_a_shorter_answer() -> None:
    spender = Spender(10_000, 1.0)
    model = BudgetedModel(spender, book(), "a", Allowance(max_cost=25.0))
    await model.complete(request(max_tokens=10_000))
    assert spender.requests[0].max_tokens == 2500


async def test_short_answer_that_is_all_that_is_asked_for_needs_no_more() -> None:
    spender = Spender(10, 0.1)
    model = BudgetedModel(spender, book(), "a", Allowance(max_cost=1.0))
    await model.complete(request(max_tokens=100))
    assert spender.requests[0].max_tokens == 100


async def test_agents_wait_for_each_other_rather_than_overspend() -> None:
    gate = asyncio.Event()
    spender = Spender(100, 1.0, gate)
    ledger = book(Allowance(max_cost=100.0))
    models = [BudgetedModel(spender, ledger, f"n{i}") for i in range(20)]
    async with asyncio.TaskGroup() as group:
        for i, model in enumerate(models):
            group.create_task(model.complete(request(f"n{i}", max_tokens=3000)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert spender.in_flight == 3
        gate.set()
    assert len(spender.requests) == 20
    assert {asked.max_tokens for asked in spender.requests} == {3000}
    assert ledger.spending().cost_usd == pytest.approx(20.0)


@pytest.mark.parametrize("budget", [11.0, 50.0, 333.0])
async def test_spending_never_exceeds_the_budget_whatever_the_answers_take(budget: float) -> None:
    ledger = book(Allowance(max_cost=budget))
    stopped: list[LimitReached] = []

    async def agent(name: str) -> None:
        model = BudgetedModel(Greedy(), ledger, name)
        try:
            for step in range(100):
                await model.complete(request(name, max_tokens=2000 + 10 * step))
        except RunLimit as limit:
            stopped.append(limit)

    async with asyncio.TaskGroup() as group:
        for i in range(20):
            group.create_task(agent(f"n{i}"))
    assert len(stopped) == 20
    assert ledger.spending().cost_usd <= budget
    assert ledger.spending().cost_usd > budget - 0.01 * LEAST_COMPLETION_TOKENS


class Greedy:
    """Takes all that it is allowed, after letting the others go first."""

    async def complete(self, request: ModelRequest) -> ModelResponse:
        for _ in range(request.step % 3 + 1):
            await asyncio.sleep(0)
        usage = Usage(0, request.max_tokens, cost_usd=0.01 * request.max_tokens)
        return ModelResponse(AssistantMessage("x"), "stop", usage, request.model)


async def test_failed_call_gives_its_promise_back() -> None:
    class Broken:
        async def complete(self, request: ModelRequest) -> ModelResponse:
            raise ModelUnreachable("no")

    ledger = book(Allowance(max_cost=25.0))
    for _ in range(5):
        with pytest.raises(ModelUnreachable):
            await BudgetedModel(Broken(), ledger, "a").complete(request())
    await BudgetedModel(Spender(1, 1.0), ledger, "a").complete(request())
    assert ledger.spending() == Spending(1.0, tokens=11)


async def test_try_that_nobody_knows_the_price_of_counts_at_the_most_it_can_cost() -> None:
    ledger = book(Allowance(max_cost=50.0))
    ledger.note_lost(LostSpend(request(max_tokens=2000), None, "abandoned"))
    assert ledger.spending("a").perhaps_usd == pytest.approx(20.0)
    assert ledger.spending().cost_usd == 0.0
    model = BudgetedModel(Spender(2500, 22.0), ledger, "a")
    await model.complete(request())
    with pytest.raises(RunLimit, match=r"\$42\.00 is spent \(\$20\.00 of it perhaps\)"):
        await model.complete(request())


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(10, 5, cost_usd=0.5), Spending(0.5, tokens=15)),
        (Usage(10, 5), Spending(0.05, tokens=15)),
    ],
    ids=["told", "by the table"],
)
async def test_failed_try_whose_usage_is_known_is_entered_exactly(
    usage: Usage, expected: Spending
) -> None:
    ledger = book()
    ledger.note_lost(LostSpend(request(), usage, "broke off"))
    assert ledger.spending("a") == expected


async def test_unknown_prices_are_said_loudly_once_and_leave_the_token_limit() -> None:
    warnings: list[str] = []
    ledger = book(Allowance(max_cost=1.0), prices=None, warn=warnings.append)
    model = BudgetedModel(Spender(2000, None), ledger, "a", Allowance(max_tokens=5000))
    first = await model.complete(request())
    assert (first.usage.cost_usd, first.cost_source) == (None, "none")
    await model.complete(request())
    with pytest.raises(NodeLimit, match="tokens"):
        await model.complete(request())
    assert len(warnings) == 1


async def test_cost_that_only_the_server_knows_still_counts_against_the_limit() -> None:
    model = BudgetedModel(Spender(10, 0.75), book(Allowance(max_cost=1.0), prices=None), "a")
    await model.complete(request())
    await model.complete(request())
    with pytest.raises(RunLimit, match=r"\$1\.50 is spent"):
        await model.complete(request())


async def test_model_without_price_needs_no_budget() -> None:
    free = book(Allowance(max_cost=0.0), prices=Prices(0.0, 0.0))
    response = await BudgetedModel(Spender(10, None), free, "a").complete(request())
    assert (response.usage.cost_usd, response.cost_source) == (0.0, "table")


async def test_paid_model_does_not_run_on_a_free_models_leftovers() -> None:
    prompt_only = book(Allowance(max_cost=0.001), prices=Prices(1.0, 0.0))
    with pytest.raises(RunLimit):
        await BudgetedModel(Spender(10, None), prompt_only, "a").complete(request())


async def test_resumed_run_starts_with_what_was_spent() -> None:
    ledger = book(Allowance(max_cost=20.0), spent=Spending(15.0))
    with pytest.raises(RunLimit, match=r"\$15\.00 is spent"):
        await BudgetedModel(Spender(1, 0.0), ledger, "a").complete(request())


async def test_time_that_is_up_stops_before_the_next_call() -> None:
    clock = JumpingClock()
    ledger = Ledger(clock=clock.clock)
    model = BudgetedModel(Spender(1, 0.0), ledger, "a", Allowance(max_seconds=60))
    await model.complete(request())
    clock.now = 61.0
    with pytest.raises(NodeLimit, match="node 'a' reached its limit of 60 s") as caught:
        await model.complete(request())
    assert "max_seconds" in str(caught.value.hint)


async def test_time_that_runs_out_ends_the_call_in_flight() -> None:
    model = BudgetedModel(
        Spender(1, 0.0, asyncio.Event()), book(), "a", Allowance(max_seconds=0.02)
    )
    with pytest.raises(NodeLimit, match="limit of 0 s"):
        await model.complete(request())


async def test_timeout_of_somebody_else_is_not_taken_for_the_limit() -> None:
    class Late:
        async def complete(self, request: ModelRequest) -> ModelResponse:
            raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await BudgetedModel(Late(), book(), "a", Allowance(max_seconds=60)).complete(request())


async def test_missing_usage_is_estimated_from_what_was_said() -> None:
    class Silent:
        async def complete(self, request: ModelRequest) -> ModelResponse:
            return ModelResponse(AssistantMessage("x" * 70), "stop", Usage(), request.model)

    asked = replace(request(), model=MODEL)
    response = await BudgetedModel(Silent(), book(), "a").complete(asked)
    assert response.usage.prompt_tokens == estimate_tokens(asked)
    assert response.usage.completion_tokens == 20
    assert response.usage.cost_usd == pytest.approx(0.2)
