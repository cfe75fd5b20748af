"""What a run does, counted: what makes it slow is seen here, and no clock is asked."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from builders import source, spec_of, sql
from running import run_spec
from taskgraph import database
from taskgraph.database import Connection, Database
from taskgraph.ingest.frames import open_frame
from taskgraph.ingest.reading import Reading
from taskgraph.loader import check_nodes, rules
from taskgraph.spec import SqlNode
from taskgraph.validate import MAX_RESULTS

pa: Any = import_module("pyarrow")  # it has no types
_CATALOG = re.compile(r"duckdb_\w+\(|information_schema|sqlite_master|pragma_|SHOW ", re.IGNORECASE)


@dataclass
class Counts:
    """What DuckDB was asked, and how many rows Python got."""

    statements: list[str] = field(default_factory=list[str])
    rows: int = 0


class Counted:
    """DuckDB's own connection, with a note taken of each use."""

    def __init__(self, raw: Any, counts: Counts) -> None:
        self._raw = raw
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def execute(self, sql: str, *parameters: Any) -> Counted:
        self._counts.statements.append(sql)
        self._raw.execute(sql, *parameters)
        return self

    def fetchall(self) -> list[Any]:
        return self._noted(self._raw.fetchall())

    def fetchmany(self, size: int) -> list[Any]:
        return self._noted(self._raw.fetchmany(size))

    def _noted(self, rows: list[Any]) -> list[Any]:
        self._counts.rows += len(rows)
        return rows


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """Of the workspace's connections, and of those that only parse."""
    counted = Counts()
    connect, scratch = Database.connect, database.scratch

    @contextmanager
    def counted_scratch() -> Generator[Connection]:
        with scratch() as raw:
            yield Counted(raw, counted)  # pyright: ignore[reportReturnType]

    def counted_connect(self: Database) -> Counted:
        return Counted(connect(self), counted)

    monkeypatch.setattr(Database, "connect", counted_connect)
    monkeypatch.setattr(rules, "scratch", counted_scratch)
    return counted


def fan(nodes: int, tag: str) -> list[SqlNode]:
    """Nodes that read one source, each with a view and a check of its own text."""
    return [
        sql(
            f"n{number}",
            f"CREATE VIEW n{number}_t AS SELECT id + {number} AS {tag} FROM orders",
            ["orders"],
            validate={"rows": f"SELECT 'pass' AS status, '{tag}' AS message FROM n{number}_t"},
        )
        for number in range(nodes)
    ]


@pytest.mark.anyio
async def test_each_sql_node_more_is_one_transaction_of_six_statements_more(
    tmp_path: Path, counts: Counts
) -> None:
    kinds: list[Counter[str]] = []
    for nodes in (5, 25):
        counts.statements.clear()
        folder = tmp_path / str(nodes)
        ran = await run_spec(spec_of(source("orders"), *fan(nodes, "six")), folder)
        assert ran.ended.status == "passed"
        kinds.append(Counter(" ".join(one.split()[:2]) for one in counts.statements))
    more = kinds[1] - kinds[0]
    assert more == {
        "BEGIN TRANSACTION": 20,
        "CREATE TABLE": 20,  # the node's
        "CREATE OR": 20,  # the check's
        "SELECT CAST(status": 20,
        "WITH of_0": 20,  # the record
        "COMMIT": 20,
    }


@pytest.mark.anyio
async def test_no_statement_of_a_run_lists_the_catalog(tmp_path: Path, counts: Counts) -> None:
    nodes = [*fan(3, "catalog"), sql("last", "CREATE VIEW last_t AS FROM n1_t", ["n1"])]
    await run_spec(spec_of(source("orders"), *nodes), tmp_path)
    assert [one for one in counts.statements if _CATALOG.search(one)] == []


@pytest.mark.anyio
async def test_rows_stay_in_duckdb_but_for_those_that_are_told(
    tmp_path: Path, counts: Counts
) -> None:
    node = sql(
        "n",
        "CREATE VIEW n_t AS SELECT range AS a FROM range(100_000)",
        validate={"rows": "SELECT 'warn' AS status, a::VARCHAR AS message FROM n_t"},
    )
    ran = await run_spec(spec_of(node), tmp_path)
    assert ran.rows("SELECT count(*) FROM n__validation_rows") == [(100_000,)]
    assert counts.rows < 3 * MAX_RESULTS


def test_queries_of_a_spec_are_parsed_together_and_once(counts: Counts) -> None:
    nodes = [source("orders"), *fan(250, "parsed")]
    asked = list[int]()
    for _ in range(2):
        assert check_nodes(nodes) == ()
        asked.append(sum("json_serialize_sql" in one for one in counts.statements))
    assert asked == [3, 3]  # 500 queries, 200 at once


_LOADED = """
import sys
from pathlib import Path
from click.testing import CliRunner
from taskgraph.cli import group
Path("orders.csv").write_text("id,amount\\n1,2.5\\n")
Path("spec.py").write_text('''NODES = [
    {"name": "orders", "source": "orders.csv"},
    {"name": "n", "depends_on": ["orders"], "sql": "CREATE VIEW n_t AS FROM orders"},
]''')
ran = CliRunner().invoke(group, ["run", "--spec", "spec.py", "-o", "out.db"])
assert ran.exit_code == 0, ran.output
print(*sys.modules)
"""


def test_run_of_sql_over_text_loads_no_agent_no_network_and_no_frames(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _LOADED], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert "taskgraph.ingest.text" in loaded
    assert not loaded & {"httpx", "tenacity", "polars", "pyarrow", "openpyxl", "fastexcel", "rich"}
    assert not loaded & {
        "taskgraph.agent_node",
        "taskgraph.llm.openrouter",
        "taskgraph.ingest.workbook",
    }


def _read(frame: object) -> Reading:
    opened = open_frame(frame)
    assert opened is not None
    with opened as reading:
        return reading


def test_values_of_a_polars_frame_are_handed_over_where_they_are() -> None:
    frame = pl.DataFrame({"a": range(1_000), "b": [0.5] * 1_000})
    handed: Any = _read(frame).stream
    assert _places(handed.origin.to_arrow())[1:] == _places(frame.to_arrow())


def test_values_of_an_arrow_table_are_handed_over_where_they_are() -> None:
    table: Any = pa.table({"a": range(1_000), "b": [0.5] * 1_000})
    handed: Any = pa.RecordBatchReader.from_stream(_read(table).stream).read_all()
    assert _places(handed)[1:] == _places(table)


def _places(table: Any) -> list[int]:
    """Where in memory the values of each column are."""
    return [column.chunk(0).buffers()[1].address for column in table.columns]
