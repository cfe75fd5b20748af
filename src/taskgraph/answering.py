"""Who answers a run's prompt nodes: a server, a recording, or nobody where there are none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from taskgraph.errors import SettingsError
from taskgraph.llm.endpoint import endpoint
from taskgraph.llm.replay import RecordedModel
from taskgraph.llm.service import OpenService, replayed, replayed_then_live, served_by
from taskgraph.playback import recording_of
from taskgraph.settings import RunSettings
from taskgraph.spec import PromptNode, Spec


@dataclass(frozen=True, slots=True)
class Answers:
    """Where the answers of a run's models come from."""

    api_key: str | None = field(default=None, repr=False)
    replay: Path | None = None
    """A recording, or an earlier run's `.db`, that answers instead of a server."""
    record: Path | None = None
    """A file to write a server's answers into."""
    on_divergence: Literal["stop", "live"] = "stop"
    """What happens where the recording no longer fits."""
    no_llm: bool = False
    """Whether asking a server is an error."""


def recorded_model(answers: Answers) -> RecordedModel | None:
    """Returns what answers from a recording; None where there is none.

    Raises:
        SettingsError: the recording cannot be read.
        WorkspaceError: it is a database that no run wrote.
    """
    return RecordedModel(recording_of(answers.replay)) if answers.replay else None


def as_recorded(
    settings: RunSettings, recorded: RecordedModel | None, stated: frozenset[str]
) -> RunSettings:
    """Returns the settings with what the recorded questions followed from.

    Args:
        settings: the run's.
        recorded: says how many threads there were, and what agents were told of limits.
        stated: the fields that a person states; they stand.
    """
    if recorded is None:
        return settings
    then = recorded.circumstances
    values = {
        "threads": then.threads,
        "query_timeout_s": then.query_timeout_s,
        "max_result_characters": then.max_result_characters,
    }
    return replace(
        settings, **{name: one for name, one in values.items() if one and name not in stated}
    )


def service(
    spec: Spec, settings: RunSettings, answers: Answers, recorded: RecordedModel | None
) -> OpenService:
    """Decides who answers; nothing is sent yet, but what is missing is missed here.

    Args:
        spec: its prompt nodes say whether anybody is needed, and which models.
        settings: the run's settings.
        answers: where they come from.
        recorded: answers instead of a server.

    Raises:
        SettingsError: prompt nodes will run, and the address or the key is wrong, or no model may
            be asked.
    """
    nodes = [node for node in spec.nodes if isinstance(node, PromptNode)]
    if not nodes:
        return served_by(None, settings)
    asked = [model for node in nodes for model in (node.model or settings.model, *node.fallback)]
    models = tuple(dict.fromkeys(asked))
    if recorded is None:
        return _live(nodes, models, settings, answers)
    if answers.on_divergence == "stop":
        return replayed(recorded, models)
    return replayed_then_live(recorded, models, _live(nodes, models, settings, answers))


def _live(
    nodes: list[PromptNode], models: tuple[str, ...], settings: RunSettings, answers: Answers
) -> OpenService:
    if answers.no_llm:
        names = ", ".join(node.name for node in nodes)
        raise SettingsError(
            f"no model may be asked (--no-llm, TASKGRAPH_NO_LLM), and {_needing(len(nodes))}: {names}",
            hint="Answer from a recording, or from an earlier run's .db: --replay FILE.",
        )
    # Half of what such a run imports; one that asks nobody should not wait for it.
    from taskgraph.llm.live import Live  # noqa: PLC0415

    return Live(
        endpoint(settings.base_url, answers.api_key), models, settings, answers.record
    ).opened


def _needing(count: int) -> str:
    return "a prompt node needs one" if count == 1 else f"{count} prompt nodes need one"
