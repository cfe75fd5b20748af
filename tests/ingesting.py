"""A workspace to ingest into, and what became of a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from taskgraph.database import Cursor, Database, quote
from taskgraph.errors import IngestError
from taskgraph.ingest import Ingested, ingest
from taskgraph.spec import SourceNode

Write = Callable[[str, str | bytes], Path]
"""Writes a file of a name into the test's folder."""


@dataclass(frozen=True)
class Taken:
    """A table that a source became."""

    ingested: Ingested
    rows: list[tuple[Any, ...]]
    """Without `_row_id`, in its order."""

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.ingested.columns]

    @property
    def types(self) -> list[str]:
        return [type_ for _, type_ in self.ingested.columns]

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.ingested.warnings

    def column(self, name: str) -> list[Any]:
        position = self.names.index(name)
        return [row[position] for row in self.rows]


class Desk:
    """Ingests sources into one workspace, each under a name of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.cursor = database.cursor()
        self._numbers = count(1)

    def take(
        self,
        source: object,
        directory: Path | None = None,
        columns: Sequence[str] = (),
        cursor: Cursor | None = None,
    ) -> Taken:
        """Ingests a source, and checks what holds for every one."""
        ingested = self.ingest(source, directory, columns, cursor)
        table = quote(ingested.table)
        rows = self.cursor.rows(f"SELECT * FROM {table} ORDER BY _row_id")
        stored = [(str(one[0]), str(one[1])) for one in self.cursor.rows(f"DESCRIBE {table}")]
        assert stored == [("_row_id", "BIGINT"), *ingested.columns]
        assert [row[0] for row in rows] == list(range(1, ingested.row_count + 1))
        return Taken(ingested, [row[1:] for row in rows])

    def ingest(
        self,
        source: object,
        directory: Path | None = None,
        columns: Sequence[str] = (),
        cursor: Cursor | None = None,
    ) -> Ingested:
        """Ingests a source under a name of its own."""
        node = SourceNode(name=f"source_{next(self._numbers)}", source=source, columns=columns)
        return ingest(cursor or self.cursor, node, directory)

    def refusal(
        self, source: object, directory: Path | None = None, columns: Sequence[str] = ()
    ) -> IngestError:
        """Returns why a source is refused, and checks that it left nothing behind."""
        before = self.cursor.rows("SHOW TABLES")
        try:
            self.ingest(source, directory, columns)
        except IngestError as error:
            assert self.cursor.rows("SHOW TABLES") == before
            return error
        raise AssertionError("the source was taken")
