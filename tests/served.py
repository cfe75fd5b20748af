"""Runs specs against the fake server through the real client, on a clock that jumps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_wire import KEY, JumpingClock
from running import DEFAULTS, MADE, Made, Ran
from taskgraph.events import Event, Warned
from taskgraph.llm.clock import Clock
from taskgraph.llm.endpoint import endpoint
from taskgraph.llm.live import Live
from taskgraph.llm.service import OpenService
from taskgraph.runner import run
from taskgraph.settings import RunSettings
from taskgraph.spec import PromptNode, Spec
from taskgraph.testing import Answer, FakeOpenRouter, calls


def sql_call(*statements: str, **fields: Any) -> Answer:
    """An answer with one call of `run_sql` for each statement."""
    return calls(*(("run_sql", {"sql": statement}) for statement in statements), **fields)


def service_of(
    fake: FakeOpenRouter,
    spec: Spec,
    settings: RunSettings = DEFAULTS,
    *,
    record: Path | None = None,
    clock: Clock | None = None,
) -> OpenService:
    """The fake server as a run's service, in the server's dialect."""
    asked = [
        model
        for node in spec.nodes
        if isinstance(node, PromptNode)
        for model in (node.model or settings.model, *node.fallback)
    ]
    server = endpoint(
        fake.base_url, KEY, "openrouter" if fake.dialect == "openrouter" else "openai"
    )
    models = tuple(dict.fromkeys(asked))
    return Live(server, models, settings, record, clock or JumpingClock().clock).opened


async def run_opened(
    spec: Spec, folder: Path, settings: RunSettings, open_service: OpenService
) -> Ran:
    """Runs a spec into `folder/out.db` with a service that has to be opened."""
    events: list[Event] = []
    path = folder / "out.db"
    MADE.append(Made(path, spec, settings))
    ended = await run(
        spec,
        path,
        settings,
        open_service=open_service,
        emit=events.append,
        export_folder=folder,
    )
    return Ran(path, ended, events)


async def run_served(
    fake: FakeOpenRouter,
    spec: Spec,
    folder: Path,
    *,
    settings: RunSettings = DEFAULTS,
    record: Path | None = None,
    clock: Clock | None = None,
) -> Ran:
    """Runs a spec into `folder/out.db` with the fake server as its model."""
    service = service_of(fake, spec, settings, record=record, clock=clock)
    return await run_opened(spec, folder, settings, service)


def warnings_of(ran: Ran) -> list[str]:
    """What a person was warned of, in order."""
    return [event.message for event in ran.events if isinstance(event, Warned)]


def results_of(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the tool messages of a request say."""
    return [message["content"] for message in messages if message["role"] == "tool"]


def arguments_of(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The arguments of all calls in a request's history, parsed."""
    return [
        json.loads(call["function"]["arguments"])
        for message in messages
        for call in message.get("tool_calls") or ()
    ]
