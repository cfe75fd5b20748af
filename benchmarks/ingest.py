"""Ingest of each kind of source, against the floor: DuckDB's `CREATE TABLE AS` without row ids.

For a list of dicts the floor is polars' inference over all rows and that statement; for a workbook
it is calamine alone, which only reads. Every measurement has a process of its own; the two sides
take turns.

    python -m benchmarks.ingest [ROWS] [KIND ...]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import duckdb

from taskgraph.database import Database, quote_text
from taskgraph.engine import STORAGE_VERSION
from taskgraph.ingest import ingest
from taskgraph.spec import SourceNode

ROUNDS = 5
ROWS = 1_000_000
DATA = """SELECT i AS id, 'customer ' || (i % 1000) AS name, (i * 37 % 100000) / 100.0::DOUBLE AS amount,
DATE '2020-01-01' + (i % 1000)::INT AS day, i % 7 = 0 AS flag, 'code-' || i AS code,
i % 100 AS quantity, TIMESTAMP '2020-01-01' + to_seconds(i) AS seen FROM range({}) r(i)"""


@dataclass(frozen=True)
class Kind:
    """One kind of source."""

    file: str
    """What its data is written to before anything is measured."""
    load: Callable[[Path], Any]
    """From that file to the source, before the clock starts."""
    floor: Callable[[duckdb.DuckDBPyConnection, Any], object]
    share: float = 1.0
    """Part of the rows asked for that it gets."""


def read_by(function: str) -> Callable[[duckdb.DuckDBPyConnection, Path], object]:
    """The floor of a file that DuckDB reads itself."""
    return lambda connection, path: connection.execute(
        f"CREATE TABLE t AS SELECT * FROM {function}({quote_text(str(path))})"
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

    return pl.read_parquet(path)


def as_is(path: Path) -> Path:
    return path


KINDS: dict[str, Kind] = {
    "csv": Kind("data.csv", as_is, read_by("read_csv")),
    "parquet": Kind("data.parquet", as_is, read_by("read_parquet")),
    "json": Kind("data.jsonl", as_is, read_by("read_json"), 0.5),
    "polars": Kind("data.parquet", polars_frame, registered),
    "arrow": Kind("data.parquet", lambda path: polars_frame(path).to_arrow(), registered),
    "pandas": Kind("data.parquet", lambda path: polars_frame(path).to_pandas(), registered),
    "list of dicts": Kind(
        "data.parquet", lambda path: polars_frame(path).to_dicts(), inferred_by_polars, 0.1
    ),
    "xlsx": Kind("data.xlsx", as_is, read_by_calamine, 0.1),
}


def write(path: Path, rows: int) -> None:
    if path.suffix == ".xlsx":
        write_workbook(path, rows)
        return
    format_ = {".csv": "CSV", ".parquet": "PARQUET", ".jsonl": "JSON"}[path.suffix]
    duckdb.execute(f"COPY ({DATA.format(rows)}) TO {quote_text(str(path))} (FORMAT {format_})")


def write_workbook(path: Path, rows: int) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("data")
    found = duckdb.execute(DATA.format(rows))
    sheet.append([column[0] for column in found.description or []])
    for row in found.fetchall():
        sheet.append(row)
    book.save(path)


@dataclass(frozen=True)
class Cost:
    """What one ingest took."""

    seconds: float
    processor: float
    """Seconds of processor time, all threads: what is left to compare on a busy machine."""
    peak: float
    """MiB of the whole process."""


def measure(kind: Kind, side: str, source: Path) -> Cost:
    data = kind.load(source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.db"
        work = bare if side == "floor" else whole
        with work(kind, path, data) as run:
            started, processor = perf_counter(), process_time()
            run()
            seconds, processor = perf_counter() - started, process_time() - processor
    return Cost(seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


@contextmanager
def bare(kind: Kind, path: Path, data: Any) -> Generator[Callable[[], object]]:
    connection = duckdb.connect(path, config={"storage_compatibility_version": STORAGE_VERSION})
    yield lambda: kind.floor(connection, data)
    connection.close()


@contextmanager
def whole(kind: Kind, path: Path, data: Any) -> Generator[Callable[[], object]]:
    del kind
    database = Database.create(path)
    cursor = database.cursor()
    yield lambda: ingest(cursor, SourceNode(name="t", source=data), None)
    cursor.close()
    database.close()


def in_a_process(name: str, side: str, source: Path) -> Cost:
    command = [sys.executable, "-m", "benchmarks.ingest", "--one", name, side, str(source)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Cost(**json.loads(answer))


def compare(name: str, rows: int, folder: Path) -> None:
    kind = KINDS[name]
    rows = int(rows * kind.share)
    source = folder / f"{rows}-{kind.file}"
    if not source.exists():
        write(source, rows)
    costs: dict[str, list[Cost]] = {"floor": [], "taskgraph": []}
    for _ in range(ROUNDS):
        for side, measured in costs.items():
            measured.append(in_a_process(name, side, source))
    floor, ours = (middle(costs[side]) for side in costs)
    print(
        f"{name:14}{rows:>10,}{floor.seconds:9.2f}{ours.seconds:9.2f}"
        f"{ours.seconds / floor.seconds:7.2f}{ours.processor / floor.processor:12.2f}"
        f"{floor.peak:11.0f}{ours.peak:9.0f}",
        flush=True,
    )


def middle(costs: list[Cost]) -> Cost:
    return Cost(
        median(cost.seconds for cost in costs),
        median(cost.processor for cost in costs),
        median(cost.peak for cost in costs),
    )


def main(arguments: list[str]) -> None:
    """Prints medians, ratios and peak memory, one line per kind."""
    if arguments[:1] == ["--one"]:
        _, name, side, source = arguments
        print(json.dumps(asdict(measure(KINDS[name], side, Path(source)))))
        return
    rows = int(arguments[0]) if arguments else ROWS
    print(
        f"{'source':14} {'rows':>9} {'floor s':>8} {'taskgraph s':>10} ratio  floor MiB   our MiB"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments[1:] or KINDS:
            compare(name, rows, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
