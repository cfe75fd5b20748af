"""A spec as text for a person, and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from inspect import cleandoc
from pathlib import PurePath
from textwrap import dedent
from typing import Any, assert_never

from taskgraph.cli.json_lines import SCHEMA_VERSION
from taskgraph.cli.tree import draw
from taskgraph.cli.width import wrapped
from taskgraph.graph import Graph
from taskgraph.namespace import Names
from taskgraph.spec import Node, OutputView, PromptNode, SourceData, SourceNode, Spec, SqlNode

_INDENT = " " * 11
"""Where the details of a node stand."""
_OVERRIDES = (
    "model",
    "fallback",
    "reasoning_effort",
    "max_iterations",
    "max_cost",
    "max_tokens",
    "max_seconds",
)


def spec_lines(spec: Spec, names: Collection[str], width: int) -> Iterator[str]:
    """Draws the graph of these nodes as a tree, each with its layer, kind and checks.

    Args:
        spec: what is declared.
        names: the nodes to draw.
        width: columns of the terminal.
    """
    graph = Names.of(spec.nodes).graph
    yield (
        f"{spec_title(spec)}: {_count(len(spec.nodes), 'node')} in "
        f"{_count(len(graph.layers), 'layer')}, {_count(len(spec.exports), 'export')}"
    )
    yield ""
    yield from _tree_lines(spec, graph, names, width)
    if spec.exports:
        yield ""
        yield from wrapped(f"exports: {', '.join(spec.exports)}", width, hanging="  ")


def _tree_lines(spec: Spec, graph: Graph, names: Collection[str], width: int) -> Iterator[str]:
    layers = {name: number for number, layer in enumerate(graph.layers, 1) for name in layer}
    drawn = list(draw(graph.only(names), deepest=max(2, width // 10)))
    room = min(max((len(one.branch + one.name) for one in drawn), default=0), width // 2)
    digits = len(str(len(graph.layers)))
    nodes = {node.name: node for node in spec.nodes}
    for one in drawn:
        start = f"{layers[one.name]:>{digits}}  {one.branch + one.name:<{room}}  "
        facts = f"{nodes[one.name].kind:<6}  {'  '.join(_facts(nodes[one.name], one.parent))}"
        hanging = f"{'':>{digits}}  {one.below:<{room}}  {'':<6}  "
        yield from wrapped(facts.rstrip(), width, start, hanging)


def _facts(node: Node, parent: str | None) -> Iterator[str]:
    """Says what a drawing does not show: other dependencies, where data is from, checks."""
    if tuple(node.depends_on) != ((parent,) if parent else ()):
        yield f"<- {', '.join(node.depends_on)}"
    if isinstance(node, SourceNode):
        yield _origin(node.source)
    if node.checks:
        yield f"checks: {', '.join(check.name for check in node.checks)}"


def declared_lines(node: Node, width: int) -> Iterator[str]:
    """Shows one node in full: what it needs and makes, its text, and its checks' queries."""
    needs = f"  <- {', '.join(node.depends_on)}" if node.depends_on else ""
    yield from wrapped(f"{node.kind}  {node.name}{needs}", width, hanging=_INDENT)
    for label, text in _details(node):
        yield from wrapped(f"  {label:<7}  {text}", width, hanging=_INDENT)
    match node:
        case SqlNode(sql=sql):
            yield from ("", *_sql_lines(sql))
        case PromptNode(prompt=prompt):
            yield from ("", *dedent(prompt).strip().splitlines())
        case SourceNode():
            pass
        case _:
            assert_never(node)
    for check in node.checks:
        yield from ("", f"check {check.name}", *_sql_lines(check.query))


def spec_title(spec: Spec) -> str:
    """Returns how a person would name the spec."""
    return spec.origin.file or spec.origin.module or "spec"


def spec_json(spec: Spec, names: Collection[str]) -> Mapping[str, Any]:
    """Returns these nodes of a spec as JSON values; a source's data is only described."""
    graph = Names.of(spec.nodes).graph
    return {
        "schema_version": SCHEMA_VERSION,
        "spec": spec_title(spec),
        "nodes": [_node_json(node) for node in spec.nodes if node.name in names],
        "layers": [list(layer) for layer in graph.layers],
        "exports": list(spec.exports),
    }


def declared_json(node: Node) -> Mapping[str, Any]:
    """Returns one node as JSON values."""
    return {"schema_version": SCHEMA_VERSION, **_node_json(node)}


def _node_json(node: Node) -> Mapping[str, Any]:
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


def _sql_lines(text: str) -> list[str]:
    # Its first line often stands behind a name or an opening quote, with no indentation.
    return cleandoc(text).splitlines()


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
