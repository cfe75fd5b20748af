"""What is said between an agent and a model, as frozen values that any client can put on a wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

FinishReason: TypeAlias = Literal[
    "stop", "tool_calls", "length", "content_filter", "error", "other"
]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that a model asks for."""

    id: str
    name: str
    arguments: str
    """Raw JSON text, as the model wrote it; may be malformed."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class SystemMessage:
    """The job and its rules: the same bytes for every agent of a run."""

    content: str


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UserMessage:
    """The task, and everything the engine says outside of a tool result."""

    content: str


@dataclass(frozen=True, slots=True, weakref_slot=True)
class AssistantMessage:
    """What the model said."""

    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    """Plain reasoning text (`reasoning` or `reasoning_content` on the wire)."""
    reasoning_details: str | None = None
    """JSON text of `reasoning_details` exactly as received; None where the field was absent.
    It goes back byte for byte: providers sign it."""
    said_by: str | None = field(default=None, compare=False)
    """The model that was asked for this message; None where nobody noted it. Reasoning goes back
    only to the model that it came from."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ToolMessage:
    """The result of one tool call."""

    call_id: str
    content: str


Message: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model may call."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the arguments; goes on the wire as it is."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one model call, or many added up, consumed."""

    prompt_tokens: int = 0
    """Includes the cached ones."""
    completion_tokens: int = 0
    """Includes the reasoning ones."""
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None
    """US dollars; None where neither the server nor a price table tells."""

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            _added(self.cost_usd, other.cost_usd),
        )


NOTHING_USED = Usage()


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One turn's question to a model."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    session: str
    """Who asks: stable over one agent's conversation, different between agents."""
    step: int
    """Number of this model call within the conversation, from 1."""
    tool_choice: Literal["auto", "none"] = "auto"
    max_tokens: int = 16_000
    """Completion tokens allowed for this call, reasoning included."""
    reasoning_effort: Literal["low", "medium", "high"] | None = "low"
    """How hard to think; None leaves it to the model."""
    node: str = ""
    """The node for which the model is asked; empty where there is none."""

    @property
    def asker(self) -> str:
        """The node, or where it was not told the session's last part: the same in every run."""
        return self.node or self.session.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One try of a model call that gave no answer."""

    reason: str
    """Class of the failure, such as `network` or `server`."""
    message: str
    wait_s: float
    """Seconds waited before the next try."""


@dataclass(frozen=True, slots=True)
class ModelResponse:
    """One accepted answer."""

    message: AssistantMessage
    finish_reason: FinishReason
    usage: Usage
    model: str
    """The model that answered; may be more exact than the one asked for."""
    generation_id: str | None = None
    provider: str | None = None
    raw: str = ""
    """The response body as it came, for audit and replay."""
    request_sha256: str = ""
    """Hash over the canonical request, without what identifies the session."""
    latency_ms: float = 0.0
    attempts: int = 1
    """How many tries the answer took, the accepted one included."""
    warnings: tuple[str, ...] = field(default=())
    """What a person should know of this answer, such as a cost that is unknown."""
    cost_source: Literal["server", "table", "none"] = "none"
    """Who told the cost: the server's answer, our price table, or nobody."""
    failed_attempts: tuple[FailedAttempt, ...] = ()
    """The tries before the accepted one, in order."""


def _added(one: float | None, other: float | None) -> float | None:
    if one is None:
        return other
    if other is None:
        return one
    return one + other
