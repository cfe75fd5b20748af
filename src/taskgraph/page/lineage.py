"""Which columns a column comes from, by sqlglot, over the SQL that defined a run's views."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage  # pyright: ignore[reportUnknownVariableType]
from sqlglot.schema import MappingSchema

from taskgraph.database import fold
from taskgraph.events import Definition

_DIALECT = "duckdb"


@dataclass(frozen=True, slots=True, order=True)
class ColumnOf:
    """A column of a table."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where the columns of a run's tables come from.

    Attributes:
        origins: column to the columns it is directly computed from; of tables that views became.
        unknown: view to why nothing is known of its columns.
    """

    origins: Mapping[ColumnOf, tuple[ColumnOf, ...]] = field(
        default_factory=dict[ColumnOf, tuple[ColumnOf, ...]]
    )
    unknown: Mapping[str, str] = field(default_factory=dict[str, str])

    def sources(self, column: ColumnOf) -> tuple[ColumnOf, ...]:
        """Follows a column up to columns that come from none: of sources, mostly."""
        found: set[ColumnOf] = set()
        seen = {column}
        waiting = deque([column])
        while waiting:
            origins = self.origins.get(waiting.popleft(), ())
            found.update(one for one in origins if one not in self.origins)
            new = [one for one in origins if one not in seen]
            seen.update(new)
            waiting.extend(new)
        return tuple(sorted(found))


def lineage_of(definitions: Iterable[Definition], tables: Mapping[str, tuple[str, ...]]) -> Lineage:
    """Reads the definitions.

    Args:
        definitions: of views, in any order; macros among them are passed over.
        tables: table to its columns, of all that the definitions may read, their own included.
    """
    # Types play no part in who reads whom, and DuckDB has some that sqlglot does not know.
    schema = MappingSchema(
        {table: dict.fromkeys(columns, "VARCHAR") for table, columns in tables.items()},
        dialect=_DIALECT,
    )
    written = {ColumnOf(fold(t), fold(c)): ColumnOf(t, c) for t, cs in tables.items() for c in cs}
    origins: dict[ColumnOf, tuple[ColumnOf, ...]] = {}
    unknown: dict[str, str] = {}
    for definition in definitions:
        if definition.name not in tables:
            continue
        try:
            nodes = _columns(definition.sql, schema)
        except (SqlglotError, ValueError, KeyError, RecursionError) as error:
            unknown[definition.name] = str(error).partition("\n")[0] or type(error).__name__
            continue
        for name, node in nodes.items():
            column = written.get(ColumnOf(fold(definition.name), fold(name)))
            if column:
                origins[column] = _leaves(node, written)
    return Lineage(origins, unknown)


def _columns(sql: str, schema: MappingSchema) -> Mapping[str, Node]:
    """Output column to where it comes from; empty for what is no view."""
    statement = parse_one(sql, read=_DIALECT)
    query = statement.expression if isinstance(statement, exp.Create) else None
    if not isinstance(query, exp.Query) or statement.args.get("kind") != "VIEW":
        return {}
    found = lineage(None, query, schema, dialect=_DIALECT)
    assert isinstance(found, dict)
    named = statement.this.expressions if isinstance(statement.this, exp.Schema) else ()
    names = [column.name for column in named] or list(found)
    return dict(zip(names, found.values(), strict=False))


def _leaves(node: Node, written: Mapping[ColumnOf, ColumnOf]) -> tuple[ColumnOf, ...]:
    """The columns of tables at the ends of the walk, as their tables write them."""
    found: set[ColumnOf] = set()
    for one in node.walk():
        if isinstance(one.expression, exp.Table):
            column = exp.to_column(one.name, dialect=_DIALECT).name
            leaf = written.get(ColumnOf(fold(one.expression.name), fold(column)))
            if leaf:
                found.add(leaf)
    return tuple(sorted(found))
