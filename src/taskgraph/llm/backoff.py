"""When to try a failed call again, when to give up, and what to say then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from taskgraph.errors import TaskgraphError
from taskgraph.llm.retry import Failure

MAX_ATTEMPTS = 6
MAX_ELAPSED_S = 600.0
"""Seconds that one call may take, shared pauses not counted."""
MAX_PAUSED_S = 600.0
"""Seconds that one call may spend in shared pauses."""
_MAX_BACKOFF_S = 60.0
_SPREAD_S = 0.5
"""Of the moments at which several processes come back after the same pause."""


def wait_before_retry(history: Sequence[Failure], elapsed_s: float, jitter: float) -> float | None:
    """Returns the seconds to wait before the next try; None to give up.

    Full jitter: a wait is drawn from the whole of a growing interval, so that many agents that
    failed together do not come back together.

    Args:
        history: the failures of one call so far, at least one.
        elapsed_s: seconds since the call began, shared pauses not counted.
        jitter: a random number from 0 to 1.
    """
    last = history[-1]
    same = [failure for failure in history if failure.reason == last.reason]
    tried = [failure for failure in history if failure.action != "pause"]
    if last.action == "pause":
        return _pause(last.wait_s, len(same), jitter)
    if last.action == "raise" or len(same) > last.retries:
        return None
    if len(tried) >= MAX_ATTEMPTS or elapsed_s >= MAX_ELAPSED_S:
        return None
    return last.wait_s + jitter * _interval(len(tried))


def exhausted(history: Sequence[Failure]) -> TaskgraphError:
    """Returns the error with which a call ends after these failures, at least one."""
    last = history[-1]
    if len(history) == 1:
        return last.error(last.message, last.hint)
    counts = Counter(failure.reason for failure in history)
    kinds = ", ".join(f"{reason} {count}" for reason, count in counts.items())
    return last.error(f"{last.message}; {len(history)} attempts ({kinds})", last.hint)


def _pause(asked_s: float, times: int, jitter: float) -> float:
    if asked_s:
        return asked_s + jitter * _SPREAD_S
    half = _interval(times) / 2
    return half + jitter * half


def _interval(tries: int) -> float:
    return min(_MAX_BACKOFF_S, 2.0 ** min(tries - 1, 10))
