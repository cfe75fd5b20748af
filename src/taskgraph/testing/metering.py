"""Tokens and prices as the fake server counts them: exact, so that tests can name the cents."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

BYTES_PER_TOKEN = 4
LEAST_CACHED_TOKENS = 1024
"""Shorter common beginnings are not served from the cache."""


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars per million tokens."""

    prompt: float
    cached: float
    completion: float


DEFAULT_RATE = Rate(prompt=1.0, cached=0.1, completion=10.0)


@dataclass(frozen=True, slots=True)
class Metered:
    """What one answer took."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float

    def as_usage(self) -> Mapping[str, object]:
        """Returns the `usage` of a chat completion."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "cost": self.cost,
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def meter(prompt: bytes, before: bytes, said: bytes, rate: Rate = DEFAULT_RATE) -> Metered:
    """Counts one answer.

    Args:
        prompt: the request's body.
        before: the body of the lane's request before it; what both begin with was cached.
        said: the answer's message.
        rate: what the model costs.
    """
    prompt_tokens = tokens(prompt)
    common = _common_bytes(prompt, before) // BYTES_PER_TOKEN
    cached = common if common >= LEAST_CACHED_TOKENS else 0
    completion = tokens(said)
    dollars = (
        (prompt_tokens - cached) * rate.prompt + cached * rate.cached + completion * rate.completion
    ) / 1_000_000
    return Metered(prompt_tokens, cached, completion, round(dollars, 9))


def tokens(data: bytes) -> int:
    """Returns how many tokens some bytes are."""
    return -(-len(data) // BYTES_PER_TOKEN)


def _common_bytes(one: bytes, other: bytes) -> int:
    shorter = min(len(one), len(other))
    return bisect_left(range(shorter), True, key=lambda at: one[: at + 1] != other[: at + 1])
