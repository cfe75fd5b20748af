"""A model request as bytes: the same request is always the same bytes.

Providers bill a prefix they have seen before at a fraction of its price, so that a conversation's
body must only ever grow at its end: keys are sorted, and the messages come last. Source of the
fields and of what each server bears: OpenRouter's API reference, August 2026.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn, TypeAlias, cast
from weakref import WeakKeyDictionary

from taskgraph.llm.limits_told import without_limits
from taskgraph.llm.messages import (
    AssistantMessage,
    Message,
    ModelRequest,
    SystemMessage,
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)

Dialect: TypeAlias = Literal["openrouter", "openai"]
"""`openai` is the plain chat-completions API, as local servers speak it: no field of OpenRouter's
own, string content only, no reasoning sent back. How hard to think is said in its own field, which
not every model there takes; the client notices."""

HASH_VERSION = 3
"""Raise it when `fingerprint` would give another hash for the same request."""

BYTES_PER_TOKEN = 3.5
SESSION_CHARACTERS = 256
_PLAN = re.compile(r"\s*[\u2500-\u257f]|analyzed_plan\|")
"""How the lines begin in which DuckDB draws a query's plan."""
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hashes over a request, without its session, its server, its reasoning, and the limits told."""

    sha256: str
    """Over everything that follows, the model and its parameters."""
    messages: tuple[str, ...]
    """One short hash per message, in order."""
    tools: str


def encode(
    request: ModelRequest, dialect: Dialect, ignored_providers: tuple[str, ...] = ()
) -> bytes:
    """Returns the body of a chat-completions request.

    Args:
        request: what is asked.
        dialect: which fields the server understands.
        ignored_providers: providers behind OpenRouter that must not answer this time.
    """
    head = _parameters(request)
    if dialect == "openrouter":
        head |= _openrouter_only(request, ignored_providers)
    elif request.reasoning_effort:
        head["reasoning_effort"] = request.reasoning_effort
    messages = ",".join(
        _message_text(message, request.model, dialect) for message in request.messages
    )
    # Joined by hand: `reasoning_details` is signed text and must not pass through a parser.
    return f'{_clean(head)[:-1]},"messages":[{messages}]}}'.encode()


def fingerprint(request: ModelRequest) -> Fingerprint:
    """Returns the hashes by which a recorded answer is found again.

    Reasoning is left out: it is the model's own and no part of what is asked, so that a recording
    need not keep it.
    """
    messages = tuple(map(digest, request.messages))
    whole = _clean([HASH_VERSION, _parameters(request), list(messages)])
    tools = _digest(_clean(_tools_json(request.tools)))
    return Fingerprint(hashlib.sha256(whole.encode()).hexdigest(), messages, tools)


def digest(message: Message) -> str:
    """Returns the hash of one message, as a fingerprint has it."""
    return _written(message).digest


def estimate_tokens(request: ModelRequest) -> int:
    """Returns about how many prompt tokens a request has; rather too many than too few."""
    tools = len(_clean(_tools_json(request.tools)).encode())
    messages = sum(_written(message).size for message in request.messages)
    return round((tools + messages) / BYTES_PER_TOKEN)


def canonical(value: object) -> str:
    """Returns JSON text with sorted keys and no white space."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def canonical_arguments(arguments: str) -> str:
    """Returns a tool call's arguments as canonical JSON, `{}` where they are not a JSON object.

    Malformed arguments in the history make servers refuse every later request of a conversation.
    """
    try:
        value: object = json.loads(arguments, strict=False, parse_constant=_refuse_constant)
        return canonical(cast("object", value)) if isinstance(value, dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def without_surrogates(text: str) -> str:
    """Returns the text with lone surrogates, which UTF-8 cannot hold, replaced by U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)


def _parameters(request: ModelRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {"model": request.model, "max_tokens": request.max_tokens}
    if request.tools:
        parameters["tools"] = _tools_json(request.tools)
        parameters["tool_choice"] = request.tool_choice
        # llama.cpp allows one call per answer unless told otherwise.
        parameters["parallel_tool_calls"] = True
    return parameters


def _openrouter_only(request: ModelRequest, ignored_providers: tuple[str, ...]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "session_id": request.session[:SESSION_CHARACTERS],
        # Small models would otherwise have their prompt cut silently, in ways that no run repeats.
        "plugins": [{"id": "context-compression", "enabled": False}],
    }
    if request.reasoning_effort:
        fields["reasoning"] = {"effort": request.reasoning_effort}
    if request.model.startswith(("anthropic/", "~anthropic/")):
        fields["cache_control"] = {"type": "ephemeral"}
    if ignored_providers:
        fields["provider"] = {"ignore": list(ignored_providers)}
    return fields


def _tools_json(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in tools
    ]


def _message_text(message: Message, model: str, dialect: Dialect) -> str:
    text = _written(message).text
    if dialect == "openai" or not isinstance(message, AssistantMessage):
        return text
    if message.said_by not in (None, model):
        return text
    if message.reasoning_details is not None:
        details = without_surrogates(message.reasoning_details)
        return f'{text[:-1]},"reasoning_details":{details}}}'
    if message.reasoning:
        return f'{text[:-1]},"reasoning":{_clean(message.reasoning)}}}'
    return text


@dataclass(frozen=True, slots=True)
class _Written:
    """A message as JSON."""

    text: str
    size: int
    """Bytes of the text."""
    digest: str


_all_written: WeakKeyDictionary[Message, _Written] = WeakKeyDictionary()


def _written(message: Message) -> _Written:
    # Kept as long as the message: a conversation is measured, hashed and sent anew at every turn.
    written = _all_written.get(message)
    if written is None:
        text = _clean(_message_json(message))
        digest = _digest(_clean(_message_json(_comparable(message))))
        written = _all_written[message] = _Written(text, len(text.encode()), digest)
    return written


def _comparable(message: Message) -> Message:
    """Leaves out the limits that were told, and sorts the lines of a tool's result.

    Rows without ORDER BY come in any order; a run that was stopped by a limit goes on with another
    one; and the plans that EXPLAIN ANALYZE draws hold times, which never come again.
    """
    match message:
        case ToolMessage(_, content):
            lines = without_limits(content).split("\n")
            lasting = sorted(line for line in lines if not _PLAN.match(line))
            return replace(message, content="\n".join(lasting))
        case UserMessage(content):
            return replace(message, content=without_limits(content))
        case _:
            return message


def _message_json(message: Message) -> Mapping[str, Any]:
    match message:
        case SystemMessage(content):
            return {"role": "system", "content": content}
        case UserMessage(content):
            return {"role": "user", "content": content}
        case ToolMessage(call_id, content):
            return {"role": "tool", "tool_call_id": call_id, "content": content}
        case AssistantMessage(content, calls):
            return _assistant_json(content, calls)


def _assistant_json(content: str | None, calls: tuple[ToolCall, ...]) -> dict[str, Any]:
    if not calls:
        return {"role": "assistant", "content": content or ""}
    # Bedrock refuses "" beside calls.
    return {
        "role": "assistant",
        "content": content or None,
        "tool_calls": [_call_json(call) for call in calls],
    }


def _call_json(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": canonical_arguments(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _clean(value: object) -> str:
    """Canonical JSON that UTF-8 can hold."""
    return without_surrogates(canonical(value))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
