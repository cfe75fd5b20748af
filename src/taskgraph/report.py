"""Reads a finished `.db` back: what happened in the run, as frozen values; renders nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from taskgraph.database import Row, read_only
from taskgraph.errors import WorkspaceError
from taskgraph.events import CheckResult, Definition
from taskgraph.schema import META_VERSION


@dataclass(frozen=True, slots=True)
class NodeReport:
    """How one node ended, and what it left behind."""

    node: str
    kind: str
    status: str
    started_at: datetime | None
    elapsed_ms: float
    error: str | None
    hint: str | None
    model: str | None
    iterations: int
    tool_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """US dollars; None where nothing told the cost."""
    tables: Mapping[str, int]
    """Table to its row count."""
    checks: tuple[CheckResult, ...]
    definitions: tuple[Definition, ...]
    last_words: str | None


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything a reader of the file may want to know of the run."""

    path: str
    meta: Mapping[str, str]
    nodes: tuple[NodeReport, ...]
    exports: Mapping[str, str | None]
    """Export to its error, None where it was written."""
    warnings: tuple[tuple[str | None, str], ...]
    """Node, or None for the run, and message."""

    @property
    def status(self) -> str:
        """`passed`, `failed`, `stopped`, `interrupted`, or `running` for a killed run."""
        return self.meta.get("status", "unknown")


def read_report(path: Path) -> RunReport:
    """Reads the run's record.

    Args:
        path: a `.db`, or a `.partial` that nobody is writing.

    Raises:
        WorkspaceError: there is no such file, it is in use, or Taskgraph did not write it.
    """
    with read_only(path) as connection:

        def rows(query: str) -> list[Row]:
            return connection.execute(query).fetchall()

        _demand_workspace(path, {row[0] for row in rows("SELECT table_name FROM duckdb_tables()")})
        meta: dict[str, str] = dict(rows("SELECT key, value FROM _workspace_meta"))
        _demand_version(path, meta)
        checks = _grouped(rows("SELECT node, check_name, status, message FROM _checks"))
        definitions = _grouped(rows("SELECT node, view_name, sql FROM _view_definitions"))
        return RunReport(
            path=str(path),
            meta=meta,
            nodes=tuple(
                _node(row, checks.get(row[0], ()), definitions.get(row[0], ()))
                for row in rows(_NODES)
            ),
            exports={
                name: ended["error"]
                for name, ended in json.loads(meta.get("exports", "{}")).items()
            },
            warnings=tuple(
                (node, message)
                for node, message in rows("SELECT node, message FROM _warnings ORDER BY timestamp")
            ),
        )


_NODES = """
    SELECT node, kind, status, started_at, elapsed_ms, error, model, iterations, tool_calls,
           prompt_tokens, completion_tokens, cost_usd, meta_json
    FROM _node_meta ORDER BY started_at NULLS LAST, rowid
"""


def _demand_workspace(path: Path, tables: set[str]) -> None:
    if not {"_workspace_meta", "_node_meta"} <= tables:
        raise WorkspaceError(f"{str(path)!r} is a DuckDB file, but no run of Taskgraph wrote it")


def _demand_version(path: Path, meta: Mapping[str, str]) -> None:
    found = meta.get("meta_version")
    if found != META_VERSION:
        raise WorkspaceError(
            f"{str(path)!r} has meta_version {found}, and this Taskgraph reads {META_VERSION}",
            hint="Read it with the version that wrote it: see taskgraph_version in _workspace_meta.",
        )


def _grouped(rows: list[Row]) -> dict[str, tuple[Row, ...]]:
    groups: dict[str, list[Row]] = {}
    for node, *rest in rows:
        groups.setdefault(node, []).append(tuple(rest))
    return {node: tuple(of_node) for node, of_node in groups.items()}


def _node(row: Row, checks: tuple[Row, ...], definitions: tuple[Row, ...]) -> NodeReport:
    *columns, meta_json = row
    meta: dict[str, Any] = json.loads(meta_json or "{}")
    return NodeReport(
        node=columns[0],
        kind=columns[1],
        status=columns[2],
        started_at=columns[3],
        elapsed_ms=columns[4],
        error=columns[5],
        hint=meta.get("hint"),
        model=columns[6],
        iterations=columns[7],
        tool_calls=columns[8],
        prompt_tokens=columns[9],
        completion_tokens=columns[10],
        cost_usd=columns[11],
        tables=meta.get("tables", {}),
        checks=tuple(CheckResult(*check) for check in checks),
        definitions=tuple(Definition(*definition) for definition in definitions),
        last_words=meta.get("last_words"),
    )
