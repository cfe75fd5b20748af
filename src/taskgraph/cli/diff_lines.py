"""What differs between two runs, as text that fits a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from taskgraph.cli import diff_words as words
from taskgraph.cli.tables import table_lines
from taskgraph.cli.text import HEADING, printable, styled
from taskgraph.cli.width import clipped, wrapped
from taskgraph.diff import Comparison, TextChange
from taskgraph.diff.rows import Sample
from taskgraph.diff.tables import TableDiff

_INDENT = "  "
_DEEPER = "    "
_MOST_LINES = 40
"""Of one text's diff; the whole of it is in --json and --md."""


def comparison_lines(comparison: Comparison, width: int) -> Iterator[str]:
    """Tells what differs, section by section; of what does not, only how much there is."""
    for letter, side in (("A", comparison.one), ("B", comparison.other)):
        yield from wrapped(printable(f"{letter}  {words.side_text(side)}"), width, hanging="   ")
    yield ""
    yield from wrapped(words.verdict_text(comparison), width)
    nodes = {change.node: words.node_text(change) for change in comparison.nodes}
    yield from _section("Nodes", _pairs(nodes.items(), width))
    sources = {change.node: words.source_text(change) for change in comparison.sources}
    yield from _section("Sources", _pairs(sources.items(), width))
    differing = [table for table in comparison.tables if not table.is_equal]
    yield from _section("Tables", (line for one in differing for line in _table(one, width)))
    yield from _section("SQL", _texts(comparison.sql, width))
    yield from _section("Prompts", _texts(comparison.prompts, width))
    checks = [(f"{one.node}.{one.check}", words.check_text(one)) for one in comparison.checks]
    yield from _section("Checks", _pairs(checks, width))
    yield from _section("Cost", _costs(comparison, width))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield from ("", styled(HEADING, title), *told)


def _pairs(pairs: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    for name, text in pairs:
        line = printable(f"{name}  {text}")
        yield from wrapped(line, width, _INDENT, hanging=_DEEPER * 2)


def _table(table: TableDiff, width: int) -> Iterator[str]:
    yield from _pairs([(table.name, words.table_text(table))], width)
    if table.note:
        yield from wrapped(table.note, width, _DEEPER)
    columns = printable(", ".join(words.column_texts(table)))
    if columns:
        yield from wrapped(f"columns: {columns}", width, _DEEPER, hanging=_DEEPER + _INDENT)
    if table.rows is None:
        return
    shares = printable(", ".join(map(words.share_text, table.rows.equal_values)))
    if shares:
        yield from wrapped(f"equal values: {shares}", width, _DEEPER, hanging=_DEEPER + _INDENT)
    yield from _sample("only in A", table.rows.sample_one, table.rows.only_one, width)
    yield from _sample("only in B", table.rows.sample_other, table.rows.only_other, width)
    yield from _sample("changed", table.rows.sample_changed, table.rows.changed, width)


def _sample(title: str, sample: Sample, count: int, width: int) -> Iterator[str]:
    if not sample.rows:
        return
    yield f"{_DEEPER}{title}, first of {count:,}:" if count > 1 else f"{_DEEPER}{title}:"
    deeper = _DEEPER + _INDENT
    for line in table_lines(sample.columns, sample.rows, width - len(deeper)):
        yield f"{deeper}{line}"


def _texts(changes: Iterable[TextChange], width: int) -> Iterator[str]:
    for change in changes:
        of_node = "" if change.name == change.node else f" of {change.node}"
        yield printable(f"{_INDENT}{change.name}{of_node}: {change.change}")
        for line in change.lines[:_MOST_LINES]:
            yield _colored(clipped(f"{_DEEPER}{printable(line)}", width))
        if len(change.lines) > _MOST_LINES:
            yield f"{_DEEPER}... {len(change.lines) - _MOST_LINES} more lines with --json or --md"


def _colored(line: str) -> str:
    mark = line.lstrip(" ")[:1] if line.startswith(_DEEPER) else ""
    return styled({"+": "PASS", "-": "FAIL"}.get(line[len(_DEEPER) :][:1] or mark, ""), line)


def _costs(comparison: Comparison, width: int) -> Iterator[str]:
    if comparison.costs:
        rows = words.cost_rows(comparison)
        for line in table_lines(("node", "A", "B"), rows, width - len(_INDENT)):
            yield f"{_INDENT}{line}"
