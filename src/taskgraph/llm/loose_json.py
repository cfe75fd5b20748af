"""Reads values out of JSON that may not be what it should be: the wrong kind counts as absent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from taskgraph.llm.wire import without_surrogates

Json: TypeAlias = Mapping[str, Any]
EMPTY: Json = {}


def parsed_json(text: object) -> object:
    """Returns what a JSON text says; None where it is no JSON, or no text. NaN reads as None."""
    try:
        return (
            json.loads(text, strict=False, parse_constant=lambda _: None)
            if isinstance(text, str)
            else None
        )
    except (ValueError, RecursionError):
        return None


def as_object(value: object) -> Json:
    """Returns an object; an empty one for anything else."""
    return cast("Json", value) if isinstance(value, dict) else EMPTY


def as_list(value: object) -> list[object]:
    """Returns a list; an empty one for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def as_text(value: object) -> str | None:
    """Returns a text that UTF-8 can hold; None for anything else."""
    return without_surrogates(value) if isinstance(value, str) else None


def as_texts(values: object) -> tuple[str, ...]:
    """Returns a list's items as texts."""
    return tuple(str(value) for value in as_list(values))


def as_count(value: object) -> int:
    """Returns a whole number; 0 for anything that is none."""
    return int(first_number(value) or 0)


def first_number(*values: object) -> float | None:
    """Returns the first value that is a finite number, or a text of one, and not below zero."""
    for value in values:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                number = float(value)
            except (ValueError, OverflowError):
                continue
            if math.isfinite(number) and number >= 0:
                return number
    return None
