"""How a run stands at a moment, for the live view: what runs, what it does, what it has taken."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from taskgraph.cli.lines import verdict
from taskgraph.events import (
    CallLost,
    Event,
    ModelAnswered,
    NodeEnded,
    NodeStarted,
    Outcome,
    RunStarted,
    Said,
    StatementRun,
    Warned,
)
from taskgraph.llm.messages import NOTHING_USED, AssistantMessage, ToolCall, ToolMessage, Usage
from taskgraph.spec import Kind

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_CREATE = re.compile(r"^CREATE (OR REPLACE )?(?=VIEW|MACRO)", re.IGNORECASE)
"""What every definition begins with."""
_Work: TypeAlias = ModelAnswered | CallLost | Said | StatementRun
"""What an agent does."""
_CHECKED = "its work is checked"
"""What happens after an answer that asks for nothing."""


@dataclass
class Running:
    """A node that runs."""

    kind: Kind
    since: float
    """On the view's clock, in seconds."""
    turns: int = 0
    usage: Usage = NOTHING_USED
    statement: str = ""
    """The last one, in one line and without comments."""
    asked_for: list[str] = field(default_factory=list[str])
    """The first statement of each call of the last answer that has no result yet."""
    thinks: bool = False
    """A model is asked."""


@dataclass
class Standing:
    """Listens to a run and knows how it stands.

    Attributes:
        clock: seconds, from anywhere.
        waiting: nodes that have not begun, in declared order.
        running: nodes that run, in the order in which they began.
        verdicts: how those ended that have ended.
    """

    clock: Callable[[], float]
    began: float = 0.0
    total: int = 0
    max_cost: float | None = None
    kept: int = 0
    warnings: int = 0
    waiting: dict[str, None] = field(default_factory=dict[str, None])
    running: dict[str, Running] = field(default_factory=dict[str, Running])
    verdicts: Counter[str] = field(default_factory=Counter[str])
    usage: Usage = NOTHING_USED
    """What the run's agents have used, over all parts of a resumed run."""

    @property
    def done(self) -> int:
        """How many nodes have ended."""
        return self.kept + sum(self.verdicts.values())

    def record(self, event: Event) -> None:
        """Takes an event into account."""
        match event:
            case RunStarted():
                self._begin(event)
            case NodeStarted(node=node, kind=kind):
                self.waiting.pop(node, None)
                self.running[node] = Running(kind, self.clock())
            case NodeEnded(outcome=outcome):
                self._end(outcome)
            case Warned():
                self.warnings += 1
            case ModelAnswered() | CallLost() | Said() | StatementRun():
                self._work(event)
            case _:
                return

    def _work(self, event: _Work) -> None:
        used = _usage(event)
        self.usage += used
        if running := self.running.get(event.node):
            running.usage += used
            _note(running, event)

    def _begin(self, event: RunStarted) -> None:
        self.began = self.clock()
        self.total, self.kept = len(event.nodes), len(event.kept)
        self.max_cost, self.usage = event.max_cost, event.spent
        self.waiting = {name: None for name, _ in event.nodes if name not in event.kept}

    def _end(self, outcome: Outcome) -> None:
        self.waiting.pop(outcome.node, None)
        self.running.pop(outcome.node, None)
        self.verdicts[verdict(outcome)] += 1


def _usage(event: _Work) -> Usage:
    match event:
        case ModelAnswered(response=response):
            return response.usage
        case CallLost(cost_usd=cost_usd):
            return Usage(cost_usd=cost_usd or None)
        case _:
            return NOTHING_USED


def _note(running: Running, event: _Work) -> None:
    match event:
        case ModelAnswered(response=response):
            running.turns += 1
            running.asked_for = [_first_statement(call) for call in response.message.tool_calls]
            running.thinks = False
            running.statement = next(iter(running.asked_for), _CHECKED) or running.statement
        case CallLost():
            pass
        case StatementRun(query=query):
            running.statement = in_one_line(query)
        case Said(message=AssistantMessage()):
            pass
        case Said(message=message):
            if isinstance(message, ToolMessage) and running.asked_for:
                running.asked_for.pop(0)
            running.thinks = not running.asked_for
            running.statement = next(iter(running.asked_for), "") or running.statement


def _first_statement(call: ToolCall) -> str:
    """Returns the SQL of a call, if it has any; what models write may be malformed."""
    try:
        arguments: Any = json.loads(call.arguments)
    except ValueError:
        return ""
    sql = cast("Any", arguments).get("sql") if isinstance(arguments, dict) else None
    return in_one_line(sql) if isinstance(sql, str) else ""


def in_one_line(sql: str) -> str:
    """Returns a statement's words, without comments, line breaks and the word CREATE."""
    return _CREATE.sub("", " ".join(_COMMENT.sub(" ", sql[:2000]).split()))
