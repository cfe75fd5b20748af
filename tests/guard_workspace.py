"""The workspace that the guard's corpus is written for, and everything that can change in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from taskgraph.database import Cursor, Database, Row, quote, quote_text
from taskgraph.engine import Limits
from taskgraph.guard import Guard, Mode, StatementResult
from taskgraph.namespace import Names, Scope
from taskgraph.spec import PromptNode, SourceNode

DATA = Path(__file__).parent / "data" / "guard"
SOURCES = ("orders", "customers", "prices", "weird table", "quarters")
MODES: Mapping[str, Mode] = {"agent": "agent", "sql": "sql_node", "validation": "check"}
"""The corpus's names of the modes to ours."""


@dataclass(frozen=True)
class Case:
    """One line of the corpus."""

    id: str
    node: str
    mode: Mode
    sql: str
    allow: bool
    why: str

    @property
    def defines(self) -> bool:
        """Whether it creates or drops something."""
        words = {word.upper() for word in self.sql.split()}
        return bool(words & {"CREATE", "DROP"}) and not self.sql.lstrip(_BLANKS).upper().startswith(
            ("SELECT", "/*", "EXPLAIN")
        )


_BLANKS = " \n\ufeff"


def corpus() -> list[Case]:
    """Every line of the corpus."""
    lines = (json.loads(line) for line in (DATA / "corpus.jsonl").read_text().splitlines())
    return [
        Case(line["id"], line["node"], MODES[line["mode"]], line["sql"], line["allow"], line["why"])
        for line in lines
    ]


def _node(name: str, outputs: tuple[str, ...], *depends_on: str) -> PromptNode:
    return PromptNode(name=name, prompt="-", outputs=outputs, depends_on=(*SOURCES, *depends_on))


NAMES = Names.of(
    [
        *(SourceNode(name=name, source=[]) for name in SOURCES),
        _node("prep_extra", ("extra_out",)),
        _node("other", ("other_view", "prep_final")),
        _node("read", ("read_result",)),
        _node("task", ("task_out",)),
        # The corpus is written for a node that may read what all others made.
        _node("prep", ("clean_orders", "Order Report"), "prep_extra", "other", "read", "task"),
    ]
)


class Workspace:
    """A copy of the corpus's database, opened as a run opens it."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.path = folder / "taskgraph.duckdb"
        self._limits = limits or Limits(memory="1GB", temp_directory_size="200MB")
        self._template = folder / "template.duckdb"
        with duckdb.connect(self._template) as raw:
            raw.execute((DATA / "schema.sql").read_text())
        self._open()
        self.objects = definitions(self.cursor)
        self.clean = state(self.cursor)
        self.clean_quick = quick_state(self.cursor)

    def _open(self) -> None:
        shutil.copyfile(self._template, self.path)
        self.database = Database.reopen(self.path, self._limits)
        self.cursor = self.database.cursor()

    def restore(self) -> None:
        """Puts all objects back as they were in the beginning."""
        objects = definitions(self.cursor)
        if self.objects <= objects:  # nothing is missing: what is new goes, which is faster
            for kind, _, _, name, _ in objects - self.objects:
                self.cursor.execute(f"DROP {kind} IF EXISTS {quote(name)}")  # overloads are rows
        else:
            self.database.close()
            self._open()

    def guard(self, node: str = "prep", mode: Mode = "agent") -> Guard:
        """A guard on a cursor of its own."""
        return Guard(self.database.cursor(), Scope(NAMES, node), mode)

    def run(
        self, sql: str, node: str = "prep", mode: Mode = "agent", max_rows: int = 200
    ) -> list[StatementResult]:
        """Runs a text through the guard, statement by statement."""
        return self.run_all(self.guard(node, mode), sql, max_rows)

    @staticmethod
    def run_all(guard: Guard, sql: str, max_rows: int = 200) -> list[StatementResult]:
        """Runs the statements of a text in order, up to the first that fails."""
        return [guard.run(one, max_rows=max_rows) for one in guard.split(sql)]

    def close(self) -> None:
        """Closes the file."""
        self.database.close()


_VIEWS = (
    "SELECT 'view', database_name, schema_name, view_name, sql FROM duckdb_views()"
    " WHERE NOT internal"
)
_MACROS = (
    "SELECT 'macro', database_name, schema_name, function_name, macro_definition"
    " FROM duckdb_functions() WHERE NOT internal"
)
_SEQUENCES = (
    "SELECT 'sequence', database_name, schema_name, sequence_name, last_value::VARCHAR"
    " FROM duckdb_sequences()"
)
_TYPES = (
    "SELECT 'type', database_name, schema_name, type_name, '' FROM duckdb_types()"
    " WHERE NOT internal"
)
_CATALOG = (
    _VIEWS,
    _SEQUENCES,
    "SELECT 'table', database_name, schema_name, table_name, sql FROM duckdb_tables()",
    "SELECT 'index', database_name, schema_name, index_name, sql FROM duckdb_indexes()",
    "SELECT 'schema', database_name, '', schema_name, '' FROM duckdb_schemas() WHERE NOT internal",
    "SELECT 'database', '', '', database_name, path FROM duckdb_databases()",
    "SELECT 'variable', '', '', name, value::VARCHAR FROM duckdb_variables()",
    "SELECT 'statement', '', '', name, statement FROM duckdb_prepared_statements()",
    "SELECT 'current', '', '', current_schema(), current_database()",
)
_SLOW_CATALOG = (
    _MACROS,
    _TYPES,
    "SELECT 'setting', '', '', name, value FROM duckdb_settings()",
)


def state(cursor: Cursor) -> frozenset[Row]:
    """Everything that SQL can change, as rows of kind, database, schema, name and content."""
    return quick_state(cursor) | _rows(cursor, _SLOW_CATALOG)


def quick_state(cursor: Cursor) -> frozenset[Row]:
    """What costs little to look at: all but macros, types and settings."""
    found = _rows(cursor, _CATALOG)
    tables = [row[1:4] for row in found if row[0] == "table"]
    return found | _rows(cursor, [_content(*table) for table in tables])


def definitions(cursor: Cursor) -> frozenset[Row]:
    """All views and macros."""
    return _rows(cursor, (_VIEWS, _MACROS))


def _rows(cursor: Cursor, queries: Iterable[str]) -> frozenset[Row]:
    return frozenset(cursor.rows(" UNION ALL ".join(queries)))


def _content(database: str, schema: str, name: str) -> str:
    path = ".".join(quote(part) for part in (database, schema, name))
    place = ", ".join(quote_text(part) for part in ("rows", database, schema, name))
    return f"SELECT {place}, count(*) || ' ' || bit_xor(hash(t)) FROM {path} t"


def changed(before: frozenset[Row], after: frozenset[Row]) -> set[tuple[str, str | None]]:
    """What differs between two states: the kind of thing, and the node that owns it."""
    return {
        (kind, NAMES.owner(name) if schema == "main" else None)
        for kind, _, schema, name, _ in before ^ after
    }


def files(folder: Path) -> frozenset[str]:
    """The names of the files below a folder, but for the engine's own log and spill."""
    return frozenset(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not any(part.endswith((".wal", ".tmp")) for part in path.parts)
    )
