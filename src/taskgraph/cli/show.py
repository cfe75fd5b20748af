"""`taskgraph show`: a spec's graph, or what is in a `.db`."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import click

from taskgraph.cli.diagram import dot_lines, mermaid_lines
from taskgraph.cli.ending import write_line
from taskgraph.cli.opening import Opened, opened
from taskgraph.cli.pager import write_paged
from taskgraph.cli.project import read_project
from taskgraph.cli.settings import option, spec_option
from taskgraph.cli.show_json import node_json, run_json, trace_json
from taskgraph.cli.show_live import live_json, live_lines
from taskgraph.cli.show_node import node_lines
from taskgraph.cli.show_run import run_lines
from taskgraph.cli.show_spec import declared_json, declared_lines, spec_json, spec_lines
from taskgraph.cli.show_trace import trace_lines
from taskgraph.cli.specs import load_project_spec
from taskgraph.cli.width import width_of
from taskgraph.errors import SettingsError, WorkspaceError
from taskgraph.events import utc_now
from taskgraph.evidence import Ask, read_conversation, read_evidence, read_statements
from taskgraph.graph import Graph
from taskgraph.namespace import Names
from taskgraph.output import output_path, resume_command
from taskgraph.playback import is_database
from taskgraph.report import RunReport
from taskgraph.selection import Selector
from taskgraph.spec import Kind
from taskgraph.watch.wire import Standing


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
@option("select", "-S", multiple=True, help="Only these nodes: match, +match, kind:sql.")
@option("trace", is_flag=True, help="Show every statement of a run.")
@click.option("--mermaid", "drawn", flag_value="mermaid", help="Write the graph as Mermaid.")
@click.option("--dot", "drawn", flag_value="dot", help="Write the graph for Graphviz.")
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
    if path.suffix in (".db", ".duckdb", ".partial"):
        return True
    if path.suffix == ".py" or not path.is_file():
        return False
    if not is_database(path):  # DuckDB's own words for a CSV file are of databases in memory
        raise WorkspaceError(
            f"{target!r} is no .db file", hint="Name that of a run; or a spec: --spec FILE.py."
        )
    return True


def _of_run(path: Path, wish: _Wish) -> _View:
    with opened(path) as run:
        whole, ask = run.report(), run.ask
        selector = _selector(whole)
        names = selector.chosen(wish.select, ())
        report = replace(whole, outcomes=tuple(one for one in whole.outcomes if one.node in names))
        if wish.drawn:
            return _View(_drawn(selector, names, wish.drawn), run_json(report))
        if wish.trace:
            named = {wish.node} if wish.node in run.unended else None
            named = named or (names if wish.node is None else {_one(selector, wish.node)})
            return _trace(ask, named, wish)
        if wish.node is not None:
            return _node_of_run(run, whole, wish.node, wish.width)
    return _whole_run(report, run.standing, wish.width)


def _whole_run(report: RunReport, standing: Standing | None, width: int) -> _View:
    lines, fields = run_lines(report, width), run_json(report)
    if standing:
        # Asked first, it may know less than the record that was read after it.
        standing = standing.without(one.node for one in report.outcomes)
        now = live_lines(standing, utc_now(), width)
        return _View(chain(lines, now), {**fields, "live": live_json(standing)})
    if report.status in ("passed", "failed"):
        return _View(lines, fields)
    output = output_path(Path(report.path))
    return _View(chain(lines, [f"Go on with: {resume_command(output)}"]), fields)


def _selector(report: RunReport) -> Selector:
    """Returns what knows the nodes of a run; those that a part of a spec left out are not there."""
    kinds: dict[str, Kind] = {outcome.node: outcome.kind for outcome in report.outcomes}
    recorded: list[dict[str, Any]] = json.loads(report.meta.get("structure", "[]"))
    needed = {node["name"]: node["depends_on"] for node in recorded}
    graph = Graph.of({name: needed.get(name, ()) for name in (*needed, *kinds)}).only(kinds)
    return Selector(graph, kinds, {one.node: one.status for one in report.outcomes})


def _one(selector: Selector, name: str) -> str:
    """Returns the node of that name, in any case."""
    found = sorted(selector.chosen((name,), ()))
    if len(found) > 1:
        raise SettingsError(
            f"{name!r} means {len(found)} nodes", "Name one of them, or show all with -S."
        )
    return found[0]


def _trace(ask: Ask, names: Collection[str], wish: _Wish) -> _View:
    everything = wish.node is None and not wish.select  # exports too, which are no node's
    statements = read_statements(ask, None if everything else names)
    return _View(trace_lines(statements, wish.width), trace_json(statements))


def _node_of_run(run: Opened, report: RunReport, name: str, width: int) -> _View:
    if name in run.unended:
        raise SettingsError(
            f"node {name!r} has not ended yet",
            hint=f"See what it has done so far: taskgraph show {run.path} --trace --node {name}",
        )
    ask, node = run.ask, _one(_selector(report), name)
    [outcome] = [outcome for outcome in report.outcomes if outcome.node == node]
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
    selector = Selector.of(spec, Names.of(spec.nodes).graph, {})
    names = selector.chosen(wish.select, ())
    if wish.drawn:
        return _View(_drawn(selector, names, wish.drawn), spec_json(spec, names))
    if wish.node is not None:
        names = {_one(selector, wish.node)}
    if len(names) == 1 and (wish.node or wish.select):
        node = spec.node(*names)
        return _View(declared_lines(node, wish.width), declared_json(node))
    return _View(spec_lines(spec, names, wish.width), spec_json(spec, names))


def _drawn(selector: Selector, names: Collection[str], language: str) -> Iterable[str]:
    draw = mermaid_lines if language == "mermaid" else dot_lines
    return draw(selector.graph.only(names), selector.kinds)
