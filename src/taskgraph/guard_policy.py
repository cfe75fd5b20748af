"""What the guard lets SQL call and read: the tables of its rules, and the reason with each no.

Written against DuckDB 2.0.0's own lists (`duckdb_functions()`, `duckdb_views()`); tests hold every
name of those lists against these tables, so that a new one in a later DuckDB is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from taskgraph.database import fold
from taskgraph.errors import Refused
from taskgraph.namespace import Scope, shown
from taskgraph.sql import builtins
from taskgraph.sql_tree import Call, Construct, Relation, Show, TableCall, Tree, Use, uses

PlaceKind: TypeAlias = Literal["agent_read", "check", "definition"]
"""Where a query stands. What is kept (a definition) must not depend on what the catalog happens to
hold at the moment; what an agent looks at, or a check counts, may."""

DENIED_FUNCTIONS = frozenset(
    {
        # act, or change state
        *("nextval", "currval", "setval", "setseed", "write_log", "sleep_ms", "pg_sleep"),
        # read settings, variables, the environment, other statements
        *("current_setting", "getvariable", "getenv", "current_query", "get_block_size"),
        "txid_current",
        # read the catalog out of sight
        *("pg_get_viewdef", "pg_get_constraintdef"),
        # parse, serialise or run SQL that is held in a string
        *("query", "query_table", "json_execute_serialized_sql", "json_serialize_plan"),
        *("json_serialize_sql", "json_deserialize_sql", "parse_duckdb_log_message"),
        # take raw states, functions or pointers
        *("combine", "finalize", "to_aggregate_state", "invoke"),
    }
)
ALLOWED_VOLATILE = frozenset({"error", "gen_random_uuid", "random", "uuid", "uuidv4", "uuidv7"})
"""Harmless ones; a volatile function that is not listed is refused, a future one too."""
ALLOWED_TABLE_FUNCTIONS = frozenset(
    {
        *("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"),
        *("pg_timezone_names", "icu_calendar_names", "duckdb_keywords"),
    }
)
CATALOG_FUNCTIONS = frozenset(
    {
        *("duckdb_tables", "duckdb_columns", "duckdb_views", "duckdb_functions", "duckdb_types"),
        *("duckdb_constraints", "duckdb_schemas", "pragma_table_info", "pragma_show"),
    }
)
CATALOG_RELATIONS = frozenset(
    {
        *("duckdb_tables", "duckdb_columns", "duckdb_views", "duckdb_types", "duckdb_constraints"),
        *("duckdb_schemas", "duckdb_indexes", "sqlite_master", "sqlite_schema"),
        *("pg_tables", "pg_views", "pg_type", "pg_class", "pg_attribute", "pg_namespace"),
        "pg_proc",
    }
)
_SHOWN_LISTS = frozenset({"", '"tables"', "__show_tables_expanded"})
"""What DuckDB calls SHOW TABLES FROM, SHOW TABLES and SHOW ALL TABLES inside."""
_FILE_MARKS = frozenset("./\\:*?'")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose query is judged, and where it stands."""

    scope: Scope
    database: str
    """The catalog's name of the workspace."""
    kind: PlaceKind


def judge(tree: Tree, place: Place) -> None:
    """Refuses a tree that does anything but compute, and read what the node may read.

    Raises:
        Refused: with what is refused, why, and what to write instead.
    """
    judge_uses(uses(tree), place)


def judge_uses(used: Iterable[Use], place: Place) -> None:
    """Refuses what `judge` does, of all that a tree reads, calls and contains.

    Raises:
        Refused: with what is refused, why, and what to write instead.
    """
    for use in used:
        match use:
            case Call(name):
                judge_call(name, place.scope)
            case TableCall(name):
                _judge_table_call(name, place)
            case Relation(path):
                _judge_relation(path, place)
            case Show(subject):
                _judge_show(subject, place)
            case Construct(name):
                raise _refused_construct(name)
            case _:
                assert_never(use)


def judge_call(function: str, scope: Scope) -> None:
    """Refuses a function that may not be called, by its folded name.

    Raises:
        Refused: it acts, reads settings, or runs SQL out of a string; or it is a macro of a node
            that this one does not depend on.
    """
    if (
        function in DENIED_FUNCTIONS
        or function.startswith("__")
        or (function in builtins().volatile and function not in ALLOWED_VOLATILE)
    ):
        raise Refused(
            "function",
            f"the function {shown(function)} is not allowed: SQL here computes from tables, and neither"
            " acts nor looks at settings, sequences or SQL in strings. Leave it out.",
        )
    # Where nobody owns the name, DuckDB itself says best that there is no such function, and which
    # ones are near: a macro of that name cannot exist.
    if function not in builtins().functions and scope.names.owner(function) is not None:
        _judge_name(function, scope)


def lists_tables(tree: Tree) -> bool:
    """Says whether a query is a SHOW TABLES, or what DuckDB takes for one, and nothing more."""
    source: Tree = tree["node"].get("from_table")
    return (
        source is not None
        and source["type"] == "SHOW_REF"
        and source["query"] is None
        and source["table_name"] in _SHOWN_LISTS
    )


def readable_candidates(message: str, scope: Scope) -> str:
    """Returns an error of DuckDB without the candidates that the node may not read.

    DuckDB looks for similar names in the whole catalog.
    """

    def readable(found: re.Match[str]) -> str:
        names = [name for name in _BETWEEN_NAMES.split(found[1]) if _is_readable(name, scope)]
        return f'\nDid you mean "{" or ".join(names)}"?' if names else ""

    return _CANDIDATES.sub(readable, message)


_CANDIDATES = re.compile(r'\nDid you mean "(.+?)"\?')
_BETWEEN_NAMES = re.compile(", or | or |, ")


def _is_readable(name: str, scope: Scope) -> bool:
    own, folded = builtins(), fold(name)
    if folded in own.relations:
        return folded in CATALOG_RELATIONS
    if folded in own.functions:
        return folded not in DENIED_FUNCTIONS | (own.table_functions - ALLOWED_TABLE_FUNCTIONS)
    if scope.names.owner(name) is None:  # a type of DuckDB, or the engine's
        return not name.startswith("_")
    return scope.read_refusal(name) is None


def _judge_table_call(name: str, place: Place) -> None:
    if name in CATALOG_FUNCTIONS:
        _judge_catalog(f"{name}()", place)
    elif name in ALLOWED_TABLE_FUNCTIONS:
        return
    elif name in builtins().functions:
        raise Refused("function", f"{name}() is not allowed in FROM: {place.scope.readable_text()}")
    else:
        _judge_name(name, place.scope)


def _judge_relation(path: tuple[str, ...], place: Place) -> None:
    text, name = shown(".".join(path)), fold(path[-1])
    schema = [fold(part) for part in path[:-1]]
    if schema[-1:] == ["information_schema"] and name in builtins().information_schema:
        _judge_catalog(text, place)
    elif schema[-1:] == ["pg_catalog"] or (
        schema in ([], ["main"]) and name in builtins().relations
    ):
        if name not in CATALOG_RELATIONS:
            raise Refused("relation", f"{text} is not allowed: {place.scope.readable_text()}")
        _judge_catalog(text, place)
    elif schema not in ([], ["main"], [place.database], [place.database, "main"]):
        raise Refused(
            "schema", f"{text}: only schema main can be read; {place.scope.readable_text()}"
        )
    elif _FILE_MARKS & set(name) and place.scope.names.owner(name) is None:
        raise Refused("file", f"{text}: files cannot be read; {place.scope.readable_text()}")
    else:
        _judge_name(path[-1], place.scope)


def _judge_show(subject: str | None, place: Place) -> None:
    if place.kind != "agent_read":
        raise Refused("statement", "DESCRIBE, SHOW and SUMMARIZE are not allowed here: use SELECT")
    if subject is None or subject in _SHOWN_LISTS:
        return
    if fold(subject) in builtins().settings or subject.startswith('"'):
        what = shown(subject.strip('"').upper())
        raise Refused("setting", f"SHOW {what} is not allowed; SHOW TABLES and DESCRIBE are")
    _judge_name(subject, place.scope)


def _judge_catalog(text: str, place: Place) -> None:
    if place.kind == "definition":
        raise Refused(
            "catalog",
            f"{text} is not allowed in a view or macro: its rows depend on what happens to be"
            " finished. Look at it in a SELECT, and write down in the view what you learned.",
        )


def _judge_name(name: str, scope: Scope) -> None:
    if reason := scope.read_refusal(name):
        raise Refused("relation", reason)


def _refused_construct(name: str) -> Refused:
    if name == "PARAMETER":
        return Refused("parameter", "parameters (?, $1, $name) have no value here: write the value")
    what = name.removesuffix("_QUERY_NODE").replace("_", " ")
    return Refused("write", f"{what} is not allowed inside a query: SQL here only reads tables")
