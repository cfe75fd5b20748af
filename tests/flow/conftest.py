"""After each test: every finished file of a run with agents replays to the same tables."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from replaying import differences, forbid_sockets, replay
from running import MADE, rows_of


@pytest.fixture(autouse=True)
def _replays(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    MADE.clear()
    yield
    last = {made.path: made for made in MADE}
    if request.node.get_closest_marker("not_replayed"):
        return
    forbid_sockets(monkeypatch)
    for made in last.values():
        if made.path.is_file() and rows_of(made.path, "SELECT 1 FROM _llm_calls LIMIT 1"):
            folder = tmp_path_factory.mktemp("replay")
            played = asyncio.run(replay(made, folder))
            assert differences(made.path, played) == [], made.path
