"""The fake server's account: keys, credit, rate and context limits, and its pages about them."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from taskgraph.testing.metering import DEFAULT_RATE, Metered, Rate, tokens
from taskgraph.testing.steps import Reply, Seen, body, error


@dataclass
class Bucket:
    """A rate limit: so many requests at once, and so many more each second."""

    capacity: float
    per_second: float
    now: Callable[[], float] = time.time
    """Epoch seconds."""
    _level: float = field(default=math.nan, init=False)
    _filled: float = field(default=0.0, init=False)

    def missing_s(self) -> float:
        """Takes a request out; returns 0, or the seconds until there is one to take."""
        now = self.now()
        level = self.capacity if math.isnan(self._level) else self._level
        self._level = min(self.capacity, level + (now - self._filled) * self.per_second)
        self._filled = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / self.per_second


@dataclass
class ServerState:
    """What the server holds; a test may change it at any time."""

    keys: frozenset[str] | None = None
    """Keys that are accepted; any or none when None."""
    credits: float | None = None
    """US dollars left; None for no limit."""
    bucket: Bucket | None = None
    context_limits: Mapping[str, int] = field(default_factory=dict[str, int])
    """Tokens by model."""
    rates: Mapping[str, Rate] = field(default_factory=dict[str, Rate])
    """Prices by model."""
    models: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Entries of the `/models` page, see `model_entry`."""
    pages: dict[str, Reply] = field(default_factory=dict[str, Reply])
    """Replies by path that take the place of the usual pages."""
    silent_pages: bool = False
    """Never answers a GET."""
    management_keys: frozenset[str] = frozenset()
    """Keys that may see the account's credit."""
    generations: dict[str, Metered] = field(default_factory=dict[str, Metered])
    """What each answer took, by its id."""
    late_polls: int = 0
    """How often a generation is not found yet before it is."""
    _polls: Counter[str] = field(default_factory=Counter[str])

    def polled(self, generation: str) -> Metered | None:
        """Returns what an answer took, once it has been asked for often enough."""
        self._polls[generation] += 1
        late = self._polls[generation] <= self.late_polls
        return None if late else self.generations.get(generation)

    def rate(self, model: str) -> Rate:
        """Returns a model's prices."""
        return self.rates.get(model, DEFAULT_RATE)


def model_entry(
    model: str,
    *,
    context_length: int = 400_000,
    parameters: tuple[str, ...] = ("tools", "max_tokens", "reasoning"),
    **fields: Any,
) -> dict[str, Any]:
    """Returns an entry of the `/models` page."""
    return {
        "id": model,
        "context_length": context_length,
        "pricing": {"prompt": "0.000001", "completion": "0.00001", "input_cache_read": "0.0000001"},
        "top_provider": {"context_length": context_length, "max_completion_tokens": 128_000},
        "supported_parameters": list(parameters),
        **fields,
    }


def page(state: ServerState, path: str, authorization: str | None) -> Reply:
    """Returns what a GET of a path gives."""
    if path in state.pages:
        return state.pages[path]
    if path == "/models":
        return body({"data": state.models, "total_count": len(state.models)})
    if path == "/key":
        unknown = _unknown_key(state, authorization)
        return unknown or body({"data": {"label": "fake", "limit_remaining": state.credits}})
    if path == "/credits":
        return _credits(state, authorization)
    found = _model_page(state, path) or _generation_page(state, path)
    return body({"data": found}) if found else error(404, f"no page {path}")


def _credits(state: ServerState, authorization: str | None) -> Reply:
    if (authorization or "").removeprefix("Bearer ") not in state.management_keys:
        return error(403, "Only management keys can fetch credits for an account")
    return body({"data": {"total_credits": state.credits, "total_usage": 0}})


def _model_page(state: ServerState, path: str) -> dict[str, Any] | None:
    for entry in state.models:
        if path == f"/model/{entry['id']}":
            return entry
        if path == f"/models/{entry['id']}/endpoints":
            shared = {key: entry[key] for key in ("pricing", "supported_parameters")}
            provider = {"provider_name": "Fake", **entry["top_provider"], **shared}
            return {"id": entry["id"], "endpoints": [provider]}
    return None


def _generation_page(state: ServerState, path: str) -> dict[str, Any] | None:
    generation = path.removeprefix("/generation?id=")
    took = state.polled(generation)
    if took is None or generation == path:
        return None
    return {
        "id": generation,
        "total_cost": took.cost,
        "tokens_prompt": took.prompt_tokens,
        "tokens_completion": took.completion_tokens,
        "native_tokens_cached": took.cached_tokens,
    }


def refusal(state: ServerState, seen: Seen) -> Reply | None:
    """Returns the error with which the account's state answers a request; None if it is served."""
    return (
        _unknown_key(state, seen.headers.get("authorization"))
        or _rate_limited(state)
        or _no_credit(state, seen)
    )


def _unknown_key(state: ServerState, authorization: str | None) -> Reply | None:
    key = (authorization or "").removeprefix("Bearer ")
    if state.keys is None or key in state.keys:
        return None
    return error(401, "No auth credentials found" if not key else "User not found.")


def _rate_limited(state: ServerState) -> Reply | None:
    if state.bucket is None or not (missing := state.bucket.missing_s()):
        return None
    reset_ms = math.ceil((state.bucket.now() + missing) * 1000)
    headers = {
        "Retry-After": str(math.ceil(missing)),
        "X-RateLimit-Limit": f"{state.bucket.capacity:g}",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset_ms),
    }
    return error(429, "Rate limit exceeded", headers=headers)


def _no_credit(state: ServerState, seen: Seen) -> Reply | None:
    wanted = int(seen.body.get("max_tokens", 65_536))
    price = state.rate(seen.model).completion / 1_000_000
    if state.credits is None or wanted * price <= state.credits:
        return None
    return error(
        402,
        "This request requires more credits, or fewer max_tokens. You requested up to "
        f"{wanted} tokens, but can only afford {int(state.credits / price)}.",
    )


def too_long(state: ServerState, seen: Seen, *, local: bool) -> Reply | None:
    """Returns the error for a request that does not fit its model's window; None if it does."""
    limit = state.context_limits.get(seen.model)
    prompt = tokens(seen.raw)
    answer = int(seen.body.get("max_tokens", 0))
    if limit is None or prompt + answer <= limit:
        return None
    if local:
        return error(
            400,
            f"request ({prompt} tokens) exceeds the available context size ({limit} tokens), "
            "try increasing it",
            type="exceed_context_size_error",
        )
    return error(
        400,
        f"This endpoint's maximum context length is {limit} tokens. However, you requested about "
        f"{prompt + answer} tokens ({prompt} of text input, {answer} in the output). "
        "Please reduce the length of either one.",
    )
