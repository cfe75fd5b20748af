"""Time and chance as the model client knows them, so that a test can hold both still."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """What tells the time, waits, and draws lots."""

    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some moment; never goes back."""
    utc_now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits that many seconds."""
    random: Callable[[], float] = random.random
    """Draws from 0 to 1."""


REAL_CLOCK = Clock()
