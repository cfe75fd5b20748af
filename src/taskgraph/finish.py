"""Ends a node: validate, materialise and record, in one transaction or not at all.

The declared order is execute, validate, materialise, record. Inside the transaction the views
become tables first and the checks then read the tables: each view is computed once, and what the
checks judged is exactly what is kept. Nobody can see the difference, for a failure undoes it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from taskgraph.database import Cursor
from taskgraph.errors import StatementError, TaskgraphError
from taskgraph.events import (
    CheckResult,
    ChecksRun,
    Definition,
    Emit,
    Event,
    NodeEnded,
    Outcome,
    StatementRun,
)
from taskgraph.guard import Guard, PlainView
from taskgraph.literals import literal_findings
from taskgraph.materialise import Tables, materialise, materialise_directly
from taskgraph.spec import Node, PromptNode, SourceNode
from taskgraph.tally import Tally
from taskgraph.trace import write_outcome
from taskgraph.validate import OUTPUTS, Checker, any_failed, missing_outputs


class DoesNotHold(TaskgraphError):
    """The node's outputs are missing or its checks fail; nothing of it was kept."""

    def __init__(self, findings: tuple[CheckResult, ...]) -> None:
        super().__init__("the node does not hold")
        self.findings = findings


def _ignore(event: Event) -> None:
    del event


@dataclass(frozen=True, slots=True)
class Finisher:
    """Tries to end one node; blocking, to be called in a thread.

    Attributes:
        cursor: the node's connection.
        node: the node.
        tally: what the node has defined and used.
        guard: judges the node's checks.
        emit: told of each statement, from the calling thread.
        trace_ids: gives each statement that is committed with the node its id.
        sources: tables of the source nodes that an agent's node depends on.
        reused: why the node's work is that of an earlier run; None if it is this run's.
    """

    cursor: Cursor
    node: Node
    tally: Tally
    guard: Guard
    emit: Emit
    trace_ids: Iterator[int]
    sources: Sequence[str] = ()
    reused: str | None = None

    @property
    def checker(self) -> Checker:
        """Runs the node's checks."""
        return Checker(self.cursor, self.guard, self.node, self.emit, self._literals)

    def _literals(self) -> tuple[CheckResult, ...]:
        if not isinstance(self.node, PromptNode):
            return ()
        definitions = [one.sql for one in self.tally.definitions(self.node.name)]
        return literal_findings(self.cursor, definitions, self.sources, self.node.literals)

    def try_to_pass(self, tables: Tables = ()) -> tuple[CheckResult, ...]:
        """Commits the node as passed if everything holds.

        Args:
            tables: those that the node has made already: a source's own.

        Returns:
            All results of its checks. If one says `fail`, nothing was kept but the checks' rows,
            and the node may be worked on and tried again.
        """
        try:
            outcome = self._commit(lambda attempt: tables + attempt._materialise())
        except DoesNotHold as undone:
            return self.explain(undone)
        except StatementError as error:
            return self._told(self._explained(error))
        return self._passed(outcome)

    def preview(self) -> tuple[CheckResult, ...]:
        """Says what `try_to_pass` would find now, and leaves everything as it is.

        The checks read tables that are made for them and undone again: each would otherwise
        expand the node's whole chain of views once more, which can take seconds to plan.
        """
        try:
            with self.cursor.transaction():
                self._check_and_undo()
        except DoesNotHold as undone:
            return undone.findings
        except StatementError:
            return self.checker.preview()

    def _check_and_undo(self) -> NoReturn:
        replace(self, emit=_ignore)._materialise()
        raise DoesNotHold(self.checker.keep())

    def pass_directly(self, views: Sequence[PlainView]) -> None:
        """Commits an SQL node as passed whose views have not been made.

        Raises:
            DoesNotHold: outputs are missing, or checks fail.
            StatementError: a view or a check does not compute.
        """
        definitions = tuple(Definition(view.name, view.sql) for view in views)
        outcome = self._commit(lambda attempt: attempt._materialise_directly(views), definitions)
        self._passed(outcome)

    def explain(self, undone: DoesNotHold) -> tuple[CheckResult, ...]:
        """Returns what does not hold, with the checks' rows kept for whoever looks into it."""
        return self._told(undone.findings or self.checker.diagnose())

    def _commit(
        self, make: Callable[[Finisher], Tables], definitions: tuple[Definition, ...] | None = None
    ) -> Outcome:
        told: list[Event] = []
        attempt = replace(self, emit=told.append)
        try:
            with self.cursor.transaction():
                tables = make(attempt)
                checks = attempt.checker.keep()
                if any_failed(checks):
                    raise DoesNotHold(())
                outcome = self._outcome(tables, checks, definitions)
                recorded = self._numbered(told)
                write_outcome(self.cursor, outcome, recorded)
            told = [*recorded]
        finally:
            for event in told:
                self.emit(event)
        return outcome

    def _numbered(self, told: Iterable[Event]) -> list[StatementRun]:
        statements = [event for event in told if isinstance(event, StatementRun)]
        return [replace(one, recorded_as=next(self.trace_ids)) for one in statements]

    def _outcome(
        self,
        tables: Tables,
        checks: tuple[CheckResult, ...],
        definitions: tuple[Definition, ...] | None,
    ) -> Outcome:
        outcome = self.tally.outcome(self.node.name, "passed", tables=tables, checks=checks)
        if self.reused:
            outcome = replace(outcome, status="reused", why=self.reused)
        return outcome if definitions is None else replace(outcome, definitions=definitions)

    def _materialise(self) -> Tables:
        # What is missing is found before the rest is computed.
        self._demand_outputs()
        views = self.tally.views(self.node.name)
        return materialise(self.cursor, self.node.name, views, self.emit)

    def _materialise_directly(self, views: Sequence[PlainView]) -> Tables:
        tables = materialise_directly(self.cursor, self.node.name, views, self.emit)
        self._demand_outputs()
        return tables

    def _demand_outputs(self) -> None:
        if isinstance(self.node, SourceNode):
            return
        if missing := missing_outputs(self.cursor, self.node):
            raise DoesNotHold(missing)

    def _passed(self, outcome: Outcome) -> tuple[CheckResult, ...]:
        self._told(outcome.checks)
        self.emit(NodeEnded(outcome))
        return outcome.checks

    def _told(self, results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
        self.emit(ChecksRun(self.node.name, results))
        return results

    def _explained(self, error: StatementError) -> tuple[CheckResult, ...]:
        """Finds which check or view broke; a check that cannot run says so itself."""
        findings = self.checker.diagnose()
        if any_failed(findings):
            return findings
        return (*findings, CheckResult(OUTPUTS, "fail", f"a view does not compute: {error}"))
