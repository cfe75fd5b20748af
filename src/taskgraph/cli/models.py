"""Who answers a command's prompt nodes, as its options and the environment say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from taskgraph import answering
from taskgraph.answering import Answers
from taskgraph.cli.conduct import Manner
from taskgraph.cli.project import api_key
from taskgraph.events import Emit
from taskgraph.llm.replay import RecordedModel
from taskgraph.llm.service import ModelService, OpenService
from taskgraph.plan import Plan
from taskgraph.settings import RunSettings
from taskgraph.spec import Spec


def recorded_model(manner: Manner) -> RecordedModel | None:
    """Returns what answers from a recording; raises what `answering.recorded_model` does."""
    return answering.recorded_model(_answers(manner))


def service(
    spec: Spec, settings: RunSettings, manner: Manner, recorded: RecordedModel | None
) -> OpenService:
    """Decides who answers; raises what `answering.service` does."""
    return answering.service(spec, settings, _answers(manner), recorded)


def planned_service(
    spec: Spec, plan: Plan, settings: RunSettings, manner: Manner, recorded: RecordedModel | None
) -> OpenService:
    """Decides who answers the nodes of a plan.

    Where an agent is asked only if earlier SQL does not hold, a key is missed no sooner.

    Raises:
        SettingsError: a model will certainly be asked, and none can be.
    """
    running = replace(spec, nodes=tuple(plan.nodes.values()))
    if plan.needs_model:
        return service(running, settings, manner, recorded)

    @asynccontextmanager
    async def opened(emit: Emit) -> AsyncGenerator[ModelService | None]:
        async with service(running, settings, manner, recorded)(emit) as found:
            yield found

    return opened


def _answers(manner: Manner) -> Answers:
    return Answers(
        api_key=api_key(),
        replay=manner.replay,
        record=manner.record,
        on_divergence=manner.on_divergence,
        no_llm=manner.no_llm,
    )
