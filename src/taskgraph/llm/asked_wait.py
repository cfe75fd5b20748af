"""How long a server asks to be left alone: `Retry-After` in both its forms, and limits' resets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from taskgraph.llm.reply import ServerError

_SECONDS_END = 10**11
"""Epoch numbers below are seconds, above milliseconds; OpenRouter sends the latter."""
_LAST_MOMENT_MS = 10**14


def asked_wait(headers: Mapping[str, str], error: ServerError, now: datetime) -> float:
    """Returns seconds to wait, the longest where the server says so in several places.

    Args:
        headers: of the reply, with lower-case names.
        error: the reply's body.
        now: the present, for waits given as a moment.
    """
    reset = resets_at(headers, error)
    return max(
        0.0,
        _retry_after(headers.get("retry-after", ""), now),
        error.retry_after_s or 0.0,
        (reset - now).total_seconds() if reset else 0.0,
    )


def resets_at(headers: Mapping[str, str], error: ServerError) -> datetime | None:
    """Returns when a rate limit ends, where the server tells it."""
    header = headers.get("x-ratelimit-reset", "").strip()
    epoch = float(header) if re.fullmatch(r"\d{10,14}", header) else error.resets_at_ms
    if epoch is None or epoch >= _LAST_MOMENT_MS:
        return None
    return datetime.fromtimestamp(epoch if epoch < _SECONDS_END else epoch / 1000, UTC)


def _retry_after(value: str, now: datetime) -> float:
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    # A date in "-0000" comes without a zone, and means UTC.
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
