"""SQL graphs of small nodes: Taskgraph against bare scripts that issue the same kind of statements.

Each node is a table of ten rows with one check. Shapes: `wide` (all read one source), `deep` (a
chain), `layered` (ten nodes a layer, each reading two of the layer before).

    python -m benchmarks.graphs [NODES ...]
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import duckdb

from taskgraph.events import Event
from taskgraph.llm.service import served_by
from taskgraph.runner import run
from taskgraph.settings import RunSettings
from taskgraph.spec import SourceNode, Spec, SqlNode

ROUNDS = 3
CHECK = (
    "SELECT CASE WHEN count(*) = 10 THEN 'pass' ELSE 'fail' END AS status, '' AS message FROM {}"
)


def dependencies(shape: str, nodes: int) -> dict[str, list[str]]:
    """Returns each node's dependencies; the source is called `base`."""
    names = [f"n{number}" for number in range(nodes)]
    if shape == "wide":
        return {name: ["base"] for name in names}
    if shape == "deep":
        return {name: [names[at - 1] if at else "base"] for at, name in enumerate(names)}
    return {
        name: ["base"] if at < 10 else [names[at - 10], names[(at // 10 - 1) * 10 + (at + 1) % 10]]
        for at, name in enumerate(names)
    }


def view_sql(name: str, needed: list[str]) -> str:
    first, *others = [one if one == "base" else f"{one}_t" for one in needed]
    joins = "".join(f" JOIN {other} o USING (a)" for other in others)
    return f"CREATE VIEW {name}_t AS SELECT a, s.b + 1 AS b FROM {first} s{joins}"


def taskgraph(shape: str, nodes: int, folder: Path) -> None:
    """One run through the library."""
    base = SourceNode(name="base", source={"a": list(range(10)), "b": list(range(10))})
    spec = Spec(
        (
            base,
            *(
                SqlNode(
                    name=name,
                    depends_on=needed,
                    sql=view_sql(name, needed),
                    validate={"main": CHECK.format(f"{name}_t")},
                )
                for name, needed in dependencies(shape, nodes).items()
            ),
        )
    )
    settings = RunSettings()
    ended = asyncio.run(
        run(
            spec,
            folder / "out.db",
            settings,
            open_service=served_by(None, settings),
            emit=_ignore,
        )
    )
    assert ended.status == "passed", [one.error for one in ended.outcomes if one.error][:1]


def _ignore(event: Event) -> None:
    del event


def same_statements(shape: str, nodes: int, folder: Path) -> None:
    """A bare script, one connection: create the view, check it, materialise it, record it."""
    connection = _base(folder)
    for name, needed in dependencies(shape, nodes).items():
        _one_node(connection, name, needed)
    connection.close()


def same_statements_threads(shape: str, nodes: int, folder: Path) -> None:
    """The same on four cursors in threads; nodes of a layer side by side."""
    connection = _base(folder)
    todo = dependencies(shape, nodes)
    done = {"base"}
    with ThreadPoolExecutor(4) as pool:
        cursors = [connection.cursor() for _ in range(4)]
        while todo:
            layer = [name for name, needed in todo.items() if done.issuperset(needed)]
            parts = [layer[at::4] for at in range(4)]
            list(
                pool.map(
                    lambda cursor, part: [_one_node(cursor, name, todo[name]) for name in part],
                    cursors,
                    parts,
                )
            )
            done.update(layer)
            for name in layer:
                del todo[name]
    connection.close()


def _base(folder: Path) -> duckdb.DuckDBPyConnection:
    path = folder / "bare.db"
    path.unlink(missing_ok=True)
    connection = duckdb.connect(path)
    connection.execute("CREATE TABLE base AS SELECT range AS a, range AS b FROM range(10)")
    connection.execute("CREATE TABLE _trace(node VARCHAR, query VARCHAR, ms DOUBLE)")
    return connection


def _one_node(connection: duckdb.DuckDBPyConnection, name: str, needed: list[str]) -> None:
    view = view_sql(name, needed)
    connection.execute(view)
    assert connection.execute(CHECK.format(f"{name}_t")).fetchall()[0][0] == "pass"
    connection.execute("BEGIN")
    connection.execute(f"CREATE TABLE __{name} AS SELECT * FROM {name}_t")
    connection.execute(f"DROP VIEW {name}_t")
    connection.execute(f"ALTER TABLE __{name} RENAME TO {name}_t")
    connection.execute("COMMIT")
    connection.execute("INSERT INTO _trace VALUES (?, ?, ?)", [name, view, 1.0])


CONTENDERS: dict[str, Callable[[str, int, Path], None]] = {
    "bare, one connection": same_statements,
    "bare, four cursors": same_statements_threads,
    "taskgraph": taskgraph,
}


def measure(shape: str, nodes: int) -> dict[str, float]:
    """Returns the median seconds of each contender, the rounds interleaved."""
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS if nodes <= 1000 else 1):
        for name, contender in CONTENDERS.items():
            with tempfile.TemporaryDirectory() as folder:
                started = perf_counter()
                contender(shape, nodes, Path(folder))
                times[name].append(perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    """Measures all shapes at the sizes given, and prints a table and JSON."""
    sizes = [int(argument) for argument in sys.argv[1:]] or [10, 100, 1000]
    results = {
        f"{shape} {nodes}": measure(shape, nodes)
        for shape in ("wide", "deep", "layered")
        for nodes in sizes
    }
    print(f"{'graph':<16}" + "".join(f"{name:>24}" for name in CONTENDERS) + f"{'ratio':>8}")
    for graph, times in results.items():
        floor = min(times["bare, one connection"], times["bare, four cursors"])
        print(
            f"{graph:<16}"
            + "".join(f"{taken:>22.2f} s" for taken in times.values())
            + f"{times['taskgraph'] / floor:>8.2f}"
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
