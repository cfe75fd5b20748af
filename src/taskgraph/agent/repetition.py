"""Notices a model that asks the same thing again although nothing has changed since.

A ladder: the recorded answer, then a refusal, then the end. The thresholds are those of agents in
the field: served at the second time, refused from the third, stopped at the sixth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from taskgraph.agent.feedback import BLOCKED, RECORDED
from taskgraph.agent.task import ToolOutcome

BLOCKED_FROM = 3
STOPPED_AT = 6
_QUOTED_OR_BLANK = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\s+""")


@dataclass(frozen=True, slots=True)
class Repeated:
    """A call that was made before and would give the same answer again."""

    content: str
    """What the model is told instead."""
    failed: bool
    times: int
    """How many rounds have asked it, this one included."""


_Question: TypeAlias = tuple[str, str]


@dataclass
class _Seen:
    outcome: ToolOutcome
    round: int
    answer: Repeated


@dataclass
class Repetitions:
    """Every call of a conversation, with its answer and the state it left the database in.

    Attributes:
        state: how the database looked after the last call that was run.
    """

    state: str = ""
    _seen: dict[_Question, _Seen] = field(default_factory=dict[_Question, _Seen])

    def answer(self, tool: str, question: str, round_number: int) -> Repeated | None:
        """Returns what to say to a call without running it; None where it must be run.

        The same call twice in one round is run once: some servers repeat parallel calls. Other
        calls in between do not make a repetition a new question; a changed database does. A
        definition that already stands as asked changes nothing either.

        Args:
            tool: the tool's name.
            question: what it is asked, such as SQL.
            round_number: counts the model's answers; a question counts once per answer.
        """
        seen = self._seen.get(_fingerprint(tool, question))
        if seen is None or seen.outcome.state != self.state:
            return None
        if seen.round != round_number:
            seen.round = round_number
            seen.answer = _repeated(seen.outcome, seen.answer.times + 1)
        return seen.answer

    def note(self, tool: str, question: str, round_number: int, outcome: ToolOutcome) -> None:
        """Remembers a call that was run."""
        self.state = outcome.state
        first = Repeated(outcome.content, outcome.failed, times=1)
        self._seen[_fingerprint(tool, question)] = _Seen(outcome, round_number, first)


def _repeated(outcome: ToolOutcome, times: int) -> Repeated:
    if times >= BLOCKED_FROM:
        return Repeated(BLOCKED, failed=True, times=times)
    return Repeated(f"{RECORDED}\n{outcome.content}", outcome.failed, times)


def _fingerprint(tool: str, question: str) -> _Question:
    # Blanks inside quotes are data: only those outside may differ.
    plain = _QUOTED_OR_BLANK.sub(lambda found: found[1] or " ", question)
    return tool, plain.strip(" ;")
