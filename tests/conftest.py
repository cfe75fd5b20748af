"""What every test gets: a clean environment, a fake server, the versions in the report's header."""

from __future__ import annotations

import os
from collections.abc import Iterator

import duckdb
import pytest

from taskgraph.testing import FakeOpenRouter


def pytest_report_header() -> str:
    return f"duckdb {duckdb.__version__}"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no setting of the person who runs the tests reaches them: none can spend money."""
    for name in list(os.environ):
        if name.startswith(("TASKGRAPH_", "OPENROUTER_")) or name in {"CI", "GITHUB_ACTIONS"}:
            monkeypatch.delenv(name)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def fake() -> Iterator[FakeOpenRouter]:
    """A fake OpenRouter; what it did not expect fails the test."""
    with FakeOpenRouter() as server:
        yield server
