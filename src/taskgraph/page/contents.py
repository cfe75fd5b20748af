"""Everything that the page of a run shows, read from its `.db` and not yet rendered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskgraph.database import fold, quote
from taskgraph.events import CheckResult, Definition, Outcome
from taskgraph.evidence import (
    Ask,
    CheckRows,
    Evidence,
    Spoken,
    read_all_evidence,
    read_conversation,
)
from taskgraph.graph import Graph
from taskgraph.page.drawing import Drawing, draw
from taskgraph.page.lineage import ColumnOf, Lineage, lineage_of
from taskgraph.report import RunReport, asking, report_of

_SAMPLE_ROWS = 10
_MOST_CHARACTERS = 200
"""Of a cell."""
_MOST_DRAWN = 200
"""Nodes of a graph that can still be told apart in a drawing."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, and where it comes from."""

    name: str
    type: str
    numeric: bool
    origins: tuple[ColumnOf, ...]
    """Those it is computed from; empty for a source's."""
    sources: tuple[ColumnOf, ...]
    """The columns of sources at the end of that."""


@dataclass(frozen=True, slots=True)
class TablePart:
    """One table of a node."""

    name: str
    row_count: int
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]
    """The first of them, as text."""
    sql: str | None
    """What defined it; None for a source's table."""
    unknown: str | None
    """Why nothing is known of where its columns come from."""


@dataclass(frozen=True, slots=True)
class NodePart:
    """What the page shows of one node."""

    outcome: Outcome
    depends_on: tuple[str, ...]
    prompt: str | None
    tables: tuple[TablePart, ...]
    macros: tuple[Definition, ...]
    """Definitions that are no table: macros, and views of a node that did not pass."""
    checks: tuple[tuple[CheckResult, CheckRows | None], ...]
    evidence: Evidence
    conversation: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What the page shows."""

    report: RunReport
    nodes: tuple[NodePart, ...]
    drawing: Drawing | None
    """None where there are too many nodes to draw."""

    @property
    def findings(self) -> Iterator[tuple[str, CheckResult]]:
        """Node and check, of those checks that do not pass."""
        for node in self.nodes:
            for check, _ in node.checks:
                if check.status != "pass":
                    yield node.outcome.node, check


def read_page(path: Path) -> Page:
    """Reads a file.

    Raises:
        WorkspaceError: there is no such file, it is in use, or Taskgraph did not write it.
    """
    with asking(path) as ask:
        report = report_of(ask, path)
        reader = _Reader.of(ask, report)
        nodes = tuple(map(reader.node, report.outcomes))
    graph = Graph.of(reader.dependencies)
    return Page(report, nodes, draw(graph) if len(nodes) <= _MOST_DRAWN else None)


@dataclass(frozen=True, slots=True)
class _Reader:
    ask: Ask
    dependencies: Mapping[str, tuple[str, ...]]
    prompts: Mapping[str, str]
    types: Mapping[str, Mapping[str, str]]
    """Table to column to type."""
    lineage: Lineage
    evidence: Mapping[str, Evidence]

    @classmethod
    def of(cls, ask: Ask, report: RunReport) -> _Reader:
        types: dict[str, dict[str, str]] = {}
        for table, column, type_ in ask(_COLUMNS):
            types.setdefault(table, {})[column] = type_
        definitions = [one for outcome in report.outcomes for one in outcome.definitions]
        tables = {table: tuple(columns) for table, columns in types.items()}
        return cls(
            ask=ask,
            dependencies=_dependencies(report.meta),
            prompts=json.loads(report.meta.get("node_prompts", "{}")),
            types=types,
            lineage=lineage_of(definitions, tables),
            evidence=read_all_evidence(ask, report.outcomes),
        )

    def node(self, outcome: Outcome) -> NodePart:
        definitions = {fold(one.name): one for one in outcome.definitions}
        evidence = self.evidence[outcome.node]
        made = {fold(name) for name, _ in outcome.tables}
        return NodePart(
            outcome=outcome,
            depends_on=self.dependencies.get(outcome.node, ()),
            prompt=self.prompts.get(outcome.node),
            tables=tuple(
                self._table(name, count, definitions.get(fold(name)))
                for name, count in outcome.tables
            ),
            macros=tuple(one for one in outcome.definitions if fold(one.name) not in made),
            checks=tuple((check, evidence.rows.get(check.check)) for check in outcome.checks),
            evidence=evidence,
            conversation=read_conversation(self.ask, outcome.node),
        )

    def _table(self, name: str, count: int, definition: Definition | None) -> TablePart:
        types = self.types.get(name, {})
        return TablePart(
            name=name,
            row_count=count,
            columns=tuple(self._column(name, column, type_) for column, type_ in types.items()),
            rows=self._sample(name, types),
            sql=definition and definition.sql,
            unknown=self.lineage.unknown.get(name),
        )

    def _column(self, table: str, name: str, type_: str) -> Column:
        column = ColumnOf(table, name)
        return Column(
            name=name,
            type=type_,
            numeric=type_.startswith(_NUMERIC),
            origins=self.lineage.origins.get(column, ()),
            sources=self.lineage.sources(column),
        )

    def _sample(self, table: str, types: Mapping[str, str]) -> tuple[tuple[str | None, ...], ...]:
        if not types:
            return ()
        cells = ", ".join(
            f"left(CAST({quote(column)} AS VARCHAR), {_MOST_CHARACTERS})" for column in types
        )
        return tuple(self.ask(f"SELECT {cells} FROM {quote(table)} LIMIT {_SAMPLE_ROWS}"))


def _dependencies(meta: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    nodes: list[dict[str, Any]] = json.loads(meta["structure"])
    return {node["name"]: tuple(node["depends_on"]) for node in nodes}


_NUMERIC = (
    "DECIMAL", "DOUBLE", "FLOAT", "HUGEINT", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "U",
)  # fmt: skip
_COLUMNS = """
    SELECT table_name, column_name, data_type FROM duckdb_columns()
    WHERE NOT internal AND NOT starts_with(table_name, '_') AND column_name <> '_row_id'
    ORDER BY table_name, column_index
"""
