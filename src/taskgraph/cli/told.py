"""An agent's conversation told for a person: who said what, what ran, what each turn cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from taskgraph.cli.code_frame import without_place
from taskgraph.cli.lines import spent
from taskgraph.cli.text import HEADING, more_lines, printable, styled
from taskgraph.cli.width import clipped, wrapped
from taskgraph.evidence import Spoken, Statement
from taskgraph.llm.messages import Usage
from taskgraph.wording import counted, duration

_MOST_LINES = 5
"""Lines of what was said on the way; the last words stand in full."""
_CREATE = re.compile(r"^CREATE (OR REPLACE )?(VIEW|MACRO) ", re.IGNORECASE)
"""What a statement's kind says already."""
_FILL = re.compile(r"created: ([\d,]+ rows?)")


def conversation_lines(
    spoken: Sequence[Spoken], statements: Sequence[Statement], width: int
) -> Iterator[str]:
    """Tells all conversations of a node.

    Args:
        spoken: its messages.
        statements: its statements; they stand under the turn that asked for them.
        width: columns of the terminal.
    """
    by_message: dict[tuple[int, int], list[Statement]] = {}
    for statement in statements:
        if statement.answered_by:
            by_message.setdefault(statement.answered_by, []).append(statement)
    for number, messages in groupby(spoken, key=lambda one: one.conversation):
        yield styled(HEADING, f"conversation {number}" if number > 1 else "conversation")
        yield from _conversation(list(messages), by_message, width)


def _conversation(
    messages: Sequence[Spoken],
    statements: Mapping[tuple[int, int], Sequence[Statement]],
    width: int,
) -> Iterator[str]:
    last_answer = max((one.position for one in messages if one.role == "assistant"), default=-1)
    for message in messages:
        match message.role:
            case "system":
                yield f"  system  {len(message.content or ''):,} characters of rules"
            case "user":
                yield from _said("engine", message.content, width, _MOST_LINES)
            case "assistant":
                yield ""
                most = None if message.position == last_answer else _MOST_LINES
                yield from _answer(message, width, most)
            case _:
                ran = statements.get((message.conversation, message.position), ())
                yield from _results(message, ran, width)


def _answer(message: Spoken, width: int, most: int | None) -> Iterator[str]:
    turn = f"  turn {message.step}" if message.step else "  turn"
    used = Usage(prompt_tokens=message.tokens, cost_usd=message.cost_usd)
    waited = [duration(message.latency_ms)] if message.latency_ms else []
    by = [message.said_by] if message.said_by else []
    yield "  ".join([styled(HEADING, turn), *spent(used), *waited, *by])
    yield from _said("thinks", message.reasoning, width, _MOST_LINES)
    yield from _said("says", message.content, width, most)


def _said(who: str, text: str | None, width: int, most: int | None) -> Iterator[str]:
    if not text or not text.strip():
        return
    lines = list(wrapped(printable(text).strip(), width, f"  {who:<6}  ", " " * 10))
    yield from lines[:most]
    if most is not None and len(lines) > most:
        yield f"{' ' * 10}{more_lines(len(lines) - most)}"


def _results(message: Spoken, ran: Sequence[Statement], width: int) -> Iterator[str]:
    for statement in ran:
        yield statement_line(statement, width)
        yield from error_lines(statement, width)
    if not ran:
        yield from _said("answer", message.content, width, _MOST_LINES)


def statement_line(statement: Statement, width: int) -> str:
    """Tells of a statement in one line: what it was, what it gave, how long, its first words."""
    sql = _CREATE.sub("", " ".join(printable(statement.query).split()))
    head = f"    {statement.kind:<12} {gave(statement):>10} {took(statement):>6}  "
    line = f"{head}{clipped(sql, max(12, width - len(head)))}"
    return styled("FAIL", line) if statement.error else line


def error_lines(statement: Statement, width: int) -> Iterator[str]:
    """Tells why a statement did not run, if it did not."""
    if statement.error:
        lines = list(
            wrapped(printable(without_place(statement.error)).strip(), width, "    E ", "    E ")
        )
        yield from lines[:_MOST_LINES]


def took(statement: Statement) -> str:
    """Writes how long a statement took: 34ms, 1.2s."""
    quick = statement.elapsed_ms < 1000
    return f"{statement.elapsed_ms:.0f}ms" if quick else duration(statement.elapsed_ms)


def gave(statement: Statement) -> str:
    """Says in a word or two what a statement gave."""
    if statement.error:
        return "refused" if statement.kind == "refused" else "error"
    if statement.row_count is not None:
        return counted(statement.row_count, "row")
    found = _FILL.search(statement.told or "")
    return found[1] if found else "done"
