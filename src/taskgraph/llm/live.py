"""A run's models behind a real server: the client, what is found out first, and the book."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from taskgraph.events import Emit, Warned
from taskgraph.llm.clock import REAL_CLOCK, Clock
from taskgraph.llm.endpoint import Endpoint
from taskgraph.llm.ledger import Ledger
from taskgraph.llm.model import LostSpend, Model
from taskgraph.llm.openrouter import OpenRouter
from taskgraph.llm.preflight import ModelFacts, preflight
from taskgraph.llm.prices import prices_from
from taskgraph.llm.recording import Recorder, circumstances
from taskgraph.llm.service import ModelService, lost_call, run_allowance
from taskgraph.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Live:
    """A server that answers a run's prompt nodes.

    Attributes:
        server: where the models are.
        models: every model that the run may ask, fallbacks too.
        settings: the run's settings.
        record: a file to write the answers into.
        clock: time and chance.
    """

    server: Endpoint
    models: Sequence[str]
    settings: RunSettings
    record: Path | None = None
    clock: Clock = REAL_CLOCK

    @asynccontextmanager
    async def opened(self, emit: Emit) -> AsyncGenerator[ModelService]:
        """Opens the service once the server has told that the run can work.

        Raises:
            AuthenticationFailed: the server does not know the key.
            PaymentRequired: the key has no credit left.
            ModelUnavailable: there is no such model, or it takes no tools.
            WrongEndpoint: nothing answers at the base URL.
            OutputError: the file to record into exists already.
        """

        def warn(message: str) -> None:
            emit(Warned(message))

        def lost(spend: LostSpend) -> None:
            emit(lost_call(spend, ledger.note_lost(spend)))
            emit(Warned(f"this may have been paid for in vain: {spend.why}", spend.request.asker))

        if self.server.warning:
            warn(self.server.warning)
        async with OpenRouter(
            self.server,
            max_concurrency=self.settings.max_concurrency,
            on_lost_spend=lost,
            clock=self.clock,
        ) as client:
            today = self.clock.utc_now().date()
            found = await preflight(client, self.models, today, max_cost=self.settings.max_cost)
            for warning in found.warnings:
                warn(warning)
            ledger = Ledger(
                run_allowance(self.settings),
                price_of=prices_from(found.prices),
                warn=warn,
                clock=self.clock,
            )
            yield ModelService(self._recorded(client, found.facts), ledger, found.facts)

    def _recorded(self, client: OpenRouter, facts: Mapping[str, ModelFacts]) -> Model:
        if self.record is None:
            return client
        return Recorder(client, self.record, circumstances(self.settings, facts))
