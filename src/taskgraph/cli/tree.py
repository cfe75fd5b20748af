"""A graph drawn as a tree: each node once, below the dependency that is nearest to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taskgraph.graph import Graph


@dataclass(frozen=True, slots=True)
class Drawn:
    """A node's place in the drawing."""

    name: str
    layer: int
    """From 1."""
    branch: str
    """What is drawn before the name."""
    below: str
    """What is drawn where further lines about the node begin."""
    parent: str | None
    """The dependency that it stands under; None where it stands at the left."""


def draw(graph: Graph, deepest: int) -> Iterator[Drawn]:
    """Draws a graph.

    Args:
        graph: whom to draw; names are drawn in its order where nothing else decides.
        deepest: levels of indentation; who would stand deeper begins at the left again.
    """
    layers = {name: number for number, layer in enumerate(graph.layers, 1) for name in layer}
    depths = _depths(graph, layers, deepest)
    children: dict[str | None, list[str]] = {}
    for name in graph.dependencies:
        children.setdefault(_parent(graph, layers, depths, name), []).append(name)
    # A stack, not recursion: a chain of 10,000 names is a legal graph.
    waiting: list[tuple[str, str, str, str | None]] = [
        (name, "", "", None) for name in reversed(children.get(None, []))
    ]
    while waiting:
        name, branch, below, parent = waiting.pop()
        yield Drawn(name, layers[name], branch, below, parent)
        under = children.get(name, [])
        for child in reversed(under):
            last = child == under[-1]
            stem = below + ("   " if last else "│  ")
            waiting.append((child, below + ("└─ " if last else "├─ "), stem, name))


def _depths(graph: Graph, layers: dict[str, int], deepest: int) -> dict[str, int]:
    """Returns how deep each name stands: below its nearest dependency, or 0 again at the limit."""
    depths: dict[str, int] = {}
    for name in graph.order:
        nearest = _nearest(graph, layers, name)
        depth = depths[nearest] + 1 if nearest else 0
        depths[name] = 0 if depth > deepest else depth
    return depths


def _nearest(graph: Graph, layers: dict[str, int], name: str) -> str | None:
    needed = graph.dependencies[name]
    return max(needed, key=layers.__getitem__) if needed else None


def _parent(graph: Graph, layers: dict[str, int], depths: dict[str, int], name: str) -> str | None:
    return _nearest(graph, layers, name) if depths[name] else None
