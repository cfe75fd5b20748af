"""Bare scripts that build a graph with DuckDB and nothing else: what Taskgraph is held against.

    python -m benchmarks.floors WAY GRAPH

`tables`: one CREATE TABLE AS per model, no check, no record. `statements`: what has to be done:
create the view, check it, make a table of it, record it. `parallel`: the same on four cursors in
threads, each model as soon as what it needs is there.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import duckdb

from benchmarks.models import Model, Models, check, named

FILE = "bare.db"
_THREADS = 4
LONGEST_S = 600


def tables(connection: duckdb.DuckDBPyConnection, graph: Models) -> None:
    for model in graph.models:
        connection.execute(f"CREATE TABLE {model.name} AS {graph.query(model, str)}")


def statements(connection: duckdb.DuckDBPyConnection, graph: Models) -> None:
    for model in graph.models:
        build(connection, graph, model)


def parallel(connection: duckdb.DuckDBPyConnection, graph: Models) -> None:
    waiting = {model.name: len(_models_needed(graph, model)) for model in graph.models}
    own = threading.local()
    ended: SimpleQueue[Model] = SimpleQueue()

    def work(model: Model) -> None:
        if not hasattr(own, "cursor"):
            own.cursor = connection.cursor()
        build(own.cursor, graph, model)
        ended.put(model)

    with ThreadPoolExecutor(_THREADS) as pool:
        readers = _readers(graph)
        started = [pool.submit(work, model) for model in graph.models if not waiting[model.name]]
        while len(started) < len(graph.models):
            for reader in readers[ended.get(timeout=LONGEST_S).name]:
                waiting[reader.name] -= 1
                if not waiting[reader.name]:
                    started.append(pool.submit(work, reader))
    for one in started:
        one.result()


def _readers(graph: Models) -> dict[str, list[Model]]:
    readers: dict[str, list[Model]] = {model.name: [] for model in graph.models}
    for model in graph.models:
        for needed in _models_needed(graph, model):
            readers[needed].append(model)
    return readers


def _models_needed(graph: Models, model: Model) -> list[str]:
    inputs = {one.name for one in graph.inputs}
    return [needed for needed in model.needs if needed not in inputs]


def build(connection: duckdb.DuckDBPyConnection, graph: Models, model: Model) -> None:
    query = graph.query(model, str)
    connection.execute(f"CREATE VIEW {model.name} AS {query}")
    [(status, _)] = connection.execute(check(model, model.name)).fetchall()
    assert status == "pass"
    connection.execute("BEGIN")
    connection.execute(f"CREATE TABLE __{model.name} AS SELECT * FROM {model.name}")
    connection.execute(f"DROP VIEW {model.name}")
    connection.execute(f"ALTER TABLE __{model.name} RENAME TO {model.name}")
    connection.execute("COMMIT")
    connection.execute("INSERT INTO _trace VALUES (?, ?, ?)", [model.name, query, 1.0])


WAYS: dict[str, Callable[[duckdb.DuckDBPyConnection, Models], None]] = {
    "tables": tables,
    "statements": statements,
    "parallel": parallel,
}


def main(way: str, name: str) -> None:
    """Builds the graph into `bare.db` of the working directory."""
    graph = named(name)
    connection = duckdb.connect(FILE, config={"storage_compatibility_version": "v1.4.0"})
    connection.execute("CREATE TABLE _trace(node VARCHAR, query VARCHAR, ms DOUBLE)")
    for one in graph.inputs:
        connection.execute(f"CREATE TABLE {one.name} AS {one.query}")
    WAYS[way](connection, graph)
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
