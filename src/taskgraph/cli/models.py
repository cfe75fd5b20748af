"""Who answers a run's prompt nodes: a server, a recording, or nobody where there are none."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from taskgraph.cli.project import api_key
from taskgraph.events import Emit, Warned, utc_now
from taskgraph.llm.endpoint import Endpoint, endpoint
from taskgraph.llm.ledger import Ledger
from taskgraph.llm.model import LostSpend, Model
from taskgraph.llm.openrouter import OpenRouter
from taskgraph.llm.preflight import preflight
from taskgraph.llm.prices import prices_from
from taskgraph.llm.recording import RecordedModel, Recorder
from taskgraph.llm.service import (
    ModelService,
    OpenService,
    lost_call,
    run_allowance,
    served_by,
)
from taskgraph.settings import LEAST_THREADS, RunSettings
from taskgraph.spec import PromptNode, Spec


def service(
    spec: Spec,
    settings: RunSettings,
    *,
    base_url: str,
    recorded: RecordedModel | None,
    record: Path | None,
) -> OpenService:
    """Decides who answers; nothing is sent yet, but what is missing is missed here.

    Args:
        spec: its prompt nodes say whether anybody is needed, and which models.
        settings: the run's settings.
        base_url: the server's address.
        recorded: answers instead of a server.
        record: a file to write the server's answers into.

    Raises:
        SettingsError: prompt nodes will run, and the address or the key is wrong.
    """
    nodes = [node for node in spec.nodes if isinstance(node, PromptNode)]
    if not nodes or recorded:
        return served_by(recorded if nodes else None, settings)
    asked = [model for node in nodes for model in (node.model or settings.model, *node.fallback)]
    server = endpoint(base_url, api_key())
    return _Live(server, tuple(dict.fromkeys(asked)), settings, record).opened


@dataclass(frozen=True, slots=True)
class _Live:
    server: Endpoint
    models: Sequence[str]
    settings: RunSettings
    record: Path | None

    @asynccontextmanager
    async def opened(self, emit: Emit) -> AsyncGenerator[ModelService]:
        def warn(message: str) -> None:
            emit(Warned(message))

        def lost(spend: LostSpend) -> None:
            emit(lost_call(spend, ledger.note_lost(spend)))
            emit(Warned(f"this may have been paid for in vain: {spend.why}", spend.request.asker))

        if self.server.warning:
            warn(self.server.warning)
        async with OpenRouter(
            self.server, max_concurrency=self.settings.max_concurrency, on_lost_spend=lost
        ) as client:
            found = await preflight(
                client, self.models, utc_now().date(), max_cost=self.settings.max_cost
            )
            for warning in found.warnings:
                warn(warning)
            ledger = Ledger(
                run_allowance(self.settings), price_of=prices_from(found.prices), warn=warn
            )
            yield ModelService(self._recorded(client), ledger, found.facts)

    def _recorded(self, client: OpenRouter) -> Model:
        if self.record is None:
            return client
        return Recorder(client, self.record, self.settings.threads or LEAST_THREADS)
