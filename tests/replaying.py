"""Plays finished runs again from their own `.db`, and holds the tables against each other."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import duckdb
import pytest

from running import Made
from taskgraph.llm.replay import RecordedModel
from taskgraph.llm.service import replayed
from taskgraph.playback import recording_of
from taskgraph.runner import run
from taskgraph.spec import PromptNode, Spec

_TABLES = """
    SELECT table_name, list(column_name || ' ' || data_type ORDER BY column_index)
    FROM duckdb_columns()
    WHERE database_name = '{}' AND NOT internal AND table_name[1] <> '_'
    GROUP BY ALL
"""
_RECORDS = (
    "SELECT node, status FROM {}._node_meta",
    "SELECT node, view_name, sql FROM {}._view_definitions",
    "SELECT node, check_name, status, message FROM {}._checks",
)


def forbid_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every connection of this process fail; to itself it may talk, as asyncio does."""

    def forbidden(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError(f"a socket was opened: {arguments} {options}")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket.socket, "connect_ex", forbidden)
    monkeypatch.setattr(socket, "create_connection", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)


async def replay(made: Made, folder: Path) -> Path:
    """Plays a run from its `.db` into `out.db` of an empty folder."""
    recorded = RecordedModel(recording_of(made.path))
    settings = replace(made.settings, threads=recorded.circumstances.threads, max_cost=None)
    path = folder / "out.db"
    service = replayed(recorded, models_of(made.spec, settings.model))
    await run(
        made.spec, path, settings, open_service=service, emit=lambda _: None, export_folder=folder
    )
    return path


def models_of(spec: Spec, model: str) -> tuple[str, ...]:
    """Every model that a run of the spec may ask."""
    nodes = [node for node in spec.nodes if isinstance(node, PromptNode)]
    return tuple({name for node in nodes for name in (node.model or model, *node.fallback)})


def differences(one: Path, other: Path) -> list[str]:
    """Names what two files differ in: tables and their columns, rows, how nodes ended, SQL."""
    with duckdb.connect() as connection:
        for name, path in (("one", one), ("other", other)):
            connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")
        tables, others = (
            dict(connection.execute(_TABLES.format(name)).fetchall()) for name in ("one", "other")
        )
        queries = [f"SELECT * FROM {{}}.{table}" for table in tables.keys() & others.keys()]
        found = [
            f"columns of {name}"
            for name in tables.keys() | others.keys()
            if tables.get(name) != others.get(name)
        ]
        for query in () if found else (*queries, *_RECORDS):
            left, right = query.format("one"), query.format("other")
            [(count,)] = connection.execute(
                f"SELECT count(*) FROM (({left} EXCEPT ALL {right}) UNION ALL "
                f"({right} EXCEPT ALL {left}))"
            ).fetchall()
            if count:
                found.append(f"{count} rows: {query}")
        return found
