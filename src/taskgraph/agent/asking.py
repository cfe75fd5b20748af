"""Asks the model the next question of a conversation, in a form and a size that it can take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from taskgraph.agent.context import FULL, ROOMY, View, next_smaller, roomier, sent
from taskgraph.agent.conversation import Conversation
from taskgraph.agent.task import AgentTask, Durable
from taskgraph.errors import ContextOverflow
from taskgraph.events import ModelAnswered, Warned
from taskgraph.llm.messages import ModelRequest, ModelResponse, Usage
from taskgraph.llm.model import Model
from taskgraph.llm.wire import estimate_tokens

_ToolChoice = Literal["auto", "none"]
_SMALLEST_PART_FOR_ANSWER = 4
_LARGEST_PART_FOR_ANSWER = 2
_LEAST_TRUSTED_RATIO = 0.5
_MOST_TRUSTED_RATIO = 2.0


@dataclass
class Asker:
    """One conversation's line to its model.

    Attributes:
        model: who answers.
        task: who asks, and what about.
        conversation: what was said so far; answers join it.
        durable: awaited after each answer, before anything is built on it.
        usage: what all answers have used.
        max_tokens: completion tokens that the next answer may take.
    """

    model: Model
    task: AgentTask
    conversation: Conversation
    durable: Durable

    def __post_init__(self) -> None:
        self.usage: Usage = self.task.spent
        self.max_tokens = self._capped(self.task.completion_tokens, _SMALLEST_PART_FOR_ANSWER)
        self._view = View()
        self._tokens_per_estimate = 1.0

    @property
    def iterations(self) -> int:
        """How many answers the model has given."""
        return sum(1 for _ in self.conversation.answers)

    async def ask(self, tool_choice: _ToolChoice = "auto") -> ModelResponse:
        """Asks for the next answer; returns it once it is safe.

        Raises:
            ContextOverflow: the conversation does not fit however much is left out.
            ModelError: this conversation cannot go on with this model.
            RunError: no conversation can go on.
            LimitReached: a budget does not allow the call.
        """
        self._make_room(tool_choice)
        request, response, too_long = await self._complete(tool_choice)
        self.usage += response.usage
        self._calibrate(request, response)
        message = self.conversation.with_unique_ids(response.message)
        said_by = message.said_by or self.task.model
        response = replace(response, message=replace(message, said_by=said_by))
        asked = replace(request, model=said_by)
        self.conversation.emit(
            ModelAnswered(self.task.node, asked, response, too_long=tuple(too_long))
        )
        for warning in response.warnings:
            self.conversation.emit(Warned(warning, self.task.node))
        self.conversation.say(response.message)
        await self.durable()
        return response

    def allow_longer_answer(self) -> bool:
        """Doubles what an answer may take, once; returns whether that was still possible."""
        longer = self._capped(2 * self.task.completion_tokens, _LARGEST_PART_FOR_ANSWER)
        is_longer = longer > self.max_tokens
        self.max_tokens = longer
        return is_longer

    def _capped(self, tokens: int, part: int) -> int:
        window = self.task.context_length
        part_of_window = window // part if window else tokens
        return min(tokens, part_of_window, self.task.max_completion_tokens)

    async def _complete(
        self, tool_choice: _ToolChoice
    ) -> tuple[ModelRequest, ModelResponse, list[ModelRequest]]:
        """Returns the question, the answer, and the questions that were too long for one."""
        is_smallest = False
        too_long: list[ModelRequest] = []
        while True:
            request = self._request(self._view, tool_choice)
            try:
                return request, await self.model.complete(request), too_long
            except ContextOverflow as error:
                too_long.append(request)
                if is_smallest:
                    raise _exhausted(error) from error
                smaller = next_smaller(
                    self.conversation.messages,
                    self._view,
                    lambda view: estimate_tokens(self._request(view, tool_choice)),
                )
                # Asked once more as it is, it goes to the node's next model, if it has one.
                is_smallest = smaller is None
                self._view = smaller or self._view

    def _make_room(self, tool_choice: _ToolChoice) -> None:
        if self.task.context_length is None:
            return
        room = self.task.context_length - self.max_tokens

        def measure(view: View) -> float:
            request = self._request(view, tool_choice)
            return estimate_tokens(request) * self._tokens_per_estimate

        if measure(self._view) > FULL * room:
            messages = self.conversation.messages
            self._view = roomier(messages, self._view, measure, ROOMY * room)

    def _calibrate(self, request: ModelRequest, response: ModelResponse) -> None:
        # Some local servers count only what was not cached, others nothing: trust within bounds.
        if response.usage.prompt_tokens:
            ratio = response.usage.prompt_tokens / max(1, estimate_tokens(request))
            self._tokens_per_estimate = min(max(ratio, _LEAST_TRUSTED_RATIO), _MOST_TRUSTED_RATIO)

    def _request(self, view: View, tool_choice: _ToolChoice) -> ModelRequest:
        task = self.task
        return ModelRequest(
            model=task.model,
            messages=sent(self.conversation.messages, view, task.node),
            tools=task.tools,
            session=task.session,
            step=self.iterations + 1,
            tool_choice=tool_choice,
            max_tokens=self.max_tokens,
            reasoning_effort=task.reasoning_effort,
            node=task.node,
        )


def _exhausted(error: ContextOverflow) -> ContextOverflow:
    return ContextOverflow(
        f"context_exhausted: nothing more of the conversation can be left out, and still: {error}",
        hint="Choose a model with a larger window, or ask for less in one node.",
    )
