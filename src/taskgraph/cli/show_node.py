"""All that a `.db` holds on one node, for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from taskgraph.cli.code_frame import dedented
from taskgraph.cli.failures import reason_lines, rows_lines
from taskgraph.cli.lines import finding_lines, outcome_line, went_wrong
from taskgraph.cli.text import HEADING, printable, styled
from taskgraph.cli.told import conversation_lines
from taskgraph.events import Outcome
from taskgraph.evidence import Evidence, Spoken, Statement
from taskgraph.wording import counted

_INDENT = "  "
_MOST_RESULTS = 5
"""What a check said, where it did not fail."""


def node_lines(
    outcome: Outcome,
    evidence: Evidence,
    conversation: Sequence[Spoken],
    statements: Sequence[Statement],
    width: int,
) -> Iterator[str]:
    """Tells of one node in full: its tables, checks, SQL, conversation and last words."""
    yield outcome_line(outcome, len(outcome.node))
    if outcome.model:
        yield f"{_INDENT}model: {outcome.model}"
    if outcome.why and outcome.status != "reused":
        yield f"{_INDENT}why: {printable(outcome.why)}"
    for name, rows in outcome.tables:
        yield f"{_INDENT}table: {name}, {counted(rows, 'row')}"
    yield from _checks(outcome, evidence, width)
    if went_wrong(outcome):
        yield from reason_lines(outcome, evidence, width)
    for definition in outcome.definitions:
        yield from ("", styled(HEADING, f"-- {definition.name}"))
        yield from dedented(printable(definition.sql).strip()).splitlines()
    if conversation:
        yield from ("", *conversation_lines(conversation, statements, width))
    elif outcome.last_words:  # of the agent whose work was reused
        yield from ("", styled(HEADING, "-- last words"))
        yield from printable(outcome.last_words).strip().splitlines()


def _checks(outcome: Outcome, evidence: Evidence, width: int) -> Iterator[str]:
    """Tells what the checks said; failures stand with their rows below, and hide the rest."""
    failed = {result.check for result in outcome.checks if result.status == "fail"}
    for check, results in groupby(outcome.checks, key=lambda result: result.check):
        rows = evidence.rows.get(check)
        if check in failed:
            continue
        if rows and rows.columns != ("message",):
            yield from rows_lines(rows, width)
            continue
        found = list(results)
        for result in found[:_MOST_RESULTS]:
            yield from finding_lines(result, width)
        if len(found) > _MOST_RESULTS:
            yield f"    ... {len(found) - _MOST_RESULTS} more in the table _checks"
