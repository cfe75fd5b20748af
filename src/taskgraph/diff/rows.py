"""How the rows of two tables differ, counted and shown by DuckDB.

With a key, rows are matched by it. Without one, a table is a bag of rows, and a column a bag of
values: nothing says which row of one is meant to be which row of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from taskgraph.database import Connection, fold, quote, quote_text

_SAMPLES = 3
_FOUND = quote("row is there")
"""Stands beside a table's own columns, of which none is likely to have this name."""
ONE, OTHER = "one", "other"
"""Under which names the two files are attached."""

Cells: TypeAlias = tuple[str | None, ...]
"""A row as text; None for NULL."""


@dataclass(frozen=True, slots=True)
class EqualValues:
    """How many values of a column are the same on both sides."""

    column: str
    equal: int
    of: int
    """With a key: the rows that are on both sides. Without one: the rows of the longer side."""

    @property
    def share(self) -> float:
        """From 0 to 1; 1 where there is nothing to compare."""
        return self.equal / self.of if self.of else 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows, as text."""

    columns: tuple[str, ...]
    rows: tuple[Cells, ...]


NO_ROWS = Sample((), ())


@dataclass(frozen=True, slots=True)
class RowsDiff:
    """How the rows differ."""

    only_one: int
    only_other: int
    changed: int = 0
    """With a key: rows that are on both sides, with other values."""
    equal_values: tuple[EqualValues, ...] = ()
    """For each column but those of the key; empty where all rows are equal."""
    sample_one: Sample = NO_ROWS
    sample_other: Sample = NO_ROWS
    sample_changed: Sample = NO_ROWS
    """The key, the column, and its value on either side."""

    @property
    def is_equal(self) -> bool:
        """Says whether both sides have the same rows."""
        return not (self.only_one or self.only_other or self.changed)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tables, and the columns that both have."""

    connection: Connection
    table: str
    columns: Mapping[str, str]
    """Name to SQL, which has the same type on both sides."""
    key: Sequence[str]

    @property
    def values(self) -> list[str]:
        """The columns that are not of the key."""
        key = set(map(fold, self.key))
        return [column for column in self.columns if fold(column) not in key]

    def numbers(self, sql: str) -> tuple[int, ...]:
        """Asks for one row of numbers."""
        [row] = self.connection.execute(sql).fetchall()
        return row

    def sample(self, columns: Sequence[str], sql: str) -> Sample:
        """Asks for some rows."""
        rows = self.connection.execute(f"{sql} LIMIT {_SAMPLES}").fetchall()
        return Sample(tuple(columns), tuple(rows))


def compare_bags(pair: Pair, rows_one: int, rows_other: int) -> RowsDiff:
    """Compares whole rows, each as often as it occurs.

    Args:
        pair: the tables.
        rows_one: how many rows the first has.
        rows_other: how many the other has.
    """
    if not pair.columns:  # nothing but `_row_id`, or no column in common: all there is are counts
        more = rows_one - rows_other
        return RowsDiff(max(more, 0), max(-more, 0))
    names = [f"c{number}" for number in range(len(pair.columns))]
    both = _both(pair, names)
    pair.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE differing AS SELECT {', '.join(names)}, "
        f"sum(side)::BIGINT AS n FROM ({both}) GROUP BY ALL HAVING sum(side) <> 0"
    )
    only_one, only_other = pair.numbers(
        "SELECT coalesce(sum(n) FILTER (n > 0), 0)::BIGINT, "
        "coalesce(-sum(n) FILTER (n < 0), 0)::BIGINT FROM differing"
    )
    if not (only_one or only_other):
        return RowsDiff(0, 0)
    texts = ", ".join(f"{name}::VARCHAR" for name in names)
    sample_one, sample_other = (
        pair.sample(
            list(pair.columns),
            f"SELECT {texts} FROM differing WHERE n {sign} 0 ORDER BY {', '.join(names)}",
        )
        for sign in "><"
    )
    return RowsDiff(
        only_one=only_one,
        only_other=only_other,
        equal_values=tuple(
            _values_in_common(pair, column, name, both, max(rows_one, rows_other))
            for column, name in zip(pair.columns, names, strict=True)
        ),
        sample_one=sample_one,
        sample_other=sample_other,
    )


def _both(pair: Pair, names: Sequence[str]) -> str:
    """All rows, with their columns named anew: `side` tells where a row is from."""
    columns = ", ".join(
        f"{sql} AS {name}" for sql, name in zip(pair.columns.values(), names, strict=True)
    )
    return " UNION ALL ".join(
        f"SELECT {columns}, {sign} AS side FROM {file}.{quote(pair.table)}"
        for file, sign in ((ONE, 1), (OTHER, -1))
    )


def _values_in_common(pair: Pair, column: str, name: str, both: str, longer: int) -> EqualValues:
    [equal] = pair.numbers(
        "SELECT coalesce(sum(least(of_one, of_other)), 0)::BIGINT FROM "
        "(SELECT count(*) FILTER (side = 1) AS of_one, count(*) FILTER (side = -1) AS of_other "
        f"FROM ({both}) GROUP BY {name})"
    )
    return EqualValues(column, equal, longer)


def compare_matched(pair: Pair) -> RowsDiff:
    """Compares rows that have the same key, which is unique in both tables."""
    joined = _joined(pair)
    differs = " OR ".join(f"NOT {_same(column)}" for column in pair.values) or "false"
    equal = "".join(f", count(*) FILTER (there AND {_same(name)})" for name in pair.values)
    only_one, only_other, both, changed, *of_columns = pair.numbers(
        f"SELECT count(*) FILTER (o.{_FOUND} IS NULL), count(*) FILTER (i.{_FOUND} IS NULL), "
        f"count(*) FILTER (there), count(*) FILTER (there AND ({differs})){equal} FROM {joined}"
    )
    if not (only_one or only_other or changed):
        return RowsDiff(0, 0)
    names = [*pair.key, *pair.values]
    of_one, of_other = (
        pair.sample(
            names,
            f"SELECT {_texts(side, names)} FROM {joined} WHERE {lacking}.{_FOUND} IS NULL "
            f"ORDER BY {_of(side, pair.key)}",
        )
        for side, lacking in (("i", "o"), ("o", "i"))
    )
    return RowsDiff(
        only_one=only_one,
        only_other=only_other,
        changed=changed,
        equal_values=tuple(
            EqualValues(name, count, both)
            for name, count in zip(pair.values, of_columns, strict=True)
        ),
        sample_one=of_one,
        sample_other=of_other,
        sample_changed=_changed(pair, joined, differs),
    )


def _joined(pair: Pair) -> str:
    """Both tables, matched by the key: `i` is of the first, `o` of the other."""
    columns = ", ".join(f"{sql} AS {quote(name)}" for name, sql in pair.columns.items())
    one, other = (
        f"(SELECT {columns}, true AS {_FOUND} FROM {file}.{quote(pair.table)})"
        for file in (ONE, OTHER)
    )
    on = " AND ".join(_same(name) for name in pair.key)
    there = f"(i.{_FOUND} AND o.{_FOUND}) AS there"
    return f"(SELECT i, o, {there} FROM {one} AS i FULL JOIN {other} AS o ON {on})"


def _same(column: str) -> str:
    return f"i.{quote(column)} IS NOT DISTINCT FROM o.{quote(column)}"


def _of(side: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{side}.{quote(name)}" for name in columns)


def _texts(side: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{side}.{quote(name)}::VARCHAR" for name in columns)


def _changed(pair: Pair, joined: str, differs: str) -> Sample:
    """Shows what has changed in some rows: a line for each value."""
    columns = (*pair.key, "column", "in A", "in B")
    if not pair.values:
        return Sample(columns, ())
    few = (
        f"SELECT *, row_number() OVER (ORDER BY {_of('i', pair.key)}) AS number FROM {joined} "
        f"WHERE there AND ({differs}) ORDER BY number LIMIT {_SAMPLES}"
    )
    changes = " UNION ALL ".join(
        f"SELECT {_texts('i', pair.key)}, {quote_text(name)}, {_texts('i', [name])}, "
        f"{_texts('o', [name])}, number, {position} AS position FROM few WHERE NOT {_same(name)}"
        for position, name in enumerate(pair.values)
    )
    sql = (
        f"WITH few AS MATERIALIZED ({few}) "
        f"SELECT * EXCLUDE (number, position) FROM ({changes}) ORDER BY number, position"
    )
    return Sample(columns, tuple(pair.connection.execute(sql).fetchall()))
