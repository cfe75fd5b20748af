"""What holds for every kind of source."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingesting import Desk, Write
from taskgraph.database import Cursor, Database, Row, Value, scratch
from taskgraph.ingest.reading import pyarrow


def test_a_function_is_called_once_and_its_data_read(desk: Desk) -> None:
    calls: list[int] = []

    def source() -> list[dict[str, int]]:
        calls.append(1)
        return [{"a": 1}]

    assert desk.take(source).rows == [(1,)]
    assert calls == [1]


def test_a_function_may_return_a_path(desk: Desk, write: Write) -> None:
    path = write("a.csv", "n\n1\n")
    taken = desk.take(lambda: "a.csv", path.parent)
    assert taken.rows == [(1,)]
    assert [file.path for file in taken.ingested.files] == ["a.csv"]


def test_what_a_function_raises_is_its_own(desk: Desk) -> None:
    def source() -> object:
        raise ConnectionError("no network")

    with pytest.raises(ConnectionError, match="no network"):
        desk.take(source)


def test_an_async_function_is_refused(desk: Desk) -> None:
    async def source() -> list[dict[str, int]]:
        return [{"a": 1}]

    error = desk.refusal(source)
    assert (str(error), error.hint) == (
        "the source is an async function",
        "make it a plain function",
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (lambda: None, "source is of type NoneType; it must be a path"),
        (lambda: lambda: None, "the source's function returned a function; it must be a path"),
        (5, "source is of type int; it must be a path"),
        (object(), "source is of type object; it must be a path"),
        ({"path": "x.csv", "delimeter": ";"}, "unknown option 'delimeter', did you mean"),
    ],
    ids=["nothing", "function", "number", "object", "unknown option"],
)
def test_what_is_no_source_is_refused(desk: Desk, source: object, message: str) -> None:
    assert str(desk.refusal(source)).startswith(message)


def test_required_columns_may_be_written_in_another_case(desk: Desk) -> None:
    assert desk.take([{"Amount": 1}], columns=["amount"]).names == ["Amount"]


def test_missing_columns_are_told_with_the_nearest_and_those_there(desk: Desk) -> None:
    error = desk.refusal([{"amount": 1, "day": 2}], columns=["amuont", "day", "x"])
    assert str(error) == (
        "required columns are missing: 'amuont' (did you mean 'amount'?), 'x'; "
        "there are: 'amount', 'day'"
    )


def test_a_source_without_rows_gets_the_columns_that_are_required(desk: Desk) -> None:
    taken = desk.take([], columns=["a", "b"])
    assert dict(taken.ingested.columns) == {"a": "VARCHAR", "b": "VARCHAR"}
    assert taken.warnings == ("the table is empty",)
    assert str(desk.refusal([])) == "the source has neither rows nor columns"


def test_a_stream_that_fails_on_the_way_leaves_nothing(desk: Desk) -> None:
    pa = pyarrow()
    schema = pa.schema([("a", pa.int64())])

    def batches() -> Any:
        yield pa.record_batch([list(range(50_000))], schema=schema)
        raise ValueError("the source went away")

    error = desk.refusal(pa.RecordBatchReader.from_batches(schema, batches()))
    assert "the source went away" in str(error)


# Large enough for DuckDB to read it, and to write the table, with several threads: more than a
# buffer of text, and more than one group of rows.
MANY = 180_000


def _write_large(folder: Path, ending: str) -> Path:
    path = folder / f"large.{ending}"
    with scratch() as connection:
        connection.execute(
            f"COPY (SELECT range AS n, repeat('x', 180) || range AS text FROM range({MANY})) "
            f"TO '{path}'"
        )
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "json", "polars", "arrow", "pandas"])
def test_the_order_of_a_large_source_is_kept(desk: Desk, tmp_path: Path, kind: str) -> None:
    source: Any = _write_large(tmp_path, kind if kind in {"csv", "json"} else "parquet")
    if kind in {"polars", "arrow", "pandas"}:
        frame: Any = pl.read_parquet(source)
        source = {"polars": frame, "arrow": frame.to_arrow(), "pandas": frame.to_pandas()}[kind]
    table = desk.ingest(source).table
    [(rows, wrong, out_of_place)] = desk.cursor.rows(
        "SELECT count(*), count(*) FILTER (_row_id <> n + 1), count(*) FILTER (rowid <> n) "
        f"FROM {table}"
    )
    assert (rows, wrong, out_of_place) == (MANY, 0, 0)


class CountingCursor(Cursor):
    """Notes the statements that are run."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.cursor().raw, database)
        self.statements: list[str] = []

    def execute(self, sql: str, parameters: Sequence[Value] | None = None) -> None:
        self.statements.append(sql)
        super().execute(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[Value] | None = None) -> list[Row]:
        self.statements.append(sql)
        return super().rows(sql, parameters)


STATEMENTS: dict[str, tuple[object, list[str]]] = {
    "list": ([{"a": 1}] * 100, ["BEGIN", "CREATE", "DESCRIBE", "COMMIT"]),
    "frame": (pl.DataFrame({"a": range(100)}), ["DESCRIBE", "CREATE"]),
}


@pytest.mark.parametrize(("source", "statements"), STATEMENTS.values(), ids=list(STATEMENTS))
def test_a_source_costs_the_workspace_few_statements(
    desk: Desk, source: object, statements: list[str]
) -> None:
    cursor = CountingCursor(desk.database)
    desk.take(source, cursor=cursor)
    assert [statement.split()[0] for statement in cursor.statements] == statements


FILES = """
import sys
from pathlib import Path
from taskgraph.database import Database
from taskgraph.ingest import ingest
from taskgraph.spec import SourceNode

folder = Path(sys.argv[1])
(folder / "a.csv").write_text("a\\n1\\n")
(folder / "a.json").write_text('[{"a": 1}]')
database = Database.create(folder / "w.db")
cursor = database.cursor()
for number, source in enumerate(["a.csv", "a.json", [{"a": 1, "b": [1]}], {"a": [1]}]):
    ingest(cursor, SourceNode(name=f"s{number}", source=source), folder)
cursor.close()
database.close()
heavy = {"polars", "pyarrow", "pandas", "numpy", "fastexcel", "openpyxl"} & set(sys.modules)
assert not heavy, heavy
"""


def test_plain_sources_load_no_library_of_frames(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FILES, str(tmp_path)], check=True)
