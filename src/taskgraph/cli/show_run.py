"""A run's record as text for a person."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from taskgraph.cli.failures import failure_lines
from taskgraph.cli.lines import (
    counts_text,
    export_lines,
    finding_lines,
    spent,
    verdict,
    warned_text,
)
from taskgraph.cli.text import painted, printable, styled
from taskgraph.cli.width import clipped, columns_of, padded, wrapped
from taskgraph.events import CheckStatus, Outcome
from taskgraph.llm.messages import NOTHING_USED
from taskgraph.parts import Identity
from taskgraph.report import RunReport
from taskgraph.wording import dollars, duration, tokens

_LABEL = 10
_GAP = "  "
_LEAST_FOR_NAME = 16
_LEAST_FOR_VERDICT = 5
_STATUSES: tuple[CheckStatus, ...] = ("fail", "warn", "pass")
"""The worst first."""


def run_lines(report: RunReport, width: int) -> Iterator[str]:
    """Tells of a run: where it came from, its nodes, what failed, exports, warnings, the sum."""
    yield from _head(report, width)
    yield ""
    yield from _nodes(report.outcomes, width)
    yield from failure_lines(report.outcomes, report.evidence, report.path, width)
    if report.exports or report.warnings:
        yield ""
    for name, error in report.exports.items():
        yield from export_lines(name, error)
    for node, message in report.warnings:
        lines = wrapped(warned_text(node, message), width, hanging=" " * 6)
        yield from painted(lines, "WARN", "Warning:")
    yield ""
    yield from _sum(report)


def _head(report: RunReport, width: int) -> Iterator[str]:
    origin: Mapping[str, Any] = json.loads(report.meta.get("spec", "{}"))
    asked = list(dict.fromkeys(one.model for one in report.outcomes if one.model))
    effort = report.meta.get("llm_reasoning_effort")
    facts = {
        "file": report.path,
        "spec": origin.get("file") or origin.get("module") or "built in memory",
        "started": _moment(report.meta.get("created_at_utc")),
        "finished": _moment(report.meta.get("finished_at_utc")),
        "status": report.status,
        "model": f"{', '.join(asked)} ({effort})" if asked else None,
    }
    for label, text in facts.items():
        if text:
            yield from wrapped(f"{label:<{_LABEL}}{printable(text)}", width, hanging=" " * _LABEL)


def _moment(text: str | None) -> str:
    """Writes a moment of the record, which is UTC, for a person."""
    return f"{text[:19].replace('T', ' ')} UTC" if text else "no"


def _nodes(outcomes: Sequence[Outcome], width: int) -> Iterator[str]:
    """Draws the nodes as a table; what their checks warned of stands below each."""
    cells = {name: [tell(one) for one in outcomes] for name, tell in _COLUMNS.items()}
    shown = [name for name, column in cells.items() if any(column)]
    widths = {name: max(columns_of(one) for one in (*cells[name], name)) for name in shown}
    verdicts = max((len(verdict(one)) for one in outcomes), default=0)
    verdicts = max(verdicts, _LEAST_FOR_VERDICT)
    others = sum(widths.values()) - widths.get("node", 0) + len(_GAP) * len(shown) + verdicts + 1
    widths["node"] = min(widths.get("node", 0), max(width - others, _LEAST_FOR_NAME))
    yield f"{'':<{verdicts}} {_line({name: name for name in shown}, widths)}".rstrip()
    for number, outcome in enumerate(outcomes):
        told = _NAMING if outcome.status == "skipped" else shown
        line = _line({name: cells[name][number] for name in told}, widths)
        note = outcome.error or "" if outcome.status == "skipped" else ""
        yield f"{styled(verdict(outcome), columns=verdicts)} {line}{_GAP}{note}".rstrip()
        for warning in outcome.warnings:
            yield from finding_lines(warning, width)


def _line(cells: Mapping[str, str], widths: Mapping[str, int]) -> str:
    parts = (
        padded(clipped(text, widths[name]), widths[name], right=name not in _LEFT)
        for name, text in cells.items()
    )
    return _GAP.join(parts)


def _table_count(outcome: Outcome) -> str:
    return str(len(outcome.tables)) if len(outcome.tables) > 1 else ""


def _row_count(outcome: Outcome) -> str:
    return f"{sum(count for _, count in outcome.tables):,}" if outcome.tables else ""


def checks_text(outcome: Outcome) -> str:
    """Counts the checks by the worst that each said."""
    worst: dict[str, CheckStatus] = {}
    for result in outcome.checks:
        known = worst.get(result.check, result.status)
        both: tuple[CheckStatus, CheckStatus] = (known, result.status)
        worst[result.check] = min(both, key=_STATUSES.index)
    found = Counter(worst.values())
    return " ".join(f"{found[status]} {status}" for status in _STATUSES if found[status])


_COLUMNS: Mapping[str, Callable[[Outcome], str]] = {
    "kind": lambda outcome: outcome.kind,
    "node": lambda outcome: outcome.node,
    "rows": _row_count,
    "tables": _table_count,
    "checks": checks_text,
    "turns": lambda outcome: str(outcome.iterations or ""),
    "tokens": lambda outcome: tokens(outcome.usage.total_tokens) if outcome.iterations else "",
    "cost": lambda outcome: (
        dollars(outcome.usage.cost_usd) if outcome.usage.cost_usd is not None else ""
    ),
    "time": lambda outcome: duration(outcome.elapsed_ms) if outcome.started_at else "",
}
_LEFT = frozenset({"kind", "node", "checks"})
_NAMING = ("kind", "node")


def _sum(report: RunReport) -> Iterator[str]:
    usage = sum((outcome.usage for outcome in report.outcomes), NOTHING_USED)
    took = Identity.from_json(report.meta["run"]).elapsed_ms if "run" in report.meta else 0.0
    parts = [f"{report.status}. {counts_text(report.outcomes)}", *spent(usage)]
    yield "  ".join([*parts, duration(took)] if took else parts)
