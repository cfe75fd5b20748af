"""Brings an unfinished file to where a plan can go on: nothing in it that no kept work accounts for.

What nodes left that did not pass is undone, by dropping every object that no passed node accounts
for. Then it is done again: what agents defined, from the record; all else, by running its node. None
of this asks a model anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from taskgraph.database import Cursor, Database, fold, quote
from taskgraph.definitions import define_again
from taskgraph.errors import StatementError
from taskgraph.events import Event, Outcome, Warned
from taskgraph.guard import Guard, StatementResult
from taskgraph.namespace import Scope
from taskgraph.plan import Plan
from taskgraph.recorded import Recorded, RecordedConversation
from taskgraph.schema import CHECKS, NODE_META, TABLES, VIEW_DEFINITIONS, check_table
from taskgraph.trace import Place


@dataclass(frozen=True, slots=True)
class Standing:
    """A conversation that goes on, and what its agent has defined so far."""

    conversation: RecordedConversation
    definitions: tuple[StatementResult, ...]


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """Where a run goes on; nowhere, for a run that begins."""

    standing: Mapping[str, Standing] = field(default_factory=dict[str, Standing])
    """By node: the conversations that go on."""
    places: Mapping[str, Place] = field(default_factory=dict[str, Place])
    """By node: where its next message will stand."""
    warnings: tuple[Warned, ...] = ()

    def place(self, node: str) -> Place:
        """Returns where the node's next message will stand."""
        return self.places.get(node, Place())


async def bring_back(database: Database, plan: Plan, recorded: Recorded) -> BroughtBack:
    """Undoes what is not on record, and does again what agents have defined.

    Args:
        database: the unfinished file, just opened.
        plan: what stays, what goes on, and what runs.
        recorded: what the plan was made from.
    """
    cursor = database.cursor()
    try:
        await cursor.run(partial(_forget, cursor, plan))
        found = {
            node: await cursor.run(partial(_redefine, cursor, plan, node, conversation))
            for node, conversation in plan.continued.items()
        }
    finally:
        cursor.close()
    standing = {node: one for node, one in found.items() if isinstance(one, Standing)}
    return BroughtBack(
        standing=standing,
        places={
            node: _place(conversation, goes_on=node in standing)
            for node, conversation in recorded.conversations.items()
        },
        warnings=tuple(one for one in found.values() if isinstance(one, Warned)),
    )


def _place(conversation: RecordedConversation, *, goes_on: bool) -> Place:
    if goes_on:
        return Place(conversation.number, len(conversation.messages))
    return Place(conversation.number + 1)


def _forget(cursor: Cursor, plan: Plan) -> None:
    with cursor.transaction():
        for table in (NODE_META, CHECKS, VIEW_DEFINITIONS):
            kept = "SELECT unnest(?::VARCHAR[])"
            cursor.execute(
                f"DELETE FROM {table.name} WHERE node NOT IN ({kept})", [list(plan.kept)]
            )
        accounted = _Accounted.of(plan.kept, plan.taken)
        for drop in _drops(cursor, lambda kind, name: not accounted.has(kind, name)):
            cursor.execute(drop)


@dataclass(frozen=True, slots=True)
class _Accounted:
    """The names, folded, of what kept nodes have left."""

    tables: frozenset[str]
    macros: frozenset[str]

    @classmethod
    def of(cls, kept: Mapping[str, Outcome], taken: Iterable[str]) -> _Accounted:
        tables = {fold(name) for outcome in kept.values() for name, _ in outcome.tables}
        checks = {
            fold(check_table(node, check.check))
            for node, outcome in kept.items()
            for check in outcome.checks
        }
        defined = {fold(one.name) for outcome in kept.values() for one in outcome.definitions}
        engine = {table.name for table in TABLES} | {fold(source) for source in taken}
        return cls(frozenset(tables | checks | engine), frozenset(defined - tables))

    def has(self, kind: str, name: str) -> bool:
        """Says whether an object is one of them; all views of kept nodes have become tables."""
        names = {"TABLE": self.tables, "VIEW": frozenset[str]()}.get(kind, self.macros)
        return fold(name) in names


def _drops(cursor: Cursor, unwanted: Callable[[str, str], bool]) -> Iterator[str]:
    for kind, name in cursor.rows(_OBJECTS):
        if unwanted(kind, name):
            yield f"DROP {kind} {quote(name)}"


_OBJECTS = """
    SELECT 'VIEW', view_name FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT 'TABLE', table_name FROM duckdb_tables() WHERE NOT internal
    UNION ALL SELECT DISTINCT if(function_type = 'macro', 'MACRO', 'MACRO TABLE'), function_name
              FROM duckdb_functions() WHERE NOT internal
"""


def _redefine(
    cursor: Cursor, plan: Plan, node: str, conversation: RecordedConversation
) -> Standing | Warned:
    """Defines again what the agent has been told stands, as it was then."""
    guard = Guard(cursor, Scope(plan.names, node), "agent")
    work, sql = plan.work(node), ""
    # It stood already when the conversation began.
    done = list(define_again(guard, node, work.definitions, _untraced).results) if work else []
    try:
        for definition in conversation.definitions:
            sql = definition.sql
            done.append(guard.run(sql, max_rows=0))
            if done[-1].kind != definition.kind:
                return _abandon(cursor, plan, node, f"it was {definition.kind}", sql)
    except StatementError as error:
        return _abandon(cursor, plan, node, str(error), sql)
    return Standing(conversation, tuple(done))


def _untraced(event: Event) -> None:
    del event  # the trace has it from the first time


def _abandon(cursor: Cursor, plan: Plan, node: str, why: str, sql: str) -> Warned:
    """Drops what the node has defined, so that its agent can begin anew."""
    with cursor.transaction():
        for drop in _drops(cursor, lambda _, name: plan.names.owner(name) == node):
            cursor.execute(drop)
    return Warned(
        f"its conversation cannot go on and begins anew: {sql!r} cannot be defined again: {why}",
        node,
    )
