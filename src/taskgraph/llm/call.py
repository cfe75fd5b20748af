"""One model call and what became of its tries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from taskgraph.llm.messages import FailedAttempt, ModelRequest, ModelResponse, Usage
from taskgraph.llm.reply import Completion
from taskgraph.llm.retry import Failure, HttpReply
from taskgraph.llm.wire import fingerprint

_FLAWED = "the answer held bytes that are no UTF-8; they read as U+FFFD"


@dataclass
class Call:
    """A call, from its first try to its answer.

    Attributes:
        request: what is asked.
        began: when, in the clock's seconds.
        failures: of the tries so far.
        waits: seconds before the try that followed each of them.
        warnings: what a person should know beside the answer.
        paused_s: seconds spent in pauses that all calls share.
    """

    request: ModelRequest
    began: float
    failures: list[Failure] = field(default_factory=list[Failure])
    waits: list[float] = field(default_factory=list[float])
    warnings: list[str] = field(default_factory=list[str])
    paused_s: float = 0.0

    @property
    def wait_s(self) -> float:
        """Seconds before the next try; a pause is waited for elsewhere, by all together."""
        return 0.0 if self.failures[-1].action == "pause" else self.waits[-1]

    @property
    def providers_to_ignore(self) -> tuple[str, ...]:
        """Providers that failed and must not answer the next try."""
        named = (failure.without_provider for failure in self.failures)
        return tuple(provider for provider in named if provider)

    def answered(self, completion: Completion, reply: HttpReply, seconds: float) -> ModelResponse:
        """Returns the response.

        Args:
            completion: the answer.
            reply: what it stood in.
            seconds: how long the last try took.
        """
        usage = completion.usage or Usage()
        return ModelResponse(
            message=replace(completion.message, said_by=self.request.model),
            finish_reason=completion.finish_reason,
            usage=usage,
            model=completion.model or self.request.model,
            generation_id=completion.generation_id or reply.headers.get("x-generation-id"),
            provider=completion.provider,
            raw=reply.text.strip(),
            request_sha256=fingerprint(self.request).sha256,
            latency_ms=seconds * 1000,
            attempts=len(self.failures) + 1,
            warnings=(*self.warnings, *([_FLAWED] if reply.is_flawed else [])),
            cost_source="none" if usage.cost_usd is None else "server",
            failed_attempts=self._failed_attempts(),
        )

    def _failed_attempts(self) -> tuple[FailedAttempt, ...]:
        pairs = zip(self.failures, self.waits, strict=True)
        return tuple(FailedAttempt(failed.reason, failed.message, wait) for failed, wait in pairs)
