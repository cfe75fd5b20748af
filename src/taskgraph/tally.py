"""Adds up what happens to each node, so that an outcome can be written at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from taskgraph.database import fold
from taskgraph.events import (
    CheckResult,
    ChecksRun,
    Definition,
    Event,
    ModelAnswered,
    NodeEnded,
    NodeStarted,
    Outcome,
    Said,
    StatementRun,
    Status,
    utc_now,
)
from taskgraph.llm.messages import NOTHING_USED, AssistantMessage, Usage
from taskgraph.spec import Kind


@dataclass
class _Running:
    started_at: datetime | None = None
    usage: Usage = NOTHING_USED
    model: str | None = None
    iterations: int = 0
    tool_calls: int = 0
    last_words: str | None = None
    checks: tuple[CheckResult, ...] = ()
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
                self._of(event.node).started_at = event.at
            case StatementRun(error=None, name=str(name)) if event.source in ("agent", "sql_node"):
                _note_definition(self._of(event.node), event.kind, name, event.query)
            case ModelAnswered():
                self._note_answer(event)
            case Said(message=AssistantMessage(content=str(words))) if words.strip():
                self._of(event.node).last_words = words
            case ChecksRun():
                self._of(event.node).checks = event.results
            case NodeEnded():
                self.outcomes[event.outcome.node] = event.outcome
                self._running.pop(event.outcome.node, None)
            case _:
                return

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
        started = running.started_at
        return Outcome(
            node=node,
            kind=self.kinds[node],
            status=status,
            started_at=started,
            elapsed_ms=(utc_now() - started).total_seconds() * 1000 if started else 0.0,
            error=error,
            error_type=error_type,
            hint=hint,
            checks=running.checks if checks is None else checks,
            definitions=tuple(running.definitions.values()),
            tables=tables,
            usage=running.usage,
            model=running.model,
            iterations=running.iterations,
            tool_calls=running.tool_calls,
            last_words=running.last_words,
            skipped_because=skipped_because,
        )

    def _of(self, node: str) -> _Running:
        return self._running.setdefault(node, _Running())

    def _note_answer(self, event: ModelAnswered) -> None:
        running = self._of(event.node)
        running.usage += event.response.usage
        running.model = event.response.model
        running.iterations += 1
        running.tool_calls += len(event.response.message.tool_calls)


def _note_definition(running: _Running, kind: str, name: str, sql: str) -> None:
    key = fold(name)
    running.definitions.pop(key, None)
    running.views.discard(key)
    if kind.startswith("create_"):
        running.definitions[key] = Definition(name, sql)
    if kind == "create_view":
        running.views.add(key)
