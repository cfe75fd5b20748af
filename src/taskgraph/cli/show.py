"""`taskgraph show`: a spec's graph, or what is in a `.db`."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from taskgraph.cli.ending import write_line
from taskgraph.cli.project import read_project
from taskgraph.cli.settings import option, spec_option
from taskgraph.cli.show_run import (
    full_json,
    outcome_lines,
    run_json,
    run_lines,
)
from taskgraph.cli.show_spec import node_json, node_lines, spec_json, spec_lines
from taskgraph.cli.specs import load_project_spec
from taskgraph.cli.text import wants_color
from taskgraph.errors import SettingsError
from taskgraph.report import read_report

T = TypeVar("T")


@click.command("show")
@click.argument("target", required=False)
@spec_option
@option("node", help="Show this node in full.")
@option("json", "as_json", is_flag=True, help="Write JSON.")
def command(target: str | None, spec: str | None, node: str | None, *, as_json: bool) -> None:
    """Show a spec's graph, or what is in a .db file.

    TARGET is a .db file, or a spec's module or file. Without it, show the spec that `run` runs.
    """
    view = (
        _of_run(Path(target), node)
        if target and _is_database(target)
        else _of_spec(target or spec, node)
    )
    color = wants_color(sys.stdout)
    for line in [json.dumps(view.json, indent=2)] if as_json else view.lines:
        write_line(line, sys.stdout, color=color)


@dataclass(frozen=True, slots=True)
class _View:
    lines: Iterable[str]
    json: Mapping[str, Any]


def _is_database(target: str) -> bool:
    path = Path(target)
    return path.suffix in (".db", ".duckdb", ".partial") or (
        path.is_file() and path.suffix != ".py"
    )


def _of_run(path: Path, node: str | None) -> _View:
    report = read_report(path)
    if node is None:
        return _View(run_lines(report), run_json(report))
    outcome = _named(node, {outcome.node: outcome for outcome in report.outcomes})
    return _View(outcome_lines(outcome), full_json(outcome))


def _of_spec(target: str | None, name: str | None) -> _View:
    spec = load_project_spec(target, read_project(Path.cwd()))
    if name is None:
        return _View(spec_lines(spec), spec_json(spec))
    node = _named(name, {node.name: node for node in spec.nodes})
    return _View(node_lines(node), node_json(node))


def _named(name: str, nodes: Mapping[str, T]) -> T:
    if name in nodes:
        return nodes[name]
    nearest = difflib.get_close_matches(name, nodes, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(nodes)}"
    raise SettingsError(f"there is no node {name!r}", hint)
