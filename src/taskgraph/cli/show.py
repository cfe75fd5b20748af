"""`taskgraph show`: a spec's graph, or what is in a `.db`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from taskgraph.cli.diagram import dot_lines, mermaid_lines
from taskgraph.cli.ending import write_line
from taskgraph.cli.pager import write_paged
from taskgraph.cli.project import read_project
from taskgraph.cli.selecting import Candidate, selected, unknown_node
from taskgraph.cli.settings import option, spec_option
from taskgraph.cli.show_json import node_json, run_json, trace_json
from taskgraph.cli.show_node import node_lines
from taskgraph.cli.show_run import run_lines
from taskgraph.cli.show_spec import declared_json, declared_lines, spec_json, spec_lines
from taskgraph.cli.show_trace import trace_lines
from taskgraph.cli.specs import load_project_spec
from taskgraph.cli.width import width_of
from taskgraph.evidence import Ask, read_conversation, read_evidence, read_statements
from taskgraph.report import RunReport, asking, report_of
from taskgraph.spec import Node

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a person wants to see."""

    node: str | None
    select: tuple[str, ...]
    trace: bool
    drawn: str | None
    """`mermaid` or `dot`: the graph in that language."""
    width: int
    """Columns of the terminal."""


@dataclass(frozen=True, slots=True)
class _View:
    lines: Iterable[str]
    json: Mapping[str, Any]


@click.command("show")
@click.argument("target", required=False)
@spec_option
@option("node", "-n", help="Show this node in full.")
@option("select", "-S", multiple=True, help="Only such nodes: match, ma*, kind:sql, status:failed.")
@option("trace", is_flag=True, help="Show every statement of a run.")
@click.option("--mermaid", "drawn", flag_value="mermaid", help="Write a spec's graph as Mermaid.")
@click.option("--dot", "drawn", flag_value="dot", help="Write a spec's graph for Graphviz.")
@option("json", "as_json", is_flag=True, help="Write JSON.")
def command(target: str | None, spec: str | None, *, as_json: bool, **wished: Any) -> None:
    """Show a spec's graph, or what is in a .db file.

    TARGET is a .db file, or a spec's module or file. Without it, show the spec that `run` runs.
    """
    wish = _Wish(**wished, width=width_of(sys.stdout))
    if target and _is_database(target):
        view = _of_run(Path(target), wish)
    else:
        view = _of_spec(target or spec, wish)
    if as_json:
        write_line(json.dumps(view.json, indent=2), sys.stdout)
    else:
        write_paged(view.lines)


def _is_database(target: str) -> bool:
    path = Path(target)
    return path.suffix in (".db", ".duckdb", ".partial") or (
        path.is_file() and path.suffix != ".py"
    )


def _of_run(path: Path, wish: _Wish) -> _View:
    if wish.drawn:
        raise click.UsageError(f"--{wish.drawn} draws a spec, and {str(path)!r} is a run's file.")
    with asking(path) as ask:
        report = _only(report_of(ask, path), wish.select)
        if wish.trace:
            return _trace(ask, report, wish)
        if wish.node is not None:
            return _node_of_run(ask, report, wish.node, wish.width)
    return _View(run_lines(report, wish.width), run_json(report))


def _only(report: RunReport, patterns: tuple[str, ...]) -> RunReport:
    candidates = [Candidate(one.node, one.kind, one.status) for one in report.outcomes]
    names = selected(patterns, candidates)
    kept = tuple(outcome for outcome in report.outcomes if outcome.node in names)
    return replace(report, outcomes=kept)


def _trace(ask: Ask, report: RunReport, wish: _Wish) -> _View:
    everything = wish.node is None and not wish.select
    named = [wish.node] if wish.node else [outcome.node for outcome in report.outcomes]
    statements = read_statements(ask, None if everything else named)
    return _View(trace_lines(statements, wish.width), trace_json(statements))


def _node_of_run(ask: Ask, report: RunReport, node: str, width: int) -> _View:
    outcome = _named(node, {outcome.node: outcome for outcome in report.outcomes})
    evidence, conversation = read_evidence(ask, outcome), read_conversation(ask, node)
    statements = read_statements(ask, [node])
    return _View(
        node_lines(outcome, evidence, conversation, statements, width),
        node_json(outcome, evidence, conversation),
    )


def _of_spec(target: str | None, wish: _Wish) -> _View:
    if wish.trace:
        raise click.UsageError("--trace is about a run: name its .db file.")
    spec = load_project_spec(target, read_project(Path.cwd()))
    if wish.node is not None:
        return _declared(_named(wish.node, {node.name: node for node in spec.nodes}), wish.width)
    names = selected(wish.select, [Candidate(node.name, node.kind) for node in spec.nodes])
    if wish.drawn:
        draw = mermaid_lines if wish.drawn == "mermaid" else dot_lines
        return _View(draw(spec, names), spec_json(spec, names))
    if len(names) == 1 and wish.select:
        return _declared(spec.node(*names), wish.width)
    return _View(spec_lines(spec, names, wish.width), spec_json(spec, names))


def _declared(node: Node, width: int) -> _View:
    return _View(declared_lines(node, width), declared_json(node))


def _named(name: str, nodes: Mapping[str, T]) -> T:
    if name not in nodes:
        raise unknown_node(name, nodes)
    return nodes[name]
