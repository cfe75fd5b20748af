"""The agent loop: asks the model, answers its calls, judges its work, and always comes to an end.

Knows neither database nor checks nor trace: what it needs of them is passed down as functions.
What decides whether a model goes on is the presence of tool calls, never its `finish_reason`:
servers name it wrongly in both directions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from taskgraph.agent import feedback
from taskgraph.agent.asking import Asker
from taskgraph.agent.calls import Desk
from taskgraph.agent.conversation import Conversation, has_text
from taskgraph.agent.task import Accept, AgentResult, AgentTask, Durable, RunSql
from taskgraph.errors import ModelError, TaskgraphError
from taskgraph.events import CheckResult, Emit
from taskgraph.llm.limits_told import calls_left
from taskgraph.llm.messages import (
    AssistantMessage,
    ModelResponse,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from taskgraph.llm.model import Model

MAX_EMPTY_ANSWERS = 3
"""Answers in a row that neither call nor say anything: a nudge, another try, the end."""
MAX_FRUITLESS_CLOSINGS = 5
"""Closing messages that leave as many failures as the best one before."""
_CALLS_LEFT_TOLD_AT = (10, 3, 1)
_CLOSING_TRIES = 2


async def run_agent(
    model: Model,
    task: AgentTask,
    *,
    run_sql: RunSql,
    accept: Accept,
    emit: Emit,
    durable: Durable,
    clock: Callable[[], float] = time.monotonic,
) -> AgentResult:
    """Runs one agent until its work is accepted, it gets nowhere, or a limit is reached.

    Every call that the model makes has its result in the conversation when this ends, whichever
    way it ends; only a cancellation leaves calls open, and they are run when it is resumed.

    Args:
        model: answers the requests.
        task: what to do, and the conversation so far.
        run_sql: runs the text of one call.
        accept: judges the work each time the model says that it is done.
        emit: receives `Said` and `ModelAnswered`.
        durable: awaited after each answer: it was paid for.
        clock: seconds since some moment, for `max_seconds`.

    Raises:
        ModelError: this conversation cannot go on with this model.
        RunError: no conversation can go on.
        LimitReached: a budget does not allow the next call.
        NodeError: `run_sql` or `accept` cannot go on.
    """
    conversation = Conversation(task.node, emit, list(task.history))
    agent = _Agent(
        task=task,
        conversation=conversation,
        asker=Asker(model, task, conversation, durable),
        desk=Desk(task.tools, run_sql),
        accept=accept,
        durable=durable,
        clock=clock,
        started=clock(),
    )
    return await agent.run()


@dataclass
class _Agent:
    task: AgentTask
    conversation: Conversation
    asker: Asker
    desk: Desk
    accept: Accept
    durable: Durable
    clock: Callable[[], float]
    started: float
    empty_answers: int = 0
    fruitless_closings: int = 0
    fewest_failures: int | None = None
    findings: tuple[CheckResult, ...] = ()

    async def run(self) -> AgentResult:
        ended = await self._begin()
        while ended is None:
            if limit := self._limit():
                return await self._stop(limit)
            ended = await self._react(await self.asker.ask())
        return ended

    async def _begin(self) -> AgentResult | None:
        if not self.task.history:
            self.conversation.say(SystemMessage(self.task.system))
            self.conversation.say(UserMessage(self.task.brief))
            return None
        if calls := self.conversation.unanswered():
            return await self._answer_calls(calls, cut_off=False, after_failure=self._has_failed())
        last = self.task.history[-1]
        if isinstance(last, AssistantMessage) and has_text(last):
            return await self._judge(last.content)
        # Where a question was open it is asked again, to the byte: a recording or a cache has it.
        if isinstance(last, AssistantMessage) or feedback.is_farewell(last.content):
            self.conversation.say(UserMessage(feedback.RESUMED))
        return None

    def _has_failed(self) -> bool:
        """Says whether a call of the answer failed that a resume goes on with."""
        answered = enumerate(self.task.history)
        answers = [at for at, message in answered if isinstance(message, AssistantMessage)]
        return any(position > answers[-1] for position in self.task.failed)

    async def _react(self, response: ModelResponse) -> AgentResult | None:
        message, cut_off = response.message, response.finish_reason == "length"
        if message.tool_calls:
            self.empty_answers = 0
            return await self._answer_calls(message.tool_calls, cut_off=cut_off)
        if has_text(message) and not cut_off:
            self.empty_answers = 0
            return await self._judge(message.content)
        return self._react_to_no_answer(message, cut_off)

    def _react_to_no_answer(self, message: AssistantMessage, cut_off: bool) -> AgentResult | None:
        if cut_off and not has_text(message) and self.asker.allow_longer_answer():
            return None
        self.empty_answers += 1
        if self.empty_answers >= MAX_EMPTY_ANSWERS:
            return self._fail(f"empty_response: {self.empty_answers} answers in a row said nothing")
        if has_text(message):
            self.conversation.say(UserMessage(feedback.CUT_OFF))
        elif self.empty_answers == 1:
            self.conversation.say(UserMessage(feedback.NO_ANSWER))
        return None

    async def _answer_calls(
        self, calls: Sequence[ToolCall], *, cut_off: bool, after_failure: bool = False
    ) -> AgentResult | None:
        self.desk.open_round(after_failure=after_failure)
        for number, call in enumerate(calls, start=1):
            try:
                content = await self._answer_call(call, cut_off=cut_off)
            except TaskgraphError as error:
                await self._leave_no_call_open(calls[number - 1 :], str(error))
                raise
            notes = self._notes() if number == len(calls) else []
            self.conversation.say(ToolMessage(call.id, feedback.with_notes(content, notes)))
        # Not awaited until they are safe: what is lost of them is run again, at no cost, and two
        # commits a turn would take half of what a turn takes.
        return await self._give_up(self.desk.hopeless) if self.desk.hopeless else None

    async def _answer_call(self, call: ToolCall, *, cut_off: bool) -> str:
        if self.desk.hopeless or self._time_is_up():
            return feedback.NOT_EXECUTED
        return await self.desk.answer(call, cut_off=cut_off)

    async def _leave_no_call_open(self, calls: Sequence[ToolCall], error: str) -> None:
        for number, call in enumerate(calls):
            self.conversation.say(ToolMessage(call.id, feedback.NOT_EXECUTED if number else error))
        await self.durable()

    def _notes(self) -> list[str]:
        notes = self.desk.close_round()
        limit = self.task.limits.max_iterations
        left = limit - self.asker.iterations
        return [*notes, calls_left(left, limit)] if left in _CALLS_LEFT_TOLD_AT else notes

    async def _judge(self, last_words: str | None) -> AgentResult | None:
        if await self._passes():
            return self._accept(last_words)
        if self._is_fruitless():
            count = self.fruitless_closings
            return self._fail(f"its work got no better over {count} closing messages", last_words)
        self.conversation.say(UserMessage(feedback.not_accepted(self.findings)))
        return None

    async def _passes(self) -> bool:
        self.findings = await self.accept()
        return not self._failures()

    def _failures(self) -> int:
        return sum(1 for result in self.findings if result.status == "fail")

    def _accept(self, last_words: str | None) -> AgentResult:
        self.conversation.say(UserMessage(feedback.accepted(self.findings)))
        return self._result("accepted", last_words)

    def _is_fruitless(self) -> bool:
        failures = self._failures()
        if self.fewest_failures is None or failures < self.fewest_failures:
            self.fewest_failures, self.fruitless_closings = failures, 0
            return False
        self.fruitless_closings += 1
        return self.fruitless_closings >= MAX_FRUITLESS_CLOSINGS

    def _limit(self) -> str | None:
        limits, used = self.task.limits, self.asker.usage.total_tokens
        if self.asker.iterations >= limits.max_iterations:
            return f"all {limits.max_iterations} model calls (max_iterations) are used"
        if used >= limits.max_tokens:
            return f"{used:,} tokens are used, of {limits.max_tokens:,} (max_tokens)"
        if self._time_is_up():
            return f"{limits.max_seconds:g} seconds (max_seconds) are over"
        return None

    def _time_is_up(self) -> bool:
        limit = self.task.limits.max_seconds
        return limit is not None and self.clock() - self.started >= limit

    async def _stop(self, limit: str) -> AgentResult:
        """Ends at a limit: the work may be half done, so that nobody judges it."""
        last_words = await self._closing_turn(limit) if self._has_asked() else None
        self.conversation.say(UserMessage(feedback.ended(limit)))
        return self._result("stopped", last_words, limit)

    def _has_asked(self) -> bool:
        answers_before = sum(isinstance(one, AssistantMessage) for one in self.task.history)
        return self.asker.iterations > answers_before

    async def _give_up(self, reason: str) -> AgentResult:
        """Ends with a model that gets nowhere, unless its work turns out to be complete."""
        last_words = await self._closing_turn(reason)
        if last_words is not None and await self._passes():
            return self._accept(last_words)
        return self._fail(reason, last_words)

    async def _closing_turn(self, reason: str) -> str | None:
        """Asks for last words without tools; a model that fails now changes nothing any more."""
        self.conversation.say(UserMessage(feedback.final_turn(reason)))
        for _ in range(_CLOSING_TRIES):
            try:
                answer = (await self.asker.ask("none")).message
            except ModelError:
                return None
            # Local servers ignore `tool_choice`.
            for call in answer.tool_calls:
                self.conversation.say(ToolMessage(call.id, feedback.NOT_EXECUTED))
            if has_text(answer):
                return answer.content
        return None

    def _fail(self, reason: str, last_words: str | None = None) -> AgentResult:
        self.conversation.say(UserMessage(feedback.ended(reason, self.findings)))
        return self._result("failed", last_words, reason)

    def _result(
        self,
        status: Literal["accepted", "failed", "stopped"],
        last_words: str | None,
        reason: str | None = None,
    ) -> AgentResult:
        return AgentResult(
            status=status,
            usage=self.asker.usage,
            iterations=self.asker.iterations,
            tool_calls=sum(len(answer.tool_calls) for answer in self.conversation.answers),
            last_words=last_words,
            findings=self.findings,
            reason=reason,
        )
