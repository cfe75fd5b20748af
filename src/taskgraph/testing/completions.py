"""Chat completions and errors in the shapes of OpenRouter and of local servers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from taskgraph.llm.loose_json import as_object, parsed_json
from taskgraph.testing.metering import Metered
from taskgraph.testing.steps import Answer, Call, Reply, Seen

DialectName: TypeAlias = Literal["openrouter", "ollama", "vllm", "llamacpp", "litellm"]

_REASONING_FIELD: Mapping[DialectName, str] = {
    "openrouter": "reasoning",
    "ollama": "reasoning",
    "vllm": "reasoning_content",
    "llamacpp": "reasoning_content",
    "litellm": "reasoning_content",
}


def message_json(answer: Answer, lane: str, number: int, dialect: DialectName) -> str:
    """Returns an answer's message as JSON text.

    Args:
        answer: what is said.
        lane: whose answer it is, and
        number: its number there: ids are made of both, so that they never depend on a clock.
        dialect: whose field names are used.
    """
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.tools:
        message["tool_calls"] = [
            _call_json(answer, call, index, f"call_{lane}_{number}_{index}")
            for index, call in enumerate(answer.tools)
        ]
    if answer.reasoning is not None:
        message[_REASONING_FIELD[dialect]] = answer.reasoning
    written = json.dumps(message)
    if answer.reasoning_details is None:
        return written
    return f'{written[:-1]},"reasoning_details":{answer.reasoning_details}}}'


def generation_id(seen: Seen) -> str:
    """Returns the id of the answer to a request."""
    return f"gen-{seen.lane}-{seen.number}"


def completion(
    answer: Answer, message: str, seen: Seen, metered: Metered, dialect: DialectName
) -> Reply:
    """Returns the reply that holds an answer.

    Args:
        answer: what is said.
        message: the same as JSON text.
        seen: the request.
        metered: what it took.
        dialect: whose shape of usage and cost is used.
    """
    choice = {
        "index": 0,
        "finish_reason": "tool_calls" if answer.tools else "stop",
        "native_finish_reason": "completed",
        "logprobs": None,
        **answer.choice,
    }
    top: dict[str, Any] = {
        "id": generation_id(seen),
        "object": "chat.completion",
        "created": 1_765_438_613,
        "model": seen.model,
        "system_fingerprint": None,
    }
    if dialect == "openrouter":
        top["provider"] = "Fake"
    if usage := _usage(answer, metered, dialect):
        top["usage"] = usage
    top |= answer.top
    # Joined by hand, so that `reasoning_details` is sent byte for byte as scripted.
    held = choice.pop("message", None)
    inner = f'{json.dumps(choice)[:-1]},"message":{json.dumps(held) if held else message}}}'
    written = (
        json.dumps(top) if "choices" in top else f'{json.dumps(top)[:-1]},"choices":[{inner}]}}'
    )
    headers = (("X-Generation-Id", generation_id(seen)),)
    if dialect == "litellm" and answer.usage == "auto":
        headers += (("x-litellm-response-cost", str(metered.cost)),)
    return Reply(200, written.encode(errors="surrogatepass"), headers=headers)


def error_in_dialect(reply: Reply, dialect: DialectName) -> Reply:
    """Rewrites an error's envelope as another server would send it."""
    error = as_object(as_object(parsed_json(reply.body.decode(errors="replace"))).get("error"))
    if not error or dialect == "openrouter":
        return reply
    message, code = error.get("message"), error.get("code")
    shapes: Mapping[str, object] = {
        "ollama": {"error": {"message": message, "type": "api_error", "param": None, "code": None}},
        "vllm": {"object": "error", "message": message, "type": "BadRequestError", "code": code},
        "llamacpp": {"error": {"code": code, "message": message, "type": error.get("type", "x")}},
        "litellm": {"error": {"message": message, "type": None, "param": None, "code": str(code)}},
    }
    return replace(reply, body=json.dumps(shapes[dialect]).encode())


def _call_json(answer: Answer, call: Call, index: int, default_id: str) -> dict[str, Any]:
    name, arguments = call
    if answer.arguments_as_text and not isinstance(arguments, str):
        arguments = json.dumps(arguments)
    call_id = answer.ids[index] if answer.ids else default_id
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call_id, "type": "function", "function": function}


def _usage(answer: Answer, metered: Metered, dialect: DialectName) -> Mapping[str, Any] | None:
    if answer.usage != "auto":
        return answer.usage
    usage = dict(metered.as_usage())
    if dialect == "openrouter":
        return usage
    return {name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
