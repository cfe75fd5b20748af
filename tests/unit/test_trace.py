"""The writer of the record: nothing that it was told is lost, whatever happens to who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskgraph.database import Cursor, Database
from taskgraph.errors import OutputError
from taskgraph.events import Warned
from taskgraph.schema import META_VERSION
from taskgraph.trace import TraceWriter, begin_record

pytestmark = pytest.mark.anyio


@pytest.fixture
def cursor(tmp_path: Path) -> Iterator[Cursor]:
    database = Database.create(tmp_path / "out.db")
    cursor = database.cursor()
    begin_record(cursor, {"meta_version": META_VERSION})
    yield cursor
    database.close()


def count(cursor: Cursor) -> int:
    return cursor.rows("SELECT count(*) FROM _warnings")[0][0]


async def test_cancelling_who_waits_loses_nothing(cursor: Cursor) -> None:
    writer = TraceWriter(cursor)
    for _ in range(200):
        writer.record(Warned("x" * 200_000))
    waiting = asyncio.create_task(writer.settled())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await writer.settled()
    assert count(cursor) == 200


async def test_what_could_not_be_written_is_written_later(cursor: Cursor) -> None:
    writer = TraceWriter(cursor)
    writer.record(Warned("kept"))
    cursor.execute("ALTER TABLE _warnings RENAME TO _away")
    for _ in range(2):
        with pytest.raises(OutputError, match="cannot be written"):
            await writer.settled()
    cursor.execute("ALTER TABLE _away RENAME TO _warnings")
    await writer.settled()
    assert count(cursor) == 1
