"""Models that answer from a recording: alone, or until a conversation is no longer the recorded one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from taskgraph.errors import ContextOverflow, ModelError
from taskgraph.llm.limits_told import without_limits
from taskgraph.llm.messages import (
    AssistantMessage,
    Message,
    ModelRequest,
    ModelResponse,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from taskgraph.llm.model import Model
from taskgraph.llm.preflight import ModelFacts
from taskgraph.llm.recording import Circumstances, RecordedCall, Recording, common_prefix
from taskgraph.llm.wire import Fingerprint, fingerprint

_EXCERPT = 200
_SHOWN_LINES = 8
_LINE_CHARACTERS = 100


class RecordedModel:
    """Answers from a recording, and refuses a question that was not the recorded one."""

    def __init__(self, recording: Recording) -> None:
        """Takes the recording."""
        self._recording = recording
        self._answered = {
            (call.node, call.step): call for call in recording.calls if call.answer is not None
        }
        # How often each question was refused; another model may have taken the same one.
        self._too_long = Counter(
            (call.node, call.messages) for call in recording.calls if call.answer is None
        )

    @property
    def circumstances(self) -> Circumstances:
        """What the recorded questions followed from."""
        return self._recording.circumstances

    def facts(self, model: str) -> ModelFacts:
        """Returns what the recorded run knew of a model, or of its only one: any may be named."""
        known = self.circumstances.facts
        only = next(iter(known.values())) if len(known) == 1 else ModelFacts(model)
        return replace(known.get(model, only), model=model)

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Gives the recorded answer for this node and step, at no cost.

        Which model is asked, how hard it may think and how often it may be asked is not compared:
        the recorded answer stands for all of them.

        Raises:
            ModelError: nothing was recorded for this step, or another question was.
            ContextOverflow: the recorded server found this question too long.
        """
        hashes = fingerprint(request)
        if self._was_too_long(request.asker, hashes):
            raise ContextOverflow(
                f"the model recorded in {self._recording.name} found this too long"
            )
        call = self._answered.get((request.asker, request.step))
        if call is None or call.answer is None:
            raise self._not_recorded(request)
        difference = self._difference(call, hashes, request.messages)
        if difference:
            raise self._diverged(request, difference)
        answer = call.answer
        return ModelResponse(
            message=answer.message,
            finish_reason=answer.finish_reason,
            usage=replace(answer.usage, cost_usd=0.0),
            model=answer.model,
            request_sha256=hashes.sha256,
            cost_source="server",
        )

    def _was_too_long(self, node: str, hashes: Fingerprint) -> bool:
        self._too_long[node, hashes.messages] -= 1
        return self._too_long[node, hashes.messages] >= 0

    def _not_recorded(self, request: ModelRequest) -> ModelError:
        steps = [step for node, step in self._answered if node == request.asker]
        ended = self._recording.ends.get(request.asker)
        if ended and request.step == max(steps, default=0) + 1:
            return ModelError(f"{self._recording.name} ends node {request.asker!r} here: {ended}")
        if steps:
            return self._diverged(request, f"the recording ends at step {max(steps)}")
        nodes = ", ".join(sorted({node for node, _ in self._answered})) or "none"
        return self._diverged(
            request, f"the recording has no answer for this node (it has: {nodes})"
        )

    def _diverged(self, request: ModelRequest, difference: str) -> ModelError:
        return ModelError(
            f"the recording {self._recording.name} does not fit node {request.asker!r}, "
            f"step {request.step}: {difference}",
            hint="The spec, the data or Taskgraph changed since. Go on with a real model from here "
            "with --on-divergence live, or record again.",
        )

    def _difference(
        self, recorded: RecordedCall, asked: Fingerprint, messages: Sequence[Message]
    ) -> str | None:
        """Says how a question differs from the recorded one; None where it does not."""
        if asked.messages != recorded.messages:
            position = common_prefix(asked.messages, recorded.messages)
            if position >= min(len(messages), len(recorded.messages)):
                return f"{len(messages)} messages were sent, and {len(recorded.messages)} recorded"
            before = self._recording.texts.get(recorded.messages[position])
            kind = "the task" if position == 1 else _KINDS[type(messages[position])]
            changed = _changed(messages[position], before)
            return f"message {position}, {kind}, is another one{changed}"
        if asked.tools != recorded.tools:
            return "the tools are described differently"
        return None


class LiveAfterDivergence:
    """Answers from a recording, and asks a real model from where a conversation is another one."""

    def __init__(
        self, recorded: RecordedModel, live: Model, warn: Callable[[str, str], None]
    ) -> None:
        """Takes both, and who is told of a divergence: the message, and the node."""
        self._recorded = recorded
        self._live = live
        self._warn = warn
        self._diverged: set[str] = set()

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answers as the recording does for as long as it fits.

        Raises:
            ModelError: the real model's own errors pass.
            ContextOverflow: the recorded server, or the real one, found the question too long.
            RunError: no conversation can go on.
        """
        if request.asker not in self._diverged:
            try:
                return await self._recorded.complete(request)
            except ContextOverflow:
                raise
            except ModelError as divergence:
                self._diverged.add(request.asker)
                self._warn(f"a real model answers from here on: {divergence}", request.asker)
        return await self._live.complete(request)


def _changed(message: Message, before: str | None) -> str:
    """Shows what of a message is new, and what is gone where it is known what was said before."""
    text = _text(message)
    if before is None:
        cut = f"{text[:_EXCERPT]!r}{'...' if len(text) > _EXCERPT else ''}"
        return f": {cut}; for the difference, replay the .db"
    old, new = (without_limits(one).split("\n") for one in (before, text))
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    lines = [*_marked("-", old, gone), *_marked("+", new, come)]
    return "\n".join(["", *lines])


def _marked(mark: str, lines: Sequence[str], differing: Counter[str]) -> Iterator[str]:
    """Shows the lines that the other message lacks; their order tells nothing, see `wire`."""
    found = [line for line in lines if differing[line] > 0]
    for line in islice(found, _SHOWN_LINES):
        cut = line if len(line) <= _LINE_CHARACTERS else f"{line[:_LINE_CHARACTERS]}..."
        yield f"  {mark} {cut}"
    if len(found) > _SHOWN_LINES:
        yield f"  {mark} and {len(found) - _SHOWN_LINES} more lines"


_KINDS: dict[type[Message], str] = {
    SystemMessage: "the instructions",
    UserMessage: "a word of the engine",
    AssistantMessage: "the model's answer",
    ToolMessage: "the result of a call",
}


def _text(message: Message) -> str:
    if isinstance(message, AssistantMessage):
        return message.content or " ".join(call.arguments for call in message.tool_calls)
    return message.content
