"""Recordings of a model: one JSON line per accepted answer, small enough for a repository.

A recording holds what the model said and hashes of what it was asked, never the questions
themselves: those follow from the spec and the data, and are compared when it is played back.

The first line says with how many threads DuckDB worked. Rows of a query without ORDER BY, and the
values within `string_agg` or `list`, come in an order that depends on it; so does what an agent
saw, and a recording plays on another machine only with as many.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from taskgraph.errors import ModelError, OutputError, SettingsError
from taskgraph.llm.messages import (
    AssistantMessage,
    FinishReason,
    Message,
    ModelRequest,
    ModelResponse,
    SystemMessage,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from taskgraph.llm.model import Model
from taskgraph.llm.wire import HASH_VERSION, Fingerprint, fingerprint

_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One line of a recording."""

    tools: str
    messages: tuple[str, ...]
    """Hashes of the messages that were sent."""
    message: AssistantMessage
    finish_reason: FinishReason
    usage: Usage
    model: str
    """The model that answered."""


class Recorder:
    """Passes requests on to a model and writes down each answer it accepts."""

    def __init__(self, model: Model, path: Path, threads: int) -> None:
        """Takes the model, the file to write, and how many threads DuckDB has in this run.

        Raises:
            OutputError: the file exists and is not empty.
        """
        if path.exists() and path.stat().st_size:
            raise OutputError(
                f"the recording {path} exists already",
                hint="Delete it to record again, or choose another file.",
            )
        self._model = model
        self._path = path
        self._header: dict[str, Any] = {"hash_version": HASH_VERSION, "threads": threads}
        self._sent: dict[str, tuple[str, ...]] = {}

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answers as the model does, and writes the answer down.

        Raises:
            ModelError: the model's own errors pass; nothing is written for them.
            RunError: likewise.
            LimitReached: likewise.
        """
        response = await self._model.complete(request)
        lines = [self._line(request, response)]
        if not self._path.exists() or not self._path.stat().st_size:
            lines.insert(0, self._header)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return response

    def _line(self, request: ModelRequest, response: ModelResponse) -> dict[str, Any]:
        hashes = fingerprint(request)
        before = self._sent.get(request.asker, ())
        self._sent[request.asker] = hashes.messages
        kept = _common_prefix(before, hashes.messages)
        return {
            "hash_version": HASH_VERSION,
            "node": request.asker,
            "step": request.step,
            "request_sha256": hashes.sha256,
            "tools": hashes.tools,
            # Only what is new since the node's last line: else the file grows with its square.
            "messages": {"kept": kept, "new": list(hashes.messages[kept:])},
            "answer": _answer_json(response.message),
            "finish_reason": response.finish_reason,
            "usage": dataclasses.asdict(response.usage),
            "model": response.model,
        }


class RecordedModel:
    """Answers from a recording, and refuses a question that was not the recorded one."""

    def __init__(self, path: Path) -> None:
        """Reads the recording.

        Raises:
            SettingsError: the file is missing or is not a recording of this version.
        """
        self._path = path
        self.threads, self._answers = _read(path)
        """DuckDB's threads in the recorded run, and each answer by node and step."""

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Gives the recorded answer for this node and step.

        Which model is asked and how hard it may think is not compared: the recorded answer stands
        for all of them.

        Raises:
            ModelError: nothing was recorded for this step, or another question was.
        """
        recorded = self._answers.get((request.asker, request.step))
        if recorded is None:
            raise self._diverged(request, self._missing_step(request))
        hashes = fingerprint(request)
        difference = _difference(recorded, hashes, request.messages)
        if difference:
            raise self._diverged(request, difference)
        return ModelResponse(
            message=recorded.message,
            finish_reason=recorded.finish_reason,
            usage=recorded.usage,
            model=recorded.model,
            request_sha256=hashes.sha256,
            cost_source="none" if recorded.usage.cost_usd is None else "server",
        )

    def _missing_step(self, request: ModelRequest) -> str:
        steps = [step for node, step in self._answers if node == request.asker]
        if not steps:
            nodes = ", ".join(sorted({node for node, _ in self._answers})) or "none"
            return f"the recording has no answer for this node (it has: {nodes})"
        return f"the recording ends at step {max(steps)}"

    def _diverged(self, request: ModelRequest, difference: str) -> ModelError:
        return ModelError(
            f"the recording {self._path.name} does not fit node {request.asker!r}, "
            f"step {request.step}: {difference}",
            hint="The spec, the data or Taskgraph changed since. Record again with a real model.",
        )


def _difference(
    recorded: RecordedAnswer, asked: Fingerprint, messages: Sequence[Message]
) -> str | None:
    """Says how a question differs from the recorded one; None where it does not."""
    if asked.messages != recorded.messages:
        position = _common_prefix(asked.messages, recorded.messages)
        if position >= len(messages):
            return f"{len(messages)} messages were sent, and {len(recorded.messages)} recorded"
        return f"message {position} is another one: {_excerpt(messages[position])}"
    if asked.tools != recorded.tools:
        return "the tools are described differently"
    return None


def _excerpt(message: Message) -> str:
    match message:
        case AssistantMessage(content, calls):
            text = content or " ".join(call.arguments for call in calls)
        case SystemMessage(text) | UserMessage(text) | ToolMessage(_, text):
            pass
    kind = type(message).__name__
    return f"{kind} {text[:_EXCERPT]!r}{'...' if len(text) > _EXCERPT else ''}"


def _common_prefix(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


_Answers: TypeAlias = dict[tuple[str, int], RecordedAnswer]


def _read(path: Path) -> tuple[int, _Answers]:
    try:
        # Not splitlines: it also splits at U+2028, which may stand inside a JSON string.
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise SettingsError(f"cannot read the recording {path}: {error.strerror}") from error
    threads, answers = 0, _Answers()
    sent: dict[str, tuple[str, ...]] = {}
    for number, text in enumerate(filter(None, lines), start=1):
        try:
            line = _parse_json(text)
            if number == 1:
                threads = int(line["threads"])
            else:
                node, step, answer = _parse_line(line, sent)
                answers[node, step] = answer
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"line {number} of the recording {path} cannot be read: {error}"
            ) from error
    return threads, answers


def _parse_json(text: str) -> dict[str, Any]:
    line = json.loads(text)
    if line["hash_version"] != HASH_VERSION:
        raise ValueError(f"hash version {line['hash_version']}, this Taskgraph has {HASH_VERSION}")
    return line


def _parse_line(
    line: dict[str, Any], sent: dict[str, tuple[str, ...]]
) -> tuple[str, int, RecordedAnswer]:
    node: str = line["node"]
    kept: int = line["messages"]["kept"]
    sent[node] = (*sent.get(node, ())[:kept], *line["messages"]["new"])
    answer = RecordedAnswer(
        tools=line["tools"],
        messages=sent[node],
        message=_answer(line["answer"]),
        finish_reason=line["finish_reason"],
        usage=Usage(**line["usage"]),
        model=line["model"],
    )
    return node, int(line["step"]), answer


def _answer_json(message: AssistantMessage) -> dict[str, Any]:
    calls = [
        {"id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return {"content": message.content, "tool_calls": calls}


def _answer(answer: dict[str, Any]) -> AssistantMessage:
    calls = tuple(ToolCall(**call) for call in answer["tool_calls"])
    return AssistantMessage(answer["content"], calls)
