"""The boundary to a model: one method, so that a wire, a script and a recording are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from taskgraph.llm.messages import ModelRequest, ModelResponse, Usage


class Model(Protocol):
    """Something that answers model requests; many agents may ask at once."""

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answers one request.

        Raises:
            ModelError: this conversation cannot go on with this model.
            RunError: no conversation can go on.
            LimitReached: a budget does not allow the call.
        """
        ...


@dataclass(frozen=True, slots=True)
class LostSpend:
    """A try that was, or may have been, paid for without giving an answer."""

    request: ModelRequest
    usage: Usage | None
    """What the server told of it; None where nobody knows whether it was billed."""
    why: str


OnLostSpend: TypeAlias = Callable[[LostSpend], None]
