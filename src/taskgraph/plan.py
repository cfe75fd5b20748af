"""What a run will do with each node of a spec; a resume is a plan over an earlier file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskgraph.events import Outcome
from taskgraph.graph import Graph
from taskgraph.namespace import Names
from taskgraph.provenance import definitions
from taskgraph.recorded import Recorded, RecordedConversation
from taskgraph.spec import Node, PromptNode, Spec

_GIVEN_UP = frozenset({"AgentFailed", "ChecksFailed", "ModelRejected", "ContextOverflow"})
"""Errors after which a conversation leads nowhere; after others, it goes on where it stood."""


@dataclass(frozen=True)
class Plan:
    """The nodes to run, and how they hang together.

    Attributes:
        nodes: name to node, in declared order: those that run.
        names: who owns which name, and the graph; of all nodes of the spec.
        kept: name to outcome: nodes that have passed earlier, and stay as they are.
        continued: name to conversation: prompt nodes that go on where they stood.
    """

    nodes: Mapping[str, Node]
    names: Names
    kept: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    continued: Mapping[str, RecordedConversation] = field(
        default_factory=dict[str, RecordedConversation]
    )

    @property
    def graph(self) -> Graph:
        """Who waits for whom."""
        return self.names.graph.only(self.nodes)

    @property
    def needs_model(self) -> bool:
        """Says whether a prompt node will run."""
        return any(isinstance(node, PromptNode) for node in self.nodes.values())


def plan_run(spec: Spec) -> Plan:
    """Plans a run from nothing: every node runs."""
    return Plan({node.name: node for node in spec.nodes}, Names.of(spec.nodes))


def plan_resume(spec: Spec, recorded: Recorded) -> Plan:
    """Plans to go on: what has passed stays, all else runs.

    A node whose definition is another one than on record runs again, and so does everything that
    depends on a node that runs. A conversation goes on where all that it has read has stayed.
    """
    names = Names.of(spec.nodes)
    unchanged = _unchanged(spec, recorded)
    kept: dict[str, Outcome] = {}
    for name in names.graph.order:
        outcome = recorded.outcomes.get(name)
        stays = outcome is not None and outcome.status in ("passed", "reused")
        if outcome and stays and name in unchanged and _all_in(kept, names, name):
            kept[name] = outcome
    return Plan(
        nodes={node.name: node for node in spec.nodes if node.name not in kept},
        names=names,
        kept=kept,
        continued={
            name: conversation
            for name, conversation in recorded.conversations.items()
            if name in unchanged - kept.keys()
            and _all_in(kept, names, name)
            and conversation.messages
            and not _given_up(recorded.outcomes.get(name))
        },
    )


def changed_nodes(spec: Spec, meta: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the names of nodes that are new, gone, or defined otherwise than on record."""
    now, before = definitions(spec), _recorded_definitions(meta)
    return tuple(name for name in now | before if now.get(name) != before.get(name))


def _unchanged(spec: Spec, recorded: Recorded) -> set[str]:
    changed = changed_nodes(spec, recorded.meta)
    return {node.name for node in spec.nodes}.difference(changed)


def _recorded_definitions(meta: Mapping[str, str]) -> dict[str, str]:
    return json.loads(meta["node_definitions"])


def _all_in(kept: Mapping[str, Outcome], names: Names, node: str) -> bool:
    return all(needed in kept for needed in names.graph.dependencies[node])


def _given_up(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status == "failed" and outcome.error_type in _GIVEN_UP
