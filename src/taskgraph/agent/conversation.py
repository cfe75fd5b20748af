"""One agent's conversation: every message that joins it is emitted, in order, exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from taskgraph.events import Emit, Said
from taskgraph.llm.messages import AssistantMessage, Message, ToolCall, ToolMessage


@dataclass
class Conversation:
    """The messages so far.

    Attributes:
        node: whose conversation it is.
        emit: receives `Said` for each message that joins.
        messages: all messages, those of a resumed conversation included, as they were said.
    """

    node: str
    emit: Emit
    messages: list[Message] = field(default_factory=list[Message])

    def say(self, message: Message) -> None:
        """Lets a message join."""
        self.messages.append(message)
        self.emit(Said(self.node, len(self.messages) - 1, message))

    @property
    def answers(self) -> Iterator[AssistantMessage]:
        """What the model said, in order."""
        return (one for one in self.messages if isinstance(one, AssistantMessage))

    def unanswered(self) -> tuple[ToolCall, ...]:
        """Returns the calls of the last answer that have no result yet."""
        calls: tuple[ToolCall, ...] = ()
        for message in self.messages:
            if isinstance(message, AssistantMessage):
                calls = message.tool_calls
            elif isinstance(message, ToolMessage):
                calls = tuple(call for call in calls if call.id != message.call_id)
        return calls

    def with_unique_ids(self, message: AssistantMessage) -> AssistantMessage:
        """Gives each call that has no id, or one that was used before, an id of its own."""
        used = {call.id for answer in self.answers for call in answer.tool_calls}
        step = sum(1 for _ in self.answers) + 1
        calls: list[ToolCall] = []
        for number, call in enumerate(message.tool_calls):
            if not call.id or call.id in used:
                call = replace(call, id=_free_id(step, number, used))
            used.add(call.id)
            calls.append(call)
        return replace(message, tool_calls=tuple(calls))


def has_text(message: AssistantMessage) -> bool:
    """Says whether an answer says anything to a reader."""
    return bool(message.content and message.content.strip())


def _free_id(step: int, number: int, used: set[str]) -> str:
    # Nine letters and digits: the only form that Mistral's templates take.
    while (name := f"call{step:03d}{number:02d}") in used:
        number += 1
    return name
