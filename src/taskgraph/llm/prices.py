"""What models cost, for when neither the server nor its list of models tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from taskgraph.llm.messages import Usage

PRICES_AS_OF = date(2026, 8, 21)
"""Day of the table below: OpenRouter's prices as collected by the genai-prices project."""

_MILLION = 1_000_000
_VARIANTS = ("nitro", "floor", "exacto", "online")
"""Suffixes of a model's name that choose among its providers."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per token."""

    prompt: float
    completion: float
    cached: float | None = None
    """Of a prompt token that the provider had in its cache; None where it costs like any other."""

    def cost(self, usage: Usage) -> float:
        """Returns the US dollars of a usage."""
        cached = self.prompt if self.cached is None else self.cached
        return (
            (usage.prompt_tokens - usage.cached_tokens) * self.prompt
            + usage.cached_tokens * cached
            + usage.completion_tokens * self.completion
        )

    def most(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Returns the US dollars of a call of which nothing is cached."""
        return prompt_tokens * self.prompt + completion_tokens * self.completion


PriceOf: TypeAlias = Callable[[str], Prices | None]
"""From a model's name to its prices; None where they are not known."""


def known_prices(model: str) -> Prices | None:
    """Returns the table's prices of a model; None where it does not stand there.

    Args:
        model: a name such as `openai/gpt-5.2`, also with a variant such as `:nitro`.
    """
    if model.endswith(":free"):
        return Prices(0.0, 0.0)
    return _TABLE.get(base_name(model))


def base_name(model: str) -> str:
    """Returns a model's name without a suffix that only chooses among its providers."""
    name, _, variant = model.partition(":")
    return name if variant in _VARIANTS else model


def prices_from(live: Mapping[str, Prices]) -> PriceOf:
    """Returns a look-up in today's prices first, and in the table for what they lack."""
    return lambda model: live.get(model) or known_prices(model)


def _per_million(prompt: float, cached: float | None, completion: float) -> Prices:
    return Prices(
        prompt / _MILLION, completion / _MILLION, None if cached is None else cached / _MILLION
    )


_TABLE: Mapping[str, Prices] = {
    "openai/gpt-5.2": _per_million(1.75, 0.175, 14),
    "openai/gpt-5.2-pro": _per_million(21, None, 168),
    "openai/gpt-5.1": _per_million(1.25, 0.13, 10),
    "openai/gpt-5": _per_million(1.25, 0.125, 10),
    "openai/gpt-5-mini": _per_million(0.25, 0.025, 2),
    "openai/gpt-5-nano": _per_million(0.05, 0.01, 0.4),
    "openai/gpt-5.4": _per_million(2.5, 0.25, 15),
    "openai/gpt-5.4-mini": _per_million(0.75, 0.075, 4.5),
    "openai/gpt-5.4-nano": _per_million(0.2, 0.02, 1.25),
    "openai/gpt-5.5": _per_million(5, 0.5, 30),
    "openai/gpt-oss-120b": _per_million(0.039, None, 0.18),
    "anthropic/claude-opus-5": _per_million(5, 0.5, 25),
    "anthropic/claude-sonnet-5": _per_million(3, 0.3, 15),
    "anthropic/claude-sonnet-4.6": _per_million(3, 0.3, 15),
    "anthropic/claude-haiku-4.5": _per_million(1, 0.1, 5),
    "google/gemini-3.5-flash": _per_million(1.5, 0.15, 9),
    "google/gemini-3.1-pro-preview": _per_million(2, 0.2, 12),
    "google/gemini-3.1-flash-lite": _per_million(0.25, 0.025, 1.5),
    "deepseek/deepseek-v4-flash": _per_million(0.0983, 0.0197, 0.1966),
    "deepseek/deepseek-v3.2": _per_million(0.2288, None, 0.3432),
    "x-ai/grok-4.3": _per_million(1.25, 0.2, 2.5),
    "moonshotai/kimi-k2.6": _per_million(0.68, 0.34, 3.41),
    "z-ai/glm-4.7": _per_million(0.4, 0.08, 1.75),
    "qwen/qwen3-coder-next": _per_million(0.11, 0.07, 0.8),
    "minimax/minimax-m3": _per_million(0.3, 0.06, 1.2),
}
