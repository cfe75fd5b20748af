"""Column names: one rule that turns whatever a source has into names DuckDB tells apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from taskgraph.database import fold
from taskgraph.errors import IngestError

ROW_ID = "_row_id"


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """The names that a table's columns get, in order."""

    names: tuple[str, ...]
    warnings: Mapping[str, str]
    """New name to what was changed, for each that had to be."""


def column_names(found: Iterable[str | None]) -> ColumnNames:
    """Makes names unique and not empty: `name_2` for a second `name`, `column_3` for a blank third.

    Names that differ only in the case of ASCII letters are the same to DuckDB. `_row_id` is the
    engine's: a source's own becomes `_row_id_2`.
    """
    given = ["" if name is None or name.isspace() else name for name in found]
    taken = {fold(ROW_ID)}
    # A header `a, a, a_2` keeps its own `a_2`: only names that nobody wrote are given out.
    written = {fold(name) for name in given}
    names: list[str] = []
    warnings: dict[str, str] = {}
    for position, name in enumerate(given, start=1):
        wanted = name or f"column_{position}"
        chosen = _free(wanted, taken if name else taken | written, taken | written)
        taken.add(fold(chosen))
        names.append(chosen)
        if chosen != name:
            warnings[chosen] = _renamed(position, name, chosen)
    return ColumnNames(tuple(names), warnings)


def numbered_names(count: int) -> ColumnNames:
    """Names the columns of a source that has no names: `column_1` and so on."""
    return ColumnNames(tuple(f"column_{number}" for number in range(1, count + 1)), {})


def require_columns(required: Iterable[str], present: Sequence[str]) -> None:
    """Checks that all required columns are there, whatever the case of their letters.

    Raises:
        IngestError: names those that are missing, the nearest to each, and those that are there.
    """
    missing = _missing(required, present)
    if missing:
        raise IngestError(f"required columns are missing: {missing}")


def match_columns(wanted: Mapping[str, str], present: Sequence[str]) -> dict[str, str]:
    """Returns, by the names that columns have, the types that are asked for them.

    Raises:
        IngestError: a column is not there.
    """
    missing = _missing(wanted, present)
    if missing:
        raise IngestError(f"the option types names columns that are not there: {missing}")
    folded = {fold(name): name for name in present}
    return {folded[fold(name)]: type_ for name, type_ in wanted.items()}


def _missing(names: Iterable[str], present: Sequence[str]) -> str:
    """Tells which names are not present, and what is; empty where none is missing."""
    folded = {fold(name): name for name in present}
    missing = [name for name in names if fold(name) not in folded]
    if not missing:
        return ""
    told = ", ".join(f"{name!r}{_near(name, folded)}" for name in missing)
    return f"{told}; there are: {', '.join(map(repr, present)) or 'none'}"


def require_same_columns(
    shown: str, names: Iterable[str], first_shown: str, first_names: Iterable[str]
) -> None:
    """Checks that a file has the columns of the first one, in any order.

    Raises:
        IngestError: names both files, and the columns that only one of them has.
    """
    here = {fold(name): name for name in names}
    there = {fold(name): name for name in first_names}
    if here.keys() == there.keys():
        return
    lacks = ", ".join(repr(name) for folded, name in there.items() if folded not in here)
    adds = ", ".join(repr(name) for folded, name in here.items() if folded not in there)
    differences = [f"lacks {lacks}"] * bool(lacks) + [f"adds {adds}"] * bool(adds)
    raise IngestError(
        f"{shown} {' and '.join(differences)}, compared with {first_shown}",
        hint="say union_by_name=True to take the columns of all files, NULL where one lacks them",
    )


def _near(name: str, folded: dict[str, str]) -> str:
    close = get_close_matches(fold(name), folded, n=1)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""


def _free(name: str, taken: set[str], reserved: set[str]) -> str:
    chosen, number = name, 1
    while fold(chosen) in (taken if number == 1 else reserved):
        number += 1
        chosen = f"{name}_{number}"
    return chosen


def _renamed(position: int, name: str, chosen: str) -> str:
    if not name:
        return f"column {position} has no name: it is called {chosen!r}"
    if fold(name) == fold(ROW_ID):
        return f"column {name!r} is called {chosen!r}: the engine numbers the rows as {ROW_ID!r}"
    return f"column {position} is a second {name!r}: it is called {chosen!r}"
