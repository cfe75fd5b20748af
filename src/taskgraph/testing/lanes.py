"""One agent's script: what its requests get, in order, and what they said."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Self

from taskgraph.testing.rules import History
from taskgraph.testing.steps import PERFECT, Answer, Call, Content, Responder, Seen, Step, Wire


@dataclass
class Lane:
    """What one agent's requests get. Every method that adds a step returns the lane."""

    key: str
    steps: deque[Step] = field(default_factory=deque[Step])
    """Not served yet."""
    seen: list[Seen] = field(default_factory=list[Seen])
    """Every try that arrived."""
    history: History = field(default_factory=History)
    answered: int = 0
    last_body: bytes = b""
    """Of the last request that was answered."""
    _gate: str | None = None

    def reply(self, content: str | Answer | Responder, wire: Wire = PERFECT) -> Self:
        """Adds an answer: words, an `Answer`, or a function of the request."""
        return self.send(Answer(text=content) if isinstance(content, str) else content, wire)

    def call(self, *tools: Call, wire: Wire = PERFECT) -> Self:
        """Adds an answer that calls tools, each given as name and arguments."""
        return self.send(Answer(tools=tools), wire)

    def send(self, content: Content | Responder, wire: Wire = PERFECT, times: int = 1) -> Self:
        """Adds anything the server can send, for one try or for several."""
        self.steps.extend([Step(content, wire, self._gate)] * times)
        self._gate = None
        return self

    def gate(self, name: str) -> Self:
        """Holds the next step back until the server's gate of this name is released."""
        self._gate = name
        return self

    def compacts(self) -> Self:
        """Allows one later request to change earlier messages."""
        self.history.compacts = True
        return self
