"""Ends a node: validate, materialise and record, in one transaction or not at all.

The declared order is execute, validate, materialise, record. Inside the transaction the views
become tables first and the checks then read the tables: each view is computed once, and what the
checks judged is exactly what is kept. Nobody can see the difference, for a failure undoes it all.
"""

from __future__ import annotations

from dataclasses import dataclass

from taskgraph.database import Cursor
from taskgraph.errors import StatementError, TaskgraphError
from taskgraph.events import CheckResult, ChecksRun, Emit, NodeEnded, Outcome
from taskgraph.guard import Guard
from taskgraph.materialise import materialise
from taskgraph.spec import Node, SourceNode
from taskgraph.tally import Tally
from taskgraph.trace import record_outcome
from taskgraph.validate import OUTPUTS, Checker, any_failed, missing_outputs


class _Undo(TaskgraphError):
    """Leaves the transaction without keeping anything."""

    def __init__(self, findings: tuple[CheckResult, ...]) -> None:
        super().__init__("the node does not hold")
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Finisher:
    """Tries to end one node; blocking, to be called in a thread.

    Attributes:
        cursor: the node's connection.
        node: the node.
        tally: what the node has defined and used.
        emit: told of each statement, from the calling thread.
        tables: tables the node has made already: a source's own, with its row count.
    """

    cursor: Cursor
    node: Node
    tally: Tally
    guard: Guard
    emit: Emit
    tables: tuple[tuple[str, int], ...] = ()

    @property
    def checker(self) -> Checker:
        """Runs the node's checks."""
        return Checker(self.cursor, self.guard, self.node, self.emit)

    def try_to_pass(self) -> tuple[CheckResult, ...]:
        """Commits the node as passed if everything holds.

        Returns:
            All results of its checks. If one says `fail`, nothing was kept but the checks' rows,
            and the node may be worked on and tried again.
        """
        try:
            with self.cursor.transaction():
                outcome = self._pass()
        except _Undo as undo:
            return self._told(undo.findings or self.checker.diagnose())
        except StatementError as error:
            return self._told(self._explain(error))
        self._told(outcome.checks)
        self.emit(NodeEnded(outcome))
        return outcome.checks

    def _told(self, results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
        self.emit(ChecksRun(self.node.name, results))
        return results

    def _pass(self) -> Outcome:
        missing = (
            () if isinstance(self.node, SourceNode) else missing_outputs(self.cursor, self.node)
        )
        if missing:
            raise _Undo(missing)
        tables = self.tables + materialise(
            self.cursor, self.node.name, self.tally.views(self.node.name), self.emit
        )
        checks = self.checker.keep()
        if any_failed(checks):
            raise _Undo(())
        outcome = self.tally.outcome(self.node.name, "passed", tables=tables, checks=checks)
        record_outcome(self.cursor, outcome)
        return outcome

    def _explain(self, error: StatementError) -> tuple[CheckResult, ...]:
        """Finds which check or view broke; a check that cannot run says so itself."""
        findings = self.checker.diagnose()
        if any_failed(findings):
            return findings
        return (*findings, CheckResult(OUTPUTS, "fail", f"a view does not compute: {error}"))
