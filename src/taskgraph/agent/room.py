"""How large each part of a conversation may be, for the window of the model that reads it."""

from __future__ import annotations

from dataclasses import dataclass

from taskgraph.agent.brief import INPUTS_CHARACTERS
from taskgraph.agent.task import LONGEST_ANSWER_TOKENS
from taskgraph.llm.wire import BYTES_PER_TOKEN

_PART_FOR_INPUTS = 8
_PART_FOR_RESULT = 16
_LEAST_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Room:
    """What fits into a window so that some rounds of a conversation fit beside it.

    Attributes:
        context_length: tokens that the model can read and write at once; None where nobody knows.
        answer_tokens: the most that one answer may take.
        inputs_characters: what the description of everything readable may take.
        result_characters: what the results of one call may take.
    """

    context_length: int | None
    answer_tokens: int
    inputs_characters: int
    result_characters: int


def room_in(
    context_length: int | None, max_completion_tokens: int | None, max_result_characters: int
) -> Room:
    """Returns what fits into a model's window; all that is allowed where nobody knows it.

    Args:
        context_length: tokens that the model can read and write at once.
        max_completion_tokens: tokens that it can write in one answer.
        max_result_characters: the run's setting; a window of 140,000 tokens and more has room
            for the default.
    """
    return Room(
        context_length=context_length,
        answer_tokens=min(max_completion_tokens or LONGEST_ANSWER_TOKENS, LONGEST_ANSWER_TOKENS),
        inputs_characters=_part(context_length, _PART_FOR_INPUTS, INPUTS_CHARACTERS),
        result_characters=_part(context_length, _PART_FOR_RESULT, max_result_characters),
    )


def _part(context_length: int | None, part: int, most: int) -> int:
    if context_length is None:
        return most
    fitting = int(context_length * BYTES_PER_TOKEN) // part
    return min(most, max(fitting, _LEAST_CHARACTERS))
