"""What a run will do with each node of a spec; a resume is a plan over an earlier file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taskgraph.earlier import Step, Takeover, Work
from taskgraph.events import Outcome
from taskgraph.graph import Graph
from taskgraph.namespace import Names
from taskgraph.provenance import definitions
from taskgraph.recorded import Recorded, RecordedConversation
from taskgraph.spec import Node, PromptNode, SourceNode, Spec

_GIVEN_UP = frozenset({"AgentFailed", "ChecksFailed", "ModelRejected", "ContextOverflow"})
"""Errors after which a conversation leads nowhere; after others, it goes on where it stood."""


@dataclass(frozen=True, slots=True)
class Seed:
    """Tables that a new file begins with."""

    file: Path
    """The earlier file that has them."""
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The nodes to run, and how they hang together.

    Attributes:
        nodes: name to node, in declared order: those that run.
        names: who owns which name, and the graph; of all nodes of the spec.
        steps: name to what happens to the node, and why; of all nodes of the spec.
        kept: name to outcome: nodes that have passed earlier, and stay as they are.
        continued: name to conversation: prompt nodes that go on where they stood.
        takeover: what is taken over from an earlier file; None where there is none.
        seed: the tables taken over that are yet to be copied.
    """

    nodes: Mapping[str, Node]
    names: Names
    steps: Mapping[str, Step]
    kept: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    continued: Mapping[str, RecordedConversation] = field(
        default_factory=dict[str, RecordedConversation]
    )
    takeover: Takeover | None = None
    seed: Seed | None = None

    @property
    def graph(self) -> Graph:
        """Who waits for whom."""
        return self.names.graph.only(self.nodes)

    @property
    def needs_model(self) -> bool:
        """Says whether a prompt node will certainly run, and not only if its SQL does not hold."""
        return any(
            isinstance(node, PromptNode)
            and (self.steps[name].action != "reuse" or name in self.continued)
            for name, node in self.nodes.items()
        )

    @property
    def left_out(self) -> tuple[str, ...]:
        """Nodes of the spec that the plan does nothing with."""
        return tuple(name for name, step in self.steps.items() if step.action == "leave")

    @property
    def taken(self) -> tuple[str, ...]:
        """Sources whose tables are taken from the earlier file, and are not read again."""
        return tuple(
            name
            for name, node in self.nodes.items()
            if isinstance(node, SourceNode) and self.steps[name].action == "reuse"
        )

    def why_it_runs(self, node: str) -> str | None:
        """Says why a node runs, where that needs to be explained."""
        step = self.steps[node]
        return step.why if step.why and step.action == "run" else None

    def work(self, node: str) -> Work | None:
        """Returns what an earlier run has of a node, where that is to be tried or looked at."""
        if self.takeover is None or self.steps[node].action not in ("reuse", "review"):
            return None
        return self.takeover.works.get(node)


def plan_run(spec: Spec) -> Plan:
    """Plans a run from nothing: every node runs."""
    return Plan(
        nodes={node.name: node for node in spec.nodes},
        names=Names.of(spec.nodes),
        steps=dict.fromkeys((node.name for node in spec.nodes), Step("run", "")),
    )


def plan_resume(spec: Spec, recorded: Recorded) -> Plan:
    """Plans to go on: what has passed stays, what was left out stays so, all else runs.

    A node whose definition is another one than on record runs again, and so does everything that
    depends on a node that runs. A conversation goes on where all that it has read has stayed. A
    node whose work of an earlier file was to be tried still has it tried.
    """
    names = Names.of(spec.nodes)
    unchanged = _unchanged(spec, recorded)
    takeover = _takeover(recorded)
    kept: dict[str, Outcome] = {}
    for name in names.graph.order:
        outcome = recorded.outcomes.get(name)
        stays = outcome is not None and outcome.status in ("passed", "reused")
        if outcome and stays and name in unchanged and _all_in(kept, names, name):
            kept[name] = outcome
    steps = {node.name: _step(node.name, takeover, kept, unchanged) for node in spec.nodes}
    running = [node for node in spec.nodes if steps[node.name].action not in ("keep", "leave")]
    return Plan(
        nodes={node.name: node for node in running},
        names=names,
        steps=steps,
        kept=kept,
        continued={
            name: conversation
            for name, conversation in recorded.conversations.items()
            if name in unchanged - kept.keys()
            and _all_in(kept, names, name)
            and conversation.messages
            and not _given_up(recorded.outcomes.get(name))
        },
        takeover=takeover,
    )


def _takeover(recorded: Recorded) -> Takeover | None:
    text = recorded.meta.get("rerun")
    return Takeover.from_json(text) if text else None


def _step(
    name: str, takeover: Takeover | None, kept: Mapping[str, Outcome], unchanged: set[str]
) -> Step:
    if name in kept:
        return Step("keep", "has passed")
    planned = takeover.steps.get(name) if takeover else None
    if planned is None:
        return Step("run", "")
    if planned.action == "keep" or name not in unchanged:
        return Step("run", "changed since the run began")
    return planned


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
