"""Lays a graph out for the eye: layers from left to right, and as few crossings as a sweep finds.

The barycentre method of Sugiyama, Tagawa and Toda (1981): each name is put at the mean place of
those it depends on, and then of those that depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from taskgraph.graph import Graph

BOX_WIDTH = 168
BOX_HEIGHT = 44
_GAP_X = 64
_GAP_Y = 16
_MARGIN = 8
_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Box:
    """A name's place; pixels from the drawing's left and top."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A graph with a place for everything; sizes in pixels."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    edges: tuple[str, ...]
    """SVG paths, from the right side of a box to the left side of one that depends on it."""


def draw(graph: Graph) -> Drawing:
    """Places the names of a graph, and the lines between them."""
    layers = _ordered(graph)
    tallest = max((len(layer) for layer in layers), default=0)
    height = tallest * (BOX_HEIGHT + _GAP_Y)
    places: dict[str, Box] = {}
    for depth, layer in enumerate(layers):
        top = (height - len(layer) * (BOX_HEIGHT + _GAP_Y)) / 2
        for row, name in enumerate(layer):
            x = _MARGIN + depth * (BOX_WIDTH + _GAP_X)
            places[name] = Box(name, x, _MARGIN + top + row * (BOX_HEIGHT + _GAP_Y))
    width = len(layers) * (BOX_WIDTH + _GAP_X) - _GAP_X
    return Drawing(
        width=max(0, width) + 2 * _MARGIN,
        height=max(0, height - _GAP_Y) + 2 * _MARGIN,
        boxes=tuple(places.values()),
        edges=tuple(
            _edge(places[needed], places[name])
            for name, dependencies in graph.dependencies.items()
            for needed in dependencies
        ),
    )


def _edge(start: Box, end: Box) -> str:
    x1, y1 = start.x + BOX_WIDTH, start.y + BOX_HEIGHT / 2
    x2, y2 = end.x, end.y + BOX_HEIGHT / 2
    bend = min((x2 - x1) / 2, _GAP_X)
    return f"M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"


def _ordered(graph: Graph) -> Sequence[Sequence[str]]:
    layers = [list(layer) for layer in graph.layers]
    for _ in range(_SWEEPS):
        for above, layer in pairwise(layers):
            _sort(layer, above, graph.dependencies)
        for below, layer in pairwise(reversed(layers)):
            _sort(layer, below, graph.dependents)
    return layers


def _sort(
    layer: list[str], neighbours: Sequence[str], related: Mapping[str, tuple[str, ...]]
) -> None:
    places = {name: place for place, name in enumerate(neighbours)}

    def middle(place: int) -> float:
        found = [places[one] for one in related[layer[place]] if one in places]
        return sum(found) / len(found) if found else place

    layer[:] = [layer[place] for place in sorted(range(len(layer)), key=middle)]
