"""Tries whether what an agent wrote in an earlier run holds on today's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskgraph.agent.earlier_work import EarlierWork
from taskgraph.catalog import Shape, columns
from taskgraph.database import Cursor
from taskgraph.definitions import Redefined, define_again
from taskgraph.earlier import Work
from taskgraph.errors import QueryStuck, QueryTimeout
from taskgraph.events import CheckResult, Emit, TakenUp
from taskgraph.guard import Guard, StatementResult
from taskgraph.namespace import Scope
from taskgraph.spec import PromptNode
from taskgraph.validate import OUTPUTS, summary
from taskgraph.workshop import Workshop

_NOTHING = Redefined((), ())


@dataclass(frozen=True, slots=True)
class Attempt:
    """Earlier work that an agent is given."""

    standing: tuple[StatementResult, ...]
    """What of it stands in the database."""
    work: EarlierWork


@dataclass(frozen=True, slots=True)
class Trial:
    """A node's earlier work, and where it is tried."""

    shop: Workshop
    node: PromptNode
    cursor: Cursor
    work: Work

    async def attempt(self) -> Attempt | None:
        """Defines the earlier SQL again, and ends the node with it if everything holds.

        Returns:
            None if the node has passed; otherwise what its agent is given.
        """
        self.shop.tally.remember(self.node.name, self.work.last_words)
        defined = _NOTHING
        try:
            defined = await self.shop.in_thread(self.cursor, self._define, self._limit_s)
            findings = await self._judged(defined)
        except (QueryTimeout, QueryStuck):
            message = f"the earlier SQL took longer than {self._limit_s:g} s: make it cheaper"
            findings = (CheckResult(OUTPUTS, "fail", message),)
        if self.node.name in self.shop.tally.outcomes:
            return None
        self.shop.tally.remember(self.node.name, None)  # it is for its agent now to say
        self.shop.emit(self._taken_up(defined, findings))
        work = EarlierWork(
            self.work.definitions,
            findings,
            lost={one.name: str(error) for one, error in defined.failures},
            then=self._then(),
            now=await self.shop.in_thread(self.cursor, self._now),
            other_prompt=self.work.other_prompt(self.node.prompt),
        )
        return Attempt(defined.results, work)

    @property
    def _limit_s(self) -> float:
        return self.shop.settings.node_sql_timeout_s

    @property
    def _is_review(self) -> bool:
        return self.shop.plan.steps[self.node.name].action == "review"

    def _define(self, emit: Emit) -> Redefined:
        guard = Guard(self.cursor, Scope(self.shop.names, self.node.name), "agent")
        return define_again(guard, self.node.name, self.work.definitions, emit)

    async def _judged(self, defined: Redefined) -> tuple[CheckResult, ...]:
        if defined.failures or self._is_review:
            return await self.shop.in_thread(self.cursor, self._preview, self._limit_s)
        return await self.shop.try_to_pass(
            self.node, self.cursor, timeout_s=self._limit_s, reused="checks pass"
        )

    def _preview(self, emit: Emit) -> tuple[CheckResult, ...]:
        return self.shop.finisher(self.node, self.cursor, emit).preview()

    def _taken_up(self, defined: Redefined, findings: tuple[CheckResult, ...]) -> TakenUp:
        action = "review" if self._is_review else "repair"
        return TakenUp(self.node.name, self.node.kind, action, _reason(defined, findings))

    def _ancestors(self) -> tuple[str, ...]:
        return self.shop.names.graph.ancestors(self.node.name)

    def _then(self) -> Mapping[str, Shape]:
        owner, above = self.shop.names.owner, set(self._ancestors())
        takeover = self.shop.plan.takeover
        shapes = takeover.shapes if takeover else dict[str, Shape]()
        return {name: shape for name, shape in shapes.items() if owner(name) in above}

    def _now(self, emit: Emit) -> Mapping[str, Shape]:
        del emit
        outcomes = [self.shop.tally.outcomes[name] for name in self._ancestors()]
        return {
            name: Shape(count, {one.name: one.type for one in columns(self.cursor, name) or ()})
            for outcome in outcomes
            for name, count in outcome.tables
        }


def _reason(defined: Redefined, findings: tuple[CheckResult, ...]) -> str:
    for definition, error in defined.failures:
        return f"{definition.name}: {str(error).partition(chr(10))[0]}"
    return summary(one for one in findings if one.status == "fail") or "checks pass"
