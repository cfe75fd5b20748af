"""A live run answers other processes of its user, and whatever they do never harms it."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from builders import source, spec_of, sql
from model_wire import until
from running import DEFAULTS, names_in, rows_of
from taskgraph.errors import QueryFailed
from taskgraph.events import Event, NodeStarted, RunEnded
from taskgraph.llm.service import served_by
from taskgraph.runner import run
from taskgraph.watch import address
from taskgraph.watch.client import LiveRun, live_run

pytestmark = pytest.mark.anyio
T = TypeVar("T")


@pytest.fixture(autouse=True)
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the sockets: nobody else's runs are in the way, nor these in theirs."""
    # Not `tmp_path`, which is too long for a socket's path.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(address, "_FOLDERS", Path(folder))
        yield address.socket_of(Path(folder)).parent


@asynccontextmanager
async def held(folder: Path) -> AsyncGenerator[tuple[asyncio.Task[RunEnded], threading.Event]]:
    """A run in the middle of a source, which goes on when the event is set."""
    go_on, events = threading.Event(), list[Event]()

    def rows() -> list[dict[str, int]]:
        go_on.wait(30)
        return [{"a": 1}]

    slow = source("slow", rows, depends_on=["orders"])
    spec = spec_of(source("orders"), slow, sql("after", None, ["slow"]))
    service = served_by(None, DEFAULTS)
    work = run(spec, folder / "out.db", DEFAULTS, open_service=service, emit=events.append)
    task = asyncio.create_task(work)
    try:
        await until(lambda: any(isinstance(e, NodeStarted) and e.node == "slow" for e in events))
        yield task, go_on
    finally:
        go_on.set()
        await asyncio.wait([task])


async def asked(folder: Path, ask: Callable[[LiveRun], T]) -> T:
    """What a reader in another thread is told."""

    def work() -> T:
        with live_run(folder / "out.db.partial") as live:
            assert live
            return ask(live)

    return await asyncio.to_thread(work)


async def test_live_run_tells_its_tables_its_record_and_what_it_does(tmp_path: Path) -> None:
    async with held(tmp_path) as (task, go_on):
        rows = await asked(tmp_path, lambda live: live.ask("SELECT id, amount FROM orders"))
        assert rows == [(1, 10.0), (2, 20.0)]
        record = "SELECT node, status, started_at < now()::TIMESTAMP FROM _node_meta"
        assert await asked(tmp_path, lambda live: live.ask(record)) == [("orders", "passed", True)]
        cut = await asked(tmp_path, lambda live: live.read("FROM range(9)", 4, 5))
        assert (len(cut.rows), cut.complete) == (4, False)
        standing = await asked(tmp_path, LiveRun.standing)
        assert [one.node for one in standing.running] == ["slow"]
        assert standing.waiting == ("after",)
        go_on.set()
        assert (await task).status == "passed"
    with live_run(tmp_path / "out.db.partial") as live:
        assert live is None


REFUSED = {
    "writes": ("DROP TABLE orders", "DROP is not allowed"),
    "inserts": ("INSERT INTO _checks VALUES (1, 2, 3, 4)", "INSERT is not allowed"),
    "writes inside": ("WITH x AS (DELETE FROM orders) SELECT 1", "not allowed"),
    "reads files": ("FROM '/etc/passwd'", "files cannot be read"),
    "reads settings": ("SELECT current_setting('temp_directory')", "is not allowed"),
    "sets": ("SET threads = 1", "SET is not allowed"),
    "several": ("SELECT 1; SELECT 2", "one statement at a time"),
    "takes too long": ("SELECT count(*) FROM range(100000000000000)", "stopped after 0.2 s"),
    "is no SQL": ("SELEC 1", "syntax error"),
}


async def test_reader_may_do_nothing_but_read(tmp_path: Path) -> None:
    async with held(tmp_path):
        for text, why in REFUSED.values():
            with pytest.raises(QueryFailed, match=why):
                await asked(tmp_path, lambda live, text=text: live.read(text, 10, 0.2))


async def test_stop_ends_the_run_in_good_order(tmp_path: Path) -> None:
    async with held(tmp_path) as (task, go_on):

        def stop(live: LiveRun) -> None:
            live.stop()
            go_on.set()
            live.wait()

        await asked(tmp_path, stop)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert names_in(tmp_path)[0] == "out.db.partial"
    status = "SELECT value FROM _workspace_meta WHERE key = 'status'"
    assert rows_of(tmp_path / "out.db.partial", status) == [("interrupted",)]


async def test_broken_readers_are_dropped_and_the_run_goes_on(
    tmp_path: Path, sockets: Path
) -> None:
    async with held(tmp_path) as (task, go_on):
        endless = (
            b'{"kind":"sql","sql":"FROM range(90000000000)","max_rows":99999,"timeout_s":60}\n'
        )
        sent = (
            b"",
            b"\xff\n",
            b"{}\n",
            b"[" * 10_000 + b"\n",
            b"x" * 2_000_000,
            endless,
            b'{"half',
        )
        [name] = names_in(sockets)
        clients = [socket.socket(socket.AF_UNIX) for _ in sent]
        for client, text in zip(clients, sent, strict=True):
            client.settimeout(5)
            client.connect(str(sockets / name))
            await asyncio.to_thread(_send, client, text)
        for client in clients[:4]:
            client.close()
        assert await asked(tmp_path, lambda live: live.ask("SELECT 1")) == [(1,)]
        go_on.set()
        assert (await task).status == "passed"
        for client in clients[4:]:
            client.close()
    assert names_in(sockets) == []


def make_folder(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)


def _send(client: socket.socket, text: bytes) -> None:
    with suppress(OSError):
        client.sendall(text)


async def test_run_replaces_the_socket_of_a_killed_one(tmp_path: Path, sockets: Path) -> None:
    make_folder(sockets, 0o700)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(address.socket_of(tmp_path / "out.db.partial")))
    stale.close()
    async with held(tmp_path):
        assert await asked(tmp_path, lambda live: live.ask("SELECT 1")) == [(1,)]


async def test_nothing_listens_in_a_folder_that_others_can_reach(
    tmp_path: Path, sockets: Path
) -> None:
    make_folder(sockets, 0o755)
    async with held(tmp_path) as (task, go_on):
        with live_run(tmp_path / "out.db.partial") as live:
            assert live is None
        go_on.set()
        assert (await task).status == "passed"
