"""Addresses of a sheet's cells: `B7`, `B3:F20`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from taskgraph.errors import IngestError

MAX_ROWS = 1_048_576
"""Of a sheet, as the format has it."""
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?(\d+)?:\$?([A-Z]{1,3})\$?(\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Area:
    """The cells of a range; rows and columns count from 0."""

    rows: range
    columns: range


def parse_range(text: str) -> Area:
    """Returns the cells that a range such as `B3:F20`, `B3:F` or `B:F` stands for.

    Raises:
        IngestError: it is not a range.
    """
    found = _RANGE.fullmatch(text.strip())
    if not found:
        raise IngestError(f"range {text!r} is not a range such as 'B3:F20'")
    left, top, right, bottom = found.groups()
    rows = range(int(top) - 1 if top else 0, int(bottom) if bottom else MAX_ROWS)
    return Area(rows, range(column_number(left), column_number(right) + 1))


def column_number(letters: str) -> int:
    """The number of a column, from 0: `A` is 0, `AA` is 26."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def column_letters(column: int) -> str:
    """Returns the name of a column counted from 0: 26 is `AA`."""
    letters = ""
    number = column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
