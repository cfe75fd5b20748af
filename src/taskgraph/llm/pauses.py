"""One pause for all calls to a model after it said that it is asked too often.

Calls that waited do not come back together: each takes the next of a row of starting times, so
that a limit still in force is met by the first few and not by all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from taskgraph.llm.clock import Clock

SPACING_S = 0.25
"""Mean seconds between two calls that start again after a pause."""


@dataclass
class Pause:
    """When calls to one model may start; shared by all who ask it."""

    clock: Clock
    _until: float = field(default=0.0, init=False)
    _next_start: float = field(default=0.0, init=False)

    @property
    def is_on(self) -> bool:
        """Whether a call would have to wait now."""
        return self.clock.monotonic() < self._until

    def begin(self, seconds: float) -> None:
        """Holds all calls back for so many seconds from now, or longer if that stands already."""
        until = self.clock.monotonic() + seconds
        if until > self._until:
            self._until = self._next_start = until

    async def over(self, patience_s: float) -> float:
        """Waits until this call may start.

        Args:
            patience_s: seconds after which no further wait is begun.

        Returns:
            Seconds waited. The pause still `is_on` where it outlasted the patience.
        """
        began = now = self.clock.monotonic()
        while now < max(self._until, self._next_start) and now - began <= patience_s:
            start = max(self._until, self._next_start, now)
            self._next_start = start + SPACING_S * (0.5 + self.clock.random())
            await self.clock.sleep(start - now)
            now = self.clock.monotonic()
            # Another call may have met the limit again meanwhile: then everybody queues anew.
            if start >= self._until:
                break
        return now - began
