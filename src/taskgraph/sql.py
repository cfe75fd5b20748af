"""What an SQL text says, by DuckDB's own parser; nothing in here runs or binds it.

    with parser() as parse:
        for statement in parse.split(text):
            outline = parse.outline(statement)

Facts about DuckDB 2.0's parser were tried; the tests of this module try them again.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import TypeVar

import duckdb

from taskgraph.database import fold, scratch
from taskgraph.duckdb_errors import without_advice
from taskgraph.errors import Refused, StatementError
from taskgraph.sql_text import (
    SPEC_TEXT,
    TextLimits,
    check_text,
    definition,
    explained,
    static_pivots,
    tokens,
    without_comments_before,
)
from taskgraph.sql_tree import Call, Relation, TableCall, Tree, Use, read_tree, uses


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text."""

    text: str
    """Exactly what is to be judged and run, the comments before it included; DuckDB made spaces of
    unicode blanks."""
    kind: str
    """DuckDB's type in lower case, such as `select`, `multi` (a PIVOT without an IN list),
    `create`, `drop`; `unknown` for types that Python has no name for."""
    has_parameters: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """What a statement makes and reads, as far as its text alone tells."""

    kind: str
    """`select`, `explain`, `create_view`, `create_macro`, `drop_view`, `drop_macro`, or DuckDB's
    type in lower case for everything else."""
    name: str | None
    """What a CREATE or DROP of a view or macro names, without its schema."""
    reads: tuple[str, ...]
    """Tables, views and macros read, in the order met, without DuckDB's own and CTEs in scope."""


@dataclass(frozen=True, slots=True)
class Builtins:
    """What DuckDB brings along, by folded name."""

    functions: frozenset[str]
    table_functions: frozenset[str]
    """Those that can stand in FROM; some of them are scalar functions too."""
    volatile: frozenset[str]
    relations: frozenset[str]
    """System views that are found without a schema."""
    information_schema: frozenset[str]
    settings: frozenset[str]


K = TypeVar("K")
V = TypeVar("V")
_KNOWN_SPLITS: dict[tuple[str, TextLimits], tuple[Statement, ...]] = {}
_KNOWN_USES: dict[str, tuple[Use, ...]] = {}
"""What queries use, by their exact text, which is all that it depends on: a spec's texts are parsed
when it is loaded, and judged again when they run."""
_MOST_KNOWN, _LONGEST_KNOWN = 50_000, 10_000
_LEARNT_AT_ONCE = 200
_BUILTINS_LOCK = threading.Lock()


def builtins() -> Builtins:
    """Reads once per process what DuckDB calls its own (20 ms)."""
    # A cache alone lets every node that starts meanwhile read it again.
    with _BUILTINS_LOCK:
        return _builtins()


@cache
def _builtins() -> Builtins:
    with scratch() as connection:
        functions = connection.execute(
            "SELECT function_name, function_type, stability FROM duckdb_functions()"
            " WHERE internal AND function_type <> 'pragma'"
        ).fetchall()
        relations = connection.execute(
            "SELECT view_name, schema_name FROM duckdb_views() WHERE internal"
        ).fetchall()
        settings = connection.execute("SELECT name FROM duckdb_settings()").fetchall()
    return Builtins(
        functions=frozenset(fold(name) for name, _, _ in functions),
        table_functions=frozenset(
            fold(name) for name, kind, _ in functions if kind in {"table", "table_macro"}
        ),
        volatile=frozenset(fold(name) for name, _, how in functions if how == "VOLATILE"),
        relations=frozenset(
            fold(name) for name, schema in relations if schema != "information_schema"
        ),
        information_schema=frozenset(
            fold(name) for name, schema in relations if schema == "information_schema"
        ),
        settings=frozenset(fold(name) for (name,) in settings),
    )


class Parser:
    """DuckDB's parser, on one connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._trees: dict[str, Tree] = {}  # of the text that was split last

    def split(self, text: str, limits: TextLimits = SPEC_TEXT) -> tuple[Statement, ...]:
        """Returns the statements of a text, each exactly as it is to be judged and run.

        Raises:
            Refused: the text is too large or nested too deeply, holds no statement, or DuckDB
                cannot parse it; the message has DuckDB's own words, with the place.
        """
        self._trees.clear()
        known = _KNOWN_SPLITS.get((text, limits))
        if known is None:
            known = self._statements(text, limits)
            _remember(_KNOWN_SPLITS, (text, limits), known, len(text))
        return known

    def _statements(self, text: str, limits: TextLimits) -> tuple[Statement, ...]:
        check_text(text, limits)
        found = self._extract(text)
        if not found:
            raise Refused("empty", "there is no statement")
        # The scanner that makes spaces of unicode blanks does not know every way of quoting. What
        # does not come out as it went in would be judged as one thing and run as another.
        if not text.isascii() and any(self._extract(one.text) != [(one, "")] for one, _ in found):
            raise Refused("ambiguous", "the text does not split the same way twice")
        before = [_before_first_token(text), *(_next_lines(behind) for _, behind in found)]
        return tuple(
            self._commented(one, comments)
            for (one, _), comments in zip(found, before, strict=False)
        )

    def tree(self, query: str) -> Tree:
        """Returns DuckDB's tree of one query (SELECT, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE).

        Raises:
            QueryFailed: DuckDB cannot parse it.
            Refused: it is something else.
        """
        if query not in self._trees:
            [(document,)] = self._connection.execute(
                "SELECT json_serialize_sql(?::VARCHAR)", [query]
            ).fetchall()
            self._trees[query] = read_tree(document, "statements", query)
        return self._trees[query]

    def trees(self, statement: Statement) -> Iterator[Tree]:
        """Yields the trees of all queries in a statement, found without binding it.

        Raises:
            QueryFailed: DuckDB cannot parse one of them.
        """
        for query in queries_in(statement):
            yield self.tree(query)

    def uses(self, query: str) -> tuple[Use, ...]:
        """Returns all that a query reads, calls and contains, each once, in the order met.

        Raises:
            QueryFailed: DuckDB cannot parse it.
            Refused: it is no query.
        """
        known = _KNOWN_USES.get(query)
        return _remembered(query, self.tree(query)) if known is None else known

    def learn(self, queries: Iterable[str]) -> None:
        """Parses queries for `uses`, many at once: that takes a quarter of the time of one by one."""
        waiting = iter([query for query in dict.fromkeys(queries) if query not in _KNOWN_USES])
        while batch := list(islice(waiting, _LEARNT_AT_ONCE)):
            # What cannot be parsed is found, and told, when it is asked for by itself.
            with suppress(duckdb.Error):
                documents = self._connection.execute(
                    "SELECT q, json_serialize_sql(q) FROM (SELECT unnest(?::VARCHAR[]) AS q)",
                    [batch],
                ).fetchall()
                for query, document in documents:
                    with suppress(StatementError):
                        _remembered(query, read_tree(document, "statements", query))

    def outline(self, statement: Statement) -> Outline:
        """Returns what a statement makes and reads, as far as its text alone tells.

        Raises:
            QueryFailed: DuckDB cannot parse a part of it.
        """
        cut = definition(statement.text)
        used = (use for query in queries_in(statement) for use in self.uses(query))
        reads = _names_read(used)
        return Outline(
            kind=cut.kind if cut else "select" if statement.kind == "multi" else statement.kind,
            name=cut.path[-1] if cut else None,
            reads=tuple(dict.fromkeys(reads)),
        )

    def _commented(self, statement: Statement, comments: str) -> Statement:
        """Gives a statement the comments before it, where it stays the same statement with them."""
        if not comments or tokens(comments):
            return statement
        text = f"{comments}\n{statement.text}"
        is_same = self._extract(text) == [(statement, "")]
        return replace(statement, text=text) if is_same else statement

    def _extract(self, text: str) -> list[tuple[Statement, str]]:
        """Returns the statements without comments around them, each with what stands behind it."""
        try:
            found = self._connection.extract_statements(text)
        except duckdb.Error as error:
            raise Refused("syntax", without_advice(str(error))) from error
        return [_statement(one) for one in found]


@contextmanager
def parser() -> Generator[Parser]:
    """Opens a parser that needs no workspace file."""
    with scratch() as connection:
        yield Parser(connection)


def _statement(found: duckdb.Statement) -> tuple[Statement, str]:
    text, behind = _cut_behind_semicolon(found.query)
    return Statement(text, _kind(found), bool(found.named_parameters)), behind


def _cut_behind_semicolon(text: str) -> tuple[str, str]:
    """Cuts at the last semicolon: DuckDB leaves there what stands before the next statement."""
    if ";" not in text:
        return text, ""
    found = tokens(text)
    if found[-1].text != ";":
        return text, ""
    raw, end = text.encode(), found[-1].start + 1
    return raw[:end].decode(), raw[end:].decode()


def _before_first_token(text: str) -> str:
    return text[: len(text) - len(without_comments_before(text))].strip()


def _next_lines(behind: str) -> str:
    # A comment on the same line is about the statement that ended there.
    return behind.partition("\n")[2].strip()


def queries_in(statement: Statement) -> tuple[str, ...]:
    """Returns the queries in a statement as texts, found without binding it."""
    match statement.kind:
        case "select":
            return (statement.text,)
        case "multi":
            return static_pivots(statement.text)
        case "explain":
            return (explained(statement.text),)
        case _:
            cut = definition(statement.text)
            return cut.bodies if cut else ()


def _remembered(query: str, tree: Tree) -> tuple[Use, ...]:
    found = tuple(dict.fromkeys(uses(tree)))
    _remember(_KNOWN_USES, query, found, len(query))
    return found


def _remember(known: dict[K, V], key: K, value: V, length: int) -> None:
    if length <= _LONGEST_KNOWN and len(known) < _MOST_KNOWN:
        known[key] = value


def _names_read(used: Iterable[Use]) -> Iterator[str]:
    own = builtins()
    for use in used:
        match use:
            case Relation(path) if fold(path[-1]) not in own.relations and _in_main(path):
                yield path[-1]
            case Call(name) | TableCall(name) if name not in own.functions:
                yield name
            case _:
                pass


def _in_main(path: tuple[str, ...]) -> bool:
    return len(path) == 1 or fold(path[-2]) not in {"information_schema", "pg_catalog"}


def _kind(raw: duckdb.Statement) -> str:
    try:
        return raw.type.name.lower()
    except ValueError:  # DuckDB 2.0 has types 29 to 33, which Python does not name
        return "unknown"
