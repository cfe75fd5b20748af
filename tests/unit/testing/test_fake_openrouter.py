"""The fake server checks others: here it is checked itself."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_wire import JumpingClock, client_of, request
from taskgraph.testing import Answer, FakeOpenRouter, Seen, ServerState, Wire, account, text
from taskgraph.testing.account import Bucket, model_entry
from taskgraph.testing.chaos import FAULTS, Chaos
from taskgraph.testing.fake_openrouter import main
from taskgraph.testing.metering import Metered, Rate, meter
from taskgraph.testing.rules import History, remember, violations

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "1"}
SYSTEM = {"role": "system", "content": "s"}
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def seen(*messages: dict[str, Any], **fields: Any) -> Seen:
    body = {"model": "m", "max_tokens": 1, "tools": TOOLS, "messages": list(messages), **fields}
    headers = {"content-type": "application/json", "authorization": "Bearer x"}
    return Seen("a", 1, headers, json.dumps(body).encode(), body)


def test_good_conversation_breaks_no_rule() -> None:
    assert violations(seen(SYSTEM, CALLING, RESULT), History(), "openrouter") == []


EMPTY_ID = {**CALL, "id": ""}
LIST_ARGUMENTS = {**CALL, "function": {"name": "f", "arguments": "[1]"}}
BAD_ARGUMENTS = {**CALL, "function": {"name": "f", "arguments": "{"}}
FAULTY: dict[str, tuple[Seen, str]] = {
    "max_tokens": (seen(SYSTEM, max_tokens=None), "max_tokens is missing"),
    "unknown field": (seen(SYSTEM, transforms=[]), "unknown fields ['transforms']"),
    "tools": (seen(SYSTEM, tools=[]), "tools are missing"),
    "no result": (seen(SYSTEM, CALLING), "calls without a result: ['c1']"),
    "late result": (seen(CALLING, SYSTEM, RESULT), "follows calls without a result"),
    "orphan": (seen(SYSTEM, RESULT), "answers no open call: 'c1'"),
    "twice": (seen(CALLING, RESULT, CALLING, RESULT), "used twice: ['c1']"),
    "empty id": (
        seen({**CALLING, "tool_calls": [EMPTY_ID]}, {**RESULT, "tool_call_id": ""}),
        "call ids are empty",
    ),
    "empty content": (seen({**CALLING, "content": ""}, RESULT), "empty content beside calls"),
    "list": (seen({**CALLING, "tool_calls": [LIST_ARGUMENTS]}, RESULT), "no JSON object"),
    "cut": (seen({**CALLING, "tool_calls": [BAD_ARGUMENTS]}, RESULT), "no JSON object"),
    "breakpoints": (
        seen(*[{**SYSTEM, "cache_control": {"type": "ephemeral"}}] * 5),
        "more than 4 cache breakpoints",
    ),
    "invented thought": (seen({**CALLING, "reasoning_details": []}, RESULT), "never sent"),
}


@pytest.mark.parametrize(("request_", "words"), FAULTY.values(), ids=FAULTY)
def test_each_rule_is_held_against_a_request(request_: Seen, words: str) -> None:
    found = violations(request_, History(), "openrouter")
    assert len([one for one in found if words in one]) == 1, found


def test_headers_are_looked_at() -> None:
    bad = Seen("a", 1, {"authorization": "Bearer a b"}, b"{}", seen(SYSTEM).body)
    found = " ".join(violations(bad, History(), "openrouter"))
    assert "Authorization header is malformed" in found
    assert "content type" in found


def test_openrouters_own_fields_are_for_openrouter() -> None:
    asked = seen(SYSTEM, session_id="x")
    assert violations(asked, History(), "openrouter") == []
    assert "own fields ['session_id']" in violations(asked, History(), "ollama")[0]


def test_conversation_may_only_grow_except_where_it_is_compacted() -> None:
    history = History()
    remember(seen(SYSTEM, CALLING, RESULT), history)
    changed = seen({**SYSTEM, "content": "t"}, CALLING, RESULT, tools=[*TOOLS, *TOOLS])
    found = " ".join(violations(changed, history, "openrouter"))
    for words in ("tools differ", "the system message differs", "earlier messages differ"):
        assert words in found
    history.compacts = True
    shorter = seen(SYSTEM, {"role": "user", "content": "compacted"})
    assert violations(shorter, history, "openrouter") == []


def test_thought_that_was_sent_must_come_back() -> None:
    history = History(reasoning=[("m", '[{"a":1}]'), ("other", "[2]")])
    found = violations(seen(SYSTEM, CALLING, RESULT), history, "openrouter")
    assert "did not come back as sent" in found[0]


def test_tokens_and_cost_are_exact() -> None:
    rate = Rate(prompt=1.0, cached=0.1, completion=10.0)
    before = b"x" * 8000
    metered = meter(before + b"y" * 1000, before, b"z" * 400, rate)
    assert metered == Metered(2250, 2000, 100, (250 * 1.0 + 2000 * 0.1 + 100 * 10.0) / 1e6)
    assert meter(b"x" * 100, b"x" * 100, b"z").cached_tokens == 0


def test_bucket_fills_with_time() -> None:
    now = [100.0]
    bucket = Bucket(capacity=2, per_second=0.5, now=lambda: now[0])
    assert [bucket.missing_s() for _ in range(3)] == [0.0, 0.0, 2.0]
    now[0] = 102.0
    assert bucket.missing_s() == 0.0


def test_chaos_is_the_same_for_the_same_seed_and_about_as_often_as_asked() -> None:
    chances = {"rst": 0.1, "429": 0.2}
    drawn = [Chaos(7, chances).step("a", number) for number in range(1000)]
    assert drawn == [Chaos(7, chances).step("a", number) for number in range(1000)]
    assert drawn != [Chaos(8, chances).step("a", number) for number in range(1000)]
    resets = sum(step is not None and step.content is FAULTS["rst"][0] for step in drawn)
    assert 50 < resets < 110
    assert 180 < sum(step is not None for step in drawn) < 300


def test_chaos_lets_a_patient_client_through() -> None:
    drawn = [Chaos(7, {"rst": 1.0}).step("a", number) for number in range(1, 100)]
    served = [number for number, step in enumerate(drawn, start=1) if step is None]
    assert served == [*range(5, 100, 5)]


@pytest.mark.anyio
async def test_chaos_changes_no_answer() -> None:
    with FakeOpenRouter() as fake:
        fake.chaos(3, dict.fromkeys(FAULTS, 0.05))
        for i in range(20):
            fake.agent(f"n{i}").reply(f"done {i}")
        async with client_of(fake, JumpingClock().clock) as client:
            answers = [await client.complete(request(f"n{i}")) for i in range(20)]
    assert [answer.message.content for answer in answers] == [f"done {i}" for i in range(20)]
    assert sum(answer.attempts for answer in answers) > 22


def post(url: str, body: object, session: str = "run/a") -> httpx.Response:
    return httpx.post(url, json=body, headers={"X-Session-Id": session}, trust_env=False)


def test_what_was_not_scripted_and_what_was_not_asked_fails_the_test() -> None:
    def run() -> None:
        with FakeOpenRouter(strict=False) as fake:
            fake.agent("b").reply("never asked for")
            assert post(f"{fake.base_url}/chat/completions", {}).status_code == 400

    with pytest.raises(AssertionError) as caught:
        run()
    assert "a: request 1 was not expected" in str(caught.value)
    assert "b: 1 steps were never asked for" in str(caught.value)


def test_error_of_the_test_itself_is_not_hidden() -> None:
    def run() -> None:
        with FakeOpenRouter() as fake:
            fake.agent("b").reply("never asked for")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()


def test_picky_server_answers_400() -> None:
    with FakeOpenRouter(strict=False, enforce=True) as fake:
        reply = post(f"{fake.base_url}/chat/completions", {"messages": []})
    assert reply.status_code == 400
    assert "max_tokens is missing" in reply.text


def test_strict_server_fails_the_test_at_its_end() -> None:
    def run() -> None:
        with FakeOpenRouter() as fake:
            fake.agent("a").reply("x")
            post(f"{fake.base_url}/chat/completions", {"messages": []})

    with pytest.raises(AssertionError, match="max_tokens is missing"):
        run()


def test_credit_is_spent() -> None:
    with FakeOpenRouter(strict=False, state=ServerState(credits=1.0)) as fake:
        fake.agent("a").reply("x")
        reply = post(f"{fake.base_url}/chat/completions", {"max_tokens": 10})
        left = httpx.get(f"{fake.base_url}/key", trust_env=False).json()["data"]["limit_remaining"]
    assert left == 1.0 - reply.json()["usage"]["cost"]


def test_rate_limit_of_the_account_says_when_it_ends() -> None:
    state = ServerState(bucket=Bucket(capacity=1, per_second=0.5, now=lambda: 1000.0))
    with FakeOpenRouter(strict=False, state=state) as fake:
        fake.default(text("x"))
        replies = [post(f"{fake.base_url}/chat/completions", {}) for _ in range(2)]
        missing = httpx.get(f"{fake.base_url}/nothing", trust_env=False)
    assert [reply.status_code for reply in replies] == [200, 429]
    assert replies[1].headers["retry-after"] == "2"
    assert replies[1].headers["x-ratelimit-reset"] == "1002000"
    assert missing.status_code == 404


def test_models_and_credit_have_pages_of_their_own() -> None:
    state = ServerState(models=[model_entry("a/b")], credits=2.0, management_keys=frozenset({"m"}))
    pages = [
        account.page(state, path, f"Bearer {key}")
        for path, key in [
            ("/model/a/b", "k"),
            ("/models/a/b/endpoints", "k"),
            ("/model/a/c", "k"),
            ("/credits", "k"),
            ("/credits", "m"),
        ]
    ]
    assert [one.status for one in pages] == [200, 200, 404, 403, 200]
    assert json.loads(pages[0].body)["data"] == model_entry("a/b")
    [endpoint] = json.loads(pages[1].body)["data"]["endpoints"]
    assert endpoint["pricing"] == model_entry("a/b")["pricing"]
    assert json.loads(pages[4].body)["data"]["total_credits"] == 2.0


def test_what_an_answer_took_can_be_asked_for_after_a_while() -> None:
    with FakeOpenRouter(strict=False, state=ServerState(late_polls=2)) as fake:
        fake.agent("a").reply("x")
        reply = post(f"{fake.base_url}/chat/completions", {"max_tokens": 10})
        page = f"{fake.base_url}/generation?id={reply.headers['x-generation-id']}"
        polls = [httpx.get(page, trust_env=False) for _ in range(3)]
    assert [poll.status_code for poll in polls] == [404, 404, 200]
    assert polls[2].json()["data"]["total_cost"] == reply.json()["usage"]["cost"]


def test_lane_is_found_by_session_header_or_body() -> None:
    with FakeOpenRouter(strict=False) as fake:
        fake.default(lambda request: text(f"{request.lane} {request.last_tool_result}"))
        url = f"{fake.base_url}/chat/completions"
        fake.agent("whole/session").reply("by its whole name")
        for session in ("run/node", "whole/session"):
            post(url, {"messages": [RESULT]}, session)
        httpx.post(url, json={"session_id": "run/other"}, trust_env=False)
    assert [len(fake.agent(lane).seen) for lane in ("node", "whole/session", "other")] == [1, 1, 1]


def test_other_process_scripts_watches_and_releases_it() -> None:
    with FakeOpenRouter(strict=False) as fake:
        control = fake.base_url.removesuffix("/api/v1") + "/__fake__"
        script = {
            "lanes": {
                "a": [
                    {"error": 429, "message": "slow", "headers": {"Retry-After": "1"}},
                    {"tools": [["run_sql", {"sql": "select 1"}]], "gate": "g"},
                    {"body": {"odd": 1}, "status": 202, "wire": {"ticks": 2}},
                ]
            },
            "default": {"text": "done"},
        }
        assert post(f"{control}/script", script).json() == {"ok": True}
        assert post(f"{control}/release/g", {}).json() == {"ok": True}
        url = f"{fake.base_url}/chat/completions"
        replies = [post(url, {"messages": []}) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [429, 200, 202, 200]
        asked = httpx.get(f"{control}/requests", trust_env=False).json()
        assert asked == {"a": [{"messages": []}] * 4}
        assert post(f"{control}/nonsense", {}).status_code == 404
        post(f"{control}/reset", {})
        assert fake.lanes == {}


def test_script_entry_that_is_no_step_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"lanes": {"a": [{"txet": "typo"}]}}')
    with pytest.raises(ValueError, match="typo"):
        main(["--script", str(script)])


@pytest.mark.parametrize(("lanes", "code"), [({}, 0), ({"a": [{"text": "x"}]}, 1)])
def test_program_ends_with_its_input_and_tells_whether_the_script_was_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lanes: dict[str, Any], code: int
) -> None:
    script, port = tmp_path / "script.json", tmp_path / "port"
    script.write_text(json.dumps({"lanes": lanes}))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["--script", str(script), "--port-file", str(port)]) == code
    assert int(port.read_text()) > 0


def test_waiting_in_vain_says_so() -> None:
    with FakeOpenRouter() as fake, pytest.raises(TimeoutError, match="0 in flight"):
        fake.wait_until(lambda: fake.in_flight == 1, timeout_s=0.01)


def test_gate_holds_a_reply_back_until_it_is_released() -> None:
    with FakeOpenRouter(strict=False) as fake:
        fake.agent("a").gate("g").send(Answer(text="x"), Wire(latency_s=0.001))
        fake.release("g")
        reply = post(f"{fake.base_url}/chat/completions", {})
    assert reply.json()["choices"][0]["message"]["content"] == "x"


def test_compaction_has_to_be_announced() -> None:
    with FakeOpenRouter() as fake:
        lane = fake.agent("a").reply("one").reply("two").compacts()
        assert lane.history.compacts
        fake.reset()
