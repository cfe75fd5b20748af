"""What a run will do with each node of a spec; resume and rerun are plans over an earlier file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskgraph.graph import Graph
from taskgraph.namespace import Names
from taskgraph.spec import Node, PromptNode, Spec


@dataclass(frozen=True)
class Plan:
    """The nodes to run, and how they hang together.

    Attributes:
        nodes: name to node, in declared order.
        names: who owns which name, and the graph.
    """

    nodes: Mapping[str, Node]
    names: Names

    @property
    def graph(self) -> Graph:
        """Who depends on whom."""
        return self.names.graph

    @property
    def needs_model(self) -> bool:
        """Says whether a prompt node will run."""
        return any(isinstance(node, PromptNode) for node in self.nodes.values())


def plan_run(spec: Spec) -> Plan:
    """Plans a run from nothing: every node runs."""
    return Plan({node.name: node for node in spec.nodes}, Names.of(spec.nodes))
