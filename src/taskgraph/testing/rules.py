"""What a picky upstream would hold against a request: the fake server's strict validator."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from taskgraph.llm.loose_json import Json, as_list, as_object, as_text
from taskgraph.testing.steps import Seen

KNOWN_FIELDS = frozenset(
    [
        "model",
        "models",
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "reasoning_effort",
        "max_tokens",
        "temperature",
        "top_p",
        "seed",
        "stop",
        "response_format",
        "stream",
        "user",
        "session_id",
        "prompt_cache_key",
        "cache_control",
        "plugins",
        "provider",
        "metadata",
        "trace",
        "service_tier",
    ]
)
OPENROUTER_FIELDS = frozenset(
    ("reasoning", "session_id", "cache_control", "plugins", "provider", "models", "trace")
)


@dataclass
class History:
    """What a lane has seen and sent before."""

    messages: list[Json] = field(default_factory=list[Json])
    tools: str | None = None
    system: str | None = None
    reasoning: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Model and `reasoning_details` sent, as JSON text."""
    compacts: bool = False
    """One request may change the messages before its end."""


def violations(seen: Seen, history: History, dialect: str) -> list[str]:
    """Returns what is wrong with a request, given what its lane has seen and sent before."""
    found = [*_field_faults(seen, dialect), *_header_faults(seen), *_call_faults(seen.messages)]
    found += _argument_faults(seen.messages)
    found += _prefix_faults(seen, history)
    if dialect == "openrouter":
        found += _reasoning_faults(seen, history)
    return [f"{seen.lane} request {seen.number}: {fault}" for fault in found]


def remember(seen: Seen, history: History) -> None:
    """Notes a request that was answered."""
    if seen.messages[: len(history.messages)] != history.messages:
        history.compacts = False
        raw = seen.raw.decode(errors="replace")
        history.reasoning = [one for one in history.reasoning if _returned(one[1], raw)]
    history.messages = seen.messages
    history.tools = _dump(seen.body.get("tools"))
    history.system = _system(seen.messages)


def _field_faults(seen: Seen, dialect: str) -> Iterator[str]:
    unknown = set(seen.body) - KNOWN_FIELDS
    if unknown:
        yield f"unknown fields {sorted(unknown)}"
    if dialect != "openrouter" and (foreign := OPENROUTER_FIELDS & set(seen.body)):
        yield f"OpenRouter's own fields {sorted(foreign)} sent to {dialect}"
    if not isinstance(seen.body.get("max_tokens"), int):
        yield "max_tokens is missing"
    if _dump(seen.body).count('"cache_control"') > 4:
        yield "more than 4 cache breakpoints"


def _header_faults(seen: Seen) -> Iterator[str]:
    authorization = seen.headers.get("authorization")
    if authorization is not None and len(authorization.split(" ")) != 2:
        yield "the Authorization header is malformed"
    if seen.headers.get("content-type") != "application/json":
        yield "the content type is not application/json"


def _call_faults(messages: Sequence[Json]) -> Iterator[str]:
    """Every call has exactly one result, right behind it; ids are unique."""
    ids = Counter(call_id for message in messages for call_id in _call_ids(message))
    repeated = [call_id for call_id, count in ids.items() if count > 1 or not call_id]
    if repeated:
        yield f"call ids are empty or used twice: {repeated}"
    open_ids: list[str] = []
    for position, message in enumerate(messages):
        if message.get("role") == "tool":
            call_id = str(message.get("tool_call_id"))
            if call_id not in open_ids:
                yield f"message {position} answers no open call: {call_id!r}"
            else:
                open_ids.remove(call_id)
            continue
        if open_ids:
            yield f"message {position} follows calls without a result: {open_ids}"
        open_ids = list(_call_ids(message))
    if open_ids:
        yield f"calls without a result: {open_ids}"


def _argument_faults(messages: Sequence[Json]) -> Iterator[str]:
    for position, message in enumerate(messages):
        if message.get("role") != "assistant":
            continue
        calls = as_list(message.get("tool_calls"))
        if calls and message.get("content") == "":
            yield f"message {position} has empty content beside calls: null is right"
        for call in calls:
            if not _is_object(as_object(as_object(call).get("function")).get("arguments")):
                yield f"message {position} has arguments that are no JSON object"


def _prefix_faults(seen: Seen, history: History) -> Iterator[str]:
    """A cached prefix stays valid: tools and earlier messages are the same bytes as before."""
    if not seen.body.get("tools"):
        yield "tools are missing"
    if history.tools is None:
        return
    if _dump(seen.body.get("tools")) != history.tools:
        yield "tools differ from the request before"
    if _system(seen.messages) != history.system:
        yield "the system message differs from the request before"
    kept = seen.messages[: len(history.messages)]
    if not history.compacts and _dump(kept) != _dump(history.messages):
        yield "earlier messages differ from the request before"


def _reasoning_faults(seen: Seen, history: History) -> Iterator[str]:
    """Reasoning comes back byte for byte, wherever its message still stands."""
    raw = seen.raw.decode(errors="replace")
    own = [text for model, text in history.reasoning if model == seen.model]
    lost = [text for text in own if not _returned(text, raw)]
    if lost and not history.compacts:
        yield f"reasoning_details did not come back as sent: {lost[0][:80]}"
    if sum("reasoning_details" in message for message in seen.messages) > len(own):
        yield "reasoning_details that this model never sent"


def _returned(reasoning: str, raw: str) -> bool:
    return f'"reasoning_details":{reasoning}' in raw


def _call_ids(message: Json) -> Iterator[str]:
    for call in as_list(message.get("tool_calls")):
        yield as_text(as_object(call).get("id")) or ""


def _is_object(arguments: object) -> bool:
    try:
        return isinstance(arguments, str) and isinstance(json.loads(arguments), dict)
    except ValueError:
        return False


def _system(messages: Sequence[Json]) -> str:
    return _dump([message for message in messages if message.get("role") == "system"])


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
