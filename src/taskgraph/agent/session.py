"""One agent's way to its database: through the guard, in a thread, within a time limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from taskgraph.database import Cursor, Result, quote
from taskgraph.errors import (
    AgentFailed,
    InternalError,
    QueryFailed,
    QueryStuck,
    QueryTimeout,
    Refused,
)
from taskgraph.guard import Guard, StatementResult

T = TypeVar("T")

MISTAKES = (Refused, QueryFailed, QueryTimeout, QueryStuck)
"""What a model can do something about."""
MAX_STUCK = 3
"""Statements that could not be interrupted before the agent is ended."""
_SIDE_TIMEOUT_S = 20.0
"""Seconds for what the engine asks on its own, such as how many rows a view has."""


@dataclass(slots=True)
class Session:
    """The cursor of an agent's node and the guard before it.

    Attributes:
        cursor: the node's own connection; nobody else uses it meanwhile.
        guard: judges and runs each statement, in the mode of agents.
        timeout_s: seconds per statement.
        stuck: statements that could not be interrupted.
    """

    cursor: Cursor
    guard: Guard
    timeout_s: float
    stuck: int = 0

    async def split(self, sql: str) -> tuple[str, ...]:
        """Returns the statements of a text.

        Raises:
            Refused: the text is empty, too large, or cannot be parsed.
        """
        return await self._in_thread(partial(self.guard.split, sql), self.timeout_s)

    async def run(self, statement: str, max_rows: int) -> StatementResult:
        """Runs one statement of the agent.

        Raises:
            Refused: it may not run.
            QueryFailed: DuckDB said no.
            QueryTimeout: it took too long.
            QueryStuck: it could not be interrupted, and goes on beside what comes next.
            AgentFailed: that was one too many.
        """
        work = partial(self.guard.run, statement, max_rows=max_rows)
        return await self._in_thread(work, self.timeout_s)

    async def count(self, query: str) -> int:
        """Counts the rows of a query; raises what `run` raises."""
        # A trailing comment would swallow the closing bracket, hence the line breaks.
        result = await self._read(f"SELECT count(*) FROM (\n{query}\n)")
        return result.rows[0][0]

    async def shape(self, relation: str) -> Result:
        """Returns a table's or view's columns and types, without rows; raises what `run` raises."""
        return await self._read(f"SELECT * FROM {quote(relation)} LIMIT 0")

    async def fill(self, relation: str) -> tuple[int, tuple[int, ...]]:
        """Counts a view's rows, and the values in each of its columns; raises what `run` raises.

        A bare `count(*)` would not compute the columns, so that a cast that fails goes unnoticed.
        """
        counts = "count(*), count(COLUMNS(*))"
        result = await self._read(f"SELECT {counts} FROM {quote(relation)}")
        rows, *values = result.rows[0]
        return rows, tuple(values)

    async def _read(self, query: str) -> Result:
        work = partial(self.guard.run, query, max_rows=1)
        done = await self._in_thread(work, min(self.timeout_s, _SIDE_TIMEOUT_S))
        if done.result is None:
            raise InternalError(f"a read gave no result: {query}")
        return done.result

    async def _in_thread(self, work: Callable[[], T], timeout_s: float) -> T:
        try:
            return await self.cursor.run(work, timeout_s=timeout_s)
        except QueryStuck as error:
            self.stuck += 1
            if self.stuck >= MAX_STUCK:
                raise AgentFailed(
                    f"{self.stuck} of its statements could not be interrupted; each takes a "
                    f"processor until it ends. The last one: {error}"
                ) from error
            raise
