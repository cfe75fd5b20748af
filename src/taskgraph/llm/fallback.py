"""Other models for a node, for when its own fails it for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from taskgraph.errors import ContextOverflow, ModelError, ModelUnavailable
from taskgraph.llm.messages import ModelRequest, ModelResponse
from taskgraph.llm.model import Model


class FallbackModel:
    """Asks a node's own model, and the next one from the moment that one fails for good.

    An agent stays with the model that took over: going back and forth would lose every cached
    prefix. Reasoning is not carried over, see `AssistantMessage.said_by`. A question that is too
    long goes back to the agent, who cuts it; the same one again could not be cut any more, and
    the next model may have a larger window.
    """

    def __init__(self, model: Model, fallbacks: Sequence[str]) -> None:
        """Takes the client and the names of the models to try, in order."""
        self._model = model
        self._fallbacks = tuple(fallbacks)
        self._failed: dict[str, int] = {}
        self._too_long: dict[str, ModelRequest] = {}

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answers with the first model that can.

        Raises:
            ModelError: the last model failed, too.
            ContextOverflow: the agent has to cut the question and ask again.
            RunError: no conversation can go on.
            LimitReached: a budget does not allow the call.
        """
        warnings: tuple[str, ...] = ()
        while True:
            asked = replace(request, model=self._current(request))
            try:
                response = await self._model.complete(asked)
            except (ModelError, ModelUnavailable) as error:
                if isinstance(error, ContextOverflow) and self._can_be_cut(asked):
                    raise
                self._move_on(request, error)
                taking_over = self._current(request)
                warnings += (f"{asked.model!r} failed, {taking_over!r} takes over: {error}",)
            else:
                return replace(response, warnings=(*warnings, *response.warnings))

    def _can_be_cut(self, asked: ModelRequest) -> bool:
        is_new = self._too_long.get(asked.session) != asked
        self._too_long[asked.session] = asked
        return is_new

    def _current(self, request: ModelRequest) -> str:
        return (request.model, *self._fallbacks)[self._failed.get(request.session, 0)]

    def _move_on(self, request: ModelRequest, error: Exception) -> None:
        failed = self._failed.get(request.session, 0)
        if failed == len(self._fallbacks):
            raise error
        self._failed[request.session] = failed + 1
