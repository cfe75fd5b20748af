"""A graph in the languages of other programs: Mermaid and Graphviz's DOT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from taskgraph.graph import Graph
from taskgraph.spec import Kind

_MERMAID_SHAPES: Mapping[Kind, tuple[str, str]] = {
    "source": ("[(", ")]"),
    "sql": ("[", "]"),
    "prompt": ("{{", "}}"),
}
_DOT_SHAPES: Mapping[Kind, str] = {"source": "cylinder", "sql": "box", "prompt": "hexagon"}


def mermaid_lines(graph: Graph, kinds: Mapping[str, Kind]) -> Iterator[str]:
    """Writes a graph as a Mermaid flowchart, which GitHub renders in Markdown."""
    yield "flowchart LR"
    for name in graph.dependencies:
        begin, end = _MERMAID_SHAPES[kinds[name]]
        # `end` and the like are words of the language: an id is never a bare name.
        yield f'  n_{name}{begin}"{name}"{end}'
    for name, needed in _edges(graph):
        yield f"  n_{needed} --> n_{name}"


def dot_lines(graph: Graph, kinds: Mapping[str, Kind]) -> Iterator[str]:
    """Writes a graph for Graphviz."""
    yield "digraph taskgraph {"
    yield "  rankdir=LR;"
    for name in graph.dependencies:
        yield f'  "{name}" [shape={_DOT_SHAPES[kinds[name]]}];'
    for name, needed in _edges(graph):
        yield f'  "{needed}" -> "{name}";'
    yield "}"


def _edges(graph: Graph) -> Iterator[tuple[str, str]]:
    for name, needed in graph.dependencies.items():
        yield from ((name, one) for one in needed)
