"""Addresses and keys, checked before anything runs."""

from __future__ import annotations

import pytest

from taskgraph.errors import SettingsError
from taskgraph.llm.endpoint import endpoint

KEY = "sk-or-v1-0123456789abcdef"
OPENROUTER = "https://openrouter.ai/api/v1"

ADDRESSES = {
    OPENROUTER: ("openrouter.ai", False, "openrouter"),
    "https://eu.openrouter.ai/api/v1/": ("eu.openrouter.ai", False, "openrouter"),
    "https://api.example.com/v1": ("api.example.com", False, "openai"),
    "https://notopenrouter.ai/api/v1": ("notopenrouter.ai", False, "openai"),
    "http://localhost:11434/v1": ("localhost:11434", True, "openai"),
    "http://127.0.0.1:8808/api/v1": ("127.0.0.1:8808", True, "openai"),
    "http://[::1]:8080/v1": ("[::1]:8080", True, "openai"),
    "http://models.localhost/v1": ("models.localhost", True, "openai"),
    "http://192.168.1.7:8000/v1": ("192.168.1.7:8000", False, "openai"),
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_address_tells_host_dialect_and_whether_it_is_this_machine(url: str) -> None:
    found = endpoint(url, KEY)
    assert (found.host, found.is_loopback, found.dialect) == ADDRESSES[url]


@pytest.mark.parametrize(
    "url", [f" {OPENROUTER} ", f"{OPENROUTER}/", f"{OPENROUTER}/chat/completions"]
)
def test_address_is_taken_as_people_paste_it(url: str) -> None:
    assert endpoint(url, KEY).base_url == OPENROUTER


def test_dialect_may_be_said() -> None:
    assert endpoint("http://127.0.0.1:1/v1", None, "openrouter").dialect == "openrouter"


SUGGESTIONS = {
    "localhost:11434/v1": "Did you mean http://localhost:11434/v1?",
    "127.0.0.1:8080/v1": "Did you mean http://127.0.0.1:8080/v1?",
    "openrouter.ai/api/v1": "Did you mean https://openrouter.ai/api/v1?",
    "ftp://openrouter.ai/api/v1": "Did you mean https://openrouter.ai/api/v1?",
    "": "It looks like",
    "http://": "It looks like",
    "https://x.ai/v1?key=1": "It looks like",
    "https://x y.ai/v1": "It looks like",
}


@pytest.mark.parametrize("url", SUGGESTIONS)
def test_wrong_address_is_refused_with_the_right_one(url: str) -> None:
    with pytest.raises(SettingsError, match="base URL") as caught:
        endpoint(url, KEY)
    assert caught.value.hint
    assert caught.value.hint.startswith(SUGGESTIONS[url])


@pytest.mark.parametrize("url", ["http://x:notaport/v1", "http://[::1/v1"])
def test_address_that_cannot_be_read_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="is not an address"):
        endpoint(url, KEY)


def test_key_inside_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        endpoint(f"https://user:{KEY}@openrouter.ai/api/v1", None)
    assert KEY not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


@pytest.mark.parametrize("key", [None, "", "  \n"])
def test_key_is_needed_everywhere_but_on_this_machine(key: str | None) -> None:
    assert endpoint("http://localhost:11434/v1", key).api_key is None
    with pytest.raises(SettingsError, match=r"no API key for openrouter\.ai") as caught:
        endpoint(OPENROUTER, key)
    assert "OPENROUTER_API_KEY" in str(caught.value.hint)


@pytest.mark.parametrize("key", [f" {KEY}", f"{KEY}\n", f"{KEY}\r\n"])
def test_white_space_around_a_key_is_taken_off(key: str) -> None:
    assert endpoint(OPENROUTER, key).api_key == KEY


@pytest.mark.parametrize("bad", ["“", "\x00", "\n", " ", "é"])
def test_key_that_no_header_holds_is_refused_and_not_shown(bad: str) -> None:
    with pytest.raises(SettingsError, match="at position 6 of") as caught:
        endpoint(OPENROUTER, f"sk-or{bad}0123456789")
    assert "0123456789" not in str(caught.value)


def test_key_is_not_in_the_representation() -> None:
    assert KEY not in repr(endpoint(OPENROUTER, KEY))


REDACTED = {
    f"Bearer {KEY}!": "Bearer [key]!",
    "another sk-proj-abcdefghijklmnop": "another [key]",
    "risk-management-of-everything": "risk-management-of-everything",
    "sk-short": "sk-short",
}


@pytest.mark.parametrize("text", REDACTED)
def test_keys_are_taken_out_of_every_text(text: str) -> None:
    assert endpoint(OPENROUTER, KEY).redact(text) == REDACTED[text]


def test_answers_lose_the_key_itself_and_nothing_that_looks_like_one() -> None:
    text = f"{KEY} and sk-proj-abcdefghijklmnop"
    assert endpoint(OPENROUTER, KEY).without_key(text) == "[key] and sk-proj-abcdefghijklmnop"


def test_placeholder_key_of_a_local_server_leaves_words_whole() -> None:
    assert endpoint("http://localhost:1/v1", "x").redact("an example") == "an example"


@pytest.mark.parametrize(
    ("url", "key", "warned"),
    [
        ("http://192.168.1.7:8000/v1", KEY, True),
        ("http://127.0.0.1:8000/v1", KEY, False),
        ("https://api.example.com/v1", KEY, False),
        ("http://127.0.0.1:8000/v1", None, False),
    ],
)
def test_key_that_travels_unencrypted_is_a_warning(url: str, key: str | None, warned: bool) -> None:
    assert bool(endpoint(url, key).warning) is warned
