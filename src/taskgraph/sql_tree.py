"""DuckDB's syntax trees: reading them, and walking them for everything that they read and call.

The shape of the trees is DuckDB 2.0's (`json_serialize_sql`, `json_serialize_plan`); the corpus of
the guard's tests runs before the pin of DuckDB moves.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from taskgraph.database import fold
from taskgraph.duckdb_errors import marked, without_advice
from taskgraph.errors import QueryFailed, Refused

Tree: TypeAlias = Any
"""JSON as DuckDB gives it."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view that a tree reads, by the path as written; never a CTE in scope."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function that a tree calls; operators are calls too."""

    name: str


@dataclass(frozen=True, slots=True)
class TableCall:
    """A function that a tree calls in FROM position; it is a `Call` as well."""

    name: str


@dataclass(frozen=True, slots=True)
class Show:
    """A DESCRIBE, SUMMARIZE or SHOW; what it describes is a use of its own."""

    subject: str | None
    """What is shown, where that is not a query: a name, or what DuckDB calls it inside."""


@dataclass(frozen=True, slots=True)
class Construct:
    """A part of a tree that is not a plain query: a node that writes, a parameter, a depth."""

    name: str


Use: TypeAlias = Relation | Call | TableCall | Show | Construct


def read_tree(document: str, key: str, text: str | None = None) -> Tree:
    """Returns the only tree of a serialised document.

    Args:
        document: what DuckDB's function returned.
        key: `statements` for `json_serialize_sql`, `plans` for `json_serialize_plan`.
        text: the statement, where the place of an error is to be shown.

    Raises:
        QueryFailed: DuckDB could not parse or bind the statement.
        Refused: it is no query, is nested too deeply, or there is more than one.
    """
    try:
        parsed: Tree = json.loads(document)
    except RecursionError:
        raise Refused("too_deep", "the statement is nested too deeply: use CTEs") from None
    if key == "statements" and parsed.get("error_type") == "not implemented":
        raise Refused(
            "statement",
            "a PIVOT without an IN list can only stand in a query: give it an IN list, or run the"
            " query by itself",
        )
    if parsed["error"]:
        # Raised errors show the place by themselves, those in a document only number it.
        at = parsed.get("position")
        place = f"\n\n{marked(text, int(at))}" if text and at else ""
        message = without_advice(str(parsed["error_message"])).rstrip()
        raise QueryFailed(f"{message}{place}")
    trees: list[Tree] = parsed[key]
    if len(trees) != 1:
        raise Refused("ambiguous", "expected one statement")
    if _NEVER in document:
        _check_copies(trees[0])
    return trees[0]


_NEVER = "CTE_MATERIALIZE_NEVER"
MAX_COPIES = 1_000
"""Of the parts of one statement. A CTE that is NOT MATERIALIZED is copied wherever it is read, and
so a chain of them as often as all their reads multiplied: 25 that each read the one before twice
keep DuckDB's planner busy for minutes, with all the memory there is, and cannot be interrupted."""


def _check_copies(tree: Tree) -> None:
    copied: list[str] = []
    reads: Counter[str] = Counter()
    for fields in _objects(tree):
        if fields.get("type") == "BASE_TABLE":
            reads[fold(fields["qualified_name"]["path"][-1])] += 1
        ctes = fields.get("cte_map", {}).get("map", ())
        copied += [fold(one["key"]) for one in ctes if one["value"]["materialized"] == _NEVER]
    if math.prod(max(1, reads[name]) for name in copied) > MAX_COPIES:
        raise Refused(
            "too_deep",
            f"what is NOT MATERIALIZED would be copied more than {MAX_COPIES:,} times: leave out NOT"
            " MATERIALIZED",
        )


def _objects(tree: Tree) -> Iterator[dict[str, Tree]]:
    # A stack, not recursion: the depth of a tree is the writer's choice.
    waiting: list[Tree] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(cast("list[Tree]", part))
        elif isinstance(part, dict):
            fields = cast("dict[str, Tree]", part)
            yield fields
            waiting.extend(fields.values())


_QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_Ctes: TypeAlias = frozenset[tuple[str, ...]]
_NO_CTES: _Ctes = frozenset()


def uses(tree: Tree) -> Iterator[Use]:
    """Yields everything that a tree reads and calls, and what in it is more than a query."""
    # A stack, not recursion: the depth of a tree is the writer's choice.
    waiting: list[tuple[Tree, _Ctes]] = [(tree, _NO_CTES)]
    while waiting:
        part, ctes = waiting.pop()
        if isinstance(part, list):
            waiting.extend((one, ctes) for one in cast("list[Tree]", part))
        elif isinstance(part, dict):
            fields = cast("dict[str, Tree]", part)
            yield from _uses_of(fields, ctes)
            waiting.extend(_parts(fields, ctes))


def _parts(fields: dict[str, Tree], ctes: _Ctes) -> Iterator[tuple[Tree, _Ctes]]:
    """Yields the parts below one, each with the CTEs that it sees."""
    if "cte_map" not in fields:
        yield from ((part, ctes) for part in fields.values() if isinstance(part, (dict, list)))
        return
    seen = ctes
    for entry in fields["cte_map"]["map"]:
        yield entry["value"], seen  # a CTE sees those before it, and not itself
        seen = seen | {(fold(entry["key"]),)}
    for key, part in fields.items():
        if key == "right" and fields["type"] == "RECURSIVE_CTE_NODE":
            # Only the recursive term sees the CTE: in the first one its name means the table.
            name = fold(fields["cte_name"])
            yield part, seen | {(name,), ("recurring", name)}
        elif key != "cte_map":
            yield part, seen


def _uses_of(fields: dict[str, Tree], ctes: _Ctes) -> Iterator[Use]:
    kind = fields.get("type")
    if "cte_map" in fields and kind not in _QUERY_NODES:
        yield Construct(str(kind))
    elif fields.get("class") == "PARAMETER":
        yield Construct("PARAMETER")
    elif name := fields.get("function_name"):
        yield Call(fold(name))
    elif kind == "TABLE_FUNCTION":
        yield TableCall(fold(fields["function"]["function_name"]))
    elif kind == "SHOW_REF":
        yield Show(fields["table_name"] if fields["query"] is None else None)
    elif kind == "BASE_TABLE":
        path = tuple(part for part in fields["qualified_name"]["path"] if part)
        if tuple(fold(part) for part in path) not in ctes:
            yield Relation(path)
