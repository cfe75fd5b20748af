"""Recordings of a model: one JSON line per accepted answer, small enough for a repository.

A recording holds what the model said and hashes of what it was asked, never the questions
themselves: those follow from the spec and the data, and are compared when it is played back.

The first line says what else the questions followed from. With how many threads DuckDB worked:
rows of a query without ORDER BY, and the values within `string_agg` or `list`, come in an order
that depends on it, so that a recording plays on another machine only with as many. What a statement
and a result may take, for agents are told. And how much each model can read and write, for an agent
cuts its conversation to that; where it cut because the server found a question too long, the
refused question has a line too.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeAlias

from taskgraph.errors import ContextOverflow, OutputError, SettingsError
from taskgraph.llm.messages import (
    AssistantMessage,
    FinishReason,
    ModelRequest,
    ModelResponse,
    ToolCall,
    Usage,
)
from taskgraph.llm.model import Model
from taskgraph.llm.preflight import ModelFacts
from taskgraph.llm.wire import HASH_VERSION, fingerprint, without_surrogates
from taskgraph.settings import LEAST_THREADS, RunSettings

Hashes: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What, beside the spec and the data, the questions of a run followed from."""

    threads: int
    """DuckDB's."""
    facts: Mapping[str, ModelFacts] = field(default_factory=dict[str, ModelFacts])
    """What was known of each model."""
    query_timeout_s: float | None = None
    """Seconds per statement of an agent; None where it was not recorded."""
    max_result_characters: int | None = None
    """Characters of one result; None where it was not recorded."""


def circumstances(settings: RunSettings, facts: Mapping[str, ModelFacts]) -> Circumstances:
    """Returns those of a run whose settings say how many threads it has."""
    return Circumstances(
        threads=settings.threads or LEAST_THREADS,
        facts=facts,
        query_timeout_s=settings.query_timeout_s,
        max_result_characters=settings.max_result_characters,
    )


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What the model said."""

    request_sha256: str
    message: AssistantMessage
    finish_reason: FinishReason
    usage: Usage
    model: str
    """The model that answered."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One question, and what became of it."""

    node: str
    step: int
    tools: str
    """Hash of the tools' descriptions."""
    messages: Hashes
    """Hashes of the messages that were sent."""
    answer: RecordedAnswer | None
    """None where the server found the question too long."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded run, wherever it was kept."""

    name: str
    """For messages."""
    circumstances: Circumstances
    calls: tuple[RecordedCall, ...]
    """In the order in which they were answered."""
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    """By hash, what messages said; where the recording kept it."""
    ends: Mapping[str, str] = field(default_factory=dict[str, str])
    """By node, why no answer follows; where the recording kept it."""


@dataclass
class Asked:
    """Writes what was asked as what is new in it, for else a record grows with its square."""

    _last: dict[str, Hashes] = field(default_factory=dict[str, Hashes])

    def shortened(self, node: str, messages: Hashes) -> dict[str, Any]:
        """Returns the hashes as what they have beyond the node's last ones."""
        kept = common_prefix(self._last.get(node, ()), messages)
        self._last[node] = messages
        return {"kept": kept, "new": list(messages[kept:])}

    def restored(self, node: str, shortened: Mapping[str, Any]) -> Hashes:
        """Returns them whole again."""
        messages = (*self._last.get(node, ())[: shortened["kept"]], *shortened["new"])
        self._last[node] = messages
        return messages


def common_prefix(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns how many hashes are the same, from the first on."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


class Recorder:
    """Passes requests on to a model and writes down each answer it accepts."""

    def __init__(self, model: Model, path: Path, circumstances: Circumstances) -> None:
        """Takes the model and the file to write.

        Args:
            model: answers the requests.
            path: the file.
            circumstances: what the questions follow from.

        Raises:
            OutputError: the file exists and is not empty.
        """
        demand_new(path)
        self._model = model
        self._path = path
        self._header: dict[str, Any] | None = header_json(circumstances)
        self._asked = Asked()

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
            self._write(_call(request, None))
            raise
        self._write(_call(request, _answer(response)))
        return response

    def _write(self, call: RecordedCall) -> None:
        lines = [call_json(call, self._asked)]
        if self._header:
            lines.insert(0, self._header)
            self._header = None
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(map(_line, lines))


def write_recording(recording: Recording, path: Path) -> None:
    """Writes a recording as text.

    Raises:
        OutputError: the file cannot be written.
    """
    asked = Asked()
    lines = [call_json(call, asked) for call in recording.calls]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.writelines(map(_line, [header_json(recording.circumstances), *lines]))
    except OSError as error:
        raise OutputError(f"cannot write {str(path)!r}: {error.strerror}") from error


def demand_new(path: Path) -> None:
    """Makes sure that no recording is overwritten: it may be the only one.

    Raises:
        OutputError: the file exists and is not empty.
    """
    if path.exists() and path.stat().st_size:
        raise OutputError(
            f"the recording {str(path)!r} exists already",
            hint="Delete it to record again, or choose another file.",
        )


def read_recording(path: Path) -> Recording:
    """Reads a recording from its text.

    Raises:
        SettingsError: the file is missing or is not a recording of this version.
    """
    try:
        # Not splitlines: it also splits at U+2028, which may stand inside a JSON string.
        lines = filter(None, path.read_text(encoding="utf-8").split("\n"))
        return _recording(path, lines)
    except OSError as error:
        raise SettingsError(f"cannot read the recording {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"the recording {path} is not UTF-8 text: {error.reason}") from error


def _recording(path: Path, lines: Iterable[str]) -> Recording:
    circumstances, calls, asked = Circumstances(0), list[RecordedCall](), Asked()
    for number, text in enumerate(lines, start=1):
        try:
            line = _parsed(text)
            if number == 1:
                circumstances = _circumstances(line)
            else:
                calls.append(_recorded_call(line, asked))
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"line {number} of the recording {path} cannot be read: {error}"
            ) from error
    return Recording(path.name, circumstances, tuple(calls))


def header_json(circumstances: Circumstances) -> dict[str, Any]:
    """Returns the first line."""
    return {
        "hash_version": HASH_VERSION,
        "threads": circumstances.threads,
        "query_timeout_s": circumstances.query_timeout_s,
        "max_result_characters": circumstances.max_result_characters,
        "models": facts_json(circumstances.facts),
    }


def facts_json(facts: Mapping[str, ModelFacts]) -> dict[str, Any]:
    """Returns what of the facts decides about what is sent."""
    return {
        name: {
            "context_length": one.context_length,
            "max_completion_tokens": one.max_completion_tokens,
        }
        for name, one in facts.items()
    }


def facts_from_json(models: Mapping[str, Any]) -> dict[str, ModelFacts]:
    """Reads them back."""
    return {name: ModelFacts(name, **one) for name, one in models.items()}


def call_json(call: RecordedCall, asked: Asked) -> dict[str, Any]:
    """Returns the line of a call."""
    return {
        "hash_version": HASH_VERSION,
        "node": call.node,
        "step": call.step,
        "tools": call.tools,
        "messages": asked.shortened(call.node, call.messages),
        **({"too_long": True} if call.answer is None else _answer_json(call.answer)),
    }


def sent_json(requests: Sequence[ModelRequest], asked: Asked) -> str:
    """Returns what was sent in one step: the forms of its question, the one that was answered last."""
    hashes = [fingerprint(request) for request in requests]
    return json.dumps(
        {
            "hash_version": HASH_VERSION,
            "tools": hashes[-1].tools,
            "messages": [
                asked.shortened(request.asker, one.messages)
                for request, one in zip(requests, hashes, strict=True)
            ],
        }
    )


def calls_from_json(
    node: str, step: int, sent: str, asked: Asked, answer: RecordedAnswer
) -> tuple[RecordedCall, ...]:
    """Reads back what was sent in one step.

    Raises:
        ValueError: another version of Taskgraph wrote it.
    """
    line = _parsed(sent)
    *too_long, taken = (asked.restored(node, one) for one in line["messages"])
    calls = [RecordedCall(node, step, line["tools"], one, None) for one in too_long]
    return (*calls, RecordedCall(node, step, line["tools"], taken, answer))


def _call(request: ModelRequest, answer: RecordedAnswer | None) -> RecordedCall:
    hashes = fingerprint(request)
    return RecordedCall(request.asker, request.step, hashes.tools, hashes.messages, answer)


def _answer(response: ModelResponse) -> RecordedAnswer:
    return RecordedAnswer(
        request_sha256=response.request_sha256,
        message=response.message,
        finish_reason=response.finish_reason,
        usage=response.usage,
        model=response.model,
    )


def _answer_json(answer: RecordedAnswer) -> dict[str, Any]:
    message = answer.message
    calls = [
        {"id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return {
        "request_sha256": answer.request_sha256,
        "answer": {"content": message.content, "tool_calls": calls},
        "finish_reason": answer.finish_reason,
        "usage": dataclasses.asdict(answer.usage),
        "model": answer.model,
    }


def _line(line: Mapping[str, Any]) -> str:
    return without_surrogates(json.dumps(line, ensure_ascii=False)) + "\n"


def _parsed(text: str) -> dict[str, Any]:
    line = json.loads(text)
    if line["hash_version"] != HASH_VERSION:
        raise ValueError(f"hash version {line['hash_version']}, this Taskgraph has {HASH_VERSION}")
    return line


def _circumstances(line: Mapping[str, Any]) -> Circumstances:
    return Circumstances(
        threads=int(line["threads"]),
        facts=facts_from_json(line["models"]),
        query_timeout_s=line.get("query_timeout_s"),
        max_result_characters=line.get("max_result_characters"),
    )


def _recorded_call(line: Mapping[str, Any], asked: Asked) -> RecordedCall:
    return RecordedCall(
        node=line["node"],
        step=int(line["step"]),
        tools=line["tools"],
        messages=asked.restored(line["node"], line["messages"]),
        answer=None if line.get("too_long") else _recorded_answer(line),
    )


def _recorded_answer(line: Mapping[str, Any]) -> RecordedAnswer:
    calls = tuple(ToolCall(**call) for call in line["answer"]["tool_calls"])
    return RecordedAnswer(
        request_sha256=line["request_sha256"],
        message=AssistantMessage(line["answer"]["content"], calls),
        finish_reason=line["finish_reason"],
        usage=Usage(**line["usage"]),
        model=line["model"],
    )
