"""A fake server for each test; what it did not expect fails the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from taskgraph.testing import FakeOpenRouter


@pytest.fixture
def fake() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter() as server:
        yield server
