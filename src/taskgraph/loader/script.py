"""The SQL texts of a node: what each makes and reads, and what is wrong with it by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from taskgraph.database import fold
from taskgraph.errors import Problem, Refused, StatementError
from taskgraph.guard_policy import Place, judge_uses
from taskgraph.loader.draft import Draft
from taskgraph.namespace import Names, Scope
from taskgraph.spec import Node, SqlNode
from taskgraph.sql import Outline, Parser, Statement, queries_in
from taskgraph.sql_text import without_comments_before

_DEFINITIONS = frozenset({"create_view", "create_macro", "drop_view", "drop_macro"})
_PLACE = re.compile(r"(?P<words>.*?)\n\nLINE (?P<line>\d+): (?P<text>.*?)\n *\^+\s*", re.DOTALL)
_LONGEST_SHOWN = 60
_DATABASE = "main"
"""Which file a spec will be run into is not known, so that no text can name it."""


@dataclass(frozen=True, slots=True)
class Text:
    """One SQL text of a node."""

    where: str
    """The node and the field, as in `node 'match', sql`."""
    outlines: tuple[Outline, ...]
    """Its statements; none where it could not be understood."""
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """The texts of one entry."""

    work: Text | None
    """What an SQL node runs; None for other nodes, and where it is no text."""
    checks: tuple[Text, ...]

    @property
    def texts(self) -> tuple[Text, ...]:
        """All texts, the node's work first."""
        return (self.work, *self.checks) if self.work else self.checks

    @property
    def created(self) -> Mapping[str, str]:
        """Every name that the work creates at some time, by folded name."""
        return {fold(name): name for is_create, name in self._changes() if is_create}

    @property
    def left(self) -> Mapping[str, str] | None:
        """The names that stand when the work is done; None where the text does not tell."""
        if self.work is None or self.work.problems:
            return None
        left: dict[str, str] = {}
        for is_create, name in self._changes():
            if is_create:
                left[fold(name)] = name
            else:
                left.pop(fold(name), None)
        return left

    def _changes(self) -> Iterator[tuple[bool, str]]:
        outlines = self.work.outlines if self.work else ()
        return ((one.kind.startswith("create"), one.name) for one in outlines if one.name)


class _AnyName(Scope):
    """Lets every name be read: `references` knows better what to say of a name."""

    def read_refusal(self, name: str) -> str | None:
        """Refuses nothing."""
        del name

    def readable_text(self) -> str:
        """Says where data comes from instead."""
        return "a source node brings data in"


@dataclass(frozen=True, slots=True)
class Split:
    """One SQL text of a node, in its statements."""

    field: str
    is_work: bool
    """Whether it is what an SQL node runs; a check otherwise."""
    statements: tuple[Statement, ...]
    fault: str | None = None
    """Why there are none."""


def splits_of(draft: Draft, parse: Parser) -> tuple[Split, ...]:
    """Splits the texts of one entry, its work first; none of an entry whose kind is not known."""
    node = draft.node
    if node is None:
        return ()
    work = []
    if isinstance(node, SqlNode) and "sql" not in draft.faulty:
        work = [_split("sql", node.sql, parse, is_work=True)]
    checks = (_split(field, query, parse, is_work=False) for field, query in _queries(node))
    return (*work, *checks)


def _split(field: str, sql: str, parse: Parser, *, is_work: bool) -> Split:
    try:
        return Split(field, is_work, parse.split(sql))
    except StatementError as error:
        return Split(field, is_work, (), str(error))


def queries_of(splits: Iterable[Split]) -> Iterator[str]:
    """Yields every query in them, as far as one can be cut out."""
    for statement in (statement for split in splits for statement in split.statements):
        with suppress(StatementError):
            yield from queries_in(statement)


def script_of(draft: Draft, splits: Sequence[Split], parse: Parser, names: Names) -> Script:
    """Reads the texts of one entry; none of an entry whose name or kind is not known."""
    if draft.node is None:
        return Script(None, ())
    scope = _AnyName(names, draft.node.name)
    texts = [(split, _text(draft.label, split, parse, scope)) for split in splits]
    return Script(
        next((text for split, text in texts if split.is_work), None),
        tuple(text for split, text in texts if not split.is_work),
    )


def _queries(node: Node) -> Iterator[tuple[str, str]]:
    for name, query in node.validate.items():
        yield f"validate[{name!r}]", query
    for position, query in enumerate(node.validate_sql):
        yield f"validate_sql[{position}]", query


def _text(label: str, split: Split, parse: Parser, scope: Scope) -> Text:
    where = f"{label}, {split.field}"
    if split.fault:
        return Text(where, (), (Problem(where, _in_one_line(split.fault)),))
    try:
        outlines = tuple(parse.outline(statement) for statement in split.statements)
    except StatementError as error:
        return Text(where, (), (Problem(where, _in_one_line(str(error))),))
    faults = _work_faults if split.is_work else _check_faults
    place = Place(scope, _DATABASE, "definition" if split.is_work else "check")
    refusals = _refusals(split.statements, parse, place)
    messages = [*faults(split.statements, outlines), *refusals]
    return Text(where, outlines, tuple(Problem(where, message) for message in messages))


def _work_faults(statements: Sequence[Statement], outlines: Sequence[Outline]) -> Iterator[str]:
    for statement, outline in zip(statements, outlines, strict=True):
        if outline.kind not in _DEFINITIONS:
            yield f"an sql node may only create and drop views and macros, not {_shown(statement)}"


def _check_faults(statements: Sequence[Statement], outlines: Sequence[Outline]) -> Iterator[str]:
    if len(statements) > 1:
        yield f"must be one query, not {len(statements)} statements"
    elif outlines[0].kind != "select":
        yield f"must be a query, not {_shown(statements[0])}"


def _refusals(statements: Iterable[Statement], parse: Parser, place: Place) -> Iterator[str]:
    """Says what the guard will refuse, as far as that shows without a database."""
    for statement in statements:
        try:
            for query in queries_in(statement):
                judge_uses(parse.uses(query), place)
        except Refused as refusal:
            yield str(refusal)


def _shown(statement: Statement) -> str:
    text = " ".join(without_comments_before(statement.text).split())
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")


def _in_one_line(message: str) -> str:
    """Returns DuckDB's message with the place that it draws on lines of their own."""
    place = _PLACE.fullmatch(message)
    if place is None:
        return message
    return f"{place['words']}, in line {place['line']}: {place['text'].strip()}"
