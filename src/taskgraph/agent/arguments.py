"""A tool call's arguments: what models write when they mean JSON, repaired or explained.

Malformed arguments left in the history make servers refuse every later request of a conversation;
so that the wire gets an object whatever the model wrote. The ladder follows what agents in the
field meet: fences, JSON inside JSON, a quote or bracket too many, text cut off.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn, TypeAlias, cast

from taskgraph.llm.wire import canonical, without_surrogates

_FENCE = re.compile(r"\A\s*```\w*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_ONLY_CLOSERS = re.compile(r"[\s\"'`}\])]*\Z")
_QUOTED_CHARACTERS = 500
_EXPECTED = '{"sql": "SELECT ..."}'

_Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SqlArgument:
    """What a call of `run_sql` asks for."""

    sql: str
    notes: tuple[str, ...] = ()
    """What the model should know about how its arguments were read."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Arguments that nobody can make sense of."""

    message: str
    """What is wrong and what is expected, for the model."""


def sql_argument(arguments: str) -> SqlArgument | Malformed:
    """Reads the arguments of a call of `run_sql`.

    Args:
        arguments: raw text, as the model wrote it.
    """
    try:
        found, repaired = _object(arguments)
    except ValueError as error:
        return Malformed(f"{error}. {_expectation(arguments)}")
    sql = found.get("sql")
    if not isinstance(sql, str) or not sql.strip():
        problem = "`sql` is missing" if sql is None else "`sql` must be a text that is not empty"
        return Malformed(f"{problem}. {_expectation(arguments)}")
    return SqlArgument(without_surrogates(sql), tuple(_notes(found, repaired)))


@lru_cache(maxsize=4_096)
def wire_arguments(arguments: str) -> str:
    """Returns JSON text of an object that says the same, `{}` where the arguments say nothing."""
    try:
        found, _ = _object(arguments)
    except ValueError:
        return "{}"
    return without_surrogates(canonical(found))


def _object(arguments: str) -> tuple[_Object, bool]:
    """Returns the object that is meant, and whether it had to be repaired.

    Raises:
        ValueError: there is none; says what and where.
    """
    if not arguments.strip():
        return {}, False
    fenced = _FENCE.match(arguments)
    text = fenced[1] if fenced else arguments
    value, rest = _first_value(text)
    twice = isinstance(value, str)
    if isinstance(value, str):
        value, rest_inside = _first_value(value)
        rest += rest_inside
    if not isinstance(value, dict):
        raise ValueError("the arguments are not a JSON object")  # noqa: TRY004 - as all others
    if not _ONLY_CLOSERS.match(rest):
        raise ValueError(f"there is something after the arguments' JSON object: {rest[:50]!r}")
    return cast("_Object", value), bool(fenced or twice or rest.strip())


def _first_value(text: str) -> tuple[object, str]:
    decoder = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)
    start = len(text) - len(text.lstrip())
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"the arguments are not valid JSON at character {error.pos}: {error.msg}"
        ) from error
    except RecursionError as error:
        raise ValueError("the arguments are nested too deeply") from error
    return value, text[end:]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"the arguments hold {name}, which is not JSON")


def _notes(found: _Object, repaired: bool) -> list[str]:
    notes = ["the arguments were not clean JSON and were repaired"] if repaired else []
    unknown = [without_surrogates(key) for key in found if key != "sql"]
    if unknown:
        notes.append(f"unknown arguments were ignored: {', '.join(unknown)}")
    return notes


def _expectation(arguments: str) -> str:
    written = without_surrogates(arguments)
    shown = written[:_QUOTED_CHARACTERS] + ("…" if len(written) > _QUOTED_CHARACTERS else "")
    return f"Call run_sql with one JSON object, {_EXPECTED}. You wrote: {shown or 'nothing'}"
