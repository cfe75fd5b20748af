"""A run's record as JSON values, for programs; see `json_lines` for what may be relied on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from taskgraph.cli.json_lines import SCHEMA_VERSION, outcome_json
from taskgraph.events import Outcome
from taskgraph.evidence import NO_EVIDENCE, Evidence, Spoken, Statement
from taskgraph.report import RunReport


def run_json(report: RunReport) -> Mapping[str, Any]:
    """Returns the whole record but the conversations and statements."""
    return {
        "schema_version": SCHEMA_VERSION,
        "path": report.path,
        "status": report.status,
        "meta": dict(report.meta),
        "nodes": [
            _full(outcome, report.evidence.get(outcome.node, NO_EVIDENCE))
            for outcome in report.outcomes
        ],
        "exports": [{"name": name, "error": error} for name, error in report.exports.items()],
        "warnings": [{"node": node, "message": message} for node, message in report.warnings],
    }


def node_json(
    outcome: Outcome, evidence: Evidence, conversation: Sequence[Spoken]
) -> Mapping[str, Any]:
    """Returns all that is kept of a node, its SQL and its conversation included."""
    return {
        "schema_version": SCHEMA_VERSION,
        **_full(outcome, evidence),
        "conversation": [asdict(spoken) for spoken in conversation],
    }


def trace_json(statements: Sequence[Statement]) -> Mapping[str, Any]:
    """Returns statements in full."""
    return {
        "schema_version": SCHEMA_VERSION,
        "statements": [asdict(statement) for statement in statements],
    }


def _full(outcome: Outcome, evidence: Evidence) -> Mapping[str, Any]:
    return {
        **outcome_json(outcome),
        "definitions": [asdict(definition) for definition in outcome.definitions],
        "failing_rows": [
            {
                "check": rows.check,
                "table": rows.table,
                "count": rows.count,
                "columns": list(rows.columns),
                "rows": [list(row) for row in rows.rows],
            }
            for rows in evidence.rows.values()
        ],
    }
