"""The page of a run: one HTML file that shows what its `.db` holds, for whoever is handed it.

contents    what the page shows, read from the `.db`
lineage     which columns a column comes from
drawing     a place for each node of the graph
*.html.j2   the templates; page.css and page.js, their style and script
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from textwrap import dedent
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from taskgraph.events import CheckResult, Outcome
from taskgraph.evidence import CheckRows, Spoken
from taskgraph.llm.messages import NOTHING_USED, ToolCall
from taskgraph.page.contents import Page, TablePart, read_page
from taskgraph.page.drawing import BOX_HEIGHT, BOX_WIDTH
from taskgraph.report import RunReport
from taskgraph.wording import counted, dollars, duration, tokens

__all__ = ["page_of", "render", "summary_of"]

_SPEAKERS = {
    "system": "rules",
    "user": "to the model",
    "assistant": "model",
    "tool": "result",
}
_LONGEST_LINE = 100


def page_of(path: Path) -> str:
    """Returns the page of a `.db` as HTML.

    Raises:
        WorkspaceError: there is no such file, it is in use, or Taskgraph did not write it.
    """
    return render(read_page(path))


def render(page: Page) -> str:
    """Returns the page as HTML: one document that fetches nothing."""
    script = _part("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            report=page.report,
            title=Path(page.report.path).name,
            facts=list(_facts(page)),
            by_name={node.outcome.node: node for node in page.nodes},
            box_width=BOX_WIDTH,
            box_height=BOX_HEIGHT,
            links=True,
            speakers=_SPEAKERS,
            style=Markup(_part("page.css")),
            script=Markup(script),
            # Nothing but this script may run, whatever a text of the run holds.
            script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        )
    )


def summary_of(report: RunReport) -> str:
    """Returns how the nodes of a run ended, as a table in HTML for a notebook."""
    template = _environment().get_template("nodes.html.j2")
    return template.render(report=report, links=False)


def _part(name: str) -> str:
    return files("taskgraph.page").joinpath(name).read_text(encoding="utf-8")


def _environment() -> Environment:
    loader = PackageLoader("taskgraph", "page")
    environment = Environment(autoescape=True, loader=loader, undefined=StrictUndefined)
    environment.filters.update(_FILTERS)
    return environment


def _facts(page: Page) -> Iterator[tuple[str, str]]:
    meta = page.report.meta
    origin: Mapping[str, Any] = json.loads(meta.get("spec", "{}"))
    yield "spec", origin.get("file") or origin.get("module") or "built in memory"
    if git := origin.get("git"):
        yield "commit", f"{git['commit'][:10]}{' and changes' if git['dirty'] else ''}"
    yield "started", meta.get("created_at_utc", "?").replace("T", " ").replace("+00:00", " UTC")
    yield (
        "took",
        duration(sum(part["elapsed_ms"] or 0 for part in json.loads(meta["run"])["parts"])),
    )
    yield "nodes", _statuses(_verdict(outcome) for outcome in page.report.outcomes)
    usage = sum((outcome.usage for outcome in page.report.outcomes), NOTHING_USED)
    if usage.total_tokens:
        yield "model", f"{meta.get('llm_model')} ({meta.get('llm_reasoning_effort')})"
        yield "tokens", tokens(usage.total_tokens)
    if usage.cost_usd is not None:
        yield "cost", dollars(usage.cost_usd)
    yield "DuckDB", meta.get("duckdb_version", "?")


def _statuses(statuses: Iterable[str]) -> str:
    found: dict[str, int] = {}
    for status in statuses:
        found[status] = found.get(status, 0) + 1
    return ", ".join(f"{count} {status}" for status, count in found.items())


def _verdict(outcome: Outcome) -> str:
    """The outcome's status, or `warned` for one that passed with warnings."""
    return "warned" if outcome.status == "passed" and outcome.warnings else outcome.status


def _verdicts(checks: Iterable[CheckResult]) -> str:
    return _statuses(check.status for check in checks)


def _rows(outcome: Outcome) -> str:
    return counted(sum(count for _, count in outcome.tables), "row")


def _columns(table: TablePart) -> list[tuple[str, bool]]:
    return [(column.name, column.numeric) for column in table.columns]


def _check_columns(rows: CheckRows) -> list[tuple[str, bool]]:
    return [(name, name in rows.numeric) for name in rows.columns]


def _spent(said: Spoken) -> str:
    cost = [] if said.cost_usd is None else [dollars(said.cost_usd)]
    return ", ".join([f"{tokens(said.tokens)} tokens", *cost, duration(said.latency_ms)])


def _asked(call: ToolCall) -> str:
    """Returns the SQL of a call, or its arguments as they came."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return call.arguments
    match arguments:
        case {"sql": str(sql)}:
            return sql
        case _:
            return call.arguments


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _first_line(text: str) -> str:
    return _shorten(text.strip().partition("\n")[0], _LONGEST_LINE)


def _unindented(text: str) -> str:
    return dedent(text).strip()


def _rows_text(count: int) -> str:
    return counted(count, "row")


_FILTERS: Mapping[str, Callable[..., object]] = {
    "asked": _asked,
    "columns": _columns,
    "unindented": _unindented,
    "dollars": dollars,
    "duration": duration,
    "first_line": _first_line,
    "numbered": _check_columns,
    "rows": _rows,
    "rows_text": _rows_text,
    "shorten": _shorten,
    "spent": _spent,
    "tokens": tokens,
    "verdict": _verdict,
    "verdicts": _verdicts,
}
