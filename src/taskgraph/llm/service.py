"""What a run asks its models through: the model, the book of spending, and what is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from taskgraph.errors import SettingsError
from taskgraph.events import CallLost, Emit, Warned
from taskgraph.llm.accounts import Allowance, Spending
from taskgraph.llm.ledger import Ledger
from taskgraph.llm.model import LostSpend, Model
from taskgraph.llm.preflight import ModelFacts
from taskgraph.llm.prices import Prices
from taskgraph.llm.replay import LiveAfterDivergence, RecordedModel
from taskgraph.settings import RunSettings


@dataclass(frozen=True, slots=True)
class ModelService:
    """Everything that prompt nodes share.

    Attributes:
        model: answers every request.
        ledger: what the run and its nodes may spend, and have spent.
        facts: what the server tells of each model, by the name it is asked for.
    """

    model: Model
    ledger: Ledger
    facts: Mapping[str, ModelFacts] = field(default_factory=dict[str, ModelFacts])


OpenService: TypeAlias = Callable[[Emit], AbstractAsyncContextManager[ModelService | None]]
"""Opens a service whose warnings go to the given `emit`, and closes it afterwards; gives None
where no prompt node will run."""


@dataclass
class ServiceOnDemand:
    """Opens a service when it is first needed, and closes it at the end of the `async with`.

    A run over an earlier file may get by without asking anybody: it needs no key then, and no
    network.

    Attributes:
        open_service: opens it.
        emit: told of its warnings.
        spent: what each node has spent in an earlier part of the run.
    """

    open_service: OpenService
    emit: Emit
    spent: Mapping[str, Spending]
    _service: ModelService | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> ServiceOnDemand:
        """Opens nothing yet."""
        return self

    async def __aexit__(self, *error: Any) -> None:
        """Closes the service if it was opened."""
        await self._stack.__aexit__(*error)

    async def get(self) -> ModelService:
        """Returns the service.

        Raises:
            SettingsError: there is none.
            RunError: it says that the run cannot work.
        """
        async with self._lock:
            if self._service is None:
                service = await self._stack.enter_async_context(self.open_service(self.emit))
                if service is None:
                    raise SettingsError("the spec has prompt nodes, and no model was given")
                service.ledger.carry(self.spent)
                self._service = service
            return self._service

    @property
    def facts(self) -> Mapping[str, ModelFacts]:
        """What is known of each model, as soon as the service is open."""
        return self._service.facts if self._service else {}


def run_allowance(settings: RunSettings) -> Allowance:
    """Returns what the settings let a whole run spend."""
    return Allowance(max_cost=settings.max_cost, max_tokens=settings.max_tokens)


def lost_call(lost: LostSpend, spending: Spending) -> CallLost:
    """Returns the event that tells of a try that was paid for in vain."""
    return CallLost(
        node=lost.request.asker,
        model=lost.request.model,
        why=lost.why,
        tokens=spending.tokens,
        cost_usd=spending.cost_usd,
        perhaps_usd=spending.perhaps_usd,
    )


def replayed(recording: RecordedModel, models: Sequence[str]) -> OpenService:
    """Makes a service of a recording: nothing is paid for, so that no budget stands in the way.

    Args:
        recording: answers every request.
        models: every model that the run may ask.
    """
    facts = {model: recording.facts(model) for model in models}

    @asynccontextmanager
    async def opened(emit: Emit) -> AsyncGenerator[ModelService]:
        del emit
        yield ModelService(recording, Ledger(price_of=lambda _: Prices(0.0, 0.0)), facts)

    return opened


def replayed_then_live(
    recording: RecordedModel, models: Sequence[str], live: OpenService
) -> OpenService:
    """Makes a service that asks a real model from where a conversation is not the recorded one.

    Args:
        recording: answers first.
        models: every model that the run may ask.
        live: answers then; it is opened, and its budgets hold, from the beginning.
    """
    facts = {model: recording.facts(model) for model in models}

    @asynccontextmanager
    async def opened(emit: Emit) -> AsyncGenerator[ModelService | None]:
        def warn(message: str, node: str) -> None:
            emit(Warned(message, node))

        async with live(emit) as service:
            if service is None:
                yield None
            else:
                model = LiveAfterDivergence(recording, service.model, warn)
                yield replace(service, model=model, facts=facts)

    return opened


def served_by(model: Model | None, settings: RunSettings) -> OpenService:
    """Makes a service of a model that needs no opening, such as a script; none where None."""

    @asynccontextmanager
    async def opened(emit: Emit) -> AsyncGenerator[ModelService | None]:
        def warn(message: str) -> None:
            emit(Warned(message))

        if model is None:
            yield None
        else:
            yield ModelService(model, Ledger(run_allowance(settings), warn=warn))

    return opened
