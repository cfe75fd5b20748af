"""What is found out before a run, against the fake server."""

from __future__ import annotations

from datetime import date

import pytest

from model_wire import KEY, MODEL, JumpingClock, client_of
from taskgraph.errors import (
    AuthenticationFailed,
    ModelUnavailable,
    PaymentRequired,
    TaskgraphError,
    WrongEndpoint,
)
from taskgraph.llm.endpoint import endpoint
from taskgraph.llm.openrouter import OpenRouter
from taskgraph.llm.preflight import REQUEST_S, Preflight, preflight
from taskgraph.llm.prices import Prices
from taskgraph.testing import (
    FakeOpenRouter,
    Reply,
    ServerState,
    error,
    model_entry,
    page,
)
from taskgraph.testing.completions import DialectName

pytestmark = pytest.mark.anyio
TODAY = date(2026, 11, 20)


async def checked(
    state: ServerState,
    models: tuple[str, ...] = (MODEL,),
    dialect: DialectName = "openrouter",
    max_cost: float | None = None,
) -> Preflight:
    with FakeOpenRouter(state=state, dialect=dialect) as fake:
        async with client_of(fake, JumpingClock().clock) as client:
            return await preflight(client, models, TODAY, max_cost=max_cost)


async def test_facts_of_each_model_are_read_from_the_servers_list() -> None:
    small = model_entry("small/one", context_length=8192, top_provider={})
    found = await checked(
        ServerState(models=[model_entry(MODEL), small]), (MODEL, "small/one", f"{MODEL}:nitro")
    )
    assert found.warnings == ()
    facts = found.facts[MODEL]
    assert (facts.context_length, facts.max_completion_tokens) == (400_000, 128_000)
    assert facts.prices == Prices(1e-6, 1e-5, 1e-7)
    assert facts.supports_tools is True
    assert found.facts["small/one"].context_length == 8192
    assert found.facts["small/one"].max_completion_tokens is None
    assert found.facts[f"{MODEL}:nitro"].prices == facts.prices
    assert set(found.prices) == {MODEL, "small/one", f"{MODEL}:nitro"}


GOOD = [model_entry(MODEL)]
STOPS: dict[str, tuple[ServerState, type[TaskgraphError], str]] = {
    "unknown key": (
        ServerState(keys=frozenset({"sk-other"}), models=GOOD),
        AuthenticationFailed,
        "does not accept the key",
    ),
    "no credit": (ServerState(credits=0, models=GOOD), PaymentRequired, "credit limit"),
    "overdrawn": (ServerState(credits=-1.5, models=GOOD), PaymentRequired, "credit limit"),
    "no such model": (
        ServerState(models=[model_entry("openai/gpt-5.1")]),
        ModelUnavailable,
        "lists no model 'openai/gpt-5.2'",
    ),
    "no tools": (
        ServerState(models=[model_entry(MODEL, parameters=("max_tokens",))]),
        ModelUnavailable,
        "takes no tools",
    ),
}


@pytest.mark.parametrize(("state", "kind", "words"), STOPS.values(), ids=STOPS)
async def test_what_is_certain_to_fail_stops_before_the_run(
    state: ServerState, kind: type[TaskgraphError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        await checked(state)
    assert caught.value.hint
    assert KEY not in str(caught.value)


async def test_unknown_model_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(ModelUnavailable) as caught:
        await checked(ServerState(models=[model_entry("openai/gpt-5.1"), model_entry("x/y")]))
    assert caught.value.hint == "Did you mean 'openai/gpt-5.1'?"


async def test_nothing_listening_stops_before_the_run() -> None:
    async with OpenRouter(endpoint("http://127.0.0.1:9/v1", None)) as client:
        with pytest.raises(WrongEndpoint, match=r"cannot connect to 127\.0\.0\.1:9"):
            await preflight(client, (MODEL,), TODAY)


UNKNOWABLE: dict[str, tuple[Reply, str]] = {
    "missing": (error(404, "no page"), "HTTP 404"),
    "broken": (error(500, "oops"), "HTTP 500"),
    "a page": (page(200, "<html>hi</html>"), "HTTP 200"),
}


@pytest.mark.parametrize(("reply", "words"), UNKNOWABLE.values(), ids=UNKNOWABLE)
async def test_page_that_cannot_be_read_is_only_a_warning(reply: Reply, words: str) -> None:
    found = await checked(ServerState(pages={"/models": reply, "/key": reply}))
    assert [words in warning for warning in found.warnings] == [True, True]
    assert found.facts[MODEL].context_length is None
    assert found.prices == {}


@pytest.mark.parametrize("dialect", ["ollama", "vllm", "llamacpp", "litellm"])
async def test_local_server_that_does_not_list_the_model_is_only_a_warning(
    dialect: DialectName,
) -> None:
    listed = [{"id": "openai/gpt-5.1", "object": "model"}]
    found = await checked(ServerState(models=listed), dialect=dialect)
    assert len(found.warnings) == 1
    assert "Did you mean 'openai/gpt-5.1'?" in found.warnings[0]


async def test_local_server_that_tells_only_names_leaves_the_rest_open() -> None:
    found = await checked(ServerState(models=[{"id": MODEL}]), dialect="ollama")
    assert found.warnings == ()
    assert found.facts[MODEL].supports_tools is None
    assert found.facts[MODEL].prices is None


async def test_window_is_known_by_the_name_that_vllm_gives_it() -> None:
    found = await checked(
        ServerState(models=[{"id": MODEL, "max_model_len": 32_768}]), dialect="vllm"
    )
    assert found.facts[MODEL].context_length == 32_768


async def test_window_too_small_for_an_agent_is_a_warning() -> None:
    found = await checked(ServerState(models=[model_entry(MODEL, context_length=4_096)]))
    assert "a window of 4,096 tokens" in found.warnings[0]


async def test_alias_that_no_list_has_is_only_a_warning() -> None:
    found = await checked(ServerState(models=GOOD), ("~openai/gpt-latest",))
    assert "~openai/gpt-latest" in found.warnings[0]


async def test_key_that_allows_less_than_the_run_is_a_warning() -> None:
    found = await checked(ServerState(credits=2.0, models=GOOD), max_cost=5.0)
    assert found.warnings == ("the key allows $2.00 more, less than the run's limit of $5.00",)


@pytest.mark.parametrize(
    ("day", "warned"), [("2026-11-25", True), ("2026-01-01", True), ("2027-05-01", False)]
)
async def test_model_that_soon_goes_away_is_a_warning(day: str, warned: bool) -> None:
    found = await checked(ServerState(models=[model_entry(MODEL, expiration_date=day)]))
    assert bool(found.warnings) is warned


async def test_two_requests_tell_everything(fake: FakeOpenRouter) -> None:
    fake.state.models = [model_entry(MODEL), model_entry("x/y")]
    async with client_of(fake, JumpingClock().clock) as client:
        found = await preflight(client, (MODEL, "x/y"), TODAY)
    assert fake.pages == ["/key", "/models"]
    assert set(found.prices) == {MODEL, "x/y"}
    assert 2 * REQUEST_S <= 10.0


async def test_server_that_is_silent_is_only_a_warning() -> None:
    with FakeOpenRouter(state=ServerState(silent_pages=True)) as fake:
        async with client_of(fake, JumpingClock().clock) as client:
            found = await preflight(client, (MODEL,), TODAY, request_s=0.05)
    assert ["could not check" in warning for warning in found.warnings] == [True, True]
