"""Reads the record of a `.db` back: what happened in the run, as frozen values; renders nothing."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from taskgraph.database import Row, read_only
from taskgraph.errors import WorkspaceError
from taskgraph.events import CheckResult, Definition, Outcome, SourceFile
from taskgraph.evidence import Ask, Evidence, read_all_evidence
from taskgraph.llm.messages import Usage
from taskgraph.output import demand_ended
from taskgraph.schema import META_VERSION


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything a reader of the file may want to know of the run."""

    path: str
    meta: Mapping[str, str]
    outcomes: tuple[Outcome, ...]
    """How the nodes ended, in the order in which they started."""
    exports: Mapping[str, str | None]
    """Export to its error, None where it was written."""
    warnings: tuple[tuple[str | None, str], ...]
    """Node, or None for the run, and message."""
    evidence: Mapping[str, Evidence]
    """What there is to see of each node that failed or was stopped."""

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
    with asking(path) as ask:
        return report_of(ask, path)


@contextmanager
def asking(path: Path) -> Generator[Ask]:
    """Opens a file that nobody is writing, to be asked in SQL.

    Raises:
        WorkspaceError: there is no such file, its run has not ended, or it is in use.
    """
    demand_ended(path)
    with read_only(path) as connection:
        yield lambda query: connection.execute(query).fetchall()


def read_evidence_of(path: Path, outcomes: Iterable[Outcome]) -> Mapping[str, Evidence]:
    """Reads what there is to see of each node that failed or was stopped.

    Returns:
        Node to evidence; nothing where the file cannot be read: what is known is told without it.
    """
    try:
        with asking(path) as ask:
            return _evidence(ask, outcomes)
    except WorkspaceError:
        return {}


def _evidence(ask: Ask, outcomes: Iterable[Outcome]) -> Mapping[str, Evidence]:
    failed = [outcome for outcome in outcomes if outcome.status in ("failed", "stopped")]
    return read_all_evidence(ask, failed) if failed else {}


def report_of(ask: Ask, path: Path) -> RunReport:
    """Asks for the run's record.

    Args:
        ask: asks the file.
        path: where it is, for messages.

    Raises:
        WorkspaceError: Taskgraph did not write it, or another version did.
    """
    meta = read_meta(ask, path)
    outcomes = read_outcomes(ask)
    exports: dict[str, dict[str, str | None]] = json.loads(meta.get("exports", "{}"))
    return RunReport(
        path=str(path),
        meta=meta,
        outcomes=outcomes,
        exports={name: ended["error"] for name, ended in exports.items()},
        warnings=tuple(
            (node, message)
            for node, message in ask("SELECT node, message FROM _warnings ORDER BY timestamp")
        ),
        evidence=_evidence(ask, outcomes),
    )


def read_meta(ask: Ask, path: Path) -> Mapping[str, str]:
    """Returns `_workspace_meta`; raises what `report_of` does."""
    tables = {row[0] for row in ask("SELECT table_name FROM duckdb_tables()")}
    if not {"_workspace_meta", "_node_meta"} <= tables:
        raise WorkspaceError(f"{str(path)!r} is a DuckDB file, but no run of Taskgraph wrote it")
    meta: dict[str, str] = dict(ask("SELECT key, value FROM _workspace_meta"))
    found = meta.get("meta_version")
    if found != META_VERSION:
        raise WorkspaceError(
            f"{str(path)!r} has meta_version {found}, and this Taskgraph reads {META_VERSION}",
            hint="Read it with the version that wrote it: see taskgraph_version in _workspace_meta.",
        )
    return meta


def read_outcomes(ask: Ask) -> tuple[Outcome, ...]:
    """Returns how the nodes ended, in the order in which they started."""
    checks = _grouped(ask("SELECT node, check_name, status, message FROM _checks"))
    definitions = _grouped(ask("SELECT node, view_name, sql FROM _view_definitions"))
    return tuple(
        _outcome(row, checks.get(row[0], ()), definitions.get(row[0], ())) for row in ask(_OUTCOMES)
    )


_OUTCOMES = """
    SELECT node, kind, status, started_at, elapsed_ms, error, model, iterations, tool_calls,
           prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost_usd, meta_json
    FROM _node_meta ORDER BY started_at NULLS LAST, rowid
"""


def _grouped(rows: list[Row]) -> dict[str, tuple[Row, ...]]:
    groups: dict[str, list[Row]] = {}
    for node, *rest in rows:
        groups.setdefault(node, []).append(tuple(rest))
    return {node: tuple(of_node) for node, of_node in groups.items()}


def _outcome(row: Row, checks: tuple[Row, ...], definitions: tuple[Row, ...]) -> Outcome:
    node, kind, status, started_at, elapsed_ms, error, model, iterations, tool_calls, *rest = row
    *usage, meta_json = rest
    meta: dict[str, Any] = json.loads(meta_json or "{}")
    return Outcome(
        node=node,
        kind=kind,
        status=status,
        started_at=started_at and started_at.replace(tzinfo=UTC),
        elapsed_ms=elapsed_ms,
        error=error,
        error_type=meta.get("error_type"),
        hint=meta.get("hint"),
        checks=tuple(CheckResult(*check) for check in checks),
        definitions=tuple(Definition(*definition) for definition in definitions),
        tables=tuple(meta.get("tables", {}).items()),
        files=tuple(SourceFile(**file) for file in meta.get("files", ())),
        usage=Usage(*usage),
        model=model,
        iterations=iterations,
        tool_calls=tool_calls,
        last_words=meta.get("last_words"),
        skipped_because=meta.get("skipped_because"),
        why=meta.get("why"),
    )
