"""A run's record as text for a person, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from taskgraph.cli.console import (
    counts_text,
    export_line,
    finding_line,
    outcome_line,
    reason_lines,
    spent,
    warned_line,
    warning_lines,
    went_wrong,
)
from taskgraph.cli.json_lines import SCHEMA_VERSION, outcome_json
from taskgraph.cli.text import printable
from taskgraph.events import Outcome
from taskgraph.llm.messages import NOTHING_USED
from taskgraph.report import RunReport

_WIDTH = 10


def run_lines(report: RunReport) -> Iterator[str]:
    """Tells of a run: where it came from, how each node ended, exports, warnings, the sum."""
    yield from _head(report)
    yield ""
    outcomes = report.outcomes
    width = max((len(outcome.node) for outcome in outcomes), default=0)
    for outcome in outcomes:
        yield outcome_line(outcome, width)
        yield from warning_lines(outcome)
        if went_wrong(outcome):
            yield from reason_lines(outcome)
    yield from (export_line(name, error) for name, error in report.exports.items())
    yield from (warned_line(node, message) for node, message in report.warnings)
    yield ""
    usage = sum((outcome.usage for outcome in outcomes), NOTHING_USED)
    yield "  ".join([f"{report.status}. {counts_text(outcomes)}", *spent(usage)])


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Tells of one node in full: its tables, checks, SQL, and the agent's last words."""
    yield outcome_line(outcome, len(outcome.node))
    if went_wrong(outcome):
        yield from reason_lines(outcome)
    if outcome.model:
        yield f"    model: {outcome.model}"
    for name, rows in outcome.tables:
        yield f"    table: {name}, {rows:,} {'row' if rows == 1 else 'rows'}"
    for check in outcome.checks:
        if check.status != "fail":
            yield finding_line(check)
    for definition in outcome.definitions:
        yield from ("", f"-- {definition.name}", *printable(definition.sql).strip().splitlines())
    if outcome.last_words:
        yield from ("", "last words", *printable(outcome.last_words).strip().splitlines())


def run_json(report: RunReport) -> Mapping[str, Any]:
    """Returns the record as JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "path": report.path,
        "status": report.status,
        "meta": dict(report.meta),
        "nodes": [full_json(outcome) for outcome in report.outcomes],
        "exports": [{"name": name, "error": error} for name, error in report.exports.items()],
        "warnings": [{"node": node, "message": message} for node, message in report.warnings],
    }


def full_json(outcome: Outcome) -> Mapping[str, Any]:
    """Returns all that is kept of a node, its SQL included, as JSON values."""
    definitions = [asdict(definition) for definition in outcome.definitions]
    return {**outcome_json(outcome), "definitions": definitions}


def _head(report: RunReport) -> Iterator[str]:
    origin: Mapping[str, Any] = json.loads(report.meta.get("spec", "{}"))
    facts = {
        "file": report.path,
        "spec": origin.get("file") or origin.get("module") or "built in memory",
        "started": f"{report.meta.get('created_at_utc', '?')}",
        "finished": report.meta.get("finished_at_utc", "no"),
        "model": f"{report.meta.get('llm_model')} ({report.meta.get('llm_reasoning_effort')})",
    }
    for label, text in facts.items():
        yield f"{label:<{_WIDTH}}{text}"
