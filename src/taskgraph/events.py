"""Everything that can happen in a run, as frozen values, and the function that receives them.

One vocabulary for all who watch: the trace in the `.db`, the terminal, `--json`, a test's list.
Times are UTC; durations are milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from taskgraph.llm.messages import NOTHING_USED, Message, ModelRequest, ModelResponse, Usage
from taskgraph.spec import Kind

Status: TypeAlias = Literal["passed", "failed", "skipped", "reused", "cancelled", "stopped"]
RunStatus: TypeAlias = Literal["passed", "failed", "stopped", "interrupted"]
CheckStatus: TypeAlias = Literal["pass", "warn", "fail"]
StatementSource: TypeAlias = Literal[
    "agent", "sql_node", "reuse", "node_validation", "ingest", "materialise", "export"
]
"""`reuse`: what an agent defined in an earlier run, and this one defines again."""


def utc_now() -> datetime:
    """Returns the present moment, aware of being UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One row that a check gave, or one rule of the node's outputs that does not hold."""

    check: str
    """The declared check's name; `outputs` for required views and columns."""
    status: CheckStatus
    message: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A view or macro that stands when its node ends."""

    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What a file was when a source was read from it."""

    path: str
    """As a person would write it: relative to the spec's folder. Never an absolute path."""
    size_bytes: int
    sha256: str
    """Of the file's bytes, in lower-case hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a node ended: one row of `_node_meta`."""

    node: str
    kind: Kind
    status: Status
    started_at: datetime | None
    """None for a node that never started."""
    elapsed_ms: float
    error: str | None = None
    error_type: str | None = None
    """Class of the exception that ended it, such as `AgentFailed`."""
    hint: str | None = None
    checks: tuple[CheckResult, ...] = ()
    definitions: tuple[Definition, ...] = ()
    tables: tuple[tuple[str, int], ...] = ()
    """Tables left behind, with their row counts."""
    files: tuple[SourceFile, ...] = ()
    """What a source was read from; none for data that came from Python."""
    usage: Usage = NOTHING_USED
    model: str | None = None
    iterations: int = 0
    """Model calls."""
    tool_calls: int = 0
    last_words: str | None = None
    """What the agent said when it ended: its assumptions, for people."""
    skipped_because: str | None = None
    """The ancestor that did not pass."""
    why: str | None = None
    """Why a run over an earlier file reused, repaired or ran it; None in any other run."""

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """Checks that warned."""
        return tuple(check for check in self.checks if check.status == "warn")


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The plan stands and the file is open."""

    output: str
    nodes: tuple[tuple[str, Kind], ...]
    at: datetime = field(default_factory=utc_now)
    kept: tuple[str, ...] = ()
    """Nodes that have passed before, and do not run again."""
    earlier: str | None = None
    """Name of the earlier file that a run takes over from; None for any other run."""
    max_cost: float | None = None
    """US dollars that the run may cost; None without a limit."""
    spent: Usage = NOTHING_USED
    """What earlier parts of a resumed run have used."""


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """A node's dependencies have passed and it has a place."""

    node: str
    kind: Kind
    at: datetime = field(default_factory=utc_now)
    why: str | None = None
    """Why it runs although an earlier run has its work; None where there is nothing to explain."""


@dataclass(frozen=True, slots=True)
class TakenUp:
    """An agent is given what an earlier run made of the node."""

    node: str
    kind: Kind
    action: Literal["repair", "review"]
    why: str
    at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class StatementRun:
    """A statement was run, or refused: one row of `_trace`."""

    node: str
    source: StatementSource
    kind: str
    """What the statement is, such as `select`, `create_view`, `drop_macro`; `refused` if the guard
    could not tell."""
    query: str
    elapsed_ms: float
    content: str | None = None
    """What the asker was told, where it was told something."""
    error: str | None = None
    row_count: int | None = None
    name: str | None = None
    """The view or macro that a `create_*` or `drop_*` was about."""
    files: tuple[SourceFile, ...] = ()
    """What an ingest read."""
    at: datetime = field(default_factory=utc_now)
    recorded_as: int | None = None
    """Its id in `_trace`, if it was committed with what it did; None while it is to be written."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message joined an agent's conversation."""

    node: str
    position: int
    """Place in the conversation, from 0."""
    message: Message
    at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class ModelAnswered:
    """A model call was accepted: one row of `_llm_calls`."""

    node: str
    request: ModelRequest
    response: ModelResponse
    at: datetime = field(default_factory=utc_now)
    too_long: tuple[ModelRequest, ...] = ()
    """The forms of the question that were found too long before this one."""


@dataclass(frozen=True, slots=True)
class CallLost:
    """A try of a model call that was, or may have been, paid for without giving an answer."""

    node: str
    model: str
    """The model that was asked."""
    why: str
    tokens: int
    """Prompt and completion tokens; the most there can be where nobody knows."""
    cost_usd: float
    """US dollars that were charged."""
    perhaps_usd: float
    """US dollars that nobody knows whether they were charged."""
    at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class ChecksRun:
    """A node's checks gave their verdict, at its end or after one of the agent's definitions."""

    node: str
    results: tuple[CheckResult, ...]
    at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know; nothing stopped for it."""

    message: str
    node: str | None = None
    at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class NodeEnded:
    """A node has its outcome, and what it leaves behind is committed."""

    outcome: Outcome
    at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class ExportEnded:
    """An export was written, or failed."""

    name: str
    elapsed_ms: float
    error: str | None = None
    at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a run took less than the agents took whose SQL it reused; below zero if more."""

    tokens: int
    cost_usd: float
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The file is closed and, unless it is to be resumed, in its place."""

    output: str
    status: RunStatus
    outcomes: tuple[Outcome, ...]
    elapsed_ms: float
    at: datetime = field(default_factory=utc_now)
    saved: Saved | None = None
    """None for a run that takes nothing over from an earlier file."""


Event: TypeAlias = (
    RunStarted
    | NodeStarted
    | TakenUp
    | StatementRun
    | Said
    | ModelAnswered
    | CallLost
    | ChecksRun
    | Warned
    | NodeEnded
    | ExportEnded
    | RunEnded
)
Emit: TypeAlias = Callable[[Event], None]
