"""A chat-completions response body, read: an answer, a server's error, or nothing usable.

Every field is optional: what the specification requires is often missing on the wire, and what it
does not mention is there. Sources: OpenRouter's API reference, recorded traffic of 2025 and 2026,
and the sources of Ollama, vLLM, llama.cpp and LiteLLM.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from taskgraph.llm.loose_json import (
    EMPTY,
    Json,
    as_count,
    as_list,
    as_object,
    as_text,
    as_texts,
    first_number,
    parsed_json,
)
from taskgraph.llm.messages import AssistantMessage, FinishReason, ToolCall, Usage
from taskgraph.llm.wire import canonical

LITELLM_COST_HEADER = "x-litellm-response-cost"
_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "completed": "stop",
    "end_turn": "stop",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "error": "error",
}
_STATUS_OF_KIND: Mapping[str, int] = {
    "authentication": 401,
    "payment_required": 402,
    "insufficient_quota": 402,
    "permission_denied": 403,
    "not_found": 404,
    "payload_too_large": 413,
    "unprocessable": 422,
    "rate_limit_exceeded": 429,
    "invalid_request": 400,
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "content_policy_violation": 400,
    "refusal": 400,
    "context_length_exceeded": 400,
    "token_limit_exceeded": 400,
    "string_too_long": 400,
    "max_tokens_exceeded": 400,
    "provider_unavailable": 502,
    "provider_overloaded": 503,
    "timeout": 504,
}
_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None)
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Completion:
    """A body with a message in it."""

    message: AssistantMessage
    finish_reason: FinishReason
    usage: Usage | None
    model: str | None
    generation_id: str | None
    provider: str | None

    @property
    def is_empty(self) -> bool:
        """Nothing was said, nothing was thought, and no token was spent on it."""
        said = (
            self.message.content
            or self.message.tool_calls
            or self.message.reasoning
            or self.message.reasoning_details not in {None, "[]"}
        )
        spent = self.usage.completion_tokens if self.usage else 0
        return not said and not spent and self.finish_reason != "length"


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error that the server or a provider behind it reports, whatever the HTTP status."""

    message: str
    code: int | None = None
    kind: str | None = None
    """The error's type, such as `context_length_exceeded`."""
    provider: str | None = None
    reasons: tuple[str, ...] = ()
    """Why moderation refused."""
    retryable: bool | None = None
    """What the server itself says of trying again."""
    retry_after_s: float | None = None
    resets_at_ms: float | None = None
    """Epoch milliseconds at which a rate limit ends."""
    usage: Usage | None = None
    """Tokens that were spent before the error."""

    @property
    def status(self) -> int | None:
        """The HTTP status that the code, or else the kind, stands for."""
        if self.code is not None and 400 <= self.code < 600:
            return self.code
        return _STATUS_OF_KIND.get(self.kind or "")


@dataclass(frozen=True, slots=True)
class Unusable:
    """A body that is neither an answer nor an error."""

    why: str
    usage: Usage | None = None


Reading: TypeAlias = Completion | ServerError | Unusable


def read_body(text: str, headers: Mapping[str, str] = EMPTY) -> Reading:
    """Reads a response body.

    Args:
        text: the body, decoded; leading white space (OpenRouter's keep-alive) is legal JSON.
        headers: with lower-case names; LiteLLM tells the cost there.
    """
    text = text.lstrip("\ufeff")
    if not text.strip():
        return Unusable("the body is empty" if not text else "the body is only white space")
    try:
        body: object = json.loads(text, strict=False, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        return Unusable(f"the body is not JSON ({error})")
    if not isinstance(body, dict):
        return Unusable(f"the body is not a JSON object: {text.strip()[:100]!r}")
    return _read_object(cast("Json", body), text, headers)


def _read_object(body: Json, text: str, headers: Mapping[str, str]) -> Reading:
    usage = _usage(as_object(body.get("usage")), headers)
    error = _reported_error(body)
    if error is not None:
        return _server_error(error, usage)
    choice = _first_choice(body)
    message = as_object(choice.get("message"))
    if not message:
        return Unusable("the body has no message: " + _keys(body), usage)
    return Completion(
        message=_message(message, text),
        finish_reason=_finish_reason(choice),
        usage=usage,
        model=as_text(body.get("model")),
        generation_id=as_text(body.get("id")),
        provider=as_text(body.get("provider")),
    )


def _reported_error(body: Json) -> Json | None:
    """The error object, in any of the places where servers put it."""
    choice = _first_choice(body)
    for candidate in (body.get("error"), choice.get("error")):
        if isinstance(candidate, str) and candidate:
            return {"message": candidate}
        if isinstance(candidate, dict) and candidate:
            return cast("Json", candidate)
    if choice.get("finish_reason") == "error":
        return {"message": "the provider broke off its answer"}
    if body.get("object") == "error" or ("choices" not in body and "message" in body):
        return body
    if "choices" not in body and isinstance(body.get("detail"), str):
        return {"message": body["detail"]}
    return None


def _server_error(error: Json, usage: Usage | None) -> ServerError:
    error = as_object(error.get("error")) or error
    metadata = as_object(error.get("metadata"))
    availability = as_object(error.get("availability"))
    upstream = as_object(as_object(parsed_json(metadata.get("raw"))).get("error"))
    code = first_number(
        error.get("code"),
        error.get("http_status"),
        metadata.get("provider_code"),
        upstream.get("code"),
    )
    retryable = availability.get("retryable")
    limits = {name.lower(): value for name, value in as_object(metadata.get("headers")).items()}
    return ServerError(
        message=_error_message(error, metadata),
        code=None if code is None else int(code),
        kind=_error_kind(error, metadata),
        provider=as_text(metadata.get("provider_name")),
        reasons=as_texts(metadata.get("reasons")) + as_texts(metadata.get("patterns")),
        retryable=retryable if isinstance(retryable, bool) else None,
        retry_after_s=first_number(availability.get("retry_after")),
        resets_at_ms=first_number(limits.get("x-ratelimit-reset")),
        usage=usage,
    )


def _error_message(error: Json, metadata: Json) -> str:
    message = as_text(error.get("message")) or "no message"
    raw = metadata.get("raw")
    return f"{message}: {raw}" if isinstance(raw, str) and raw else message


def _error_kind(error: Json, metadata: Json) -> str | None:
    code = error.get("code")
    named = code if isinstance(code, str) and first_number(code) is None else None
    return (
        as_text(metadata.get("error_type"))
        or as_text(error.get("error_type"))
        or named
        or as_text(error.get("type"))
    )


def _message(message: Json, text: str) -> AssistantMessage:
    details = (
        _raw_member(text, ("choices", 0, "message", "reasoning_details"))
        if isinstance(message.get("reasoning_details"), list)
        else None
    )
    return AssistantMessage(
        content=_content(message.get("content")),
        tool_calls=tuple(_tool_calls(message.get("tool_calls"))),
        reasoning=as_text(message.get("reasoning")) or as_text(message.get("reasoning_content")),
        reasoning_details=details,
    )


def _content(content: object) -> str | None:
    if isinstance(content, list):
        parts = (as_object(part).get("text") for part in as_list(cast("object", content)))
        return "".join(part for part in parts if isinstance(part, str)) or None
    return as_text(content)


def _tool_calls(calls: object) -> Iterator[ToolCall]:
    for call in as_list(calls):
        function = as_object(as_object(call).get("function"))
        if function:
            yield ToolCall(
                id=as_text(as_object(call).get("id")) or "",
                name=as_text(function.get("name")) or "",
                arguments=_arguments(function.get("arguments")),
            )


def _arguments(arguments: object) -> str:
    if arguments is None:
        return ""
    return as_text(arguments) or "" if isinstance(arguments, str) else canonical(arguments)


def _finish_reason(choice: Json) -> FinishReason:
    for field in ("finish_reason", "native_finish_reason"):
        reason = choice.get(field)
        if isinstance(reason, str):
            return _FINISH.get(reason.lower(), "other")
    return "other"


def _usage(usage: Json, headers: Mapping[str, str]) -> Usage | None:
    cost = _cost(usage)
    if cost is None:
        cost = first_number(headers.get(LITELLM_COST_HEADER))
    if not usage and cost is None:
        return None
    prompt = as_object(usage.get("prompt_tokens_details"))
    completion = as_object(usage.get("completion_tokens_details"))
    return Usage(
        prompt_tokens=as_count(usage.get("prompt_tokens")),
        completion_tokens=as_count(usage.get("completion_tokens")),
        cached_tokens=as_count(prompt.get("cached_tokens")),
        reasoning_tokens=as_count(completion.get("reasoning_tokens")),
        cost_usd=cost,
    )


def _cost(usage: Json) -> float | None:
    cost = first_number(usage.get("cost"))
    if usage.get("is_byok") is not True:
        return cost
    # With one's own provider key OpenRouter charges its fee only; the provider bills the rest.
    upstream = first_number(as_object(usage.get("cost_details")).get("upstream_inference_cost"))
    return None if upstream is None else upstream + (cost or 0.0)


def _raw_member(text: str, path: tuple[str | int, ...]) -> str:
    """The text of a member exactly as it stands in a body that is known to be valid."""
    start = _skip_space(text, 0)
    for step in path:
        # The last of several equal keys counts, as it does for `json.loads`.
        start = [at for key, at in _members(text, start) if key == step][-1]
    return text[start : _DECODER.raw_decode(text, start)[1]]


def _members(text: str, start: int) -> Iterator[tuple[str | int, int]]:
    """Keys (or indexes) of the object (or array) that starts at `start`, and where values start."""
    is_object = text[start] == "{"
    position = _skip_space(text, start + 1)
    index = 0
    while text[position] not in "}]":
        key: str | int = index
        if is_object:
            key, position = _DECODER.raw_decode(text, position)
            position = _skip_space(text, _skip_space(text, position) + len(":"))
        yield key, position
        position = _skip_space(text, _DECODER.raw_decode(text, position)[1])
        if text[position] == ",":
            position = _skip_space(text, position + 1)
        index += 1


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _first_choice(body: Json) -> Json:
    return as_object(next(iter(as_list(body.get("choices"))), None))


def _keys(body: Json) -> str:
    return f"its keys are {', '.join(body) or 'none'}"
