"""A model that answers from a script: for tests, and for runs that must not cost anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from taskgraph.errors import ModelError
from taskgraph.llm.messages import (
    AssistantMessage,
    ModelRequest,
    ModelResponse,
    Tool,
    ToolCall,
    Usage,
)
from taskgraph.llm.wire import estimate_tokens, fingerprint


@dataclass(frozen=True, slots=True)
class RunSql:
    """An answer that calls the request's first tool once per statement."""

    statements: tuple[str, ...]


Answer: TypeAlias = str | RunSql | AssistantMessage | ModelResponse | Exception
"""Text, statements to run, a message or a whole response as it stands, or an error to raise."""
ScriptedAnswer: TypeAlias = Answer | Callable[[ModelRequest], Answer]
Script: TypeAlias = Mapping[str, Sequence[ScriptedAnswer]] | Sequence[ScriptedAnswer]


def run_sql(*statements: str) -> RunSql:
    """Returns an answer that asks for these statements to be run, one call each."""
    return RunSql(statements)


class ScriptedModel:
    """Answers each agent with the next entry of its script, and keeps the requests."""

    def __init__(
        self, script: Script | Callable[[ModelRequest], Answer], *, cost_usd: float = 0.0
    ) -> None:
        """Takes the answers.

        Args:
            script: answers by the asking node's name; or one list for whoever asks; or a function
                that answers everything. An entry may be a function of the request, too.
            cost_usd: US dollars that each answer is said to have cost.
        """
        self._script = script
        self._cost_usd = cost_usd
        self._given: dict[str, int] = {}
        self.requests: list[ModelRequest] = []
        """Every request, in the order in which they came."""

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Gives the next scripted answer.

        Raises:
            ModelError: the script has no further answer for this agent.
            Exception: the script says so.
        """
        self.requests.append(request)
        answer = self._next(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, ModelResponse):
            return answer
        return _response(request, _message(request, answer), self._cost_usd)

    def _next(self, request: ModelRequest) -> Answer:
        if callable(self._script):
            return self._script(request)
        answer = self._entry(self._script, request.asker)
        return answer(request) if callable(answer) else answer

    def _entry(self, script: Script, asker: str) -> ScriptedAnswer:
        by_name = isinstance(script, Mapping)
        key = asker if by_name else ""
        answers = script.get(asker, ()) if by_name else script
        given = self._given.get(key, 0)
        if given >= len(answers):
            raise ModelError(
                f"the script has {len(answers)} answers for {asker!r}, and one more was asked for",
                hint="Give the ScriptedModel another answer, or let the last one end the work.",
            )
        self._given[key] = given + 1
        return answers[given]


def _message(request: ModelRequest, answer: str | RunSql | AssistantMessage) -> AssistantMessage:
    if isinstance(answer, str):
        return AssistantMessage(answer, said_by=request.model)
    if isinstance(answer, AssistantMessage):
        return answer
    name, argument = _first_tool(request.tools)
    calls = tuple(
        ToolCall(f"call_{request.step}_{number}", name, json.dumps({argument: statement}))
        for number, statement in enumerate(answer.statements, start=1)
    )
    return AssistantMessage(None, calls, said_by=request.model)


def _first_tool(tools: tuple[Tool, ...]) -> tuple[str, str]:
    """The first tool's name and its first argument, so that scripts know neither."""
    if not tools:
        return "run_sql", "sql"
    return tools[0].name, next(iter(tools[0].parameters.get("properties", {})), "sql")


def _response(request: ModelRequest, message: AssistantMessage, cost_usd: float) -> ModelResponse:
    said = (message.content or "") + "".join(call.arguments for call in message.tool_calls)
    usage = Usage(
        prompt_tokens=estimate_tokens(request),
        completion_tokens=max(1, len(said) // 4),
        cost_usd=cost_usd,
    )
    return ModelResponse(
        message=message,
        finish_reason="tool_calls" if message.tool_calls else "stop",
        usage=usage,
        model=request.model,
        request_sha256=fingerprint(request).sha256,
        cost_source="server",
    )
