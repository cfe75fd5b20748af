"""Bodies of replies, read into answers and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from taskgraph.llm.messages import ToolCall, Usage
from taskgraph.llm.reply import Completion, ServerError, Unusable, read_body


def answer(message: Any, headers: dict[str, str] | None = None, **top: Any) -> Completion:
    body = {"choices": [{"message": message}], **top}
    reading = read_body(json.dumps(body), headers or {})
    assert isinstance(reading, Completion)
    return reading


def failure(body: Any) -> ServerError:
    reading = read_body(json.dumps(body))
    assert isinstance(reading, ServerError)
    return reading


def test_every_field_may_be_missing() -> None:
    read = answer({"role": "assistant"})
    assert read.message.content is None
    assert read.message.tool_calls == ()
    assert (read.finish_reason, read.usage, read.model, read.provider) == (
        "other",
        None,
        None,
        None,
    )


CONTENTS: dict[str, tuple[Any, str | None]] = {
    "text": ("a", "a"),
    "null": (None, None),
    "parts": ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
    "no parts": ([], None),
    "number": (7, None),
    "lone surrogate": ("a\ud800", "a\ufffd"),
}


@pytest.mark.parametrize(("content", "read"), CONTENTS.values(), ids=CONTENTS)
def test_content_is_read_in_every_form(content: Any, read: str | None) -> None:
    assert answer({"role": "assistant", "content": content}).message.content == read


CALLS: dict[str, tuple[Any, ToolCall]] = {
    "text": (
        {"id": "1", "function": {"name": "f", "arguments": '{"a": 1}'}},
        ToolCall("1", "f", '{"a": 1}'),
    ),
    "object": (
        {"id": "1", "function": {"name": "f", "arguments": {"b": 1, "a": 2}}},
        ToolCall("1", "f", '{"a":2,"b":1}'),
    ),
    "nothing": ({"function": {"name": "f", "arguments": None}}, ToolCall("", "f", "")),
    "no name": ({"id": None, "function": {"arguments": "{}"}}, ToolCall("", "", "{}")),
}


@pytest.mark.parametrize(("call", "read"), CALLS.values(), ids=CALLS)
def test_tool_call_is_read_in_every_form(call: Any, read: ToolCall) -> None:
    assert answer({"tool_calls": [call]}).message.tool_calls == (read,)


@pytest.mark.parametrize("calls", [None, "f", {}, [None], ["f"], [{"function": None}]])
def test_what_is_no_tool_call_is_none(calls: Any) -> None:
    assert answer({"content": "x", "tool_calls": calls}).message.tool_calls == ()


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_is_read_under_both_names(field: str) -> None:
    assert answer({"content": "x", field: "Hmm."}).message.reasoning == "Hmm."


def test_last_of_equal_keys_counts_for_reasoning_too() -> None:
    text = (
        '{"choices": [ {"message": {"content": "x", "reasoning_details": [1],'
        ' "reasoning_details": [ 2 ]} , "index": 0}]}'
    )
    reading = read_body(text)
    assert isinstance(reading, Completion)
    assert reading.message.reasoning_details == "[ 2 ]"


@pytest.mark.parametrize("details", [None, "text", {}])
def test_reasoning_details_that_are_no_list_are_absent(details: Any) -> None:
    message = {"content": "x", "reasoning_details": details}
    assert answer(message).message.reasoning_details is None


USAGES: dict[str, tuple[dict[str, Any], Usage]] = {
    "whole": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "cost": 0.5,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        Usage(10, 5, 4, 3, 0.5),
    ),
    "no cost": ({"prompt_tokens": 10}, Usage(10)),
    "texts": ({"prompt_tokens": "10", "cost": "0.5"}, Usage(10, cost_usd=0.5)),
    "nonsense": ({"prompt_tokens": -1, "completion_tokens": True, "cost": -1}, Usage()),
    "words": ({"prompt_tokens": "many", "cost": "free"}, Usage()),
    "free": ({"prompt_tokens": 1, "cost": 0}, Usage(1, cost_usd=0.0)),
    "own key": (
        {"cost": 0.25, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}},
        Usage(cost_usd=0.75),
    ),
    "own key, cost untold": ({"prompt_tokens": 1, "cost": 0, "is_byok": True}, Usage(1)),
}


@pytest.mark.parametrize(("usage", "read"), USAGES.values(), ids=USAGES)
def test_usage_never_becomes_a_silent_zero(usage: dict[str, Any], read: Usage) -> None:
    assert answer({"content": "x"}, usage=usage).usage == read


def test_nan_reads_as_unknown() -> None:
    reading = read_body('{"choices":[{"message":{"content":"x"}}],"usage":{"cost":NaN}}')
    assert isinstance(reading, Completion)
    assert reading.usage == Usage()


def test_litellm_cost_stands_in_a_header() -> None:
    read = answer({"content": "x"}, {"x-litellm-response-cost": "0.125"})
    assert read.usage == Usage(cost_usd=0.125)


ERRORS: dict[str, tuple[Any, tuple[str, int | None]]] = {
    "openrouter": ({"error": {"message": "m", "code": 400}}, ("m", 400)),
    "upstream's words": (
        {"error": {"message": "m", "code": 429, "metadata": {"raw": "upstream"}}},
        ("m: upstream", 429),
    ),
    "http_status": ({"error": {"message": "m", "http_status": 503}}, ("m", 503)),
    "nested": ({"error": {"error": {"message": "m", "code": "422"}}}, ("m", 422)),
    "by kind": ({"error": {"message": "m", "code": "insufficient_quota"}}, ("m", 402)),
    "by type": ({"error": {"message": "m", "type": "invalid_request_error"}}, ("m", 400)),
    "vllm": ({"object": "error", "message": "m", "code": 400}, ("m", 400)),
    "fastapi": ({"detail": "m"}, ("m", None)),
    "plain": ({"message": "m"}, ("m", None)),
    "text": ({"error": "m"}, ("m", None)),
    "odd code": ({"error": {"message": "m", "code": 7}}, ("m", None)),
    "empty message": ({"error": {"code": 500}}, ("no message", 500)),
}


@pytest.mark.parametrize(("body", "read"), ERRORS.values(), ids=ERRORS)
def test_error_is_read_from_every_envelope(body: Any, read: tuple[str, int | None]) -> None:
    error = failure(body)
    assert (error.message, error.status) == read


@pytest.mark.parametrize("body", [{"error": None}, {"error": ""}, {"error": {}}])
def test_empty_error_beside_an_answer_is_none(body: dict[str, Any]) -> None:
    assert answer({"content": "x"}, **body).message.content == "x"


@pytest.mark.parametrize("text", ["", " \n ", "null", "7", '"x"', "[]", "{", "{}", "nul"])
def test_anything_else_is_unusable_and_says_why(text: str) -> None:
    reading = read_body(text)
    assert isinstance(reading, Unusable)
    assert reading.why
