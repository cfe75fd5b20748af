"""A real workspace with a small table, and the tool of an agent that works on it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builders import prompt, source
from taskgraph.agent.session import Session
from taskgraph.agent.tools import SqlTool
from taskgraph.database import Cursor, Database, quote
from taskgraph.events import CheckResult, Event, StatementRun
from taskgraph.guard import Guard
from taskgraph.namespace import Names, Scope

BANK = """CREATE TABLE bank AS
SELECT i AS id, 'payment ' || i AS note, (i * 1.5)::DECIMAL(18,2) AS amount FROM range(1, 5) t(i)"""

_MACROS = "SELECT function_name, function_type FROM duckdb_functions() WHERE NOT internal"


@dataclass
class Workplace:
    """An agent's tool, and what became of its statements."""

    cursor: Cursor
    node: str = "match"
    timeout_s: float = 30.0
    max_characters: int = 30_000
    verdicts: Sequence[CheckResult] = ()
    events: list[Event] = field(default_factory=list[Event])
    checked: int = 0
    check_error: Exception | None = None

    def tool(self) -> SqlTool:
        """A new tool on this cursor."""
        nodes = [source("bank"), source("secret"), prompt(self.node, depends_on=["bank"])]
        guard = Guard(self.cursor, Scope(Names.of(nodes), self.node), "agent")
        return SqlTool(
            node=self.node,
            session=Session(self.cursor, guard, self.timeout_s),
            emit=self.events.append,
            after_define=self._check,
            readable=("bank",),
            max_characters=self.max_characters,
        )

    @property
    def statements(self) -> list[StatementRun]:
        return [event for event in self.events if isinstance(event, StatementRun)]

    async def _check(self) -> tuple[CheckResult, ...]:
        self.checked += 1
        if self.check_error:
            raise self.check_error
        return tuple(self.verdicts)


@contextmanager
def workspace(path: Path) -> Generator[Database]:
    """Opens a workspace with the table `bank` of four rows, and one that agents may not read."""
    database = Database.create(path)
    with closing(database):
        with closing(database.cursor()) as cursor:
            cursor.execute(BANK)
            cursor.execute("CREATE TABLE secret AS SELECT 1 AS id")
        yield database


@contextmanager
def workplace(database: Database) -> Generator[Workplace]:
    """An agent's place in a workspace; what it made is gone afterwards."""
    with closing(database.cursor()) as cursor:
        yield Workplace(cursor)
        for (name,) in cursor.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal"):
            cursor.execute(f"DROP VIEW {quote(name)}")
        for name, kind in cursor.rows(_MACROS):
            what = "MACRO TABLE" if kind == "table_macro" else "MACRO"
            cursor.execute(f"DROP {what} {quote(name)}")
