"""What of a conversation is sent: all of it while it fits, then less, in few big cuts.

Providers bill a prefix they have seen before at a fraction of its price, and every cut changes the
prefix: so a cut is made seldom and takes much. Only what is sent is cut, never what is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from taskgraph.agent.arguments import wire_arguments
from taskgraph.agent.conversation import has_text
from taskgraph.agent.feedback import elided, rounds_left_out, shortened
from taskgraph.llm.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage

FULL = 0.8
"""Part of the window at which the conversation is cut, before the server has to refuse it."""
ROOMY = 0.6
"""Part of the window that a cut should leave: the next cut is then some rounds away."""
_SMALLER = 0.9
"""A request refused as too long is sent again only if it is smaller by a tenth."""
_KEPT_RESULTS = (3, 1)
_KEPT_ROUNDS = 2
_SHORT_RESULT = 500
_LAST_RESORT_CHARACTERS = 4_000
_NAME = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class View:
    """How much of a conversation is sent."""

    elided_before: int = 0
    """Position before which long tool results are only hinted at."""
    dropped_before: int = 0
    """Position before which rounds are left out; the task itself always stays."""
    result_characters: int | None = None
    """Characters of a tool result that are sent at most; None for all."""


Measure: TypeAlias = Callable[[View], float]
"""Says how large a request with this view would be."""


def sent(messages: Sequence[Message], view: View, node: str) -> tuple[Message, ...]:
    """Returns the messages to send, in a form that every server takes back.

    An answer without text and calls is left out, arguments are JSON objects, tool names are names.
    """
    start = _first_round(messages)
    head = messages[:start]
    if view.dropped_before > start:
        head = [*head, UserMessage(rounds_left_out(node))]
    rounds = (
        _wire(_fitted(message, view, is_old=at < view.elided_before))
        for at, message in enumerate(messages)
        if at >= max(start, view.dropped_before) and _said_something(message)
    )
    return (*head, *rounds)


def roomier(messages: Sequence[Message], view: View, measure: Measure, target: float) -> View:
    """Returns the mildest cut that brings a request down to `target`, or the hardest there is."""
    for level in _levels(messages, view):
        view = level
        if measure(view) <= target:
            break
    return view


def next_smaller(messages: Sequence[Message], view: View, measure: Measure) -> View | None:
    """Returns the next cut after a request was refused as too long; None if none is left."""
    limit = measure(view) * _SMALLER
    return next((level for level in _levels(messages, view) if measure(level) <= limit), None)


def _levels(messages: Sequence[Message], view: View) -> Iterator[View]:
    results = [at for at, one in enumerate(messages) if isinstance(one, ToolMessage)]
    rounds = [at for at, one in enumerate(messages) if isinstance(one, AssistantMessage)]
    for count in _KEPT_RESULTS:
        if len(results) > count:
            view = replace(view, elided_before=max(view.elided_before, results[-count]))
        yield view
    if len(rounds) > _KEPT_ROUNDS:
        view = replace(view, dropped_before=max(view.dropped_before, rounds[-_KEPT_ROUNDS]))
    yield replace(view, result_characters=_LAST_RESORT_CHARACTERS)


def _first_round(messages: Sequence[Message]) -> int:
    rounds = (at for at, one in enumerate(messages) if isinstance(one, AssistantMessage))
    return next(rounds, len(messages))


def _said_something(message: Message) -> bool:
    # Servers refuse an answer that is empty, and one that holds nothing but reasoning.
    return (
        not isinstance(message, AssistantMessage) or has_text(message) or bool(message.tool_calls)
    )


def _fitted(message: Message, view: View, *, is_old: bool) -> Message:
    if not isinstance(message, ToolMessage):
        return message
    content = message.content
    if is_old and len(content) > _SHORT_RESULT:
        return replace(message, content=elided(content))
    if view.result_characters is not None and len(content) > view.result_characters:
        return replace(message, content=shortened(content, view.result_characters))
    return message


def _wire(message: Message) -> Message:
    if isinstance(message, AssistantMessage) and message.tool_calls:
        return replace(message, tool_calls=tuple(map(_wire_call, message.tool_calls)))
    return message


def _wire_call(call: ToolCall) -> ToolCall:
    name = _NAME.sub("_", call.name)[:64] or "unknown"
    return replace(call, name=name, arguments=wire_arguments(call.arguments))
