"""A spec's graph in the languages of other programs: Mermaid and Graphviz's DOT."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from taskgraph.namespace import Names
from taskgraph.spec import Kind, Spec

_MERMAID_SHAPES: Mapping[Kind, tuple[str, str]] = {
    "source": ("[(", ")]"),
    "sql": ("[", "]"),
    "prompt": ("{{", "}}"),
}
_DOT_SHAPES: Mapping[Kind, str] = {"source": "cylinder", "sql": "box", "prompt": "hexagon"}


def mermaid_lines(spec: Spec, names: Collection[str]) -> Iterator[str]:
    """Writes these nodes as a Mermaid flowchart, which GitHub renders in Markdown."""
    yield "flowchart LR"
    for node in spec.nodes:
        if node.name in names:
            begin, end = _MERMAID_SHAPES[node.kind]
            # `end` and the like are words of the language: an id is never a bare name.
            yield f'  n_{node.name}{begin}"{node.name}"{end}'
    for name, needed in _edges(spec, names):
        yield f"  n_{needed} --> n_{name}"


def dot_lines(spec: Spec, names: Collection[str]) -> Iterator[str]:
    """Writes these nodes for Graphviz."""
    yield "digraph taskgraph {"
    yield "  rankdir=LR;"
    for node in spec.nodes:
        if node.name in names:
            yield f'  "{node.name}" [shape={_DOT_SHAPES[node.kind]}];'
    for name, needed in _edges(spec, names):
        yield f'  "{needed}" -> "{name}";'
    yield "}"


def _edges(spec: Spec, names: Collection[str]) -> Iterator[tuple[str, str]]:
    for name, needed in Names.of(spec.nodes).graph.only(names).dependencies.items():
        yield from ((name, one) for one in needed)
