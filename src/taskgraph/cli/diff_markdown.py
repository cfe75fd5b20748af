"""What differs between two runs, as Markdown: for a pull request, say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from taskgraph.cli import diff_words as words
from taskgraph.cli.text import printable
from taskgraph.diff import Comparison, TextChange
from taskgraph.diff.rows import Sample
from taskgraph.diff.tables import TableDiff


def comparison_markdown(comparison: Comparison) -> Iterator[str]:
    """Tells all that differs."""
    yield f"# {_escaped(comparison.one.path)} and {_escaped(comparison.other.path)}"
    yield ""
    yield f"- A: {_escaped(words.side_text(comparison.one))}"
    yield f"- B: {_escaped(words.side_text(comparison.other))}"
    yield from ("", f"**{_escaped(words.verdict_text(comparison))}**")
    nodes = [(one.node, words.node_text(one)) for one in comparison.nodes]
    yield from _section("Nodes", _table(("node", "A -> B"), nodes))
    sources = [(one.node, words.source_text(one)) for one in comparison.sources]
    yield from _section("Sources", _table(("source", "A -> B"), sources))
    differing = [table for table in comparison.tables if not table.is_equal]
    yield from _section("Tables", (line for one in differing for line in _of_table(one)))
    yield from _section("SQL", _texts(comparison.sql))
    yield from _section("Prompts", _texts(comparison.prompts))
    checks = [(f"{one.node}.{one.check}", words.check_text(one)) for one in comparison.checks]
    yield from _section("Checks", _table(("check", "A -> B"), checks))
    if comparison.costs:
        yield from _section("Cost", _table(("node", "A", "B"), words.cost_rows(comparison)))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield from ("", f"## {title}", "", *told)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Iterator[str]:
    if rows:
        yield _row(columns)
        yield _row(["---"] * len(columns))
        yield from map(_row, rows)


def _row(cells: Sequence[str | None]) -> str:
    return f"| {' | '.join('NULL' if cell is None else _escaped(cell) for cell in cells)} |"


def _of_table(table: TableDiff) -> Iterator[str]:
    yield f"- `{table.name}`: {_escaped(words.table_text(table))}"
    if table.note:
        yield f"  - {_escaped(table.note)}"
    if table.columns:
        yield f"  - columns: {_escaped(', '.join(words.column_texts(table)))}"
    if table.rows is None:
        return
    if table.rows.equal_values:
        shares = ", ".join(map(words.share_text, table.rows.equal_values))
        yield f"  - equal values: {_escaped(shares)}"
    samples = {
        "only in A": table.rows.sample_one,
        "only in B": table.rows.sample_other,
        "changed": table.rows.sample_changed,
    }
    for title, sample in samples.items():
        yield from _sample(title, sample)


def _sample(title: str, sample: Sample) -> Iterator[str]:
    if sample.rows:
        yield from ("", f"  {title}:", "")
        yield from (f"  {line}" for line in _table(sample.columns, sample.rows))
        yield ""


def _texts(changes: Iterable[TextChange]) -> Iterator[str]:
    for change in changes:
        of_node = "" if change.name == change.node else f" of `{change.node}`"
        yield from (f"`{change.name}`{of_node}: {change.change}", "")
        # A fence longer than any that the text may hold.
        yield from ("`````diff", *map(printable, change.lines), "`````", "")


def _escaped(text: str) -> str:
    plain = printable(text).replace("\n", " ")
    for mark in ("\\", "|", "<", "*", "_", "`"):
        plain = plain.replace(mark, f"\\{mark}")
    return plain
