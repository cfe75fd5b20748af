"""Finds the DuckDB types of Python values, over all of them.

Nothing is guessed from the text of a value: `"007"` is text because it is a `str`. Types that do
not go together in one column become text, each value as Python shows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, cast
from uuid import UUID

from taskgraph.database import fold, quote
from taskgraph.errors import IngestError

Write: TypeAlias = Callable[[Any], Any]
"""From a value that is not None to what DuckDB's appender takes for it."""

_BYTES = (bytes, bytearray, memoryview)
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "bool"),  # before int, and datetime before date: the one is a kind of the other
    (int, "int"),
    (float, "float"),
    (Decimal, "Decimal"),
    (str, "str"),
    (_BYTES, "bytes"),
    (datetime, "datetime"),
    (date, "date"),
    (time, "time"),
    (timedelta, "timedelta"),
    (UUID, "UUID"),
    (Mapping, "dict"),
    ((list, tuple), "list"),
)
_TYPES = {
    frozenset[str](): "VARCHAR",
    frozenset({"bool"}): "BOOLEAN",
    frozenset({"float"}): "DOUBLE",
    frozenset({"str"}): "VARCHAR",
    frozenset({"bytes"}): "BLOB",
    frozenset({"date"}): "DATE",
    frozenset({"timedelta"}): "INTERVAL",
    frozenset({"UUID"}): "UUID",
}
_EXACT_IN_DOUBLE = 2**53
_DECIMAL_DIGITS = 38
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class TypedValues:
    """What the values of a column are."""

    type: str
    """DuckDB's name of the type."""
    write: Write | None = None
    """How to write a value; None where DuckDB takes it as it is."""
    remark: str | None = None
    """What a person should know of them."""


def plain_values(values: Iterable[Any]) -> list[Any]:
    """Returns the values as Python's own: numpy's scalars, enums, and other ways to say nothing.

    A number that is NaN stands for a missing value, as pandas writes it.
    """
    found = list(values)
    odd = {one for one in set(map(type, found)) if _is_odd(one)}
    if not odd:
        return found
    return [_plain(value) if type(value) in odd else value for value in found]


def typed_column(name: str, values: Sequence[Any]) -> TypedValues:
    """Finds the type that holds every value of a column.

    Args:
        name: of the column.
        values: as `plain_values` returns them; None for no value.

    Raises:
        IngestError: a value is of a type that has no place in a table; names its row.
    """
    try:
        return _typed(values)
    except IngestError as error:
        raise IngestError(f"column {name!r}: {error}", error.hint) from error


def _typed(values: Sequence[Any]) -> TypedValues:
    kinds = {_kind(type_, values) for type_ in set(map(type, values)) if type_ is not type(None)}
    simple = _TYPES.get(frozenset(kinds))
    if simple:
        return TypedValues(simple)
    return _COMPOUND.get(frozenset(kinds), _as_text)(values)


def _is_odd(type_: type) -> bool:
    library = type_.__module__.partition(".")[0]
    return issubclass(type_, (float, Decimal, Enum)) or library in {"numpy", "pandas"}


def _plain(value: Any) -> Any:
    if isinstance(value, (float, Decimal)):
        return None if value != value else value
    if isinstance(value, Enum):
        return value.value
    if type(value).__name__ in {"NaTType", "NAType"}:
        return None
    if type(value).__name__ == "datetime64":
        # Its own `item` gives nanoseconds as a bare int.
        return value.astype("datetime64[us]").item()
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


def _kind(type_: type, values: Sequence[Any]) -> str:
    for class_, kind in _KINDS:
        if issubclass(type_, class_):
            return kind
    row = next(row for row, value in enumerate(values, start=1) if type(value) is type_)
    raise IngestError(
        f"row {row} has a value of type {type_.__name__}",
        hint="a table holds numbers, text, bytes, dates, times, UUIDs, lists and dicts: "
        "convert the value to one of these",
    )


def _present(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _of_ints(values: Sequence[Any]) -> TypedValues:
    present = _present(values)
    low, high = min(present), max(present)
    if low >= -(2**63) and high < 2**63:
        return TypedValues("BIGINT")
    if low >= -(2**127) and high < 2**127:
        return TypedValues("HUGEINT")
    return _text_because("a number has more than 38 digits")


def _of_floats(values: Sequence[Any]) -> TypedValues:
    whole = (abs(value) for value in values if isinstance(value, int))
    if max(whole) <= _EXACT_IN_DOUBLE:
        return TypedValues("DOUBLE", float)
    return _text_because("a DOUBLE would round its largest whole numbers")


def _of_decimals(values: Sequence[Any]) -> TypedValues:
    """The DECIMAL that holds all digits before the point, and all after it."""
    before = after = 0
    for value in map(Decimal, _present(values)):
        _, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):
            return _text_because("DECIMAL has no infinity")
        before = max(before, len(digits) + exponent)
        after = max(after, -exponent)
    if before + after > _DECIMAL_DIGITS:
        return _text_because("DECIMAL has no room for all of its digits")
    precision = 18 if before + after <= 18 else _DECIMAL_DIGITS
    return TypedValues(f"DECIMAL({precision},{after})")


def _of_rounded_decimals(values: Sequence[Any]) -> TypedValues:
    del values
    return TypedValues("DOUBLE", float, remark="mixes Decimal and float: decimals are rounded")


def _of_datetimes(values: Sequence[Any]) -> TypedValues:
    aware = {isinstance(one, datetime) and one.tzinfo is not None for one in _present(values)}
    if len(aware) > 1:
        return _text_because("some of its moments have a time zone, others none")
    return TypedValues("TIMESTAMPTZ" if aware == {True} else "TIMESTAMP")


def _of_times(values: Sequence[Any]) -> TypedValues:
    if any(value.tzinfo is not None for value in _present(values)):
        return _text_because("TIME has no time zone")
    return TypedValues("TIME")


def _of_dicts(values: Sequence[Any]) -> TypedValues:
    present = cast("list[Mapping[object, Any]]", _present(values))
    keys = list(dict.fromkeys(key for value in present for key in value))
    names = [key for key in keys if isinstance(key, str) and key]
    fields = {name: _field(name, [value.get(name) for value in present]) for name in names}
    distinct = len({fold(name) for name in names}) == len(keys) > 0
    # A dict with just these keys is a map to DuckDB's client, and an internal error at times.
    if not distinct or set(names) == {"key", "value"}:
        return TypedValues("JSON", json_of)

    def write(value: Mapping[object, Any]) -> dict[str, Any]:
        return {name: _written(one, value.get(name)) for name, one in fields.items()}

    types = ", ".join(f"{quote(name)} {one.type}" for name, one in fields.items())
    return TypedValues(f"STRUCT({types})", write, _first_remark(fields))


def _of_lists(values: Sequence[Any]) -> TypedValues:
    item = _typed(plain_values(item for value in _present(values) for item in value))

    def write(value: Sequence[Any]) -> list[Any]:
        return [_written(item, one) for one in value]

    remark = f"holds lists whose items are mixed: {item.remark}" if item.remark else None
    return TypedValues(f"{item.type}[]", write, remark)


_COMPOUND: Mapping[frozenset[str], Callable[[Sequence[Any]], TypedValues]] = {
    frozenset({"int"}): _of_ints,
    frozenset({"int", "float"}): _of_floats,
    frozenset({"Decimal"}): _of_decimals,
    frozenset({"int", "Decimal"}): _of_decimals,
    frozenset({"float", "Decimal"}): _of_rounded_decimals,
    frozenset({"int", "float", "Decimal"}): _of_rounded_decimals,
    frozenset({"datetime"}): _of_datetimes,
    frozenset({"date", "datetime"}): _of_datetimes,
    frozenset({"time"}): _of_times,
    frozenset({"dict"}): _of_dicts,
    frozenset({"list"}): _of_lists,
}


def _as_text(values: Sequence[Any]) -> TypedValues:
    first = type(cast("object", _present(values)[0]))
    row, odd = next(
        (row, value)
        for row, value in enumerate(values, start=1)
        if value is not None and type(value) is not first
    )
    shown = text_of(odd)[:_SHOWN_CHARACTERS]
    return _text_because(
        f"it begins with {first.__name__}, row {row} has the {type(odd).__name__} {shown!r}"
    )


def _text_because(reason: str) -> TypedValues:
    return TypedValues("VARCHAR", text_of, remark=f"is kept as text: {reason}")


def text_of(value: Any) -> str:
    """Returns a value as text: what a column of mixed types keeps of it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, _BYTES):
        return bytes(cast("bytes", value)).hex()
    if isinstance(value, (Mapping, list, tuple)):
        return json_of(value)
    return str(value)


def json_of(value: Any) -> str:
    """Returns a value as JSON text.

    Raises:
        IngestError: JSON has no place for it.
    """
    try:
        return json.dumps(value, default=_json_default, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise IngestError(f"a value cannot be written as JSON: {error}") from error


def _json_default(value: Any) -> Any:
    if isinstance(value, timedelta):
        return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    if isinstance(value, _BYTES):
        return text_of(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _field(name: str, values: Sequence[Any]) -> TypedValues:
    try:
        return _typed(plain_values(values))
    except IngestError as error:
        raise IngestError(f"field {name!r}: {error}", error.hint) from error


def _written(item: TypedValues, value: Any) -> Any:
    [value] = plain_values([value])
    return value if value is None or item.write is None else item.write(value)


def _first_remark(fields: Mapping[str, TypedValues]) -> str | None:
    told = ((name, one.remark) for name, one in fields.items() if one.remark)
    return next((f"has a field {name!r} that {remark}" for name, remark in told), None)
