r"""How values look that are more than text: numbers, dates, times, booleans.

Each rule is a pair of SQL expressions over a column of text, where `{c}` stands for the column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

from taskgraph.database import quote_text
from taskgraph.ingest.options import FileRequest

Order: TypeAlias = Literal["day first", "month first"]

# A DOUBLE keeps any 15 digits; more could come back as others.
_DIGITS = r"[+-]?\d+"
_DOUBLE_DIGITS = 15
_WHOLE = r"0|[1-9]\d{0,14}"
_ANY_WHOLE = r"0|[1-9]\d*"
_SLASHED = r"\d{1,2}/\d{1,2}/\d{4}"
_DASHED = r"\d{1,2}-\d{1,2}-\d{4}"
_DATES: tuple[tuple[str, str, Order | None], ...] = (
    ("%Y/%m/%d", r"\d{4}/\d{1,2}/\d{1,2}", None),
    ("%d.%m.%Y", r"\d{1,2}\.\d{1,2}\.\d{4}", None),
    ("%d/%m/%Y", _SLASHED, "day first"),
    ("%m/%d/%Y", _SLASHED, "month first"),
    ("%d-%m-%Y", _DASHED, "day first"),
    ("%m-%d-%Y", _DASHED, "month first"),
)
_CLOCKS = ((" %H:%M:%S", r" \d{1,2}:\d{2}:\d{2}"), (" %H:%M", r" \d{1,2}:\d{2}"))
_ISO_DATE = r"\d{4}-\d{2}-\d{2}"
# DuckDB keeps microseconds; a seventh digit may only be a zero.
_ISO_TIMESTAMP = r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?"
_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)"
_TIME = r"\d{2}:\d{2}:\d{2}(\.\d{1,6}0*)?"
_TIME_DIRECTIVES = frozenset("HIMSfpgnz")


_WRITTEN_BACK = "CAST({v} AS VARCHAR) = {c}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to read a column of text; `{c}` stands for the column in both expressions."""

    kind: str
    """What people call such values."""
    fits: str
    """Predicate: the value is written in this way."""
    value: str
    """The value of a text that fits. Never fails: of another text it is NULL, or means nothing."""
    quick: str | None = None
    """A cheaper predicate that implies `fits`, for rules that most columns keep; `{v}` stands for
    the value."""
    order: Order | None = None
    """For dates that other countries read differently."""
    note: str | None = None
    """What a person should know of a column that keeps the rule."""


def rules_for(request: FileRequest) -> tuple[Rule, ...]:
    """Returns the rules to try, the narrowest first."""
    return (*_booleans(), *_numbers(request), *_moments(request))


def typed_rule(type_: str, request: FileRequest) -> Rule:
    """Returns the rule for a column whose type was asked for."""
    base = type_.upper().partition("(")[0].strip()
    if base in _WHOLE_TYPES:
        # DuckDB's own cast would round '3.7' to 4.
        number = _number("{c}", request)
        fits = _shaped(number, _DIGITS, f"TRY_CAST({number} AS {type_}) IS NOT NULL")
        return Rule(type_, fits, f"TRY_CAST({number} AS {type_})")
    text = _number("{c}", request) if base in _FRACTION_TYPES else "{c}"
    if request.date_format and base in _MOMENT_TYPES:
        parsed = f"try_strptime(trim({{c}}), {quote_text(request.date_format)})"
        return Rule(type_, f"{parsed} IS NOT NULL", f"CAST({parsed} AS {type_})")
    value = f"TRY_CAST({text} AS {type_})"
    return Rule(type_, f"{value} IS NOT NULL", value)


_WHOLE_TYPES = frozenset(
    f"{sign}{name}"
    for sign, name in product(("", "U"), ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"))
) | {"INT", "LONG", "SHORT"}
_FRACTION_TYPES = frozenset({"DOUBLE", "FLOAT", "REAL", "DECIMAL", "NUMERIC"})
_MOMENT_TYPES = frozenset({"DATE", "TIMESTAMP", "DATETIME", "TIMESTAMP_S", "TIMESTAMP_MS"})


def looks_like_data(text: str) -> bool:
    """Says whether a header's cell looks like a number or a date, a year excepted."""
    year = re.fullmatch(r"(19|20)\d{2}", text)
    return not year and bool(
        re.fullmatch(rf"[+-]?\d+([.,]\d+)?|\d{{4}}-\d{{2}}-\d{{2}}.*|{_SLASHED}", text)
    )


def _booleans() -> Iterator[Rule]:
    yield Rule(
        "booleans",
        "lower(trim({c})) IN ('true', 'false')",
        "TRY_CAST(trim({c}) AS BOOLEAN)",
        quick=_WRITTEN_BACK,
    )


def _numbers(request: FileRequest) -> Iterator[Rule]:
    point = re.escape(request.decimal)
    comma = re.escape(request.thousands or "")
    grouped = rf"|[1-9]\d{{0,2}}({comma}\d{{3}})+" if comma else ""
    whole = rf"-?(0|[1-9]\d{{0,18}}{grouped})"
    number = _number("{c}", request)
    value = f"TRY_CAST({number} AS BIGINT)"
    fits = _shaped("{c}", whole, f"{value} IS NOT NULL")
    yield Rule("whole numbers", fits, value, _WRITTEN_BACK)
    value = f"TRY_CAST({number} AS DOUBLE)"
    safe = _double_shape(_WHOLE + grouped, point)
    # Longer numbers may come back as others, unless they are written just as a DOUBLE is.
    long = _double_shape(_ANY_WHOLE, point)
    shaped = (
        f"CASE WHEN {_matches('{c}', safe)} THEN true WHEN {_matches('{c}', long)} "
        f"THEN CAST({value} AS VARCHAR) = {number} ELSE false END"
    )
    fits = f"{shaped} AND isfinite({value})"
    significant = f"length(ltrim(rtrim({number}, '0'), '-0.'))"
    exact = f"{fits} AND ({significant} <= 18 OR {{c}} ILIKE '%e%')"
    short = rf"-?(0|[1-9]\d*)({point}\d+)?"
    quick = f"strlen({{c}}) <= {_DOUBLE_DIGITS} AND {_matches('{c}', short)}"
    yield Rule("numbers", exact, value, quick)
    yield Rule(
        "numbers",
        fits,
        value,
        note="has more digits than a DOUBLE keeps (17); "
        "ask for a DECIMAL with the option types if they matter",
    )


def _double_shape(whole: str, point: str) -> str:
    """The pattern of a number with a point; an exponent needs a sign or a point: `12E4` is a code."""
    return rf"-?({whole})?({point}\d*)?([eE][+-]\d{{1,3}})?|-?\d{point}\d+[eE]\d{{1,3}}"


def _moments(request: FileRequest) -> Iterator[Rule]:
    if request.date_format:
        yield _given_format(request.date_format)
    dates = () if request.date_format else _DATES
    yield _iso("dates", "DATE", _ISO_DATE)
    for format_, shape, order in dates:
        parsed = f"try_strptime(trim({{c}}), {quote_text(format_)})"
        fits = _shaped("{c}", shape, f"{parsed} IS NOT NULL")
        yield Rule("dates", fits, f"CAST({parsed} AS DATE)", order=order)
    yield _iso("timestamps", "TIMESTAMP", _ISO_TIMESTAMP)
    yield _iso("timestamps", "TIMESTAMPTZ", _ISO_TIMESTAMP + _ZONE)
    for (format_, shape, order), (clock, clock_shape) in product(dates, _CLOCKS):
        parsed = f"try_strptime(trim({{c}}), {quote_text(format_ + clock)})"
        fits = _shaped("{c}", shape + clock_shape, f"{parsed} IS NOT NULL")
        yield Rule("timestamps", fits, parsed, order=order)
    yield _iso("times", "TIME", _TIME)


def _iso(kind: str, type_: str, shape: str) -> Rule:
    """A rule for what DuckDB's own cast reads."""
    value = f"TRY_CAST({{c}} AS {type_})"
    fits = _shaped("{c}", shape, f"{value} IS NOT NULL")
    return Rule(kind, fits, value, None if type_ == "TIMESTAMPTZ" else _WRITTEN_BACK)


def _given_format(format_: str) -> Rule:
    parsed = f"try_strptime(trim({{c}}), {quote_text(format_)})"
    has_time = any(f"%{directive}" in format_ for directive in _TIME_DIRECTIVES)
    value = parsed if has_time else f"CAST({parsed} AS DATE)"
    return Rule("timestamps" if has_time else "dates", f"{parsed} IS NOT NULL", value)


def _number(column: str, request: FileRequest) -> str:
    """The text of a number as DuckDB writes it; its casts do not mind spaces around it."""
    text = column
    if request.thousands:
        text = f"replace({text}, {quote_text(request.thousands)}, '')"
    if request.decimal != ".":
        text = f"replace({text}, {quote_text(request.decimal)}, '.')"
    return text


def _shaped(column: str, pattern: str, then: str) -> str:
    """A predicate over the values that look like this, false for all others."""
    # DuckDB computes both sides of an AND for every value, and to parse a date is the dear one.
    return f"CASE WHEN {_matches(column, pattern)} THEN {then} ELSE false END"


def _matches(column: str, pattern: str) -> str:
    # The predicate is a format string: a brace of the pattern must be doubled.
    escaped = quote_text(pattern.replace("{", "{{").replace("}", "}}"))
    return f"regexp_full_match(trim({column}), {escaped})"
