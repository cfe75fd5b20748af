"""A model that asks the ledger before each call, and tells it what the call took."""

from __future__ import annotations

import asyncio

from taskgraph.llm.accounts import UNLIMITED, Allowance
from taskgraph.llm.ledger import Ledger
from taskgraph.llm.messages import ModelRequest, ModelResponse
from taskgraph.llm.model import Model


class BudgetedModel:
    """Passes requests on as far as one node's and the run's limits allow."""

    def __init__(
        self, model: Model, ledger: Ledger, node: str, allowance: Allowance = UNLIMITED
    ) -> None:
        """Takes a model, the run's book, and what the node may spend; its time runs from now."""
        self._model = model
        self._ledger = ledger
        ledger.allow(node, allowance)

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answers as the model does, within the limits.

        The answer's usage has every number that is known, from the price table where the server
        is silent.

        Raises:
            NodeLimit: this node's limit does not allow the call, or the time was up within it.
            RunLimit: the run's does not.
            ModelError: the model's own errors pass.
            RunError: likewise.
        """
        timer = asyncio.timeout(self._ledger.seconds_left(request.asker))
        try:
            async with timer:
                return await self._within_budget(request)
        except TimeoutError:
            if not timer.expired():
                raise
            raise self._ledger.out_of_time(request.asker) from None

    async def _within_budget(self, request: ModelRequest) -> ModelResponse:
        reservation = await self._ledger.reserve(request)
        try:
            response = await self._model.complete(reservation.request)
        except BaseException:
            self._ledger.release(reservation)
            raise
        return self._ledger.settle(reservation, response)
