"""Every statement of a run in full, for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import indent

from taskgraph.cli.code_frame import dedented, without_place
from taskgraph.cli.text import HEADING, printable, styled
from taskgraph.cli.told import gave, took
from taskgraph.cli.width import wrapped
from taskgraph.evidence import Statement
from taskgraph.wording import duration


def trace_lines(statements: Sequence[Statement], width: int) -> Iterator[str]:
    """Tells each statement in order: when, whose, what it gave, its text, and its error."""
    for number, statement in enumerate(statements):
        if number:
            yield ""
        word = "FAIL" if statement.error else HEADING
        moment = f"+{duration(statement.seconds * 1000)}"
        facts = f"{statement.node or 'run'}  {statement.source}  {statement.kind}"
        yield styled(
            word, f"{statement.id}  {moment}  {facts}  {gave(statement)}  {took(statement)}"
        )
        yield from indent(dedented(printable(statement.query).strip()), "    ").splitlines()
        if statement.error:
            yield from wrapped(
                printable(without_place(statement.error)).strip(), width, "  E ", "  E "
            )
