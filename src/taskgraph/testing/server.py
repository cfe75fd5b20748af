"""A fake OpenRouter on a loopback port, scripted lane by lane, in a thread of its own.

Every agent has a lane, found by its session: the script of one does not depend on what the others
do, so that a test with two hundred agents says the same on every machine. What nobody scripted,
and what was scripted and never asked for, fails the test when the server closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from taskgraph.llm.loose_json import as_object, as_text, parsed_json
from taskgraph.testing import account, control, http1
from taskgraph.testing.account import ServerState
from taskgraph.testing.chaos import Chaos
from taskgraph.testing.completions import (
    DialectName,
    completion,
    error_in_dialect,
    generation_id,
    message_json,
)
from taskgraph.testing.lanes import Lane
from taskgraph.testing.metering import Metered, meter
from taskgraph.testing.rules import remember, violations
from taskgraph.testing.steps import (
    PERFECT,
    Answer,
    Content,
    RawBytes,
    Reply,
    Responder,
    Seen,
    Step,
    Wire,
    error,
)

BASE_PATH = "/api/v1"
CHAT_PATH = f"{BASE_PATH}/chat/completions"
_MOST_PROBLEMS = 20


class FakeOpenRouter:
    """The server; a context manager for plain and async code alike."""

    def __init__(
        self,
        *,
        dialect: DialectName = "openrouter",
        strict: bool = True,
        enforce: bool = False,
        state: ServerState | None = None,
        port: int = 0,
    ) -> None:
        """Prepares a server.

        Args:
            dialect: whose shapes of errors, usage and reasoning it sends.
            strict: notes each request that a picky upstream would refuse, and fails at the end.
            enforce: answers such a request with 400, too.
            state: keys, credit, limits and models of the account.
            port: to listen on; any free one when 0.
        """
        self.dialect: DialectName = dialect
        self.state = state or ServerState()
        self.port = port
        self.lanes: dict[str, Lane] = {}
        self.violations: list[str] = []
        self.unexpected: list[str] = []
        self.pages: list[str] = []
        """Paths of the pages that were read, in order."""
        self.peak = 0
        """Most requests that were in flight at once."""
        self.in_flight = 0
        """Requests that have arrived and whose answer is not sent."""
        self.connections = 0
        """Connections opened so far."""
        self._strict = strict
        self._enforce = enforce
        self._default: Step | None = None
        self._chaos: Chaos | None = None
        self._gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._changed = threading.Condition()
        self._handlers: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="fake-openrouter", daemon=True)
        self._ready = threading.Event()

    @property
    def base_url(self) -> str:
        """The address to give to a client."""
        return f"http://127.0.0.1:{self.port}{BASE_PATH}"

    def agent(self, key: str) -> Lane:
        """Returns the lane of an agent: its whole session, or the session's last part."""
        return self.lanes.setdefault(key, Lane(key))

    def default(self, content: Content | Responder, wire: Wire = PERFECT) -> None:
        """Answers whoever has no script, or has come to its end."""
        self._default = Step(content, wire)

    def chaos(self, seed: int, chances: Mapping[str, float]) -> None:
        """Lets tries fail by chance: the same ones for the same seed, in any order.

        Args:
            seed: chooses the faults.
            chances: by kind of fault, see `chaos.FAULTS`; together less than 1.
        """
        self._chaos = Chaos(seed, chances)

    def attempts(self, key: str) -> int:
        """Returns how many tries a lane has seen."""
        return len(self.agent(key).seen)

    def release(self, gate: str) -> None:
        """Opens a gate, for good."""
        self._in_loop(self._gates[gate].set)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Blocks until a condition on this server holds; in async code, call it in a thread.

        Raises:
            TimeoutError: it never held.
        """
        with self._changed:
            if not self._changed.wait_for(condition, timeout_s):
                raise TimeoutError(f"waited {timeout_s} s in vain; {self.in_flight} in flight")

    def check(self) -> None:
        """Compares what happened with what was scripted.

        Raises:
            AssertionError: a request was unexpected or malformed, or a step is left over.
        """
        left = [
            f"{lane.key}: {len(lane.steps)} steps were never asked for"
            for lane in self.lanes.values()
            if lane.steps
        ]
        problems = [*self.unexpected, *left, *(self.violations if self._strict else ())]
        if problems:
            left_out = len(problems) - _MOST_PROBLEMS
            shown = problems[:_MOST_PROBLEMS] + [f"and {left_out} more"] * (left_out > 0)
            raise AssertionError("the fake server disagrees:\n" + "\n".join(shown))

    def reset(self) -> None:
        """Forgets all scripts and everything that was asked."""
        self.lanes.clear()
        self.violations.clear()
        self.unexpected.clear()
        self.pages.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._in_loop(self._stop.set)
        self._thread.join()
        if error is None:
            self.check()

    def _run(self) -> None:
        asyncio.run(self._serve())

    def _in_loop(self, action: Callable[[], object]) -> None:
        assert self._loop, "the fake server is not running"
        self._loop.call_soon_threadsafe(action)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, backlog=1024, limit=2**24
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for handler in self._handlers:
            handler.cancel()
        if self._handlers:
            await asyncio.wait(self._handlers)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler
        self._handlers.add(handler)
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                while (request := await http1.read_request(reader)) is not None:
                    if not await self._serve_one(request, reader, writer):
                        break
        finally:
            self._handlers.discard(handler)
            writer.close()

    async def _serve_one(
        self, request: http1.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answers one request; returns whether the connection lives on."""
        self._count(+1)
        try:
            content, wire = await self._respond(request)
            await http1.send(writer, content, wire)
            return await _end(reader, writer, wire)
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._changed:
            self.in_flight += change
            self.peak = max(self.peak, self.in_flight)
            self._changed.notify_all()

    async def _respond(self, request: http1.Request) -> tuple[Reply | RawBytes, Wire]:
        if request.path.startswith(control.PATH):
            return control.respond(self, request), PERFECT
        if request.method == "POST" and request.path == CHAT_PATH:
            return await self._chat(request)
        path = request.path.removeprefix(BASE_PATH)
        self.pages.append(path)
        reply = account.page(self.state, path, request.headers.get("authorization"))
        return reply, Wire(cut_head=0, ending="hang") if self.state.silent_pages else PERFECT

    async def _chat(self, request: http1.Request) -> tuple[Reply | RawBytes, Wire]:
        lane, seen = self._see(request)
        faults = violations(seen, lane.history, self.dialect)
        self.violations += faults
        if faults and self._enforce:
            return self._dressed(error(400, faults[0])), PERFECT
        step = self._chaos.step(lane.key, seen.number) if self._chaos else None
        if step is None:
            if refused := self._refusal(lane, seen):
                return self._dressed(refused), PERFECT
            step = self._next_step(lane, seen)
        if step.gate:
            await self._gates[step.gate].wait()
        content = step.content(seen) if callable(step.content) else step.content
        return self._rendered(content, step, lane, seen), step.wire

    def _refusal(self, lane: Lane, seen: Seen) -> Reply | None:
        if refused := account.refusal(self.state, seen):
            return refused
        too_long = account.too_long(self.state, seen, local=self.dialect == "llamacpp")
        # What was refused as too long has to be cut, and no cache knows it yet.
        lane.history.compacts |= too_long is not None
        return too_long

    def _see(self, request: http1.Request) -> tuple[Lane, Seen]:
        body = as_object(parsed_json(request.body.decode(errors="replace")))
        session = request.headers.get("x-session-id") or as_text(body.get("session_id")) or ""
        known = session in self.lanes
        lane = self.agent(session if known else session.rpartition("/")[2])
        seen = Seen(lane.key, len(lane.seen) + 1, request.headers, request.body, body)
        lane.seen.append(seen)
        return lane, seen

    def _next_step(self, lane: Lane, seen: Seen) -> Step:
        if lane.steps:
            return lane.steps.popleft()
        if self._default:
            return self._default
        self.unexpected.append(f"{lane.key}: request {seen.number} was not expected")
        return Step(error(400, f"the fake server has no step for {lane.key}"))

    def _rendered(self, content: Content, step: Step, lane: Lane, seen: Seen) -> Reply | RawBytes:
        if not isinstance(content, Answer):
            return self._dressed(content) if isinstance(content, Reply) else content
        message = message_json(content, lane.key, lane.answered + 1, self.dialect)
        rate = self.state.rate(seen.model)
        metered = meter(seen.raw, lane.last_body, message.encode(errors="replace"), rate)
        if step.wire.delivers:
            self._answered(content, lane, seen, metered)
        return completion(content, message, seen, metered, self.dialect)

    def _answered(self, answer: Answer, lane: Lane, seen: Seen, metered: Metered) -> None:
        lane.answered += 1
        lane.last_body = seen.raw
        remember(seen, lane.history)
        # Reasoning beside nothing belongs to no message that anybody would send back.
        if answer.reasoning_details is not None and (answer.text or answer.tools):
            lane.history.reasoning.append((seen.model, answer.reasoning_details))
        if self.state.credits is not None:
            self.state.credits -= metered.cost
        self.state.generations[generation_id(seen)] = metered

    def _dressed(self, reply: Reply) -> Reply:
        return error_in_dialect(reply, self.dialect)


async def _end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: Wire) -> bool:
    """Does to the connection what the wire says; returns whether it lives on."""
    match wire.ending:
        case "keep":
            return wire.framing != "close"
        case "fin":
            return False
        case "rst":
            http1.reset(writer)
            return False
        case "hang":
            await reader.read()
            return False
        case "stale":
            await reader.read(1)
            http1.reset(writer)
            return False
