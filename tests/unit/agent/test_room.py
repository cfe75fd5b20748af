"""How large the parts of a conversation may be."""

from __future__ import annotations

import pytest

from taskgraph.agent.brief import INPUTS_CHARACTERS
from taskgraph.agent.room import Room, room_in
from taskgraph.agent.task import LONGEST_ANSWER_TOKENS

SETTING = 30_000


@pytest.mark.parametrize("context_length", [None, 140_000, 1_000_000])
def test_what_is_allowed_fits_an_unknown_and_a_large_window(context_length: int | None) -> None:
    room = room_in(context_length, None, SETTING)
    assert room == Room(context_length, LONGEST_ANSWER_TOKENS, INPUTS_CHARACTERS, SETTING)


@pytest.mark.parametrize("context_length", [8_192, 16_384, 32_768, 65_536])
def test_small_window_holds_the_inputs_and_several_results(context_length: int) -> None:
    room = room_in(context_length, None, SETTING)
    characters = room.inputs_characters + 4 * room.result_characters
    assert characters / 3.5 < 0.4 * context_length
    assert room.result_characters >= 1_000


def test_settings_bound_a_result_in_any_window() -> None:
    assert room_in(1_000_000, None, 2_000).result_characters == 2_000


def test_tiny_window_still_shows_something() -> None:
    assert room_in(2_048, None, SETTING).result_characters == 1_000


@pytest.mark.parametrize(("can_write", "allowed"), [(4_096, 4_096), (128_000, 32_000)])
def test_answer_is_no_longer_than_the_model_can_write(can_write: int, allowed: int) -> None:
    assert room_in(None, can_write, SETTING).answer_tokens == allowed
