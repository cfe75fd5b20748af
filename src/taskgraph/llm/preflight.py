"""Finds out before a run whether its models can do the work: two requests, ten seconds at most.

What is certain to fail stops the run before any data is read. What merely could not be found out
is a warning: many servers have no such pages. Source: OpenRouter's API reference, August 2026.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from taskgraph.errors import (
    AuthenticationFailed,
    ModelUnavailable,
    PaymentRequired,
    WrongEndpoint,
)
from taskgraph.llm.loose_json import (
    Json,
    as_list,
    as_object,
    as_text,
    first_number,
    parsed_json,
)
from taskgraph.llm.prices import Prices, base_name
from taskgraph.llm.retry import Failure, excerpt

if TYPE_CHECKING:
    # It brings httpx, which a run without a model should not wait for.
    from taskgraph.llm.openrouter import OpenRouter

REQUEST_S = 5.0
"""Seconds for each of the two requests."""
SMALLEST_WINDOW = 8_000
"""Tokens below which the instructions alone leave an agent hardly any room."""
_EXPIRY_NOTICE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a server tells of a model; None where it does not."""

    model: str
    context_length: int | None = None
    """Tokens of prompt and completion together."""
    max_completion_tokens: int | None = None
    prices: Prices | None = None
    supports_tools: bool | None = None
    expires: date | None = None
    """Day from which the model is no longer there."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found out."""

    facts: Mapping[str, ModelFacts]
    """By the name under which each model is asked for; every one has an entry."""
    warnings: tuple[str, ...]

    @property
    def prices(self) -> Mapping[str, Prices]:
        """Today's prices, of the models for which the server tells them."""
        return {name: fact.prices for name, fact in self.facts.items() if fact.prices}


async def preflight(
    client: OpenRouter,
    models: Sequence[str],
    today: date,
    *,
    max_cost: float | None = None,
    request_s: float = REQUEST_S,
) -> Preflight:
    """Asks the server about the key and the models.

    Args:
        client: where the run will ask its models.
        models: every model that the run may ask, fallbacks too.
        today: to warn of models that soon end.
        max_cost: US dollars the run may spend; a key that allows less is a warning.
        request_s: seconds that each of the two requests may take.

    Raises:
        AuthenticationFailed: the server does not know the key.
        PaymentRequired: the key has no credit left.
        ModelUnavailable: there is no such model, or it takes no tools.
        WrongEndpoint: nothing answers at the base URL.
    """
    warnings: list[str] = []
    if client.server.dialect == "openrouter":
        warnings += _check_key(client, await _page(client, "/key", request_s), max_cost)
    listed = _listed_models(await _page(client, "/models", request_s), warnings)
    facts = {model: _find(model, listed, client, warnings) for model in models}
    for fact in facts.values():
        warnings += _check_model(fact, today)
    return Preflight(facts, tuple(warnings))


def _check_key(client: OpenRouter, page: Json | str, max_cost: float | None) -> list[str]:
    if isinstance(page, str):
        return [page]
    left = as_object(page.get("data")).get("limit_remaining")
    if not isinstance(left, int | float):
        return []
    if left <= 0:
        raise PaymentRequired(
            f"the key for {client.server.host} has reached its credit limit",
            hint="Raise the key's limit, or use another key.",
        )
    if max_cost is not None and left < max_cost:
        return [f"the key allows ${left:.2f} more, less than the run's limit of ${max_cost:.2f}"]
    return []


def _listed_models(page: Json | str, warnings: list[str]) -> Mapping[str, Json]:
    if isinstance(page, str):
        warnings.append(page)
        return {}
    entries = (as_object(entry) for entry in as_list(page.get("data")))
    return {name: entry for entry in entries if (name := as_text(entry.get("id")))}


async def _page(client: OpenRouter, path: str, timeout_s: float) -> Json | str:
    """A page's JSON object, or a sentence that says why there is none."""
    host = client.server.host
    reply = await client.get(path, timeout_s)
    if isinstance(reply, Failure):
        if reply.reason in {"connect", "settings"}:
            raise WrongEndpoint(reply.message, "Check the base URL, and that the server runs.")
        return f"could not check {path} before the run: {reply.message}"
    if reply.status == 401:
        raise AuthenticationFailed(
            f"{host} does not accept the key: {client.server.redact(excerpt(reply.text))}",
            hint="Check OPENROUTER_API_KEY.",
        )
    page = as_object(parsed_json(reply.text))
    if reply.status != 200 or not page:
        return f"could not check {path} before the run: {host} answered HTTP {reply.status}"
    return page


def _find(
    model: str, listed: Mapping[str, Json], client: OpenRouter, warnings: list[str]
) -> ModelFacts:
    entry = listed.get(model) or listed.get(base_name(model))
    if entry:
        return _facts(model, entry)
    message = f"{client.server.host} lists no model {model!r}"
    near = difflib.get_close_matches(model, listed, n=3)
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else None
    # An alias such as ~openai/gpt-latest is not listed under its own name.
    if listed and client.server.dialect == "openrouter" and not model.startswith("~"):
        raise ModelUnavailable(message, hint)
    if listed:
        warnings.append(f"{message}. {hint or ''}".strip())
    return ModelFacts(model)


def _facts(model: str, entry: Json) -> ModelFacts:
    provider = as_object(entry.get("top_provider"))
    parameters = entry.get("supported_parameters")
    return ModelFacts(
        model,
        context_length=_count(
            provider.get("context_length"),
            entry.get("context_length"),
            entry.get("max_model_len"),  # vLLM's word for it
        ),
        max_completion_tokens=_count(provider.get("max_completion_tokens")),
        prices=_prices(as_object(entry.get("pricing"))),
        supports_tools="tools" in as_list(parameters) if as_list(parameters) else None,
        expires=_day(entry.get("expiration_date")),
    )


def _check_model(fact: ModelFacts, today: date) -> list[str]:
    if fact.supports_tools is False:
        raise ModelUnavailable(
            f"model {fact.model!r} takes no tools, and an agent works by calling one",
            hint="Choose a model whose supported parameters have `tools`.",
        )
    warnings: list[str] = []
    if fact.expires and fact.expires - today < _EXPIRY_NOTICE:
        warnings.append(f"model {fact.model!r} goes away on {fact.expires}")
    if fact.context_length and fact.context_length < SMALLEST_WINDOW:
        warnings.append(
            f"model {fact.model!r} has a window of {fact.context_length:,} tokens: "
            f"an agent needs {SMALLEST_WINDOW:,} or more"
        )
    return warnings


def _prices(pricing: Json) -> Prices | None:
    prompt = first_number(pricing.get("prompt"))
    completion = first_number(pricing.get("completion"))
    if prompt is None or completion is None:
        return None
    return Prices(prompt, completion, first_number(pricing.get("input_cache_read")))


def _count(*values: object) -> int | None:
    number = first_number(*values)
    return int(number) if number else None


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat((as_text(value) or "")[:10])
    except ValueError:
        return None
