"""What an agent is given and what it gives back: frozen values, and the functions passed down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from taskgraph.events import CheckResult
from taskgraph.llm.messages import NOTHING_USED, Message, Tool, Usage
from taskgraph.spec import ReasoningEffort

LONGEST_ANSWER_TOKENS = 32_000
"""Tokens of one answer, reasoning included; a model that needs more does not come to an end."""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a call of `run_sql` gave."""

    content: str
    """What the model is told."""
    failed: bool
    """True where a statement was refused, failed, or took too long."""
    state: str
    """Says how the database looks to this agent now: as long as it stays the same, a statement
    gives the same answer again."""


RunSql: TypeAlias = Callable[[str], Awaitable[ToolOutcome]]
"""Runs the text of one call, which may hold several statements."""
Accept: TypeAlias = Callable[[], Awaitable[tuple[CheckResult, ...]]]
"""Judges the work when the model says that it is done; no `fail` among the results: accepted."""
Durable: TypeAlias = Callable[[], Awaitable[None]]
"""Returns once everything emitted so far is safe."""


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """How far an agent may go. Money is the model's matter: it raises `LimitReached`."""

    max_iterations: int = 200
    """Model calls; the closing turn after a limit is not counted."""
    max_tokens: int = 20_000_000
    """Prompt and completion tokens, added over all calls."""
    max_seconds: float | None = None
    """Wall-clock seconds from the start (or the resume) of the agent; None for no limit."""


@dataclass(frozen=True, slots=True)
class AgentTask:
    """One agent's work: who asks which model, about what, and what was said before."""

    node: str
    model: str
    session: str
    """Who asks: stable over the conversation, different between agents."""
    system: str
    """The system prompt: the same bytes for every agent of a run."""
    brief: str
    """The first user message: the node's task and everything it needs to know."""
    tools: tuple[Tool, ...]
    limits: AgentLimits = AgentLimits()
    reasoning_effort: ReasoningEffort = "low"
    context_length: int | None = None
    """Tokens that the model can read and write at once; None where nobody knows."""
    completion_tokens: int = 16_000
    """Tokens one answer may take, reasoning included; doubled once where an answer is cut off."""
    max_completion_tokens: int = LONGEST_ANSWER_TOKENS
    """Tokens the model can write in one answer."""
    history: tuple[Message, ...] = ()
    """The conversation so far, from position 0, where one is resumed."""
    failed: frozenset[int] = frozenset()
    """Positions in `history` of results that tell of a failure."""
    spent: Usage = NOTHING_USED
    """What the calls of `history` used."""


@dataclass(frozen=True, slots=True)
class AgentResult:
    """How an agent ended, and what it took, `history` included."""

    status: Literal["accepted", "failed", "stopped"]
    """`stopped` at a limit: the conversation can be resumed once the limit is raised."""
    usage: Usage
    iterations: int
    """Model calls."""
    tool_calls: int
    last_words: str | None = None
    """What the model said when it ended: its assumptions, for people."""
    findings: tuple[CheckResult, ...] = ()
    """The last verdict on its work."""
    reason: str | None = None
    """Why it failed, or which limit stopped it: the value and the limit. None if accepted."""
