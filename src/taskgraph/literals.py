"""Finds keys of the data that an agent wrote into its SQL: on next month's data they do nothing.

What counts as a key is a value of a column of text or whole numbers that tells nearly each row of
a source from the others; what other nodes made of the sources may be lists of words as well. Words, statuses, currencies and months do not: a column of them repeats,
the tables that list them are short, and so are they. The results of a CASE do not count either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from taskgraph.catalog import Column, columns
from taskgraph.database import Cursor, quote
from taskgraph.events import CheckResult, CheckStatus
from taskgraph.spec import Literals
from taskgraph.sql import Parser
from taskgraph.sql_text import tokens
from taskgraph.sql_tree import Tree

LITERALS = "literals"
"""Name under which keys in the SQL are reported."""
FEWEST_KEYS = 10
"""Keys of one column that a node may write: a few exceptions are no list."""
FEWEST_VALUES = 50
"""Values that a column has at least: shorter tables are lists of codes, policies and rates."""
DISTINCT_PART = 0.9
"""Part of a column's values that are different from one another where it is a key."""
MOST_ROWS = 1_000_000
"""Rows of a source that are looked at, the first ones."""
_SHORTEST_TEXT = 4
"""Characters: currencies and countries have up to three."""
_SMALLEST_NUMBER = 32
"""Days, hours, months and ranks are smaller."""
_YEARS = range(1900, 2101)
_ROUND = 10
"""Limits and steps are multiples of it."""
_LONG_TEXT = 100
"""Characters from which one text may hold a list: a pattern, or what is split into parts."""
_MOST_LITERALS = 5_000
_EXAMPLES = 3
_PART = re.compile(r"[\w./#-]+")
_WHOLE_NUMBERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
    | {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)
_RESULTS_OF_CASE = frozenset({"then_expr", "else_expr"})


@dataclass(frozen=True, slots=True)
class WrittenKeys:
    """Values of one column that stand in a node's SQL."""

    relation: str
    column: str
    keys: tuple[str, ...]
    """In the order of the text, in lower case."""

    def __str__(self) -> str:
        shown = ", ".join(map(repr, self.keys[:_EXAMPLES]))
        return (
            f"{len(self.keys):,} values of {self.relation}.{self.column} stand in the SQL "
            f"({shown}, ...): on new data it finds none of them. Write the rule that finds such rows"
        )


def literal_findings(
    cursor: Cursor, definitions: Sequence[str], sources: Sequence[str], policy: Literals
) -> tuple[CheckResult, ...]:
    """Says whether definitions hold keys of the data.

    Args:
        cursor: the node's connection.
        definitions: the statements of the node's views and macros.
        sources: tables of the sources that it depends on.
        policy: what follows: nothing is looked for where it is `allow`.
    """
    if policy == "allow":
        return ()
    found = written_keys(cursor, definitions, sources)
    status: CheckStatus = "fail" if policy == "fail" else "warn"
    return (CheckResult(LITERALS, status, str(found)),) if found else ()


def written_keys(
    cursor: Cursor, definitions: Sequence[str], sources: Sequence[str]
) -> WrittenKeys | None:
    """Returns the keys of the column of which most stand in the definitions, if there is one."""
    literals = _literals(cursor, definitions) if _may_hold_keys(definitions) else ()
    if len(literals) < FEWEST_KEYS:
        return None
    found = (
        WrittenKeys(table, column.name, keys)
        for table in sources
        for column in columns(cursor, table) or ()
        if (keys := _keys_among(cursor, table, column, literals))
    )
    return max(found, key=lambda one: len(one.keys), default=None)


def _may_hold_keys(definitions: Iterable[str]) -> bool:
    # Most nodes write few constants: tokens cost a tenth of what trees do.
    kinds = {"string_const", "numeric_const"}
    constants = [one for sql in definitions for one in tokens(sql) if one.kind in kinds]
    return len(constants) >= FEWEST_KEYS or any(len(one.text) > _LONG_TEXT for one in constants)


def _literals(cursor: Cursor, definitions: Iterable[str]) -> list[str]:
    parser = Parser(cursor.syntax())
    found = (
        literal
        for sql in definitions
        for statement in parser.split(sql)
        for tree in parser.trees(statement)
        for literal in _literals_in(tree)
    )
    return list(dict.fromkeys(found))[:_MOST_LITERALS]


def _literals_in(tree: Tree) -> Iterator[str]:
    """Yields what could be keys of each constant, in the order of the text."""
    waiting: list[Tree] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(reversed(cast("list[Tree]", part)))
        elif isinstance(part, dict):
            fields = cast("dict[str, Tree]", part)
            if literal := fields.get("literal"):
                yield from _possible_keys(literal["kind"], literal["text"])
            below = [one for key, one in fields.items() if key not in _RESULTS_OF_CASE]
            waiting.extend(reversed(below))


def _possible_keys(kind: str, text: str) -> Iterator[str]:
    if kind == "INTEGER" and _may_be_an_id(int(text)):
        yield str(int(text))
    elif kind == "STRING" and len(text) > _LONG_TEXT:
        yield from (one.lower() for one in _PART.findall(text) if len(one) >= _SHORTEST_TEXT)
    elif kind == "STRING" and len(text.strip()) >= _SHORTEST_TEXT:
        yield text.strip().lower()


def _may_be_an_id(number: int) -> bool:
    # Any number is found among ids from 1 to n: those that are written for other reasons are not.
    return number >= _SMALLEST_NUMBER and number not in _YEARS and number % _ROUND != 0


def _keys_among(
    cursor: Cursor, table: str, column: Column, literals: Sequence[str]
) -> tuple[str, ...]:
    """Returns the literals that are keys in this column; none where they are too few, or no keys."""
    if column.type not in _WHOLE_NUMBERS | {"VARCHAR"}:
        return ()
    # Not LIMIT, which reads with one thread.
    rows = f"{quote(table)} WHERE rowid < {MOST_ROWS}"
    values = f"(SELECT {quote(column.name)} AS value FROM {rows})"
    found = cursor.rows(
        f"SELECT DISTINCT lower(trim(value::VARCHAR)) AS key FROM {values}"
        " WHERE key IN (SELECT unnest(?::VARCHAR[]))",
        [list(literals)],
    )
    if len(found) < FEWEST_KEYS:
        return ()
    [(count, distinct)] = cursor.rows(f"SELECT count(value), count(DISTINCT value) FROM {values}")
    if count < FEWEST_VALUES or distinct < DISTINCT_PART * count:
        return ()
    keys = {key for (key,) in found}
    return tuple(literal for literal in literals if literal in keys)
