"""Which tables two files have, and how each of them differs.

`_row_id` counts the rows of a source, and one line more at the top would make all of them differ:
it is compared only where it is a key.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from taskgraph.database import Connection, fold, quote, quote_text, scratch
from taskgraph.diff.rows import ONE, OTHER, Pair, RowsDiff, compare_bags, compare_matched
from taskgraph.duckdb_errors import translated
from taskgraph.errors import QueryFailed, WorkspaceError

_ROW_ID = "_row_id"
_NUMBER = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)")


@dataclass(frozen=True, slots=True)
class Side:
    """A table or view in one of the two files."""

    kind: str
    """`table` or `view`."""
    columns: Mapping[str, str]
    """Name to type."""


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that one side lacks, or has with another type."""

    name: str
    one: str | None
    """Its type; None where it is not there."""
    other: str | None


@dataclass(frozen=True, slots=True)
class TableDiff:
    """How a table or view differs between two files."""

    name: str
    one: str | None
    """`table` or `view`; None where it is not there."""
    other: str | None
    rows_one: int | None = None
    """None for what is no table."""
    rows_other: int | None = None
    columns: tuple[ColumnChange, ...] = ()
    """Those that differ."""
    key: tuple[str, ...] = ()
    """What rows were matched by; empty where they were compared as a whole."""
    note: str | None = None
    """Why they were not matched by the key that was asked for."""
    rows: RowsDiff | None = None
    """None where there are not two tables."""

    @property
    def is_equal(self) -> bool:
        """Says whether it is the same in both files."""
        return self.one == self.other and not self.columns and (not self.rows or self.rows.is_equal)


@contextmanager
def attached(one: Path, other: Path) -> Generator[Connection]:
    """Opens an empty database with two finished files beside it, to be read.

    Raises:
        WorkspaceError: a file is not a database, or is being written.
    """
    with scratch() as connection, TemporaryDirectory() as folder:
        # In memory DuckDB would spill into `.tmp` of the working directory.
        connection.execute(f"SET temp_directory={quote_text(folder)}")
        for name, path in ((ONE, one), (OTHER, other)):
            try:
                with translated():
                    connection.execute(f"ATTACH {quote_text(str(path))} AS {name} (READ_ONLY)")
            except QueryFailed as error:
                raise WorkspaceError(f"cannot read {str(path)!r}: {error}") from error
        with translated():
            yield connection


def read_sides(connection: Connection, file: str) -> dict[str, Side]:
    """Returns the tables and views of an attached file, by name; not the engine's own."""
    rows = connection.execute(_COLUMNS, [file]).fetchall()
    sides: dict[str, Side] = {}
    for table, is_view, names, types in rows:
        columns = dict(zip(names, types, strict=True))
        sides[table] = Side("view" if is_view else "table", columns)
    return sides


_COLUMNS = """
    SELECT c.table_name, v.view_name IS NOT NULL,
           list(column_name ORDER BY column_index), list(data_type ORDER BY column_index)
    FROM duckdb_columns() AS c
    LEFT JOIN duckdb_views() AS v
        ON v.database_name = c.database_name AND v.schema_name = c.schema_name
        AND v.view_name = c.table_name
    WHERE c.database_name = ? AND c.schema_name = 'main' AND NOT c.internal
        AND c.table_name[1] <> '_' AND NOT contains(lower(c.table_name), '__validation')
    GROUP BY ALL ORDER BY ALL
"""
"""The rows of a check (see `schema.check_table`) are compared as checks."""


def compare_table(
    connection: Connection, name: str, one: Side | None, other: Side | None, key: Sequence[str]
) -> TableDiff:
    """Compares a table, or whatever has its name, in the attached files `one` and `other`.

    Args:
        connection: has the files attached.
        name: the table's.
        one: what the first file has under this name.
        other: what the second has.
        key: columns of both to match rows by; none to compare whole rows.
    """
    found = TableDiff(
        name=name,
        one=one and one.kind,
        other=other and other.kind,
        rows_one=_row_count(connection, "one", name, one),
        rows_other=_row_count(connection, "other", name, other),
        columns=_column_changes(one, other) if one and other else (),
    )
    if not (one and other and one.kind == other.kind == "table"):
        return found
    note = _why_no_key(connection, name, key)
    key = () if note else tuple(key)
    pair = Pair(connection, name, _shared_columns(one, other, found.columns, key), key)
    if key:
        rows = compare_matched(pair)
    else:
        rows = compare_bags(pair, found.rows_one or 0, found.rows_other or 0)
    return replace(found, key=key, note=note, rows=rows)


def _row_count(connection: Connection, file: str, name: str, side: Side | None) -> int | None:
    if side is None or side.kind != "table":
        return None
    [(count,)] = connection.execute(f"SELECT count(*) FROM {file}.{quote(name)}").fetchall()
    return count


def _column_changes(one: Side, other: Side) -> tuple[ColumnChange, ...]:
    types_one, types_other = (
        {fold(name): (name, kind) for name, kind in side.columns.items()} for side in (one, other)
    )
    missing = ("", None)
    return tuple(
        ColumnChange((types_one.get(key) or types_other[key])[0], before, after)
        for key in types_one | types_other
        if (before := types_one.get(key, missing)[1]) != (after := types_other.get(key, missing)[1])
    )


def _shared_columns(
    one: Side, other: Side, changes: Sequence[ColumnChange], key: Sequence[str]
) -> Mapping[str, str]:
    there = set(map(fold, other.columns)) - ({_ROW_ID} - set(key))
    # DuckDB compares numbers of any two types; what else is of two types is compared as text.
    of_other_type = {
        change.name
        for change in changes
        if not (_is_number(change.one) and _is_number(change.other))
    }
    return {
        name: f"{quote(name)}::VARCHAR" if name in of_other_type else quote(name)
        for name in one.columns
        if fold(name) in there
    }


def _is_number(kind: str | None) -> bool:
    return kind is not None and _NUMBER.fullmatch(kind) is not None


def _why_no_key(connection: Connection, name: str, key: Sequence[str]) -> str | None:
    if not key:
        return None
    columns = ", ".join(map(quote, key))
    for file, called in (("one", "A"), ("other", "B")):
        twice = f"SELECT {columns} FROM {file}.{quote(name)} GROUP BY ALL HAVING count(*) > 1"
        [(count,)] = connection.execute(f"SELECT count(*) FROM ({twice})").fetchall()
        if count:
            return f"({', '.join(key)}) is no key: in {called}, {count:,} of its values occur twice"
    return None
