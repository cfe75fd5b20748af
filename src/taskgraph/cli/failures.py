"""Why nodes did not pass, in the manner of pytest: a headed section for each."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from taskgraph.cli.code_frame import frame_lines, without_place
from taskgraph.cli.lines import verdict, went_wrong
from taskgraph.cli.tables import table_lines
from taskgraph.cli.text import more_lines, painted, printable, styled
from taskgraph.cli.width import clipped, columns_of, wrapped
from taskgraph.database import quote
from taskgraph.events import CheckResult, CheckStatus, Outcome
from taskgraph.evidence import NO_EVIDENCE, Broken, CheckRows, Evidence
from taskgraph.wording import counted

_MOST_SECTIONS = 20
_MOST_FINDINGS = 10
_MOST_WORDS = 12
"""Lines of an agent's last words."""
_MOST_NAMES = 8
_INDENT = "  "


def failure_lines(
    outcomes: Sequence[Outcome], evidence: Mapping[str, Evidence], file: str, width: int
) -> Iterator[str]:
    """Tells of each node that failed or was stopped, then which were skipped for it.

    Args:
        outcomes: how the nodes ended.
        evidence: what there is to see, by node.
        file: where a person looks deeper.
        width: columns of the terminal.
    """
    for outcome in told_in_full(outcomes):
        yield ""
        yield heading(outcome, width)
        found = evidence.get(outcome.node, NO_EVIDENCE)
        yield from reason_lines(outcome, found, width)
        yield from ("", *_look_lines(outcome.node, found, file))
    if more := list(filter(went_wrong, outcomes))[_MOST_SECTIONS:]:
        yield ""
        text = f"... and {len(more)} more: {_names(one.node for one in more)}"
        yield from wrapped(text, width, hanging=_INDENT)
    yield from skipped_lines(outcomes, width)


def told_in_full(outcomes: Iterable[Outcome]) -> Sequence[Outcome]:
    """Returns the nodes that get a section of their own: nobody reads hundreds."""
    return list(filter(went_wrong, outcomes))[:_MOST_SECTIONS]


def _look_lines(node: str, evidence: Evidence, file: str) -> Iterator[str]:
    """Says what a person types to see all that is kept of a node, and the rows that are not shown."""
    yield f"{_INDENT}look: taskgraph show {shlex.quote(file)} --node {node}"
    for rows in evidence.rows.values():
        if rows.status == "fail" and rows.count > len(rows.rows):
            table = rows.table if rows.table.isidentifier() else quote(rows.table)
            yield f"{_INDENT}      taskgraph sql {shlex.quote(file)} {shlex.quote(f'FROM {table}')}"


def heading(outcome: Outcome, width: int) -> str:
    """Returns the line over a node's section."""
    word = verdict(outcome)
    text = clipped(f"{word} {outcome.kind} {outcome.node}", width - 6)
    rule = "─" * max(2, width - columns_of(text) - 4)
    return f"── {styled(word, text)} {rule}"


def reason_lines(outcome: Outcome, evidence: Evidence, width: int) -> Iterator[str]:
    """Tells why a node did not pass: failing checks, SQL, the error, the agent's last words."""
    shown = [one.error for one in evidence.broken]
    findings = [check for check in outcome.checks if check.status == "fail"]
    for check, group in groupby(findings, key=lambda finding: finding.check):
        rows = evidence.rows.get(check)
        untold = [one for one in group if not _repeats(one.message, shown)]
        if rows:
            yield from ("", *rows_lines(rows, width))
        elif untold:
            yield from ("", *_finding_lines(check, untold, width))
    for broken in evidence.broken:
        yield from ("", *_broken_lines(broken, width))
    told = [*shown, *(f"{one.check}: {one.message}" for one in findings)]
    if outcome.error and not _repeats(outcome.error, told):
        yield from ("", *wrapped(f"error: {printable(outcome.error)}", width, _INDENT, "    "))
    if outcome.hint:
        yield from wrapped(f"hint: {printable(outcome.hint)}", width, _INDENT, "    ")
    if outcome.last_words:
        yield from ("", *_last_words(outcome.last_words, width))


def skipped_lines(outcomes: Iterable[Outcome], width: int) -> Iterator[str]:
    """Tells which nodes were skipped, together with the ancestor that they waited for."""
    by_cause: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.skipped_because:
            by_cause.setdefault(outcome.skipped_because, []).append(outcome.node)
    if by_cause:
        yield ""
    for cause, nodes in by_cause.items():
        count = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
        text = f"SKIP  {count}, for {cause} did not pass: {_names(nodes)}"
        yield from painted(wrapped(text, width, hanging=" " * 6), "SKIP", "SKIP")


def rows_lines(rows: CheckRows, width: int) -> Iterator[str]:
    """Shows rows of a check, as lines where they are nothing but a message."""
    of = (
        f"{rows.count:,} of {rows.total:,} rows"
        if rows.total > rows.count
        else counted(rows.count, "row")
    )
    yield _check_head(rows.status, rows.check, of, width)
    if rows.columns == ("message",):
        for (message,) in rows.rows:
            yield from wrapped(printable(message or "no message"), width, "    ", "      ")
    else:
        table = table_lines(rows.columns, rows.rows, width - 4, rows.numeric)
        yield from (f"    {line}" for line in table)
    if rows.count > len(rows.rows):
        yield f"    ... {rows.count - len(rows.rows):,} more in the table {rows.table}"


def _finding_lines(check: str, findings: Sequence[CheckResult], width: int) -> Iterator[str]:
    yield _check_head("fail", check, "", width)
    for finding in findings[:_MOST_FINDINGS]:
        yield from wrapped(printable(finding.message), width, "    ", "      ")
    if len(findings) > _MOST_FINDINGS:
        yield f"    ... {len(findings) - _MOST_FINDINGS} more in the table _checks"


def _check_head(status: CheckStatus, check: str, rows: str, width: int) -> str:
    text = f"{status} {check}: {rows}".rstrip()
    return f"{_INDENT}{styled(status.upper(), clipped(text, width - len(_INDENT)))}"


def _broken_lines(broken: Broken, width: int) -> Iterator[str]:
    if broken.check:
        yield _check_head("fail", broken.check, "it could not run", width)
    yield from frame_lines(broken.sql, broken.error, width)
    error = printable(without_place(broken.error))
    for line in wrapped(error, width - 4):
        yield f"{styled('FAIL', '  E')} {line}".rstrip()


def _last_words(words: str, width: int) -> Iterator[str]:
    yield f"{_INDENT}last words of the agent:"
    lines = list(wrapped(printable(words).strip(), width, "    "))
    yield from lines[:_MOST_WORDS]
    if len(lines) > _MOST_WORDS:
        yield f"    {more_lines(len(lines) - _MOST_WORDS)}"


def _repeats(text: str, told: Iterable[str]) -> bool:
    """Says whether a text only says again, or sums up, what is told already."""
    return any(one and one in text for one in told)


def _names(nodes: Iterable[str]) -> str:
    names = list(nodes)
    rest = f", and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{rest}"
