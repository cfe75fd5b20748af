"""What a model is told of its number of calls: how long it may work, never at what."""

from __future__ import annotations

import re

_TOLD = re.compile(
    r"^(You have \d+ model calls; each answer of yours is one\.|\[\d+ of \d+ model calls left\])$",
    re.MULTILINE,
)


def calls_allowed(limit: int) -> str:
    """Says at the beginning how many calls there are."""
    return f"You have {limit} model calls; each answer of yours is one."


def calls_left(count: int, limit: int) -> str:
    """Warns before the limit hurts; stands in brackets, on a line of its own."""
    return f"{count} of {limit} model calls left"


def without_limits(text: str) -> str:
    """Returns a message without what it says of the number of calls."""
    lines = text.split("\n")
    return "\n".join(line for line in lines if not _TOLD.match(line))
