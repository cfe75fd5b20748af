"""Rows as a table of text that fits the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from taskgraph.cli.text import printable
from taskgraph.cli.width import clipped, columns_of, padded

_GAP = "  "
_WIDEST = 48
_NARROWEST = 6


def table_lines(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    width: int,
    numeric: Collection[str] = (),
) -> Iterator[str]:
    """Draws rows under the names of their columns; what does not fit is cut, and marked by `…`.

    Args:
        columns: the names.
        rows: a cell for each column, None for NULL.
        width: columns of the terminal.
        numeric: names of columns that stand at the right.
    """
    cells = [[_cell(name) for name in columns], *([_cell(one) for one in row] for row in rows)]
    widths = _widths(cells, width)
    left_out = len(columns) - len(widths)
    rights = [name in numeric for name in columns]
    for number, line in enumerate(cells):
        parts = [
            padded(clipped(cell, room), room, right=right)
            for cell, room, right in zip(line, widths, rights, strict=False)
        ]
        more = f"{_GAP}… and {left_out} more columns" if left_out and not number else ""
        yield f"{_GAP.join(parts)}{more}".rstrip()


def _cell(value: str | None) -> str:
    if value is None:
        return "NULL"
    return printable(value).replace("\n", "\\n").replace("\t", "\\t")


def _widths(cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """Returns the columns' widths: the widest give way first, and the last are left out."""
    wanted = [min(_WIDEST, max(map(columns_of, column))) for column in zip(*cells, strict=True)]
    if sum(wanted) + len(_GAP) * (len(wanted) - 1) <= width:
        return wanted
    while len(wanted) > 1 and _least(wanted) > width:
        wanted.pop()
    while sum(wanted) + len(_GAP) * (len(wanted) - 1) > width and max(wanted) > _NARROWEST:
        wanted[wanted.index(max(wanted))] -= 1
    return wanted


def _least(wanted: Sequence[int]) -> int:
    return sum(min(one, _NARROWEST) for one in wanted) + len(_GAP) * (len(wanted) - 1)
