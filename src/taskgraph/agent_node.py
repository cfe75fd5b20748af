"""Runs a prompt node: gives the agent its brief, its tool and its judge, and reads how it ended."""

from __future__ import annotations

from dataclasses import dataclass

from taskgraph.agent.brief import AgentBrief, brief_text
from taskgraph.agent.inputs import SAMPLE_ROWS, SMALL_TABLE_ROWS, Relation, Upstream
from taskgraph.agent.loop import run_agent
from taskgraph.agent.prompts import system_prompt
from taskgraph.agent.room import Room, room_in
from taskgraph.agent.session import Session
from taskgraph.agent.task import AgentLimits, AgentResult, AgentTask
from taskgraph.agent.tools import RUN_SQL, SqlTool
from taskgraph.catalog import sample
from taskgraph.database import Cursor, Result, fold
from taskgraph.errors import AgentFailed, NodeLimit, QueryStuck, QueryTimeout
from taskgraph.events import CheckResult, Emit, Outcome
from taskgraph.guard import Guard
from taskgraph.llm.accounts import Allowance
from taskgraph.llm.budget import BudgetedModel
from taskgraph.llm.fallback import FallbackModel
from taskgraph.llm.messages import NOTHING_USED
from taskgraph.llm.model import Model
from taskgraph.llm.service import ModelService
from taskgraph.namespace import Scope
from taskgraph.resume import Standing
from taskgraph.reuse import Attempt, Trial
from taskgraph.spec import PromptNode
from taskgraph.validate import OUTPUTS
from taskgraph.workshop import Workshop


async def run_prompt(shop: Workshop, node: PromptNode, cursor: Cursor) -> None:
    """Lets an agent work until its node is committed as passed, unless its earlier work holds.

    Raises:
        AgentFailed: it ended without an accepted result.
        LimitReached: a limit or a budget stopped it.
        ModelError: its models cannot go on.
        RunError: no model can go on.
    """
    goes_on = node.name in shop.brought_back.standing
    work = None if goes_on else shop.plan.work(node.name)
    attempt = await Trial(shop, node, cursor, work).attempt() if work else None
    if work and attempt is None:
        return
    # What is asked of a model costs money, and must not have to be asked again.
    await shop.settled()
    service = await shop.service.get()
    scope, room = Scope(shop.names, node.name), _room(shop, service, node)
    desk = _Desk(shop, node, cursor, scope, room, attempt)
    result = await run_agent(
        _model(shop, service, node),
        await desk.task(),
        run_sql=desk.tool().run,
        accept=desk.accept,
        emit=shop.emit,
        durable=shop.settled,
    )
    _demand(node, result)


def _demand(node: PromptNode, result: AgentResult) -> None:
    reason = result.reason or "the agent gave no reason"
    if result.status == "stopped":
        hint = f"Raise that limit of node {node.name!r}, then: taskgraph resume OUTPUT."
        raise NodeLimit(reason, hint)
    if result.status == "failed":
        raise AgentFailed(reason)


def _model(shop: Workshop, service: ModelService, node: PromptNode) -> Model:
    allowance = Allowance(max_cost=node.max_cost, max_seconds=_max_seconds(shop, node))
    budgeted = BudgetedModel(service.model, service.ledger, node.name, allowance)
    return FallbackModel(budgeted, node.fallback) if node.fallback else budgeted


def _room(shop: Workshop, service: ModelService, node: PromptNode) -> Room:
    facts = service.facts.get(node.model or shop.settings.model)
    return room_in(
        facts.context_length if facts else None,
        facts.max_completion_tokens if facts else None,
        shop.settings.max_result_characters,
    )


def _max_seconds(shop: Workshop, node: PromptNode) -> float | None:
    return node.max_seconds or shop.settings.max_node_seconds


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where one agent works."""

    shop: Workshop
    node: PromptNode
    cursor: Cursor
    scope: Scope
    room: Room
    attempt: Attempt | None

    def tool(self) -> SqlTool:
        """Makes the agent's tool."""
        settings = self.shop.settings
        guard = Guard(self.cursor, self.scope, "agent")
        tool = SqlTool(
            node=self.node.name,
            session=Session(self.cursor, guard, settings.query_timeout_s),
            emit=self.shop.emit,
            after_define=self._preview,
            readable=[name for outcome in self._upstream() for name, _ in outcome.tables],
            max_characters=self.room.result_characters,
        )
        standing = self._standing.definitions if self._standing else ()
        for definition in (*standing, *(self.attempt.standing if self.attempt else ())):
            tool.note(definition)
        return tool

    async def task(self) -> AgentTask:
        """Puts together what the agent is told and what it may use."""
        settings, node = self.shop.settings, self.node
        limits = AgentLimits(
            max_iterations=node.max_iterations or settings.max_iterations,
            max_tokens=node.max_tokens or settings.max_node_tokens,
            max_seconds=_max_seconds(self.shop, node),
        )
        return AgentTask(
            node=node.name,
            model=node.model or settings.model,
            session=self._session,
            system=system_prompt(settings.query_timeout_s, self.room.result_characters),
            brief=await self._brief_text(),
            tools=(RUN_SQL,),
            limits=limits,
            reasoning_effort=node.reasoning_effort or settings.reasoning_effort,
            context_length=self.room.context_length,
            max_completion_tokens=self.room.answer_tokens,
            history=self._standing.conversation.messages if self._standing else (),
            failed=self._standing.conversation.failed if self._standing else frozenset(),
            spent=self._standing.conversation.usage if self._standing else NOTHING_USED,
        )

    async def accept(self) -> tuple[CheckResult, ...]:
        """Commits the node as passed if everything holds; returns what does not."""
        limit = self.shop.settings.node_sql_timeout_s
        try:
            return await self.shop.try_to_pass(self.node, self.cursor, timeout_s=limit)
        except (QueryTimeout, QueryStuck):
            message = f"the checks and tables took longer than {limit:g} s: make the views cheaper"
            return (CheckResult(OUTPUTS, "fail", message),)

    async def _preview(self) -> tuple[CheckResult, ...]:
        return await self.shop.in_thread(
            self.cursor, self._preview_checks, self.shop.settings.query_timeout_s
        )

    def _preview_checks(self, emit: Emit) -> tuple[CheckResult, ...]:
        return self.shop.finisher(self.node, self.cursor, emit).preview()

    @property
    def _session(self) -> str:
        number = self.shop.brought_back.place(self.node.name).conversation
        run = self.shop.run_id if number == 1 else f"{self.shop.run_id}-{number}"
        return f"{run}/{self.node.name}"

    @property
    def _standing(self) -> Standing | None:
        return self.shop.brought_back.standing.get(self.node.name)

    async def _brief_text(self) -> str:
        if self._standing:
            return ""  # it was given when the conversation began
        brief = await self.shop.in_thread(self.cursor, self._brief)
        return brief_text(brief, self.room.inputs_characters)

    def _brief(self, emit: Emit) -> AgentBrief:
        del emit
        prefix = fold(self.node.name) + "_"
        nodes = self.shop.names.graph.dependencies
        return AgentBrief(
            node=self.node.name,
            prompt=self.node.prompt,
            required=self.node.required_views,
            checks=self.node.checks,
            upstream=tuple(self._described(outcome) for outcome in self._upstream()),
            max_iterations=self.node.max_iterations or self.shop.settings.max_iterations,
            not_owned=tuple(name for name in nodes if fold(name).startswith(prefix)),
            earlier=self.attempt.work if self.attempt else None,
        )

    def _upstream(self) -> list[Outcome]:
        """The outcomes of all nodes that this one may read, nearest first."""
        outcomes = self.shop.tally.outcomes
        return [outcomes[name] for name in self.shop.names.graph.ancestors(self.node.name)]

    def _described(self, outcome: Outcome) -> Upstream:
        sql = {fold(definition.name): definition.sql for definition in outcome.definitions}
        tables = {fold(name) for name, _ in outcome.tables}
        macros = tuple(one for one in outcome.definitions if fold(one.name) not in tables)
        # What a node declares is what it is there for; the rest are its own steps on the way.
        declared = {fold(name) for name in self.shop.names.declared_by(outcome.node)}
        shown = [one for one in outcome.tables if not declared or fold(one[0]) in declared]
        names = [*(name for name, _ in outcome.tables), *(macro.name for macro in macros)]
        return Upstream(
            node=outcome.node,
            kind=outcome.kind,
            relations=tuple(
                Relation(name, "table", count, self._sample(name, count), sql.get(fold(name)))
                for name, count in shown
            ),
            description=self.shop.descriptions.get(outcome.node),
            macros=() if declared else macros,
            checks=outcome.checks,
            helpers=tuple(n for n in names if declared and fold(n) not in declared),
            last_words=outcome.last_words,
        )

    def _sample(self, relation: str, row_count: int) -> Result:
        rows = row_count if row_count <= SMALL_TABLE_ROWS else SAMPLE_ROWS
        return sample(self.cursor, relation, rows, row_count)
