"""The one tool of an agent: runs the SQL of a call and answers for a model."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias

from taskgraph.agent.feedback import checks_text
from taskgraph.agent.rendering import cut
from taskgraph.agent.session import MISTAKES, Session
from taskgraph.agent.task import ToolOutcome
from taskgraph.agent.telling import FIRST_ROWS, explain, tell
from taskgraph.database import fold
from taskgraph.errors import QueryStuck, QueryTimeout, Refused, StatementError
from taskgraph.events import CheckResult, Emit, StatementRun
from taskgraph.guard import StatementResult
from taskgraph.llm.messages import Tool
from taskgraph.sql_text import without_comments_before

RUN_SQL = Tool(
    name="run_sql",
    description=(
        "Runs DuckDB SQL and returns what each statement gave: the rows of a query, or what a "
        "CREATE or DROP did. Several statements may stand in one text, separated by semicolons; "
        "they run in order, and the first that fails ends the call."
    ),
    parameters={
        "type": "object",
        "properties": {
            "sql": {"type": "string", "description": "One or more DuckDB SQL statements."}
        },
        "required": ["sql"],
        "additionalProperties": False,
    },
)

AfterDefine: TypeAlias = Callable[[], Awaitable[tuple[CheckResult, ...]]]
"""Runs the node's checks on its views as they stand."""

_LEAST_CHARACTERS = 300
_LABEL_CHARACTERS = 80


@dataclass
class SqlTool:
    """Runs an agent's SQL.

    Attributes:
        node: whose agent it is.
        session: the node's database.
        emit: receives a `StatementRun` for each statement, refused ones included.
        after_define: the node's checks, run after each call that defined something.
        readable: tables and views of the nodes it depends on, for messages.
        max_characters: characters that the results of one call may take.
    """

    node: str
    session: Session
    emit: Emit
    after_define: AfterDefine
    readable: Sequence[str]
    max_characters: int
    _defined: dict[str, StatementResult] = field(default_factory=dict[str, StatementResult])
    _definitions: int = 0

    async def run(self, sql: str) -> ToolOutcome:
        """Runs the statements of one call in order, up to the first that fails.

        Raises:
            AgentFailed: too many statements could not be interrupted.
        """
        before = self._definitions
        try:
            statements = await self.session.split(sql)
        except MISTAKES as error:
            texts, failed = [await self._failure(sql, error, 0.0)], True
        else:
            texts, failed = await self._run_all(statements)
        if self._definitions > before:
            texts.append(await self._checks())
        return ToolOutcome("\n".join(filter(None, texts)), failed, self._state())

    def note(self, done: StatementResult) -> None:
        """Takes account of what a statement defined; also of those that ran before a resume."""
        if done.name:
            self._defined[fold(done.name)] = done
            self._definitions += 1

    async def _run_all(self, statements: Sequence[str]) -> tuple[list[str], bool]:
        texts: list[str] = []
        room = self.max_characters
        for number, statement in enumerate(statements, start=1):
            text, failed = await self._run_one(statement, max(room, _LEAST_CHARACTERS))
            room -= len(text)
            texts.append(_labelled(text, statement, number, len(statements)))
            if failed:
                return [*texts, _not_run(number, len(statements))], True
        return texts, False

    async def _run_one(self, statement: str, room: int) -> tuple[str, bool]:
        started = perf_counter()
        try:
            done = await self.session.run(statement, FIRST_ROWS)
            elapsed_ms = (perf_counter() - started) * 1000
            told = await tell(self.session, done, room)
        except MISTAKES as error:
            return await self._failure(statement, error, (perf_counter() - started) * 1000), True
        self.note(done)
        self.emit(
            StatementRun(
                node=self.node,
                source="agent",
                kind=done.kind,
                query=done.sql,
                elapsed_ms=elapsed_ms,
                content=told.text,
                row_count=told.row_count,
                name=done.name,
            )
        )
        return told.text, False

    async def _failure(self, statement: str, error: StatementError, elapsed_ms: float) -> str:
        text = await explain(self.session, statement, error, self._readable())
        self.emit(
            StatementRun(
                node=self.node,
                source="agent",
                kind="refused" if isinstance(error, Refused) else _kind(statement),
                query=statement,
                elapsed_ms=elapsed_ms,
                content=text,
                error=str(error),
            )
        )
        return text

    async def _checks(self) -> str:
        try:
            return checks_text(await self.after_define())
        except (QueryTimeout, QueryStuck):
            return "checks: they take too long; make your views cheaper"

    def _readable(self) -> list[str]:
        own = [one.name for one in self._defined.values() if one.name and one.kind == "create_view"]
        return [*self.readable, *own]

    def _state(self) -> str:
        definitions = sorted((name, one.kind, one.sql) for name, one in self._defined.items())
        return hashlib.sha256(repr(definitions).encode()).hexdigest()


def _kind(statement: str) -> str:
    # What DuckDB refuses has passed the guard: it is one of the few kinds that may run.
    word = without_comments_before(statement).split(maxsplit=1)[0].lower()
    return word if word in ("create", "drop", "explain") else "select"


def _labelled(text: str, statement: str, number: int, count: int) -> str:
    if count == 1:
        return text
    line = " ".join(without_comments_before(statement).split())
    shown = cut(line.rstrip("; "), _LABEL_CHARACTERS)
    return f"[{number} of {count}] {shown}\n{text}"


def _not_run(number: int, count: int) -> str:
    if number == count:
        return ""
    rest = f"{number + 1}" if number + 1 == count else f"{number + 1} to {count}"
    before = "" if number == 1 else "; what ran before it stands"
    return f"[{number} of {count} failed, {rest} not run{before}]"
