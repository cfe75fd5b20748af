"""Every exception that Taskgraph raises, split by who can mend it.

    TaskgraphError
    ├── UserError                 the person at the terminal can mend it; nothing has run (exit code 2)
    │   ├── SpecError             the spec has problems: all of them, each on its own line
    │   ├── SettingsError         an option, an environment value or a key is missing or wrong
    │   ├── OutputError           the output file exists, is in use, or cannot be written
    │   └── WorkspaceError        a file is not a Taskgraph `.db`, or not one this version reads
    ├── NodeError                 this node cannot pass; the others go on
    │   ├── IngestError           a source could not be read: names the file, the line or the cell
    │   ├── StatementError        SQL did not run; the text is written for whoever has to repair it
    │   │   ├── Refused           the guard said no, before anything happened
    │   │   ├── QueryFailed       DuckDB said no
    │   │   │   └── OutOfMemory   the memory was used up, by this statement or by others beside it
    │   │   ├── QueryTimeout      it took too long and was interrupted
    │   │   └── QueryStuck        it took too long and could not be interrupted
    │   ├── ChecksFailed          the node's outputs are missing, or its checks say `fail`
    │   ├── AgentFailed           the agent ended without an accepted result
    │   └── ModelError            the model's side failed for this node for good
    │       ├── ModelUnreachable  the network or the server failed at every attempt
    │       ├── ModelRejected     the server refused this request (moderation, a bad request)
    │       ├── ModelGarbled      it answered, but never with anything usable
    │       └── ContextOverflow   the conversation no longer fits the model's window
    ├── LimitReached              a budget or a limit was reached: `stopped`, resumable (exit code 3)
    │   ├── NodeLimit             one node's limit; the others go on
    │   └── RunLimit              the run's limit: nothing new starts
    ├── RunError                  no node can go on: the whole run stops, resumable
    │   ├── AuthenticationFailed  the key was not accepted
    │   ├── PaymentRequired       the account has no credit left
    │   ├── ModelUnavailable      no such model, or none that takes tools
    │   ├── ServiceExhausted      a daily limit, or a pause too long to wait for
    │   └── WrongEndpoint         the base URL is not a chat-completions API
    └── InternalError             a bug in Taskgraph; please report it

A foreign exception is translated at one boundary: DuckDB's in `database`, httpx's in
`llm.openrouter`. Everything that a spec's own code raises stays as it is and fails its node.
"""

from __future__ import annotations

from dataclasses import dataclass


class TaskgraphError(Exception):
    """Base of everything Taskgraph raises."""

    hint: str | None
    """What to do next, for a person; printed on a line of its own. None when the message says it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UserError(TaskgraphError):
    """The person at the terminal can mend it; nothing has run."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a spec."""

    where: str
    """Node and field, as in `node 'match', depends_on`, or the module's name."""
    message: str
    """What is wrong: the value and the rule."""
    suggestion: str | None = None
    """The nearest valid name, or the next step."""

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}"
        return f"{text} ({self.suggestion})" if self.suggestion else text


class SpecError(UserError):
    """The spec has problems: all of them, each on its own line."""

    def __init__(self, spec: str, problems: tuple[Problem, ...]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{count} in spec {spec}\n{lines}")
        self.problems = problems


class SettingsError(UserError):
    """An option, an environment value or a key is missing or wrong."""


class OutputError(UserError):
    """The output file exists, is in use, or cannot be written."""


class WorkspaceError(UserError):
    """A file is not a Taskgraph `.db`, or not one this version reads."""


class NodeError(TaskgraphError):
    """This node cannot pass; the others go on."""


class IngestError(NodeError):
    """A source could not be read: names the file, the line or the cell."""


class StatementError(NodeError):
    """SQL did not run; the text is written for whoever has to repair it."""


class Refused(StatementError):
    """The guard said no, before anything happened."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        """Stable class of the refusal, such as `namespace` or `function`."""


class QueryFailed(StatementError):
    """DuckDB said no."""


class OutOfMemory(QueryFailed):
    """The memory was used up, by this statement or by others beside it: it may run another time."""


class QueryTimeout(StatementError):
    """It took too long and was interrupted."""


class QueryStuck(StatementError):
    """It took too long and could not be interrupted: its connection is lost."""


class ChecksFailed(NodeError):
    """The node's outputs are missing, or its checks say `fail`; the findings are on record."""


class AgentFailed(NodeError):
    """The agent ended without an accepted result."""


class ModelError(NodeError):
    """The model's side failed for this node for good."""


class ModelUnreachable(ModelError):
    """The network or the server failed at every attempt."""


class ModelRejected(ModelError):
    """The server refused this request (moderation, a bad request)."""


class ModelGarbled(ModelError):
    """It answered, but never with anything usable."""


class ContextOverflow(ModelError):
    """The conversation no longer fits the model's window."""


class LimitReached(TaskgraphError):
    """A budget or a limit was reached: the node or the run is `stopped`, and can be resumed."""


class NodeLimit(LimitReached):
    """One node's limit; the others go on."""


class RunLimit(LimitReached):
    """The run's limit: nothing new starts."""


class RunError(TaskgraphError):
    """No node can go on: the whole run stops, resumable."""


class AuthenticationFailed(RunError):
    """The key was not accepted."""


class PaymentRequired(RunError):
    """The account has no credit left."""


class ModelUnavailable(RunError):
    """No such model, or none that takes tools."""


class ServiceExhausted(RunError):
    """A daily limit, or a pause too long to wait for."""


class WrongEndpoint(RunError):
    """The base URL is not a chat-completions API."""


class InternalError(TaskgraphError):
    """A bug in Taskgraph; please report it with the `.db`."""
