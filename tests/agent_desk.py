"""An agent on a table: scripted model, recording listener, a tool that answers from a dict."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from taskgraph.agent.loop import run_agent
from taskgraph.agent.task import AgentResult, AgentTask, ToolOutcome
from taskgraph.agent.tools import RUN_SQL
from taskgraph.events import CheckResult, Event, ModelAnswered, Said
from taskgraph.llm.messages import (
    AssistantMessage,
    FinishReason,
    Message,
    ModelResponse,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from taskgraph.llm.model import Model
from taskgraph.llm.scripted import ScriptedAnswer, ScriptedModel

TASK = AgentTask(
    node="match",
    model="test/model",
    session="run/match",
    system="The job.",
    brief="The task.",
    tools=(RUN_SQL,),
)
PASS = (CheckResult("total", "pass", ""),)
FAIL = (CheckResult("total", "fail", "off by 3"),)


def calls(
    *arguments: str, name: str = "run_sql", ids: Sequence[str] | None = None
) -> AssistantMessage:
    """An answer with one call per arguments text."""
    return AssistantMessage(
        None,
        tuple(
            ToolCall(f"c{at}" if ids is None else ids[at], name, text)
            for at, text in enumerate(arguments)
        ),
    )


def asks(*statements: str) -> AssistantMessage:
    """An answer that runs these statements, without ids."""
    written = [json.dumps({"sql": statement}) for statement in statements]
    return calls(*written, ids=[""] * len(written))


USAGE = Usage(100, 10)


def ends(
    message: AssistantMessage | str | None, finish: FinishReason, usage: Usage = USAGE
) -> ModelResponse:
    """A response with a finish reason of its own."""
    if not isinstance(message, AssistantMessage):
        message = AssistantMessage(message)
    return ModelResponse(message, finish, usage, model="test/model-2026")


@dataclass
class Bench:
    """Runs one agent and keeps all that was seen of it."""

    script: Sequence[ScriptedAnswer] = ()
    verdicts: list[tuple[CheckResult, ...]] = field(default_factory=list[tuple[CheckResult, ...]])
    answers: Callable[[str], ToolOutcome | Exception] = lambda sql: ToolOutcome(
        f"ran {sql}", False, "s"
    )
    events: list[Event] = field(default_factory=list[Event])
    ran: list[str] = field(default_factory=list[str])
    steps: list[str] = field(default_factory=list[str])
    """What was said (`said ...`) and when it became durable."""
    model: Model | None = None
    now: float = 0.0

    def __post_init__(self) -> None:
        self.scripted = ScriptedModel(self.script)

    async def run(self, task: AgentTask = TASK) -> AgentResult:
        return await run_agent(
            self.model or self.scripted,
            task,
            run_sql=self._run_sql,
            accept=self._accept,
            emit=self._emit,
            durable=self._durable,
            clock=lambda: self.now,
        )

    @property
    def said(self) -> list[Message]:
        """Every message that joined, in order."""
        return [event.message for event in self.events if isinstance(event, Said)]

    @property
    def positions(self) -> list[int]:
        """Places of the messages that joined."""
        return [event.position for event in self.events if isinstance(event, Said)]

    @property
    def results(self) -> list[str]:
        """What the model was told of each call."""
        return [one.content for one in self.said if isinstance(one, ToolMessage)]

    @property
    def told(self) -> list[str]:
        """What the engine said outside of results, the brief left out."""
        return [one.content for one in self.said if isinstance(one, UserMessage)][1:]

    @property
    def answered(self) -> list[ModelAnswered]:
        return [event for event in self.events if isinstance(event, ModelAnswered)]

    def sent(self, number: int) -> list[Message]:
        """The messages of one request."""
        return list(self.scripted.requests[number].messages)

    async def _run_sql(self, sql: str) -> ToolOutcome:
        self.ran.append(sql)
        answer = self.answers(sql)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _accept(self) -> tuple[CheckResult, ...]:
        return self.verdicts.pop(0) if self.verdicts else PASS

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Said):
            self.steps.append(type(event.message).__name__.removesuffix("Message").lower())

    async def _durable(self) -> None:
        self.steps.append("durable")


def with_limits(**limits: Any) -> AgentTask:
    """The task with some of its limits changed."""
    return replace(TASK, limits=replace(TASK.limits, **limits))
