"""Who answers a run's prompt nodes: a server, a recording, or nobody where there are none."""

from __future__ import annotations

from pathlib import Path

from taskgraph.cli.project import api_key
from taskgraph.llm.endpoint import endpoint
from taskgraph.llm.recording import RecordedModel
from taskgraph.llm.service import OpenService, replayed, served_by
from taskgraph.settings import RunSettings
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
    if not nodes:
        return served_by(None, settings)
    asked = [model for node in nodes for model in (node.model or settings.model, *node.fallback)]
    models = tuple(dict.fromkeys(asked))
    if recorded:
        return replayed(recorded, models)
    # Half of what such a run imports; one that asks nobody should not wait for it.
    from taskgraph.llm.live import Live  # noqa: PLC0415

    return Live(endpoint(base_url, api_key()), models, settings, record).opened
