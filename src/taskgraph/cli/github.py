"""What GitHub Actions shows of a run: annotations at the spec, and the job's summary.

Source of the forms: https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from taskgraph.cli.code_frame import without_place
from taskgraph.cli.failures import failure_lines
from taskgraph.cli.lines import counts_text, spent, verdict, went_wrong
from taskgraph.cli.show_run import checks_text
from taskgraph.cli.text import printable
from taskgraph.events import Outcome
from taskgraph.llm.messages import NOTHING_USED
from taskgraph.report import RunReport
from taskgraph.wording import duration

_MOST = 10
"""Annotations of each level that GitHub shows for a step."""
_MOST_ROWS = 200
"""Nodes in the summary, which may have 1 MiB."""
_WIDTH = 100
_MARKS = {"PASS": "✅", "WARN": "⚠️", "FAIL": "❌", "REUSE": "♻️"}
_OTHER_MARK = "⏭️"


def in_github() -> bool:
    """Says whether a job of GitHub Actions runs this."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotation_lines(report: RunReport) -> Iterator[str]:
    """Returns the commands that annotate the spec where its nodes failed or warned."""
    errors = [_error(report, outcome) for outcome in report.outcomes if went_wrong(outcome)]
    exports = ((name, error) for name, error in report.exports.items() if error is not None)
    errors += [_command("error", {"title": f"export {name}"}, error) for name, error in exports]
    warnings = [
        _command("warning", _place(report, outcome.node), f"{check.check}: {check.message}")
        for outcome in report.outcomes
        for check in outcome.warnings
    ]
    warnings += [
        _command("warning", _place(report, node) if node else {"title": "run"}, message)
        for node, message in report.warnings
    ]
    return iter([*errors[:_MOST], *warnings[:_MOST]])


def write_summary(report: RunReport) -> None:
    """Adds the run to the job's summary, if the job has one."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in summary_lines(report))


def summary_lines(report: RunReport) -> Iterator[str]:
    """Returns a run as Markdown; what data and models say is escaped."""
    usage = sum((outcome.usage for outcome in report.outcomes), NOTHING_USED)
    yield f"### Taskgraph: {report.status}, `{report.path}`"
    yield ""
    yield "  ".join([counts_text(report.outcomes), *spent(usage)])
    yield ""
    yield "| | node | kind | rows | checks | cost | time |"
    yield "|---|---|---|--:|---|--:|--:|"
    yield from map(_row, report.outcomes[:_MOST_ROWS])
    if len(report.outcomes) > _MOST_ROWS:
        yield f"| | and {len(report.outcomes) - _MOST_ROWS} more | | | | | |"
    failures = list(failure_lines(report.outcomes, report.evidence, report.path, _WIDTH))
    if failures:
        text = html.escape(click.unstyle("\n".join(failures)).strip("\n"))
        yield f"\n<details open><summary>What failed</summary>\n\n<pre>\n{text}\n</pre>\n</details>"
    yield ""


def _row(outcome: Outcome) -> str:
    cost = outcome.usage.cost_usd
    cells = (
        _MARKS.get(verdict(outcome), _OTHER_MARK),
        outcome.node,
        outcome.kind,
        f"{sum(count for _, count in outcome.tables):,}" if outcome.tables else "",
        checks_text(outcome),
        "" if cost is None else f"${cost:,.2f}",
        duration(outcome.elapsed_ms) if outcome.started_at else "",
    )
    return f"| {' | '.join(cells)} |"


def _error(report: RunReport, outcome: Outcome) -> str:
    failing = [one for one in outcome.checks if one.status == "fail"]
    told = [f"{one.check}: {one.message}" for one in failing[:_MOST]]
    return _command(
        "error", _place(report, outcome.node), "\n".join(told) or outcome.error or outcome.status
    )


def _place(report: RunReport, node: str) -> Mapping[str, str]:
    """Returns where the spec declares a node, as far as its text tells."""
    origin: Mapping[str, Any] = json.loads(report.meta.get("spec", "{}"))
    if not origin.get("file"):
        return {"title": node}
    declared = re.compile(rf"""\bname["']?\s*[:=]\s*["']{re.escape(node)}["']""")
    lines = enumerate(report.meta.get("spec_source", "").splitlines(), start=1)
    line = next((number for number, text in lines if declared.search(text)), 1)
    return {"file": _in_repository(origin["file"]), "line": str(line), "title": node}


def _in_repository(file: str) -> str:
    """Returns a path of the working directory as one of the repository, which GitHub wants."""
    return os.path.relpath(file, os.environ.get("GITHUB_WORKSPACE") or ".")


def _command(level: str, properties: Mapping[str, str], message: str) -> str:
    parts = ",".join(f"{name}={_escaped_property(value)}" for name, value in properties.items())
    return f"::{level} {parts}::{_escaped(printable(without_place(message)))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
