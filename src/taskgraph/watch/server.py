"""In the process of a run: answers whoever of the same user asks on the run's socket.

The run never waits for a reader. Questions run on connections of their own, few at once and for a
bounded time; a reader that is slow, silent or gone is dropped.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from taskgraph.database import Cursor, Database
from taskgraph.errors import TaskgraphError
from taskgraph.events import (
    Event,
    ModelAnswered,
    NodeEnded,
    NodeStarted,
    RunStarted,
    Said,
    StatementRun,
)
from taskgraph.llm.messages import AssistantMessage, Message, ToolMessage
from taskgraph.watch.address import make_room, socket_of
from taskgraph.watch.reader import read
from taskgraph.watch.wire import (
    Order,
    Question,
    Request,
    RunningNode,
    Standing,
    error_line,
    read_request,
    result_line,
    standing_line,
)

MOST_ROWS = 100_000
"""Rows of one answer, whatever was asked for."""
MOST_SECONDS = 60.0
"""Seconds of one question, whatever was asked for."""
_AT_ONCE = 2
_PATIENCE_S = 60.0
"""Seconds that a reader may be silent, or slow to take its answer."""
_LONGEST_REQUEST = 1024 * 1024


@dataclass
class Watch:
    """Listens to a run's events, and answers questions about it.

    Attributes:
        stop: ends the run in good order.
    """

    stop: Callable[[], object]
    _database: Database | None = None
    _waiting: dict[str, None] = field(default_factory=dict[str, None])
    _running: dict[str, RunningNode] = field(default_factory=dict[str, RunningNode])
    _unanswered: dict[str, int] = field(default_factory=dict[str, int])
    """Node to how many calls of its model's last answer have no result yet."""
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _reading: set[asyncio.Task[None]] = field(default_factory=set["asyncio.Task[None]"])
    _stopping: bool = False

    def attach(self, database: Database) -> None:
        """Answers from this database from now on."""
        self._database = database

    async def detach(self) -> None:
        """Answers from no database any more; none of its connections is open on return."""
        self._database = None
        if reading := set(self._reading):
            for task in reading:
                task.cancel()
            await asyncio.wait(reading)

    def record(self, event: Event) -> None:
        """Takes an event into account."""
        match event:
            case RunStarted(nodes=nodes, kept=kept):
                self._waiting = {name: None for name, _ in nodes if name not in kept}
            case NodeStarted(node=node, kind=kind, at=at):
                self._waiting.pop(node, None)
                self._running[node] = RunningNode(node, kind, at)
            case NodeEnded(outcome=outcome):
                self._waiting.pop(outcome.node, None)
                self._running.pop(outcome.node, None)
                self._unanswered.pop(outcome.node, None)
            case StatementRun(node=node, query=query) if node in self._running:
                self._running[node] = replace(self._running[node], statement=query)
            case ModelAnswered(node=node) if node in self._running:
                self._running[node] = _with_answer(self._running[node], event)
                self._unanswered[node] = len(event.response.message.tool_calls)
            case Said(node=node, message=message) if node in self._running:
                self._hear(node, message)
            case _:
                return

    def _hear(self, node: str, message: Message) -> None:
        """A model is asked as soon as all calls of its last answer have their results."""
        if isinstance(message, AssistantMessage):
            return
        unanswered = self._unanswered.get(node, 0) - isinstance(message, ToolMessage)
        self._unanswered[node] = max(0, unanswered)
        self._running[node] = replace(self._running[node], thinks=unanswered <= 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one reader until it has gone."""
        # What a reader sends may be anything, and it may go away at any moment.
        with suppress(OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            while line := await asyncio.wait_for(reader.readline(), _PATIENCE_S):
                request = read_request(line)
                writer.write(await self._answer(request))
                await asyncio.wait_for(writer.drain(), _PATIENCE_S)
                if request == Order("stop"):
                    await asyncio.Event().wait()  # for the run's end, which ends this too

    async def _answer(self, request: Request) -> bytes:
        if isinstance(request, Question):
            async with self._places:
                return await self._read(request)
        if request.what == "stop":
            self._end()
        return standing_line(
            Standing(os.getpid(), tuple(self._running.values()), tuple(self._waiting))
        )

    def _end(self) -> None:
        # Once: whoever cancels a second time would cut short what is being ended in good order.
        if not self._stopping:
            self._stopping = True
            self.stop()

    async def _read(self, question: Question) -> bytes:
        task = asyncio.current_task()
        if self._database is None or task is None:
            return error_line("the run has its file closed: ask again when it has ended")
        self._reading.add(task)
        try:
            with closing(self._database.cursor()) as cursor:
                timeout_s = min(question.timeout_s, MOST_SECONDS)
                return await cursor.run(partial(_line, cursor, question), timeout_s=timeout_s)
        except TaskgraphError as error:
            return error_line(str(error))
        finally:
            self._reading.discard(task)


def _line(cursor: Cursor, question: Question) -> bytes:
    return result_line(read(cursor, question.sql, min(question.max_rows, MOST_ROWS)))


def _with_answer(running: RunningNode, event: ModelAnswered) -> RunningNode:
    usage = event.response.usage
    cost = usage.cost_usd
    return replace(
        running,
        turns=running.turns + 1,
        thinks=False,
        tokens=running.tokens + usage.total_tokens,
        cost_usd=running.cost_usd if cost is None else (running.cost_usd or 0.0) + cost,
    )


@asynccontextmanager
async def watched(unfinished: Path, stop: Callable[[], object]) -> AsyncGenerator[Watch]:
    """Lets a run be watched inside the block; where no socket can be made, it is not.

    Args:
        unfinished: the file that the run writes, and nobody else.
        stop: ends the run in good order; called once at most.
    """
    watch = Watch(stop)
    if sys.platform == "win32" or not make_room(socket := socket_of(unfinished)):
        yield watch
        return
    serving = set[asyncio.Task[None]]()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(watch.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)
        task.add_done_callback(lambda _: writer.close())

    try:
        server = await asyncio.start_unix_server(serve, socket, limit=_LONGEST_REQUEST)
    except OSError:
        yield watch
        return
    try:
        yield watch
    finally:
        server.close()
        socket.unlink(missing_ok=True)
        for task in serving:
            task.cancel()
