"""The guard: one statement at a time, judged by DuckDB's own parser and binder, then run.

Five rings, each of which refuses what it does not know.

    text         length, control characters, nesting: before the parser          sql_text
    kind         one statement, of a kind that the mode allows                   here
    tree         every function and relation of every query in it                guard_policy
    plan         of a CREATE or DROP: the exact kind, schema and name that        here
                 DuckDB resolved, and the body that it will keep
    transaction  reads run read-only and are rolled back; the engine is locked   database

Judging looks at the statement and at names, never at the catalog, so that it costs the same
whatever the file holds. DuckDB's two serialising functions are its debugging interface; the pin of
DuckDB moves only with the corpus of the guard's tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from taskgraph.database import Cursor, Result, fold
from taskgraph.errors import QueryFailed, Refused
from taskgraph.guard_policy import (
    Place,
    PlaceKind,
    judge,
    judge_call,
    judge_uses,
    lists_tables,
    readable_candidates,
)
from taskgraph.namespace import Scope, shown
from taskgraph.sql import Parser, Statement, builtins, queries_in
from taskgraph.sql_text import (
    AGENT_TEXT,
    SPEC_TEXT,
    Definition,
    TextLimits,
    called_names,
    definition,
    explained,
    is_plain_view,
)
from taskgraph.sql_tree import Show, Tree, read_tree

Mode: TypeAlias = Literal["agent", "sql_node", "check", "reader"]
"""Who asks: `agent` reads and defines, `sql_node` defines, `check` reads, and so does `reader`: a
person who looks into a run's file."""


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What one statement did."""

    kind: str
    """`select`, `explain`, `create_view`, `create_macro`, `drop_view` or `drop_macro`."""
    sql: str
    """The exact text that ran."""
    name: str | None
    """What was created or dropped, as DuckDB resolved it; None for a read."""
    result: Result | None
    """What a read gave; None for a definition."""


@dataclass(frozen=True, slots=True)
class PlainView:
    """A CREATE VIEW that was judged and not run."""

    name: str
    sql: str
    """The statement."""
    query: str
    """What the view selects."""


@dataclass(frozen=True, slots=True)
class _ModeRules:
    kinds: Mapping[str, str]
    """DuckDB's type of a statement to what it is called here."""
    allowed: str
    text: TextLimits
    reads: PlaceKind


_READS = {"select": "select", "multi": "select"}
_DEFINES = {"create": "create", "drop": "drop"}
_MODES: Mapping[Mode, _ModeRules] = {
    "agent": _ModeRules(
        {**_READS, "explain": "explain", **_DEFINES},
        "SELECT, DESCRIBE, SUMMARIZE, SHOW TABLES, EXPLAIN, CREATE VIEW, CREATE MACRO, DROP VIEW"
        " and DROP MACRO",
        AGENT_TEXT,
        "agent_read",
    ),
    "sql_node": _ModeRules(
        _DEFINES, "CREATE VIEW, CREATE MACRO, DROP VIEW and DROP MACRO", SPEC_TEXT, "check"
    ),
    "check": _ModeRules(_READS, "SELECT", SPEC_TEXT, "check"),
    "reader": _ModeRules(
        {**_READS, "explain": "explain"},
        "SELECT, DESCRIBE, SUMMARIZE, SHOW TABLES and EXPLAIN",
        SPEC_TEXT,
        "agent_read",
    ),
}
_MAX_LISTED = 100_000
_OBJECTS = {"VIEW_ENTRY": "view", "MACRO_ENTRY": "macro", "TABLE_MACRO_ENTRY": "macro"}
_ACTIONS = {
    "LOGICAL_CREATE_VIEW": "create",
    "LOGICAL_CREATE_MACRO": "create",
    "LOGICAL_DROP": "drop",
}


class Guard:
    """Judges and runs the statements of one node on its own cursor."""

    def __init__(self, cursor: Cursor, scope: Scope, mode: Mode) -> None:
        self._cursor = cursor
        self._scope = scope
        self._rules = _MODES[mode]
        self._parser = Parser(cursor.syntax())
        self._known: dict[str, Statement] = {}

    def split(self, sql: str) -> tuple[str, ...]:
        """Returns the statements of a text, each exactly as `run` wants it.

        Raises:
            Refused: the text is empty, too large, or DuckDB cannot parse it.
        """
        statements = self._parser.split(sql, self._rules.text)
        self._known = {one.text: one for one in statements}
        return tuple(one.text for one in statements)

    def run(self, statement: str, *, max_rows: int) -> StatementResult:
        """Judges one statement, and runs it if it may run. Blocks: call it in `Cursor.run`.

        Args:
            statement: one of those that `split` returned.
            max_rows: rows of a read that are fetched at most.

        Raises:
            Refused: it may not run; nothing has happened.
            QueryFailed: DuckDB said no; nothing has changed.
            QueryTimeout: it was interrupted; nothing has changed.
        """
        parsed = self._one(statement)
        try:
            if parsed.kind in _DEFINES:
                return self._define(parsed)
            return self._read(parsed, max_rows)
        except QueryFailed as error:
            told = readable_candidates(str(error), self._scope)
            if told == str(error):
                raise
            raise QueryFailed(told) from error.__cause__

    def _one(self, text: str) -> Statement:
        statement = self._known.get(text) or self._parsed(text)
        if statement.kind not in self._rules.kinds:
            kind = statement.kind.upper().replace("_", " ")
            raise Refused("statement", f"{kind} is not allowed; allowed: {self._rules.allowed}")
        if statement.has_parameters:
            raise Refused("parameter", "parameters (?, $1, $name) have no value: write the value")
        return statement

    def _parsed(self, text: str) -> Statement:
        found = self._parser.split(text, self._rules.text)
        if len(found) != 1:
            raise Refused("several", f"one statement at a time: these are {len(found)}")
        return found[0]

    def judge_read(self, query: str) -> str:
        """Judges one query without running it, so that it needs no transaction of its own.

        Returns:
            The exact text that was judged and may run.

        Raises:
            Refused: it is no query, or does more than read what the node may read.
            QueryFailed: DuckDB cannot parse it.
        """
        statement = self._one(query)
        if statement.kind in _DEFINES:
            raise Refused("statement", f"{statement.kind.upper()} is not allowed here; use SELECT")
        self._judge_queries(statement)
        return statement.text

    def judge_view(self, statement: str) -> PlainView | None:
        """Judges a CREATE VIEW without binding it, for who makes a table of its query at once.

        What its plan would tell, the text of a plain one tells as well: a view, not temporary, of
        this bare name; and the query that was judged is the one that runs.

        Returns:
            The view; None where the statement is anything else than `CREATE [OR REPLACE] VIEW name
            AS query`, and has to be run.

        Raises:
            Refused: it may not run.
            QueryFailed: DuckDB cannot parse its query.
        """
        parsed = self._one(statement)
        cut = definition(parsed.text)
        if cut is None or not is_plain_view(cut):
            return None
        self._judge_cut(cut, self._place("definition"))
        [name], [query] = cut.path, cut.bodies
        self._judge_shadow(name, "view")
        return PlainView(name, parsed.text, query)

    def _read(self, statement: Statement, max_rows: int) -> StatementResult:
        self._judge_queries(statement)
        listed = self._lists_tables(statement)
        with self._cursor.read_only():
            result = self._cursor.fetch(statement.text, _MAX_LISTED if listed else max_rows)
        if listed:
            result = self._readable(result, max_rows)
        return StatementResult(self._rules.kinds[statement.kind], statement.text, None, result)

    def _lists_tables(self, statement: Statement) -> bool:
        # The tree is needed for what shows something only, and what is used is known by now.
        return (
            statement.kind == "select"
            and any(isinstance(use, Show) for use in self._parser.uses(statement.text))
            and lists_tables(self._parser.tree(statement.text))
        )

    def _readable(self, listed: Result, max_rows: int) -> Result:
        """Leaves out what the node may not read: it differs with what else happens to run."""
        name = listed.columns.index("name")
        rows = tuple(row for row in listed.rows if self._scope.read_refusal(row[name]) is None)
        complete = listed.complete and len(rows) <= max_rows
        return replace(listed, rows=rows[:max_rows], complete=complete)

    def _judge_queries(self, statement: Statement) -> None:
        if statement.kind == "explain":
            self._judge_explained(statement)
        for query in queries_in(statement):
            judge_uses(self._parser.uses(query), self._place(self._rules.reads))

    def _judge_explained(self, statement: Statement) -> None:
        # EXPLAIN ANALYZE runs what it explains, and so does EXPLAIN (ANALYZE false).
        if [one.kind for one in self._parser.split(explained(statement.text))] != ["select"]:
            raise Refused("statement", "EXPLAIN is only allowed before a SELECT")

    def _define(self, statement: Statement) -> StatementResult:
        place = self._place("definition")
        self._judge_text(statement, place)
        with self._cursor.read_only():
            plan = self._plan(statement)
        kind, name = self._judge_plan(plan, place)
        # A single CREATE or DROP of a view or macro changes the one entry that its plan names, or
        # nothing: it is one transaction, nothing depends on views or macros while the engine's
        # `enable_view_dependencies` and `enable_macro_dependencies` are off (so that CASCADE finds
        # nothing), the tables and sequences that a body could touch while it is bound are out of
        # reach of every function that `judge` lets through, and an existing entry of another
        # kind is an error. The property test compares whole catalogs; doing so here would cost
        # more with every object in the file.
        self._cursor.execute(statement.text)
        return StatementResult(kind, statement.text, name, None)

    def _judge_text(self, statement: Statement, place: Place) -> None:
        """Judges what can be seen before anything is bound: binding runs code.

        Arguments of table functions and defaults of macros are computed while DuckDB binds.
        """
        cut = definition(statement.text)
        if cut is None:
            raise Refused(
                "statement",
                f"only views and macros can be created and dropped; allowed: {self._rules.allowed}",
            )
        self._judge_cut(cut, place)

    def _judge_cut(self, cut: Definition, place: Place) -> None:
        self._judge_name(cut.path, place)
        for function in called_names(cut.header):
            judge_call(function, self._scope)
        for body in cut.bodies:
            judge_uses(self._parser.uses(body), place)

    def _plan(self, statement: Statement) -> Tree:
        [(document,)] = self._cursor.rows(
            "SELECT json_serialize_plan(?::VARCHAR)", [statement.text]
        )
        return read_tree(document, "plans", statement.text)

    def _judge_plan(self, plan: Tree, place: Place) -> tuple[str, str]:
        """Judges what DuckDB will do, and returns its kind and the object's name."""
        action, what = planned(plan)
        info = plan["info"]
        if info.get("temporary"):
            raise Refused("temporary", "TEMP objects are not allowed: leave out the word TEMP")
        path = tuple(info["qualified_name"]["path"])
        self._judge_name(path, place)
        if action == "create":
            self._judge_shadow(path[-1], what)
            for body in _bodies(info):
                judge(body, place)
        return f"{action}_{what}", path[-1]

    def _judge_name(self, path: tuple[str, ...], place: Place) -> None:
        # As written, or of a DROP ... IF EXISTS of nothing, a path may be shorter than resolved.
        schema = [fold(part) for part in path[:-1] if part]
        if schema not in ([place.database, "main"], ["main"], [place.database], []):
            raise Refused(
                "schema",
                f"{shown('.'.join(path))}: objects live in schema main; write {shown(path[-1])}",
            )
        if reason := self._scope.define_refusal(path[-1]):
            raise Refused("namespace", reason)

    def _judge_shadow(self, name: str, what: str) -> None:
        own, folded = builtins(), fold(name)
        # A view is no function: an output that the spec calls `summary` is in nobody's way.
        outputs = self._scope.names.declared_by(self._scope.node)
        may_be_function = what == "view" and folded in {fold(output) for output in outputs}
        if folded in own.relations or (folded in own.functions and not may_be_function):
            raise Refused("shadow", f"{name} is DuckDB's own: choose another name")

    def _place(self, kind: PlaceKind) -> Place:
        return Place(self._scope, self._cursor.catalog_name, kind)


def planned(plan: Tree) -> tuple[str, str]:
    """Returns what a plan does, as in `("create", "view")`.

    Raises:
        Refused: it does anything but create or drop a view or macro.
    """
    action = _ACTIONS.get(plan["type"])
    what = _OBJECTS.get(plan.get("info", {}).get("type", ""))
    if action is None or what is None:
        raise Refused("statement", f"DuckDB takes it for another statement: {plan['type']}")
    return action, what


def _bodies(info: Tree) -> list[Tree]:
    if "query" in info:
        return [info["query"]]
    return [info["function"], *info["extra_functions"]]
