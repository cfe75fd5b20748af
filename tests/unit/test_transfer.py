from __future__ import annotations

import asyncio
from pathlib import Path

import duckdb
import pytest

from running import names_in, rows_of
from taskgraph.errors import WorkspaceError
from taskgraph.transfer import copy_tables

pytestmark = pytest.mark.anyio


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "jan's.db"
    with duckdb.connect(path) as connection:
        connection.execute('CREATE TABLE "a ""b" AS SELECT 3 - range AS n FROM range(3)')
        connection.execute("CREATE TABLE c AS SELECT 1 AS n")
    return path


async def test_tables_come_with_their_rows_in_order(source: Path, tmp_path: Path) -> None:
    await copy_tables(source, tmp_path / "feb.db", ['a "b'])
    assert rows_of(tmp_path / "feb.db", 'FROM "a ""b"') == [(3,), (2,), (1,)]
    assert rows_of(tmp_path / "feb.db", "SELECT table_name FROM duckdb_tables()") == [('a "b',)]


async def test_a_copy_that_fails_leaves_no_file(source: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"cannot take the tables of .* over: .*nowhere"):
        await copy_tables(source, tmp_path / "feb.db", ["c", "nowhere"])
    assert names_in(tmp_path) == [source.name]


async def test_a_copy_that_is_cancelled_leaves_no_file(source: Path, tmp_path: Path) -> None:
    copying = asyncio.ensure_future(copy_tables(source, tmp_path / "feb.db", ["c"] * 50))
    await asyncio.sleep(0)
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert names_in(tmp_path) == [source.name]
