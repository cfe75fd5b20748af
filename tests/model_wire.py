"""Asks the fake server through the real client, on a clock that only moves when told to."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from taskgraph.errors import TaskgraphError
from taskgraph.llm.clock import Clock
from taskgraph.llm.endpoint import endpoint
from taskgraph.llm.messages import (
    Message,
    ModelRequest,
    ModelResponse,
    SystemMessage,
    Tool,
    UserMessage,
)
from taskgraph.llm.model import LostSpend
from taskgraph.llm.openrouter import OpenRouter, Patience
from taskgraph.testing import FakeOpenRouter

KEY = "sk-or-v1-0123456789abcdef"
MODEL = "openai/gpt-5.2"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RUN_SQL = Tool(
    "run_sql",
    "Runs one statement.",
    {"type": "object", "properties": {"sql": {"type": "string"}}, "required": ["sql"]},
)
SHORT = Patience(attempt_s=0.4, silent_s=0.25, max_body_bytes=10_000)
"""For faults that only real time shows."""


@dataclass
class JumpingClock:
    """Every sleep ends at once, and moves the time on."""

    jitter: float = 0.5
    now: float = 0.0
    sleeps: list[float] = field(default_factory=list[float])

    async def sleep(self, seconds: float) -> None:
        if seconds:
            self.sleeps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    @property
    def clock(self) -> Clock:
        """As the client takes it."""
        return Clock(
            monotonic=lambda: self.now,
            utc_now=lambda: NOW + timedelta(seconds=self.now),
            sleep=self.sleep,
            random=lambda: self.jitter,
        )


@dataclass
class HeldClock:
    """Sleepers wake one by one, in the order of their times, when the test says so."""

    now: float = 0.0
    _sleepers: list[tuple[float, int, asyncio.Event]] = field(
        default_factory=list[tuple[float, int, asyncio.Event]]
    )
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        waking = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), waking))
        await waking.wait()

    @property
    def sleepers(self) -> int:
        """How many sleep now."""
        return len(self._sleepers)

    def wake_next(self) -> float:
        """Moves the time on to the next sleeper's, and wakes it."""
        self.now, _, waking = heapq.heappop(self._sleepers)
        waking.set()
        return self.now

    @property
    def clock(self) -> Clock:
        """As the client takes it."""
        return Clock(lambda: self.now, lambda: NOW, self.sleep, lambda: 0.5)


@dataclass
class Ending:
    """How one call ended."""

    response: ModelResponse | None
    error: TaskgraphError | None
    attempts: int
    waits: list[float]
    """Seconds that were slept, in order."""
    lost: list[LostSpend]

    @property
    def text(self) -> str | None:
        """What the model said."""
        assert self.response, self.error
        return self.response.message.content

    @property
    def reasons(self) -> list[str]:
        """Why the tries before the answer failed."""
        assert self.response, self.error
        return [failed.reason for failed in self.response.failed_attempts]


def request(
    node: str = "a", *messages: Message, model: str = MODEL, step: int = 1, max_tokens: int = 2000
) -> ModelRequest:
    """A question of one agent."""
    return ModelRequest(
        model=model,
        messages=(SystemMessage("You write SQL."), UserMessage(f"Do {node}."), *messages),
        tools=(RUN_SQL,),
        session=f"run/{node}",
        step=step,
        max_tokens=max_tokens,
        node=node,
    )


async def until(condition: Callable[[], bool]) -> None:
    """Lets the event loop run until something holds; the other side is a thread of its own."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells when it changes
            await asyncio.sleep(0.001)


@asynccontextmanager
async def client_of(
    fake: FakeOpenRouter,
    clock: Clock,
    *,
    patience: Patience | None = None,
    max_concurrency: int = 50,
    on_lost_spend: Callable[[LostSpend], None] = lambda lost: None,
    base_url: str | None = None,
) -> AsyncGenerator[OpenRouter]:
    """A client of the fake server, in the server's dialect."""
    dialect: Literal["openrouter", "openai"] = (
        "openrouter" if fake.dialect == "openrouter" else "openai"
    )
    async with OpenRouter(
        endpoint(base_url or fake.base_url, KEY, dialect),
        clock=clock,
        patience=patience,
        max_concurrency=max_concurrency,
        on_lost_spend=on_lost_spend,
    ) as client:
        yield client


async def ask(
    fake: FakeOpenRouter,
    *,
    node: str = "a",
    patience: Patience | None = None,
    jitter: float = 0.5,
    base_url: str | None = None,
) -> Ending:
    """Asks once, and tells everything that happened."""
    clock = JumpingClock(jitter)
    lost: list[LostSpend] = []
    response = error = None
    async with client_of(
        fake, clock.clock, patience=patience, on_lost_spend=lost.append, base_url=base_url
    ) as client:
        try:
            response = await client.complete(request(node))
        except TaskgraphError as raised:
            error = raised
    return Ending(response, error, fake.attempts(node), clock.sleeps, lost)
