from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from ingesting import Desk, Write
from taskgraph.database import Database


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Generator[Desk]:
    """A workspace; making one for every test would take longer than the tests."""
    database = Database.create(tmp_path_factory.mktemp("workspace") / "w.db")
    desk = Desk(database)
    try:
        yield desk
    finally:
        desk.cursor.close()
        database.close()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file into the test's folder."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
