"""Recordings of a model: one JSON line per accepted answer, small enough for a repository.

A recording holds what the model said and hashes of what it was asked, never the questions
themselves: those follow from the spec and the data, and are compared when it is played back.

The first line says what else the questions followed from. With how many threads DuckDB worked:
rows of a query without ORDER BY, and the values within `string_agg` or `list`, come in an order
that depends on it, so that a recording plays on another machine only with as many. And how much
each model can read and write, for an agent cuts its conversation to that; where it cut because the
server found a question too long, the refused question has a line too.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from taskgraph.errors import ContextOverflow, ModelError, OutputError, SettingsError
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
from taskgraph.llm.preflight import ModelFacts
from taskgraph.llm.wire import HASH_VERSION, Fingerprint, fingerprint

_Hashes: TypeAlias = tuple[str, ...]
_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One line of a recording."""

    tools: str
    messages: _Hashes
    """Hashes of the messages that were sent."""
    message: AssistantMessage
    finish_reason: FinishReason
    usage: Usage
    model: str
    """The model that answered."""


class Recorder:
    """Passes requests on to a model and writes down each answer it accepts."""

    def __init__(
        self, model: Model, path: Path, threads: int, facts: Mapping[str, ModelFacts] | None = None
    ) -> None:
        """Takes the model and the file to write.

        Args:
            model: answers the requests.
            path: the file.
            threads: how many DuckDB has in this run.
            facts: what is known of each model.

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
        self._header: dict[str, Any] = {
            "hash_version": HASH_VERSION,
            "threads": threads,
            "models": {name: _facts_json(one) for name, one in (facts or {}).items()},
        }
        self._sent: dict[str, _Hashes] = {}

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answers as the model does, and writes the answer down.

        Raises:
            ModelError: the model's own errors pass; nothing is written for them.
            ContextOverflow: likewise, but for a line that says so.
            RunError: likewise.
            LimitReached: likewise.
        """
        try:
            response = await self._model.complete(request)
        except ContextOverflow:
            self._write({**self._question(request), "too_long": True})
            raise
        self._write({**self._question(request), **_response_json(response)})
        return response

    def _write(self, line: dict[str, Any]) -> None:
        lines = [line]
        if not self._path.exists() or not self._path.stat().st_size:
            lines.insert(0, self._header)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def _question(self, request: ModelRequest) -> dict[str, Any]:
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
        }


class RecordedModel:
    """Answers from a recording, and refuses a question that was not the recorded one."""

    def __init__(self, path: Path) -> None:
        """Reads the recording.

        Raises:
            SettingsError: the file is missing or is not a recording of this version.
        """
        self._path = path
        self._recording = _read(path)

    @property
    def threads(self) -> int:
        """DuckDB's threads in the recorded run."""
        return self._recording.threads

    def facts(self, model: str) -> ModelFacts:
        """Returns what the recorded run knew of a model, or of its only one: any may be named."""
        known = self._recording.facts
        only = next(iter(known.values())) if len(known) == 1 else ModelFacts(model)
        return replace(known.get(model, only), model=model)

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Gives the recorded answer for this node and step, at no cost.

        Which model is asked and how hard it may think is not compared: the recorded answer stands
        for all of them.

        Raises:
            ModelError: nothing was recorded for this step, or another question was.
            ContextOverflow: the recorded server found this question too long.
        """
        hashes = fingerprint(request)
        if self._recording.was_too_long(request.asker, hashes.messages):
            raise ContextOverflow(f"the model recorded in {self._path.name} found this too long")
        recorded = self._recording.answers.get((request.asker, request.step))
        if recorded is None:
            raise self._diverged(request, self._missing_step(request))
        difference = _difference(recorded, hashes, request.messages)
        if difference:
            raise self._diverged(request, difference)
        return ModelResponse(
            message=recorded.message,
            finish_reason=recorded.finish_reason,
            usage=replace(recorded.usage, cost_usd=0.0),
            model=recorded.model,
            request_sha256=hashes.sha256,
            cost_source="server",
        )

    def _missing_step(self, request: ModelRequest) -> str:
        answers = self._recording.answers
        steps = [step for node, step in answers if node == request.asker]
        if not steps:
            nodes = ", ".join(sorted({node for node, _ in answers})) or "none"
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


@dataclass
class _Recording:
    """A file, read line by line."""

    threads: int = 0
    facts: dict[str, ModelFacts] = field(default_factory=dict[str, ModelFacts])
    answers: dict[tuple[str, int], RecordedAnswer] = field(
        default_factory=dict[tuple[str, int], RecordedAnswer]
    )
    """By node and step."""
    too_long: Counter[tuple[str, _Hashes]] = field(default_factory=Counter[tuple[str, _Hashes]])
    """How often servers refused a node's messages as too long; another model may have taken them."""
    _sent: dict[str, _Hashes] = field(default_factory=dict[str, _Hashes])

    def begin(self, line: dict[str, Any]) -> None:
        """Takes the first line."""
        self.threads = int(line["threads"])
        self.facts = {name: ModelFacts(name, **one) for name, one in line["models"].items()}

    def add(self, line: dict[str, Any]) -> None:
        """Takes the next line."""
        node: str = line["node"]
        kept: int = line["messages"]["kept"]
        sent = (*self._sent.get(node, ())[:kept], *line["messages"]["new"])
        self._sent[node] = sent
        if line.get("too_long"):
            self.too_long[node, sent] += 1
        else:
            self.answers[node, int(line["step"])] = _recorded_answer(line, sent)

    def was_too_long(self, node: str, messages: _Hashes) -> bool:
        """Says whether the next answer to this question was that it is too long."""
        self.too_long[node, messages] -= 1
        return self.too_long[node, messages] >= 0


def _read(path: Path) -> _Recording:
    try:
        # Not splitlines: it also splits at U+2028, which may stand inside a JSON string.
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise SettingsError(f"cannot read the recording {path}: {error.strerror}") from error
    recording = _Recording()
    for number, text in enumerate(filter(None, lines), start=1):
        try:
            take = recording.begin if number == 1 else recording.add
            take(_parse_json(text))
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"line {number} of the recording {path} cannot be read: {error}"
            ) from error
    return recording


def _parse_json(text: str) -> dict[str, Any]:
    line = json.loads(text)
    if line["hash_version"] != HASH_VERSION:
        raise ValueError(f"hash version {line['hash_version']}, this Taskgraph has {HASH_VERSION}")
    return line


def _facts_json(facts: ModelFacts) -> dict[str, Any]:
    """What of the facts decides about what is sent."""
    return {
        "context_length": facts.context_length,
        "max_completion_tokens": facts.max_completion_tokens,
    }


def _response_json(response: ModelResponse) -> dict[str, Any]:
    message = response.message
    calls = [
        {"id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return {
        "answer": {"content": message.content, "tool_calls": calls},
        "finish_reason": response.finish_reason,
        "usage": dataclasses.asdict(response.usage),
        "model": response.model,
    }


def _recorded_answer(line: dict[str, Any], sent: _Hashes) -> RecordedAnswer:
    calls = tuple(ToolCall(**call) for call in line["answer"]["tool_calls"])
    return RecordedAnswer(
        tools=line["tools"],
        messages=sent,
        message=AssistantMessage(line["answer"]["content"], calls),
        finish_reason=line["finish_reason"],
        usage=Usage(**line["usage"]),
        model=line["model"],
    )
