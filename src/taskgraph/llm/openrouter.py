"""The client of OpenRouter and of every server that speaks its chat completions: the only HTTP.

What follows from a failure stands in `retry`, how long to wait in `backoff`; here is only the
sending. Source of the facts about httpx: 0.28.1, each tried; the wire tests try them again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import httpx
import tenacity

from taskgraph.errors import ServiceExhausted
from taskgraph.llm.backoff import MAX_PAUSED_S, exhausted, wait_before_retry
from taskgraph.llm.call import Call
from taskgraph.llm.clock import REAL_CLOCK, Clock
from taskgraph.llm.endpoint import Endpoint
from taskgraph.llm.messages import ModelRequest, ModelResponse
from taskgraph.llm.model import LostSpend, OnLostSpend
from taskgraph.llm.pauses import Pause
from taskgraph.llm.reply import read_body
from taskgraph.llm.retry import (
    Asked,
    Failure,
    Fault,
    HttpReply,
    judge_fault,
    judge_reply,
)
from taskgraph.llm.wire import encode

_CONNECT_S = 10.0
_WRITE_S = 30.0
_KEEPALIVE_S = 30.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How much one try may take; times in seconds."""

    attempt_s: float
    """For the whole of it. The only limit that keep-alive bytes cannot push out."""
    silent_s: float
    """Between two bytes."""
    max_body_bytes: int = 32 * 2**20


def patience_with(server: Endpoint) -> Patience:
    """Returns how long to wait for a server.

    OpenRouter sends white space while a model thinks, so that its silence is a sign. Others are
    silent until they are done, and a model on this machine, or a person who plays one, is slow.
    """
    if server.dialect == "openrouter":
        return Patience(attempt_s=300.0, silent_s=120.0)
    seconds = 1800.0 if server.is_loopback else 600.0
    return Patience(attempt_s=seconds, silent_s=seconds)


def _ignore(lost: LostSpend) -> None:
    del lost


class OpenRouter:
    """Answers model requests over HTTP; one for the whole run, shared by all agents.

    Use it as an async context manager, or `aclose` it.
    """

    def __init__(
        self,
        server: Endpoint,
        *,
        max_concurrency: int = 50,
        patience: Patience | None = None,
        on_lost_spend: OnLostSpend = _ignore,
        clock: Clock = REAL_CLOCK,
    ) -> None:
        """Prepares the client; nothing is sent yet.

        Args:
            server: where the model is.
            max_concurrency: calls in flight at once.
            patience: how much one try may take; what suits the server when None.
            on_lost_spend: told of each try that was or may have been paid for in vain.
            clock: time and chance.
        """
        self.server = server
        self._patience = patience or patience_with(server)
        self._on_lost_spend = on_lost_spend
        self._clock = clock
        self._places = asyncio.Semaphore(max_concurrency)
        self._pauses: defaultdict[str, Pause] = defaultdict(lambda: Pause(clock))
        self._has_answered = False
        self._effortless: set[str] = set()
        self._lines = _Lines(server, self._patience)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._lines.aclose()

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Asks the server until it answers or another try makes no sense.

        Raises:
            ModelError: this conversation cannot go on with this model.
            RunError: no conversation can go on.
        """
        call = Call(request, began=self._clock.monotonic())
        retrying = tenacity.AsyncRetrying(
            # Not `retry_if_not_exception_type`: that one sees CancelledError too, and retries it.
            retry=tenacity.retry_if_exception_type(_NoAnswer),
            wait=lambda _: call.wait_s,
            sleep=self._clock.sleep,
        )
        return await retrying(self._attempt, call)

    async def get(self, path: str, timeout_s: float) -> HttpReply | Failure:
        """Reads one of the server's other pages, such as `/models`, in a single try.

        Args:
            path: what follows the base URL.
            timeout_s: seconds for the whole of it.
        """
        try:
            return await self._exchange("GET", path, b"", {}, timeout_s)
        except _Faulted as broken:
            asked = Asked(self.server.host, model="", is_first=True)
            return judge_fault(broken.fault, broken.detail, asked)

    async def _attempt(self, call: Call) -> ModelResponse:
        asked = Asked(self.server.host, call.request.model, is_first=not self._has_answered)
        async with self._turn(call):
            began = self._clock.monotonic()
            try:
                reply = await self._post(call)
            except _Faulted as broken:
                raise self._failed(call, judge_fault(broken.fault, broken.detail, asked)) from None
        reading = read_body(reply.text, reply.headers)
        verdict = judge_reply(reply, reading, asked, self._clock.utc_now())
        if isinstance(verdict, Failure):
            raise self._failed(call, verdict)
        self._has_answered = True
        return call.answered(verdict, reply, self._clock.monotonic() - began)

    @asynccontextmanager
    async def _turn(self, call: Call) -> AsyncGenerator[None]:
        """Waits for the model's pause to end and for a place among the calls in flight."""
        pause = self._pauses[call.request.model]
        while True:
            await self._wait_out(pause, call)
            await self._places.acquire()
            if not pause.is_on:
                break
            # The pause began while this call waited for its place.
            self._places.release()
        try:
            yield
        finally:
            self._places.release()

    async def _wait_out(self, pause: Pause, call: Call) -> None:
        call.paused_s += await pause.over(MAX_PAUSED_S - call.paused_s)
        if pause.is_on:
            raise ServiceExhausted(
                f"{self.server.host} limits the rate of {call.request.model!r}: "
                f"{call.paused_s:,.0f} s of waiting did not help",
                hint="Lower --max-concurrency, or try later: taskgraph resume OUTPUT.",
            )

    def _failed(self, call: Call, failure: Failure) -> Exception:
        """Notes a failed try; returns what to raise: a sign to try again, or the end of it."""
        failure = replace(failure, message=self.server.redact(failure.message))
        call.failures.append(failure)
        if failure.without_effort:
            self._leave_out_effort(call)
        if failure.usage or failure.perhaps_paid:
            self._on_lost_spend(LostSpend(call.request, failure.usage, failure.message))
        elapsed = self._clock.monotonic() - call.began - call.paused_s
        wait = wait_before_retry(call.failures, elapsed, self._clock.random())
        if wait is None:
            return exhausted(call.failures)
        call.waits.append(wait)
        if failure.action == "pause":
            self._pauses[call.request.model].begin(wait)
        return _NoAnswer()

    def _leave_out_effort(self, call: Call) -> None:
        model = call.request.model
        if model not in self._effortless:
            self._effortless.add(model)
            call.warnings.append(
                f"{self.server.host} does not let {model!r} be told how hard to think: "
                "reasoning_effort is left out"
            )

    async def _post(self, call: Call) -> HttpReply:
        request = call.request
        if request.model in self._effortless:
            request = replace(request, reasoning_effort=None)
        body = encode(request, self.server.dialect, call.providers_to_ignore)
        # A header holds no other characters.
        session = call.request.session[:256].encode("ascii", "replace")
        headers = {b"Content-Type": b"application/json", b"X-Session-Id": session}
        try:
            return await self._exchange(
                "POST", "/chat/completions", body, headers, self._patience.attempt_s
            )
        except asyncio.CancelledError:
            # Without streaming nobody tells the server: it finishes the answer and charges for it.
            self._on_lost_spend(LostSpend(call.request, None, "cancelled while in flight"))
            raise

    async def _exchange(
        self, method: str, path: str, body: bytes, headers: dict[bytes, bytes], timeout_s: float
    ) -> HttpReply:
        url = self.server.base_url + path
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._lines.free() as http,
                http.stream(method, url, content=body, headers=headers) as response,
            ):
                return self._reply(response, await _read(response, self._patience.max_body_bytes))
        except TimeoutError:
            raise _Faulted("deadline", f"{timeout_s:,.0f} s") from None
        except (httpx.RequestError, httpx.InvalidURL) as error:
            # `from None`: the library's message may hold the whole key.
            raise _Faulted(_fault(error), self.server.redact(_described(error))) from None

    def _reply(self, response: httpx.Response, body: bytes) -> HttpReply:
        headers = {
            name.lower(): self.server.redact(value) for name, value in response.headers.items()
        }
        return HttpReply(
            response.status_code,
            headers,
            self.server.without_key(body.decode(errors="replace")),
            is_flawed=not _is_utf8(body),
        )


class _NoAnswer(Exception):
    """This try gave no answer; the next one may."""


class _Faulted(Exception):
    """The transport failed."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault: Fault = fault
        self.detail = detail


class _Lines:
    """HTTP clients of one connection each, one for every call in flight.

    A single client with a pool for all looks through its whole pool, idle connection by idle
    connection, squared, at every call: with 200 agents that took twenty times as long as the
    calls themselves (httpcore 1.0.9). It also raises when its pool is full.
    """

    def __init__(self, server: Endpoint, patience: Patience) -> None:
        self._server = server
        self._patience = patience
        self._idle: list[httpx.AsyncClient] = []
        self._all: list[httpx.AsyncClient] = []
        # Reading the certificates takes a while: once for all. Without https nobody needs them.
        is_secure = server.base_url.startswith("https:")
        self._verify = httpx.create_ssl_context() if is_secure else False

    @asynccontextmanager
    async def free(self) -> AsyncGenerator[httpx.AsyncClient]:
        """Lends a client that nobody else uses, the one used last if there are several."""
        client = self._idle.pop() if self._idle else self._new()
        try:
            yield client
        finally:
            self._idle.append(client)

    async def aclose(self) -> None:
        for client in self._all:
            await client.aclose()

    def _new(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            headers=_headers(self._server),
            timeout=httpx.Timeout(
                self._patience.silent_s, connect=_CONNECT_S, write=_WRITE_S, pool=None
            ),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=_KEEPALIVE_S),
            # A proxy named in the environment does not reach this machine's own servers.
            trust_env=not self._server.is_loopback,
            verify=self._verify,
        )
        self._all.append(client)
        return client


def _headers(server: Endpoint) -> dict[str, str]:
    headers = {"User-Agent": "taskgraph"}
    if server.api_key:
        headers["Authorization"] = f"Bearer {server.api_key}"
    if server.dialect == "openrouter":
        headers["X-OpenRouter-Title"] = "Taskgraph"
    return headers


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise _Faulted("too_large", f"over {max_bytes:,} bytes")
    return bytes(body)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _fault(error: httpx.RequestError | httpx.InvalidURL) -> Fault:
    match error:
        case httpx.LocalProtocolError() | httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return "settings"
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            return "connect"
        case httpx.TimeoutException():
            return "silent"
        case _:
            return "broken"


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
