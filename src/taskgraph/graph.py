"""Who depends on whom: order, layers, ancestry, and the path of a cycle.

Knows names only, so that it serves specs, recorded runs and tests alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter


class Cycle(ValueError):
    """Some names wait for one another."""

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(" -> ".join(path))
        self.path = path
        """The names in the order in which each depends on the next; first and last are the same."""


@dataclass(frozen=True)
class Graph:
    """A directed acyclic graph of names.

    Attributes:
        dependencies: name to the names it depends on directly, in declared order.
    """

    dependencies: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, dependencies: Mapping[str, Iterable[str]]) -> Graph:
        """Builds the graph; every name that is depended on must have a key of its own.

        Raises:
            Cycle: some names wait for one another.
        """
        graph = cls({name: tuple(needed) for name, needed in dependencies.items()})
        try:
            TopologicalSorter(graph.dependencies).prepare()
        except CycleError as error:
            # graphlib walks from dependency to dependent; people read it the other way.
            raise Cycle(tuple(reversed(error.args[1]))) from error
        return graph

    @cached_property
    def dependents(self) -> Mapping[str, tuple[str, ...]]:
        """Name to the names that depend on it directly."""
        found: dict[str, list[str]] = {name: [] for name in self.dependencies}
        for name, needed in self.dependencies.items():
            for dependency in needed:
                found[dependency].append(name)
        return {name: tuple(names) for name, names in found.items()}

    @cached_property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """Names by the length of their longest chain of dependencies; for display only."""
        sorter = TopologicalSorter(self.dependencies)
        sorter.prepare()
        declared = {name: position for position, name in enumerate(self.dependencies)}
        layers: list[tuple[str, ...]] = []
        while sorter.is_active():
            layer = sorted(sorter.get_ready(), key=declared.__getitem__)
            layers.append(tuple(layer))
            sorter.done(*layer)
        return tuple(layers)

    @property
    def order(self) -> Iterator[str]:
        """All names, each after its dependencies."""
        return (name for layer in self.layers for name in layer)

    @cached_property
    def _depth(self) -> Mapping[str, int]:
        return {name: depth for depth, layer in enumerate(self.layers) for name in layer}

    def depends(self, name: str, ancestor: str) -> bool:
        """Says whether `name` depends on `ancestor`, directly or through others."""
        # Asked for every relation of every statement. Sets of ancestors kept for all names would
        # cost the square of a long chain, so walk up, but never above the ancestor's own layer.
        floor = self._depth[ancestor]
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            needed = self.dependencies[waiting.pop()]
            if ancestor in needed:
                return True
            above = [one for one in needed if one not in seen and self._depth[one] > floor]
            seen.update(above)
            waiting.extend(above)
        return False

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Everything that `name` depends on, directly or through others, nearest first."""
        return _reachable(name, self.dependencies)

    def descendants(self, name: str) -> tuple[str, ...]:
        """Everything that depends on `name`, directly or through others, nearest first."""
        return _reachable(name, self.dependents)

    def only(self, names: Collection[str]) -> Graph:
        """Returns the graph of the given names, without edges to others."""
        kept = frozenset(names)
        return Graph(
            {
                name: tuple(one for one in needed if one in kept)
                for name, needed in self.dependencies.items()
                if name in kept
            }
        )


def _reachable(start: str, edges: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    frontier = [start]
    while frontier:
        # A name met twice in one step must go on once: paths grow exponentially, names do not.
        reached = dict.fromkeys(other for name in frontier for other in edges[name])
        frontier = [name for name in reached if name not in found]
        found.update(dict.fromkeys(frontier))
    return tuple(found)
