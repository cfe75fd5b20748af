"""The words for what differs between two runs, on the terminal and in Markdown alike."""

from __future__ import annotations

from collections.abc import Iterator

from taskgraph.cli.text import printable
from taskgraph.diff import CheckChange, Comparison, NodeChange, RunSide, SourceChange, SourceSide
from taskgraph.diff.rows import EqualValues
from taskgraph.diff.tables import TableDiff
from taskgraph.events import CheckResult
from taskgraph.wording import counted, dollars, duration, tokens

NOTHING = "nothing"
_MOST_FILES = 3
_UNITS = ("B", "kB", "MB", "GB", "TB")


def side_text(side: RunSide) -> str:
    """Says which run one of the two is."""
    commit = f", commit {side.commit[:10]}" if side.commit else ""
    return f"{side.path} ({side.status}, {side.created_at[:16].replace('T', ' ')} UTC{commit})"


def verdict_text(comparison: Comparison) -> str:
    """Says in one line whether there is a difference, and in how much there is none."""
    tables = comparison.tables
    if comparison.is_equal:
        rows = sum(table.rows_one or 0 for table in tables)
        return f"No difference: {counted(len(tables), 'table')}, {counted(rows, 'row')}."
    differing = [table for table in tables if not table.is_equal]
    counts = {
        "node": len(comparison.nodes),
        "source": len(comparison.sources),
        "table": len(differing),
        "view's SQL": len(comparison.sql),
        "prompt": len(comparison.prompts),
        "check": len(comparison.checks),
    }
    told = [
        _counted_views(n) if "SQL" in noun else counted(n, noun) for noun, n in counts.items() if n
    ]
    equal = len(tables) - len(differing)
    alike = f" {counted(equal, 'table')} {'is' if equal == 1 else 'are'} equal." if equal else ""
    return f"Different: {', '.join(told)}.{alike}"


def _counted_views(count: int) -> str:
    return f"the SQL of {counted(count, 'view')}"


def node_text(change: NodeChange) -> str:
    """Says how a node ended in each of the runs."""
    return " -> ".join(" ".join(side) if side else NOTHING for side in (change.one, change.other))


def source_text(change: SourceChange) -> str:
    """Says what a source was read from in each of the runs, and with how many rows."""
    return " -> ".join(_source(side) if side else NOTHING for side in (change.one, change.other))


def _source(side: SourceSide) -> str:
    files = [f"{file.path} {_size(file.size_bytes)} {file.sha256[:8]}" for file in side.files]
    more = len(files) - _MOST_FILES
    shown = [*files[:_MOST_FILES], *([f"{more} more"] if more > 0 else [])]
    return ", ".join([*shown, counted(side.rows, "row")])


def _size(count: int) -> str:
    amount, units = float(count), iter(_UNITS)
    unit = next(units)
    while amount >= 999.5:
        amount, unit = amount / 1000, next(units)
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.5 else f"{amount:.1f} {unit}"


def table_text(table: TableDiff) -> str:
    """Says how many rows a table has in each of the runs, and how many differ."""
    if table.rows is None:
        sides = zip((table.one, table.other), (table.rows_one, table.rows_other), strict=True)
        return " -> ".join(
            NOTHING if kind is None else kind if rows is None else counted(rows, "row")
            for kind, rows in sides
        )
    first, second = table.rows_one or 0, table.rows_other or 0
    parts = [counted(first, "row") if first == second else f"{first:,} -> {counted(second, 'row')}"]
    found = {"only in A": table.rows.only_one, "only in B": table.rows.only_other}
    if table.key:
        found["changed"] = table.rows.changed
    parts += [f"{count:,} {where}" for where, count in found.items() if count]
    return ", ".join([*parts, *([f"by {', '.join(table.key)}"] if table.key else [])])


def column_texts(table: TableDiff) -> Iterator[str]:
    """Says which columns differ in kind."""
    for change in table.columns:
        if change.one is None:
            yield f"+ {change.name} {change.other}"
        elif change.other is None:
            yield f"- {change.name} {change.one}"
        else:
            yield f"{change.name} {change.one} -> {change.other}"


def share_text(values: EqualValues) -> str:
    """Says how many values of a column are the same; only all of them are 100%."""
    percent = min(99.9, round(values.share * 100, 1)) if values.equal < values.of else 100.0
    return f"{values.column} {percent:g}%"


def check_text(change: CheckChange) -> str:
    """Says what a check found in each of the runs."""
    one, other = _found(change.one), _found(change.other)
    if change.one and change.other and change.one[0].message == change.other[0].message:
        one = change.one[0].status
    return f"{one} -> {other}"


def _found(results: tuple[CheckResult, ...]) -> str:
    if not results:
        return NOTHING
    worst = results[0]
    more = f" (and {len(results) - 1:,} more)" if len(results) > 1 else ""
    return f"{worst.status}: {printable(worst.message)}{more}"


def cost_rows(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Returns what each of the runs took: a line for each prompt node, then the whole run."""
    one, other = comparison.one, comparison.other
    nodes = [
        (cost.node, _cost(cost.one_usd, cost.one_calls), _cost(cost.other_usd, cost.other_calls))
        for cost in comparison.costs
    ]
    return [*nodes, ("all nodes", _took(one), _took(other))]


def _cost(usd: float | None, calls: int) -> str:
    return f"{_dollars(usd)}, {counted(calls, 'call')}"


def _took(side: RunSide) -> str:
    return f"{_dollars(side.cost_usd)}, {tokens(side.tokens)} tok, {duration(side.elapsed_ms)}"


def _dollars(usd: float | None) -> str:
    return "no cost told" if usd is None else dollars(usd)
