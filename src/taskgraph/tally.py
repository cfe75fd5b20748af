"""Adds up what happens to each node, so that an outcome can be written at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from taskgraph.database import fold
from taskgraph.events import (
    CallLost,
    CheckResult,
    ChecksRun,
    Definition,
    Event,
    ModelAnswered,
    NodeEnded,
    NodeStarted,
    Outcome,
    Said,
    SourceFile,
    StatementRun,
    Status,
    TakenUp,
)
from taskgraph.llm.messages import NOTHING_USED, AssistantMessage, Usage
from taskgraph.recorded import Effort
from taskgraph.resume import Standing
from taskgraph.spec import Kind

_DEFINING = frozenset({"agent", "sql_node", "reuse"})


@dataclass
class _Running:
    started_at: datetime | None = None
    began_s: float | None = None
    """When its present part began, by the clock that nobody sets."""
    earlier_ms: float = 0.0
    usage: Usage = NOTHING_USED
    model: str | None = None
    iterations: int = 0
    tool_calls: int = 0
    last_words: str | None = None
    why: str | None = None
    checks: tuple[CheckResult, ...] = ()
    files: tuple[SourceFile, ...] = ()
    definitions: dict[str, Definition] = field(default_factory=dict[str, Definition])
    views: set[str] = field(default_factory=set[str])


@dataclass
class Tally:
    """Listens to a run's events and knows how each node stands.

    Attributes:
        kinds: every node of the run, with its kind.
        outcomes: node to outcome, in the order in which nodes ended.
    """

    kinds: Mapping[str, Kind]
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    _running: dict[str, _Running] = field(default_factory=dict[str, _Running])

    def record(self, event: Event) -> None:
        """Takes one event into account."""
        match event:
            case NodeStarted():
                self._begin(event)
            case TakenUp(node=node, action=action, why=why):
                self._of(node).why = f"{action}: {why}"
            case StatementRun(error=None, name=str(name)) if event.source in _DEFINING:
                _note_definition(self._of(event.node), event.kind, name, event.query)
            case StatementRun(files=files) if files:
                self._of(event.node).files = files
            case ModelAnswered():
                self._note_answer(event)
            case CallLost() if event.cost_usd:
                self._of(event.node).usage += Usage(cost_usd=event.cost_usd)
            case Said(message=AssistantMessage(content=str(words))) if words.strip():
                self._of(event.node).last_words = words
            case ChecksRun():
                self._of(event.node).checks = event.results
            case NodeEnded():
                self.outcomes[event.outcome.node] = event.outcome
                self._running.pop(event.outcome.node, None)
            case _:
                return

    def carry(self, node: str, effort: Effort) -> None:
        """Takes into account what a node took in earlier parts of a resumed run."""
        running = self._of(node)
        running.started_at = effort.started_at
        running.earlier_ms = effort.elapsed_ms
        running.usage = effort.usage
        running.model = effort.model
        running.iterations = effort.iterations
        running.tool_calls = effort.tool_calls

    def remember(self, node: str, last_words: str | None) -> None:
        """Takes into account what the agent said whose earlier work the node takes over."""
        self._of(node).last_words = last_words

    def go_on(self, node: str, standing: Standing) -> None:
        """Takes into account what was said and defined in a conversation that goes on."""
        for position, message in enumerate(standing.conversation.messages):
            self.record(Said(node, position, message))
        for done in standing.definitions:
            _note_definition(self._of(node), done.kind, done.name or "", done.sql)

    def views(self, node: str) -> tuple[Definition, ...]:
        """Returns the node's views that stand, in the order in which they were last defined."""
        running = self._of(node)
        return tuple(one for key, one in running.definitions.items() if key in running.views)

    def definitions(self, node: str) -> tuple[Definition, ...]:
        """Returns the node's views and macros that stand, in the order of their definition."""
        return tuple(self._of(node).definitions.values())

    def outcome(
        self,
        node: str,
        status: Status,
        *,
        error: str | None = None,
        error_type: str | None = None,
        hint: str | None = None,
        tables: tuple[tuple[str, int], ...] = (),
        checks: tuple[CheckResult, ...] | None = None,
        skipped_because: str | None = None,
    ) -> Outcome:
        """Returns the node's outcome as of now; `checks` defaults to the last verdict heard."""
        running = self._of(node)
        return Outcome(
            node=node,
            kind=self.kinds[node],
            status=status,
            started_at=running.started_at,
            elapsed_ms=_elapsed_ms(running),
            error=error,
            error_type=error_type,
            hint=hint,
            checks=running.checks if checks is None else checks,
            definitions=tuple(running.definitions.values()),
            tables=tables,
            files=running.files,
            usage=running.usage,
            model=running.model,
            iterations=running.iterations,
            tool_calls=running.tool_calls,
            last_words=running.last_words,
            skipped_because=skipped_because,
            why=running.why,
        )

    def _of(self, node: str) -> _Running:
        return self._running.setdefault(node, _Running())

    def _begin(self, event: NodeStarted) -> None:
        running = self._of(event.node)
        running.started_at = running.started_at or event.at
        running.began_s = perf_counter()
        running.why = running.why or event.why

    def _note_answer(self, event: ModelAnswered) -> None:
        running = self._of(event.node)
        running.usage += event.response.usage
        running.model = event.response.model
        running.iterations += 1
        running.tool_calls += len(event.response.message.tool_calls)


def _elapsed_ms(running: _Running) -> float:
    if running.began_s is None:
        return running.earlier_ms
    return running.earlier_ms + (perf_counter() - running.began_s) * 1000


def _note_definition(running: _Running, kind: str, name: str, sql: str) -> None:
    key = fold(name)
    running.definitions.pop(key, None)
    running.views.discard(key)
    if kind.startswith("create_"):
        running.definitions[key] = Definition(name, sql)
    if kind == "create_view":
        running.views.add(key)
