"""Who answers a command's prompt nodes, as its options and the environment say."""

from __future__ import annotations

from taskgraph import answering
from taskgraph.answering import Answers
from taskgraph.cli.conduct import Manner
from taskgraph.cli.project import api_key
from taskgraph.llm.replay import RecordedModel
from taskgraph.llm.service import OpenService
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


def _answers(manner: Manner) -> Answers:
    return Answers(
        base_url=manner.base_url,
        api_key=api_key(),
        replay=manner.replay,
        record=manner.record,
        on_divergence=manner.on_divergence,
        no_llm=manner.no_llm,
    )
