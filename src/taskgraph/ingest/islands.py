"""Finds where tables seem to stand in a sheet that people have made for people.

Values that touch are one island: empty rows, and within them empty columns, lie between two. An
island with a row of names and rows below it is a table; what stands above the names is its title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

Values: TypeAlias = Sequence[Sequence[object]]
"""Rows of cells from the sheet's first cell on, None where a cell is empty; rows may be ragged."""

_TOTAL = re.compile(
    r"\W*(grand |sub-?)?(totals?|sums?|summe|gesamt|saldo|balance)\b", re.IGNORECASE
)
_LEAST_COLUMNS = 2
_NAMED_SHARE = 0.6
"""Of an island's columns, those that a row of names has to name."""


@dataclass(frozen=True, slots=True)
class Island:
    """Where a table seems to stand; rows and columns count from 0."""

    top: int
    """The row of names; the first row of data where there is none."""
    bottom: int
    """The last row of data."""
    left: int
    right: int
    has_header: bool
    title: tuple[str, ...] = ()
    """What is written above it."""
    total_row: int | None = None
    """A row below the data that sums it up, and is no part of it."""


def find_islands(values: Values) -> tuple[Island, ...]:
    """Returns the tables of a sheet, from top to bottom and left to right."""
    return tuple(
        island
        for rows in _runs([any(map(_filled, row)) for row in values])
        for columns in _runs([_any(values, rows, column) for column in range(_width(values, rows))])
        if (island := _island(values, rows, columns))
    )


def _island(values: Values, rows: range, columns: range) -> Island | None:
    rows = _without_gaps(values, rows, columns)
    if len(columns) < _LEAST_COLUMNS or len(rows) < 2:
        return None
    header = next((row for row in rows if _names(values, row, columns)), None)
    top = rows.start if header is None else header
    total = _total_row(values, range(top + 1, rows.stop), columns)
    bottom = rows.stop - 1 if total is None else total - 1
    if header is not None and bottom <= header:
        return None
    title = tuple(
        str(cell) for row in range(rows.start, top) for cell in _cells(values, row, columns) if cell
    )
    return Island(top, bottom, columns.start, columns.stop - 1, header is not None, title, total)


def _without_gaps(values: Values, rows: range, columns: range) -> range:
    """Leaves out rows at either end in which only the neighbours of an island stand."""
    own = [row for row in rows if any(map(_filled, _cells(values, row, columns)))]
    return range(own[0], own[-1] + 1)


def _names(values: Values, row: int, columns: range) -> bool:
    """Whether a row names most of the columns, and holds nothing but text."""
    filled = [cell for cell in _cells(values, row, columns) if _filled(cell)]
    enough = len(filled) >= max(_LEAST_COLUMNS, _NAMED_SHARE * len(columns))
    return enough and all(isinstance(cell, str) for cell in filled)


def _total_row(values: Values, rows: range, columns: range) -> int | None:
    """The last row, where it says of itself that it sums up the others."""
    for row in reversed(rows):
        texts = [cell for cell in _cells(values, row, columns) if isinstance(cell, str)]
        return row if any(map(_TOTAL.match, texts)) else None
    return None


def _cells(values: Values, row: int, columns: range) -> Sequence[object]:
    return values[row][columns.start : columns.stop]


def _width(values: Values, rows: range) -> int:
    return max(len(values[row]) for row in rows)


def _any(values: Values, rows: range, column: int) -> bool:
    return any(column < len(values[row]) and _filled(values[row][column]) for row in rows)


def _filled(cell: object) -> bool:
    return cell is not None and cell != ""


def _runs(inside: Sequence[bool]) -> Iterator[range]:
    """Returns the unbroken runs of places that are inside."""
    for is_inside, run in groupby(range(len(inside)), key=inside.__getitem__):
        if is_inside:
            first, *rest = run
            yield range(first, (rest or [first])[-1] + 1)
