"""The boundary to a model: one method, so that a wire, a script and a recording are the same."""

from __future__ import annotations

from typing import Protocol

from taskgraph.llm.messages import ModelRequest, ModelResponse


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
