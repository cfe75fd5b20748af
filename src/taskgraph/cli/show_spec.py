"""A spec as text for a person, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from textwrap import dedent
from typing import Any, assert_never

from taskgraph.cli.json_lines import SCHEMA_VERSION
from taskgraph.namespace import Names
from taskgraph.spec import Node, OutputView, PromptNode, SourceData, SourceNode, Spec, SqlNode

_INDENT = " " * 11
_OVERRIDES = (
    "model",
    "fallback",
    "reasoning_effort",
    "max_iterations",
    "max_cost",
    "max_tokens",
    "max_seconds",
)


def spec_lines(spec: Spec) -> Iterator[str]:
    """Draws the graph, layer by layer, with what each node must deliver."""
    graph = Names.of(spec.nodes).graph
    yield (
        f"{spec_title(spec)}: {_count(len(spec.nodes), 'node')} in "
        f"{_count(len(graph.layers), 'layer')}, {_count(len(spec.exports), 'export')}"
    )
    for number, layer in enumerate(graph.layers, start=1):
        yield ""
        for position, name in enumerate(layer):
            place = f"{number:>2}" if position == 0 else "  "
            yield from _node_lines(place, spec.node(name))
    if spec.exports:
        yield ""
        yield f"   exports {', '.join(spec.exports)}"


def node_lines(node: Node) -> Iterator[str]:
    """Shows one node in full: what is in the graph, its text, and its checks' queries."""
    yield from _node_lines("  ", node)
    match node:
        case SqlNode(sql=text) | PromptNode(prompt=text):
            yield from ("", *_lines(text))
        case SourceNode():
            pass
        case _:
            assert_never(node)
    for check in node.checks:
        yield from ("", f"check {check.name}", *_lines(check.query))


def spec_title(spec: Spec) -> str:
    """Returns how a person would name the spec."""
    return spec.origin.file or spec.origin.module or "spec"


def spec_json(spec: Spec) -> Mapping[str, Any]:
    """Returns the spec as JSON values; a source's data is only described."""
    graph = Names.of(spec.nodes).graph
    return {
        "schema_version": SCHEMA_VERSION,
        "spec": spec_title(spec),
        "nodes": [node_json(node) for node in spec.nodes],
        "layers": [list(layer) for layer in graph.layers],
        "exports": list(spec.exports),
    }


def node_json(node: Node) -> Mapping[str, Any]:
    """Returns one node as JSON values."""
    common = {
        "name": node.name,
        "kind": node.kind,
        "description": node.description,
        "depends_on": list(node.depends_on),
        "checks": {check.name: check.query for check in node.checks},
    }
    match node:
        case SourceNode():
            return {**common, "source": _origin(node.source), "columns": list(node.columns)}
        case SqlNode():
            return {**common, "sql": node.sql, "views": _views(node.required_views)}
        case PromptNode():
            views = _views(node.required_views)
            return {**common, "prompt": node.prompt, "views": views, **_overrides(node)}
        case _:
            assert_never(node)


def _lines(text: str) -> list[str]:
    return dedent(text).strip().splitlines()


def _node_lines(place: str, node: Node) -> Iterator[str]:
    needs = f"  <- {', '.join(node.depends_on)}" if node.depends_on else ""
    yield f"{place} {node.kind:<7} {node.name}{needs}"
    for label, text in _details(node):
        yield f"{_INDENT}{label:<7} {text}"


def _details(node: Node) -> Iterator[tuple[str, str]]:
    if node.description:
        yield "about", node.description
    if isinstance(node, SourceNode):
        yield "from", _origin(node.source)
        if node.columns:
            yield "columns", ", ".join(node.columns)
    else:
        for view in node.required_views:
            yield "makes", f"{view.name}{_columns(view)}"
    if isinstance(node, PromptNode):
        for name, value in _overrides(node).items():
            yield "with", f"{name} = {value}"
    if node.checks:
        yield "checks", ", ".join(check.name for check in node.checks)


def _origin(source: SourceData) -> str:
    match source:
        case str() | PurePath():
            return str(source)
        case {"path": path}:
            return str(path)
        case _ if callable(source):
            return f"{getattr(source, '__name__', type(source).__name__)}()"
        case _:
            return f"data in the spec ({type(source).__name__})"


def _columns(view: OutputView) -> str:
    columns = [f"{name} {kind}" if kind else name for name, kind in view.columns.items()]
    return f" ({', '.join(columns)})" if columns else ""


def _views(views: tuple[OutputView, ...]) -> Mapping[str, Mapping[str, str | None]]:
    return {view.name: dict(view.columns) for view in views}


def _overrides(node: PromptNode) -> Mapping[str, Any]:
    stated = {name: getattr(node, name) for name in _OVERRIDES}
    return {name: value for name, value in stated.items() if value not in (None, ())}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
