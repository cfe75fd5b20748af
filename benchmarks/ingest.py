"""Ingest of each kind of source, against the floor: DuckDB's `CREATE TABLE AS` without row ids.

For a list of dicts the floor is polars' inference over all rows and that statement; for a workbook
it is calamine alone, which only reads.

    python -m benchmarks.ingest KIND SIDE SOURCE     one ingest, as `measuring` wants it told
    python -m benchmarks.ingest KIND write SOURCE ROWS

What is imported, and a frame that is made, before the ingest does not count.
"""

# Imports stand where they are used: `suites` only wants to know which kinds there are, and what a
# process holds when it starts another counts for that one's peak memory as well.
from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

FILE = "t.db"
ROWS = """SELECT i AS id, 'customer ' || (i % 1000) AS name, (i * 37 % 100000) / 100.0::DOUBLE AS amount,
DATE '2020-01-01' + (i % 1000)::INT AS day, i % 7 = 0 AS flag, 'code-' || i AS code,
i % 100 AS quantity, TIMESTAMP '2020-01-01' + to_seconds(i) AS seen FROM range({rows}) r(i)"""
WIDE = f"""SELECT {", ".join(f"(i * {n + 3} % 1000) / 10.0::DOUBLE AS number_{n}" for n in range(20))},
{", ".join(f"i % {n + 5} AS count_{n}" for n in range(20))},
{", ".join(f"'word ' || (i % {n + 9}) AS word_{n}" for n in range(20))} FROM range({{rows}}) r(i)"""


@dataclass(frozen=True)
class Kind:
    """One kind of source."""

    file: str
    """What its data is written to before anything is measured."""
    load: Callable[[Path], Any]
    """From that file to the source, before the clock starts."""
    floor: Callable[[duckdb.DuckDBPyConnection, Any], object]
    sizes: tuple[int, ...]
    """Rows."""
    floor_name: str = "CREATE TABLE AS"
    data: str = ROWS


def read_by(function: str) -> Callable[[duckdb.DuckDBPyConnection, Path], object]:
    """The floor of a file that DuckDB reads itself."""
    return lambda connection, path: connection.execute(
        f"CREATE TABLE t AS SELECT * FROM {function}('{path}')"
    )


def registered(connection: duckdb.DuckDBPyConnection, source: Any) -> None:
    connection.register("source", source)
    connection.execute("CREATE TABLE t AS SELECT * FROM source")


def inferred_by_polars(connection: duckdb.DuckDBPyConnection, records: Any) -> None:
    import polars as pl

    registered(connection, pl.from_dicts(records, infer_schema_length=None))


def read_by_calamine(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    import fastexcel

    del connection
    fastexcel.read_excel(path).load_sheet(0).to_arrow()


def polars_frame(path: Path) -> Any:
    import polars as pl
    import pyarrow  # noqa: F401 - DuckDB would import it while the clock runs

    return pl.read_parquet(path)


def as_is(path: Path) -> Path:
    return path


_ALL = (100_000, 1_000_000, 5_000_000)
_SOME = (100_000, 1_000_000)
KINDS: dict[str, Kind] = {
    "csv": Kind("data.csv", as_is, read_by("read_csv"), _ALL),
    "csv of 60 columns": Kind("wide.csv", as_is, read_by("read_csv"), (1_000, 100_000), data=WIDE),
    "parquet": Kind("data.parquet", as_is, read_by("read_parquet"), _ALL),
    "json": Kind("data.jsonl", as_is, read_by("read_json"), _SOME),
    "polars": Kind("data.parquet", polars_frame, registered, _ALL),
    "arrow": Kind("data.parquet", lambda path: polars_frame(path).to_arrow(), registered, _SOME),
    "pandas": Kind("data.parquet", lambda path: polars_frame(path).to_pandas(), registered, _SOME),
    "list of dicts": Kind(
        "data.parquet",
        lambda path: polars_frame(path).to_dicts(),
        inferred_by_polars,
        (100_000, 500_000),
        "polars, CREATE TABLE AS",
    ),
    "xlsx": Kind(
        "data.xlsx", as_is, read_by_calamine, (100_000, 200_000), "fastexcel, only reading"
    ),
}


def write(kind: Kind, path: Path, rows: int) -> None:
    import duckdb

    query = kind.data.format(rows=rows)
    if path.suffix == ".xlsx":
        _write_workbook(path, duckdb.execute(query))
        return
    format_ = {".csv": "CSV", ".parquet": "PARQUET", ".jsonl": "JSON"}[path.suffix]
    duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT {format_})")


def _write_workbook(path: Path, found: duckdb.DuckDBPyConnection) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.append([column[0] for column in found.description or []])
    for row in found.fetchall():
        sheet.append(row)
    book.save(path)


def measure(kind: Kind, side: str, source: Path) -> tuple[float, float]:
    """Returns seconds and processor seconds of one ingest into `t.db` of the working directory."""
    data = kind.load(source)
    work = _bare if side == "floor" else _whole
    with work(kind, Path(FILE), data) as run:
        wall, processor = perf_counter(), process_time()
        run()
        return perf_counter() - wall, process_time() - processor


@contextmanager
def _bare(kind: Kind, path: Path, data: Any) -> Generator[Callable[[], object]]:
    import duckdb

    connection = duckdb.connect(path, config={"storage_compatibility_version": "v1.4.0"})
    yield lambda: kind.floor(connection, data)
    connection.close()


@contextmanager
def _whole(kind: Kind, path: Path, data: Any) -> Generator[Callable[[], object]]:
    from taskgraph.database import Database
    from taskgraph.ingest import ingest
    from taskgraph.spec import SourceNode

    del kind
    database = Database.create(path.resolve())
    cursor = database.cursor()
    yield lambda: ingest(cursor, SourceNode(name="t", source=data), None)
    cursor.close()
    database.close()


def main(name: str, side: str, source: Path, rows: str = "0") -> None:
    """Writes the data of a kind, or measures one ingest of it."""
    if side == "write":
        write(KINDS[name], source, int(rows))
        return
    seconds, processor = measure(KINDS[name], side, source)
    print(json.dumps({"seconds": seconds, "processor": processor}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
