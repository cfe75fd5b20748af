"""Models that stand in for a server or before one: scripts, recordings, fallbacks, prices."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model_wire import MODEL, request
from taskgraph.errors import (
    AuthenticationFailed,
    ContextOverflow,
    ModelError,
    ModelRejected,
    ModelUnavailable,
    ModelUnreachable,
    NodeLimit,
    OutputError,
    SettingsError,
)
from taskgraph.llm.fallback import FallbackModel
from taskgraph.llm.messages import (
    AssistantMessage,
    ModelRequest,
    ModelResponse,
    ToolMessage,
    Usage,
    UserMessage,
)
from taskgraph.llm.preflight import ModelFacts
from taskgraph.llm.prices import PRICES_AS_OF, Prices, base_name, known_prices, prices_from
from taskgraph.llm.recording import Circumstances, Recorder, read_recording
from taskgraph.llm.replay import RecordedModel
from taskgraph.llm.scripted import ScriptedModel, run_sql

pytestmark = pytest.mark.anyio


async def test_script_answers_each_agent_from_its_own_list() -> None:
    model = ScriptedModel({"a": [run_sql("select 1", "select 2"), "done"], "b": ["hello"]})
    first = await model.complete(request("a"))
    assert [json.loads(call.arguments) for call in first.message.tool_calls] == [
        {"sql": "select 1"},
        {"sql": "select 2"},
    ]
    assert (await model.complete(request("b"))).message.content == "hello"
    assert (await model.complete(request("a"))).message.content == "done"
    assert [asked.asker for asked in model.requests] == ["a", "b", "a"]


async def test_script_may_be_one_list_or_a_function_or_hold_functions() -> None:
    listed = ScriptedModel(["one", lambda asked: f"step {asked.step}"])
    assert (await listed.complete(request("a"))).message.content == "one"
    assert (await listed.complete(request("b", step=7))).message.content == "step 7"
    function = ScriptedModel(lambda asked: run_sql(f"select '{asked.asker}'"))
    answer = await function.complete(request("c"))
    assert "select 'c'" in answer.message.tool_calls[0].arguments


async def test_script_may_raise_and_give_whole_messages_and_responses() -> None:
    whole = ModelResponse(AssistantMessage("x"), "length", Usage(1, 2), "m")
    model = ScriptedModel([ModelRejected("no"), AssistantMessage("said"), whole])
    with pytest.raises(ModelRejected):
        await model.complete(request())
    assert (await model.complete(request())).message.content == "said"
    assert await model.complete(request()) is whole


async def test_script_that_has_run_out_says_so() -> None:
    model = ScriptedModel({"a": ["done"]})
    await model.complete(request("a"))
    with pytest.raises(ModelError, match="1 answers for 'a', and one more"):
        await model.complete(request("a"))
    with pytest.raises(ModelError, match="0 answers for 'b'"):
        await model.complete(request("b"))


async def test_script_needs_no_tools_to_call_one() -> None:
    asked = ModelRequest("m", (), (), "run/a", 1)
    answer = await ScriptedModel([run_sql("select 1")]).complete(asked)
    assert answer.message.tool_calls[0].name == "run_sql"


async def recorded(path: Path) -> tuple[ModelRequest, ModelRequest]:
    """Records a conversation of two steps; returns its questions."""
    model = Recorder(
        ScriptedModel({"a": [run_sql("select '\u2028'"), "done \u00e9"]}), path, Circumstances(4)
    )
    first = request("a")
    answer = await model.complete(first)
    result = ToolMessage(answer.message.tool_calls[0].id, "1 row")
    second = request("a", answer.message, result, step=2)
    await model.complete(second)
    return first, second


async def test_recording_answers_as_the_model_did_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    first, second = await recorded(path)
    model = RecordedModel(read_recording(path))
    assert (await model.complete(second)).message.content == "done \u00e9"
    answer = await model.complete(first)
    assert "\u2028" in json.loads(answer.message.tool_calls[0].arguments)["sql"]
    assert answer.usage.cost_usd == 0.0


async def test_recording_knows_how_many_threads_its_order_of_rows_came_from(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    await recorded(path)
    assert read_recording(path).circumstances == Circumstances(4)


async def test_recording_serves_any_model_and_any_run(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    first, _ = await recorded(path)
    other = ModelRequest("x/y", first.messages, first.tools, "later/a", 1, node="a", max_tokens=9)
    assert (await RecordedModel(read_recording(path)).complete(other)).finish_reason == "tool_calls"


async def test_recording_holds_the_answers_and_none_of_the_questions(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    await recorded(path)
    text = path.read_text()
    assert len(text) < 1600
    assert "You write SQL" not in text
    assert "1 row" not in text
    assert [json.loads(line)["messages"]["kept"] for line in text.splitlines()[1:2]] == [0]


async def test_other_question_is_refused_and_the_first_difference_named(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    _, second = await recorded(path)
    changed = request("a", second.messages[2], ToolMessage("call_1_1", "2 rows" * 99), step=2)
    with pytest.raises(ModelError) as caught:
        await RecordedModel(read_recording(path)).complete(changed)
    told = "'a', step 2: message 3, the result of a call, is another one: '2 rows2 rows"
    assert told in str(caught.value)
    assert str(caught.value).endswith("...; for the difference, replay the .db")
    assert "record again" in str(caught.value.hint)


async def test_each_kind_of_divergence_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    first, second = await recorded(path)
    model = RecordedModel(read_recording(path))
    divergences = {
        "ends at step 2": request("a", step=3),
        "no answer for this node (it has: a)": request("b"),
        "4 recorded": ModelRequest("m", second.messages[:3], second.tools, "r/a", 2),
        "message 1, the task, is another one: 'else'": ModelRequest(
            "m", (first.messages[0], UserMessage("else")), first.tools, "r/a", 1
        ),
        "message 0, the model's answer, is another one: 'hi'": ModelRequest(
            "m", (AssistantMessage("hi"), first.messages[1]), first.tools, "r/a", 1
        ),
        "tools are described differently": ModelRequest("m", first.messages, (), "r/a", 1),
    }
    for words, asked in divergences.items():
        with pytest.raises(ModelError) as caught:
            await model.complete(asked)
        assert words in str(caught.value)


async def test_playing_a_recording_costs_nothing_and_still_tells_the_tokens(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    live = await Recorder(ScriptedModel(["done"], cost_usd=0.25), path, Circumstances(2)).complete(
        request()
    )
    played = await RecordedModel(read_recording(path)).complete(request())
    assert live.usage.cost_usd == 0.25
    assert played.usage == replace(live.usage, cost_usd=0.0)
    assert (played.cost_source, live.usage.total_tokens > 0) == ("server", True)


async def test_question_that_was_too_long_is_so_again(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    long, short = request("a", UserMessage("x" * 999)), request("a", UserMessage("x"))
    model = Recorder(
        ScriptedModel([ContextOverflow("9 tokens too many"), "fits"]), path, Circumstances(2)
    )
    with pytest.raises(ContextOverflow):
        await model.complete(long)
    await model.complete(short)
    played = RecordedModel(read_recording(path))
    with pytest.raises(ContextOverflow, match="recorded in recording"):
        await played.complete(long)
    assert (await played.complete(short)).message.content == "fits"


async def test_question_that_a_second_model_took_is_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    long = ContextOverflow("9 tokens too many")
    model = Recorder(ScriptedModel([long, long, "fits the other"]), path, Circumstances(2))
    for _ in range(2):
        with pytest.raises(ContextOverflow):
            await model.complete(request())
    await model.complete(request(model="x/large"))
    played = RecordedModel(read_recording(path))
    for _ in range(2):
        with pytest.raises(ContextOverflow):
            await played.complete(request())
    assert (await played.complete(request())).message.content == "fits the other"


async def test_recording_knows_the_windows_that_conversations_were_cut_to(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    small, large = ModelFacts("s/s", 8192, 4096), ModelFacts("l/l", 400_000, supports_tools=True)
    for facts in ({"s/s": small}, {"s/s": small, "l/l": large}):
        path.unlink(missing_ok=True)
        await Recorder(ScriptedModel(["done"]), path, Circumstances(2, facts)).complete(request())
        played = RecordedModel(read_recording(path))
        assert played.facts("s/s") == small
    assert played.facts("l/l") == ModelFacts("l/l", 400_000)
    assert played.facts("any/other") == ModelFacts("any/other")


async def test_any_name_stands_for_the_only_recorded_model(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    facts = {"s/s": ModelFacts("s/s", 8192)}
    await Recorder(ScriptedModel(["done"]), path, Circumstances(2, facts)).complete(request())
    assert RecordedModel(read_recording(path)).facts("any/other") == ModelFacts("any/other", 8192)


async def test_failed_call_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    with pytest.raises(ModelRejected):
        await Recorder(ScriptedModel([ModelRejected("no")]), path, Circumstances(2)).complete(
            request()
        )
    assert not path.exists()


def test_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text("{}\n")
    with pytest.raises(OutputError, match="exists already"):
        Recorder(ScriptedModel([]), path, Circumstances(2))


BROKEN = {
    "no json": "{\n",
    "no recording": '{"a": 1}\n',
    "other version": '{"hash_version": 0}\n',
    "a list": "[]\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_file_that_is_no_recording_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"line 1 of the recording .* cannot be read"):
        RecordedModel(read_recording(path))


def test_missing_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_recording(tmp_path / "nothing.jsonl")


async def test_next_model_takes_over_for_good_and_says_why() -> None:
    client = ScriptedModel([ModelUnreachable("gone"), "one", "two"])
    model = FallbackModel(client, ["x/y"])
    first = await model.complete(request())
    second = await model.complete(request())
    assert first.warnings == ("'openai/gpt-5.2' failed, 'x/y' takes over: gone",)
    assert second.warnings == ()
    assert [asked.model for asked in client.requests] == [MODEL, "x/y", "x/y"]


async def test_conversations_fall_back_one_by_one() -> None:
    client = ScriptedModel({"a": [ModelUnavailable("no"), "from y"], "b": ["from own"]})
    model = FallbackModel(client, ["x/y"])
    await model.complete(request("a"))
    assert (await model.complete(request("b"))).message.content == "from own"
    assert [asked.model for asked in client.requests] == [MODEL, "x/y", MODEL]


async def test_last_model_that_fails_ends_it() -> None:
    client = ScriptedModel([ModelUnreachable("one"), ModelRejected("two"), ModelRejected("three")])
    model = FallbackModel(client, ["x/y", "z/w"])
    with pytest.raises(ModelRejected, match="three"):
        await model.complete(request())
    assert len(client.requests) == 3


async def test_question_that_cannot_be_cut_any_more_goes_to_the_next_model() -> None:
    long = ContextOverflow("long")
    client = ScriptedModel([long, long, long, "fits"])
    model = FallbackModel(client, ["x/large"])
    for words in ("first", "shorter"):
        with pytest.raises(ContextOverflow):
            await model.complete(request("a", UserMessage(words)))
    answer = await model.complete(request("a", UserMessage("shorter")))
    assert answer.message.content == "fits"
    assert [asked.model for asked in client.requests] == [MODEL, MODEL, MODEL, "x/large"]
    assert "'x/large' takes over: long" in answer.warnings[0]


@pytest.mark.parametrize(
    "error", [ContextOverflow("long"), AuthenticationFailed("key"), NodeLimit("x")]
)
async def test_what_another_model_cannot_mend_passes_at_once(error: Exception) -> None:
    client = ScriptedModel([error])
    with pytest.raises(type(error)):
        await FallbackModel(client, ["x/y"]).complete(request())
    assert len(client.requests) == 1


def test_cached_tokens_cost_their_own_price() -> None:
    prices = Prices(prompt=1.0, completion=10.0, cached=0.25)
    assert prices.cost(Usage(100, 10, cached_tokens=40)) == 60 + 10 + 100
    assert Prices(1.0, 10.0).cost(Usage(100, 10, cached_tokens=40)) == 200


@pytest.mark.parametrize(
    ("model", "prompt"),
    [
        ("openai/gpt-5.2", 1.75e-6),
        ("openai/gpt-5.2:nitro", 1.75e-6),
        ("anyone/anything:free", 0.0),
        ("unheard/of", None),
        ("openai/gpt-5.2:extended", None),
    ],
)
def test_table_knows_models_and_their_variants(model: str, prompt: float | None) -> None:
    prices = known_prices(model)
    assert (prices.prompt if prices else None) == prompt


def test_todays_prices_come_before_the_table() -> None:
    price_of = prices_from({MODEL: Prices(1.0, 2.0)})
    assert price_of(MODEL) == Prices(1.0, 2.0)
    assert price_of("openai/gpt-5") == known_prices("openai/gpt-5")
    assert base_name("a/b:floor") == "a/b"
    assert PRICES_AS_OF.year == 2026
