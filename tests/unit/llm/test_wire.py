"""Requests as bytes, and the hashes by which they are known again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_wire import MODEL, RUN_SQL, request
from taskgraph.llm.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from taskgraph.llm.wire import (
    Dialect,
    canonical_arguments,
    digest,
    encode,
    estimate_tokens,
    fingerprint,
)

CALL = ToolCall("call_1", "run_sql", '{"sql": "select 1", "also": 2}')
SAID = AssistantMessage(None, (CALL,), reasoning="Hmm.", reasoning_details="[]", said_by=MODEL)
HASHES = ("d219057221e4072c", "11a73a98e4eaa9a8", "3916336979d77a99", "e70eb8c56495bf24")
TOOLS_HASH = "9d22b9dc6a365377"
DIALECTS: tuple[Dialect, ...] = ("openrouter", "openai")


def sent(*messages: Message, dialect: Dialect = "openrouter", model: str = MODEL) -> dict[str, Any]:
    return json.loads(encode(request("a", *messages, model=model), dialect))


def test_openrouter_gets_its_own_fields() -> None:
    body = sent()
    assert body["reasoning"] == {"effort": "low"}
    assert body["session_id"] == "run/a"
    assert body["plugins"] == [{"id": "context-compression", "enabled": False}]
    assert body["max_tokens"] == 2000
    assert "cache_control" not in body


def test_other_servers_get_only_what_everybody_knows() -> None:
    assert set(sent(SAID, ToolMessage("call_1", "1"), dialect="openai")) == {
        "model",
        "messages",
        "max_tokens",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning_effort",
    }


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-5", "~anthropic/claude-sonnet-latest"])
def test_anthropic_is_asked_to_cache(model: str) -> None:
    assert sent(model=model)["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in sent(model=model, dialect="openai")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_is_said_of_thinking_where_the_model_cannot_be_told(dialect: Dialect) -> None:
    body = json.loads(encode(replace(request(), reasoning_effort=None), dialect))
    assert not {"reasoning", "reasoning_effort"} & set(body)


def test_session_is_cut_to_what_openrouter_takes() -> None:
    long = replace(request(), session="x" * 300)
    assert json.loads(encode(long, "openrouter"))["session_id"] == "x" * 256


def test_request_without_tools_has_no_field_about_them() -> None:
    body = json.loads(encode(replace(request(), tools=()), "openrouter"))
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(body)


def test_content_beside_calls_is_null_and_never_empty() -> None:
    for content in (None, ""):
        assert sent(replace(SAID, content=content))["messages"][2]["content"] is None
    assert sent(AssistantMessage(None))["messages"][2]["content"] == ""


def test_reasoning_goes_back_to_the_model_it_came_from_only() -> None:
    assert sent(SAID)["messages"][2]["reasoning_details"] == []
    assert "reasoning_details" not in sent(SAID, model="x/y")["messages"][2]
    assert "reasoning_details" not in sent(SAID, dialect="openai")["messages"][2]
    unknown = replace(SAID, said_by=None)
    assert "reasoning_details" in sent(unknown, model="x/y")["messages"][2]


def test_plain_reasoning_goes_back_where_there_are_no_details() -> None:
    plain = replace(SAID, reasoning_details=None)
    assert sent(plain)["messages"][2]["reasoning"] == "Hmm."
    assert "reasoning" not in sent(SAID)["messages"][2]
    silent = replace(plain, reasoning=None)
    assert "reasoning" not in sent(silent)["messages"][2]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_body_only_grows_at_its_end(dialect: Dialect) -> None:
    one = encode(request("a", SAID), dialect)
    two = encode(request("a", SAID, ToolMessage("call_1", "1")), dialect)
    assert two.startswith(one.removesuffix(b"]}"))


def test_order_of_a_schemas_keys_does_not_change_the_body() -> None:
    turned = Tool("run_sql", RUN_SQL.description, dict(reversed(RUN_SQL.parameters.items())))
    assert encode(request(), "openai") == encode(replace(request(), tools=(turned,)), "openai")


ARGUMENTS = {
    "sorted": ('{"b": 1, "a": [2]}', '{"a":[2],"b":1}'),
    "raw line end": ('{"a": "x\ny"}', '{"a":"x\\ny"}'),
    "empty": ("", "{}"),
    "cut": ('{"sql": "sel', "{}"),
    "text": ('"select 1"', "{}"),
    "list": ("[1]", "{}"),
    "nan": ('{"a": NaN}', "{}"),
    "deep": ('{"a":' * 100_000, "{}"),
}


@pytest.mark.parametrize(("written", "on_wire"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_malformed_arguments_never_reach_the_wire(written: str, on_wire: str) -> None:
    assert canonical_arguments(written) == on_wire


@given(st.text(), st.text(alphabet=st.characters(categories=["Cs", "Lu"])))
def test_any_text_can_be_sent_and_hashed(one: str, other: str) -> None:
    asked = request("a", UserMessage(one), AssistantMessage(other), ToolMessage(one, other))
    assert json.loads(encode(asked, "openrouter"))
    assert len(fingerprint(asked).sha256) == 64
    assert estimate_tokens(asked) > 0


def test_lone_surrogate_is_sent_as_a_replacement_character() -> None:
    assert "a\ufffdb" in encode(request("a", UserMessage("a\ud800b")), "openai").decode()


def test_fingerprint_forgets_who_asks_and_what_was_thought() -> None:
    plain = request("a", SAID)
    same = replace(
        plain,
        session="another/run",
        step=9,
        node="b",
        messages=(*plain.messages[:2], AssistantMessage(None, (CALL,))),
    )
    assert fingerprint(plain) == fingerprint(same)


CHANGES: dict[str, dict[str, Any]] = {
    "model": {"model": "x/y"},
    "max_tokens": {"max_tokens": 1},
    "tool choice": {"tool_choice": "none"},
    "tools": {"tools": ()},
    "message": {"messages": (SystemMessage("You write SQL!"),)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_fingerprint_notes_every_change_of_what_is_asked(change: dict[str, Any]) -> None:
    assert fingerprint(request()).sha256 != fingerprint(replace(request(), **change)).sha256


@pytest.mark.parametrize("plan", ["│ Total Time: {}s │", "analyzed_plan|E'Total Time: {}s\\n'"])
def test_times_of_a_plan_are_not_compared(plan: str) -> None:
    def told(seconds: str, rows: int) -> str:
        return digest(ToolMessage("call_1", f"{plan.format(seconds)}\n{rows} rows"))

    assert told("0.01", 2) == told("12.34", 2)
    assert told("0.01", 2) != told("0.01", 3)


def test_fingerprint_of_today_finds_the_recordings_of_yesterday() -> None:
    asked = request("a", SAID, ToolMessage("call_1", "1"))
    found = fingerprint(asked)
    assert found.messages == HASHES
    assert found.tools == TOOLS_HASH, "raise HASH_VERSION"


def test_estimate_grows_with_the_conversation() -> None:
    more = request("a", UserMessage("x" * 3500))
    assert estimate_tokens(more) - estimate_tokens(request()) == pytest.approx(1000, abs=20)
