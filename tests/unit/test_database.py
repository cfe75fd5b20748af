"""Files, cursors, transactions, time, translation of errors, and quoting."""

from __future__ import annotations

import asyncio
import concurrent.futures
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from taskgraph.database import (
    Cursor,
    Database,
    Limits,
    fold,
    quote,
    quote_text,
    read_only,
    scratch,
    writer_of,
)
from taskgraph.duckdb_errors import translated
from taskgraph.engine import STORAGE_VERSION
from taskgraph.errors import (
    OutOfMemory,
    OutputError,
    QueryFailed,
    QueryStuck,
    QueryTimeout,
    RunError,
    WorkspaceError,
)
from taskgraph.worker import Workers

ENDLESS = "SELECT count(*) FROM range(1000000000000)"


@pytest.fixture
def database(tmp_path: Path) -> Generator[Database]:
    database = Database.create(tmp_path / "work.db", Limits(memory="300MB"))
    yield database
    database.close()


@pytest.fixture
def cursor(database: Database) -> Cursor:
    return database.cursor()


def names(cursor: Cursor) -> set[str]:
    return {row[0] for row in cursor.rows("SELECT table_name FROM duckdb_tables()")}


def test_file_is_kept_and_readable_by_the_long_term_release(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    database = Database.create(path)
    database.cursor().execute("CREATE TABLE t AS SELECT 1 AS a")
    database.close()
    assert [one.name for one in tmp_path.iterdir()] == ["work.db"]
    again = Database.reopen(path)
    [(tags,)] = again.cursor().rows(
        "SELECT tags::VARCHAR FROM duckdb_databases() WHERE NOT internal"
    )
    assert STORAGE_VERSION in tags
    again.close()
    with read_only(path) as raw:
        assert raw.execute("FROM t").fetchall() == [(1,)]
        with pytest.raises(duckdb.Error):
            raw.execute("CREATE TABLE u AS SELECT 1")


@pytest.mark.parametrize(
    ("name", "catalog"),
    [
        ("work.db.partial", "work"),
        ("Work.db", "work"),
        ("a b'c.db", "a b'c"),
        ("Ünï.db", "Ünï"),
        ("main.db", "main_db"),
        ("temp.db", "temp_db"),
    ],
)
def test_catalog_is_named_after_the_file(tmp_path: Path, name: str, catalog: str) -> None:
    database = Database.create(tmp_path / name)
    assert database.catalog_name == catalog
    assert database.cursor().catalog_name == catalog
    database.close()


@pytest.mark.parametrize("name", ["information_schema.db", "PG_Catalog.db", "recurring.db.partial"])
def test_file_name_that_sql_gives_another_meaning_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="another meaning"):
        Database.create(tmp_path / name)


def test_file_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot open 'x.db'"):
        Database.create(tmp_path / "nowhere" / "x.db")
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at" * 400)
    with pytest.raises(OutputError, match=r"cannot open 'text.db'"):
        Database.reopen(tmp_path / "text.db")


def test_file_that_cannot_be_read_is_a_workspace_error(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="there is no file"), read_only(tmp_path / "x.db"):
        pass
    (tmp_path / "text.db").write_text("not a database" * 1_000)
    with pytest.raises(WorkspaceError, match="cannot read"), read_only(tmp_path / "text.db"):
        pass


def test_unfinished_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="there is no file"):
        Database.reopen(tmp_path / "work.db")
    assert not list(tmp_path.iterdir())


HOLDER = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"


def test_file_that_is_viewed_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    with duckdb.connect(path) as raw:
        raw.execute("CREATE TABLE t AS SELECT 1 AS a")
    viewed = Database.view(path)
    cursor = viewed.cursor()
    assert cursor.rows("FROM t") == [(1,)]
    for text in ("CREATE TABLE u AS SELECT 1", "DELETE FROM t", "FROM read_text('/etc/hostname')"):
        with pytest.raises(QueryFailed):
            cursor.execute(text)
    viewed.close()


def test_process_that_has_the_file_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    Database.create(path).close()
    assert writer_of(path) is None
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert writer_of(path) == holder.pid
        with pytest.raises(OutputError, match=f"in use by process {holder.pid}"):
            Database.reopen(path)
        with (
            pytest.raises(WorkspaceError, match=f"written by process {holder.pid}"),
            read_only(path),
        ):
            pass
        holder.communicate(b"\n")
    assert writer_of(path) is None


def test_closing_ends_what_still_runs(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "work.db")
    cursor = database.cursor()

    async def leave() -> None:
        task = asyncio.create_task(cursor.run(partial(cursor.rows, ENDLESS)))
        await asyncio.sleep(0)
        database.close()
        with pytest.raises(QueryTimeout):
            await task

    asyncio.run(leave())
    assert not database.stuck
    Database.reopen(tmp_path / "work.db").close()


def give_up(database: Database, work: Callable[[], object], timeout_s: float) -> None:
    """Lets a node of this database be stuck in the work."""
    cursor = database.cursor()

    async def run() -> None:
        with pytest.raises(QueryStuck):
            await cursor.run(work, timeout_s=timeout_s)

    asyncio.run(run())
    cursor.close()


def test_file_is_complete_though_a_statement_is_stuck(tmp_path: Path) -> None:
    path, free = tmp_path / "work.db", threading.Event()
    database = Database.create(path, Limits(stuck_after_s=0.1))
    database.cursor().execute("CREATE TABLE kept AS SELECT 1 AS a")
    try:
        give_up(database, free.wait, 0.05)
        database.close()
        assert database.stuck
        for number in range(2):
            again = Database.reopen(path, Limits(stuck_after_s=0.1))
            again.cursor().execute(f"CREATE TABLE later_{number} AS SELECT 1 AS a")
            give_up(again, free.wait, 0.05)
            again.close()
            assert again.stuck
        with read_only(path) as raw:
            assert raw.execute("FROM kept").fetchall() == [(1,)]
        assert [one.name for one in tmp_path.iterdir()] == ["work.db"]
        with read_only(path.rename(tmp_path / "final.db")) as raw:
            tables = raw.execute("SHOW TABLES").fetchall()
        assert tables == [("kept",), ("later_0",), ("later_1",)]
    finally:
        free.set()


class EndsMeanwhile(Workers):
    """Workers whose stuck work ends once it was looked at twice: while the file is copied."""

    free: threading.Event
    looks = 0

    @property
    def running(self) -> frozenset[concurrent.futures.Future[Any]]:
        found = super().running
        self.looks += 1
        if self.looks == 2:
            self.free.set()
            concurrent.futures.wait(found, timeout=10)
        return found


@pytest.mark.parametrize("logged", [True, False])
def test_file_is_closed_as_ever_if_the_statement_ends_after_all(
    tmp_path: Path, *, logged: bool
) -> None:
    path = tmp_path / "work.db"
    database = Database.create(path, Limits(stuck_after_s=0.1))
    database.workers = workers = EndsMeanwhile(1, 0.1)
    workers.free = threading.Event()
    cursor = database.cursor()
    cursor.execute("CREATE TABLE kept AS SELECT 1 AS a")
    if not logged:
        cursor.execute("CHECKPOINT")
    give_up(database, workers.free.wait, 0.05)
    database.close()
    assert not database.stuck
    assert [one.name for one in tmp_path.iterdir()] == ["work.db"]
    with read_only(path) as raw:
        assert raw.execute("FROM kept").fetchall() == [(1,)]


def test_cursors_share_what_is_committed(database: Database) -> None:
    one, other = database.cursor(), database.cursor()
    one.execute("CREATE TABLE t(a INT)")
    one.execute("INSERT INTO t VALUES (?), (?)", [1, 2])
    assert other.rows("FROM t WHERE a > ?", [1]) == [(2,)]
    one.close()
    assert other.rows("SELECT count(*) FROM t") == [(2,)]


def test_syntax_connection_knows_nothing_of_the_file(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE t(a INT)")
    syntax = cursor.syntax()
    assert syntax.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]
    with pytest.raises(duckdb.Error, match="configuration"):
        syntax.execute("SET threads = 2")
    with pytest.raises(duckdb.Error, match="disabled"):
        syntax.execute("FROM read_text('/etc/hostname')")


def test_transaction_keeps_all_or_nothing(cursor: Cursor) -> None:
    with cursor.transaction():
        cursor.execute("CREATE TABLE kept(a INT)")
    with pytest.raises(QueryFailed), cursor.transaction():  # noqa: PT012 - the first one succeeds
        cursor.execute("CREATE TABLE lost(a INT)")
        cursor.execute("FROM nowhere")
    assert names(cursor) == {"kept"}


def test_commit_that_fails_is_rolled_back(database: Database) -> None:
    one, other = database.cursor(), database.cursor()
    one.execute("CREATE TABLE t(a INT PRIMARY KEY)")
    with pytest.raises(QueryFailed, match="Failed to commit"), one.transaction():  # noqa: PT012 - COMMIT
        one.execute("INSERT INTO t VALUES (1)")
        other.execute("INSERT INTO t VALUES (1)")
    assert one.rows("FROM t") == [(1,)]
    with one.transaction():
        one.execute("INSERT INTO t VALUES (2)")


def test_read_only_refuses_writes_and_is_rolled_back(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE t AS SELECT 'x' AS a")
    with pytest.raises(QueryFailed, match="read-only"), cursor.read_only():
        cursor.execute("DELETE FROM t")
    with cursor.read_only():
        assert cursor.rows("PIVOT t ON a USING count(*)") == [(1,)]
    assert cursor.rows("SELECT count(*) FROM duckdb_types() WHERE NOT internal") == [(0,)]


def test_interrupts_at_any_moment_leave_no_transaction_open(cursor: Cursor) -> None:
    ended = threading.Event()

    def interrupt() -> None:
        while not ended.wait(0.0001):
            cursor.raw.interrupt()

    hammer = threading.Thread(target=interrupt)
    hammer.start()
    stopped = 0
    try:
        while stopped < 40:
            for block in (cursor.read_only, cursor.transaction):
                try:
                    with block():
                        cursor.rows("SELECT 1")
                except QueryTimeout:
                    stopped += 1
    finally:
        ended.set()
        hammer.join()
    with cursor.transaction():
        cursor.execute("CREATE TABLE t AS SELECT 1 AS a")
    assert names(cursor) == {"t"}


def test_result_has_columns_types_and_as_many_rows_as_asked_for(cursor: Cursor) -> None:
    result = cursor.fetch("SELECT range AS n, 'x' AS t, [1.5] AS l FROM range(10)", 3)
    assert result.columns == ("n", "t", "l")
    assert result.types == ("BIGINT", "VARCHAR", "DECIMAL(2,1)[]")
    assert [row[0] for row in result.rows] == [0, 1, 2]
    assert not result.complete


@pytest.mark.anyio
async def test_work_is_done_in_a_thread_and_stopped_when_its_time_is_up(cursor: Cursor) -> None:
    assert await cursor.run(partial(cursor.rows, "SELECT 42")) == [(42,)]
    with pytest.raises(QueryTimeout, match=r"stopped after 0.2 s"):
        await cursor.run(partial(cursor.rows, ENDLESS), timeout_s=0.2)
    assert await cursor.run(partial(cursor.rows, "SELECT 42")) == [(42,)]


@pytest.mark.anyio
async def test_time_counts_while_rows_are_fetched(cursor: Cursor) -> None:
    slow = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"
    with pytest.raises(QueryTimeout):
        await cursor.run(partial(cursor.fetch, slow, 10), timeout_s=0.2)


@pytest.mark.anyio
async def test_statement_of_one_cursor_is_stopped_and_others_go_on(database: Database) -> None:
    one, other = database.cursor(), database.cursor()
    async with asyncio.TaskGroup() as group:
        stopped = group.create_task(_outcome(one, 0.3))
        for _ in range(5):
            assert await other.run(partial(other.rows, "SELECT 1")) == [(1,)]
    assert stopped.result() == "stopped"


async def _outcome(cursor: Cursor, timeout_s: float) -> str:
    try:
        await cursor.run(partial(cursor.rows, ENDLESS), timeout_s=timeout_s)
    except QueryTimeout:
        return "stopped"
    return "ended"


def test_what_the_disk_does_not_take_is_told_without_its_path() -> None:
    refused = 'IO Error: Could not write file "/home/ada/out.db.wal": No space left on device'
    with pytest.raises(OutputError) as told, translated():
        raise duckdb.IOException(refused)
    assert str(told.value) == "the file cannot be written: No space left on device"
    assert told.value.hint == "Free some disk space, then resume the run."


@pytest.mark.parametrize(
    ("sql", "error", "words"),
    [
        ("SELECT a FROM t", QueryFailed, 'Did you mean "tab"'),
        ("SELECT b FROM tab", QueryFailed, 'Candidate bindings: "a"'),
        ("SELEC 1", QueryFailed, "Parser Error: syntax error"),
        ("SELECT [1]::INT[200000]", QueryFailed, "Binder Error: ARRAY"),
        ("SELECT list(range) FROM range(100000000)", OutOfMemory, "Use less at once"),
        ("SELECT INTERVAL 100000000 YEARS", QueryFailed, "cast it to VARCHAR"),
    ],
)
def test_errors_of_duckdb_are_translated_with_its_own_words(
    cursor: Cursor, sql: str, error: type[QueryFailed], words: str
) -> None:
    cursor.execute("CREATE TABLE tab(a INT)")
    for run in (cursor.execute, cursor.rows, partial(cursor.fetch, max_rows=1)):
        with pytest.raises(error) as failure:
            run(sql)
        assert words in str(failure.value)
        assert "Error: Error" not in str(failure.value)


def test_bug_in_duckdb_is_told_in_one_line_and_ends_the_run_if_it_broke_the_file(
    tmp_path: Path,
) -> None:
    database = Database.create(tmp_path / "work.db")
    cursor = database.cursor()
    cursor.execute("CREATE SEQUENCE s")
    cursor.execute("CREATE TABLE kept AS SELECT 1 AS a")
    cursor.raw.execute("BEGIN TRANSACTION READ ONLY")
    cursor.raw.execute("SELECT json_serialize_plan('SELECT * FROM range(nextval(''s''))')")
    with pytest.raises(QueryFailed, match="a bug in DuckDB") as failure:
        cursor.execute("COMMIT")
    assert len(str(failure.value).splitlines()) == 1
    with pytest.raises(RunError, match="DuckDB gave the file up") as end:
        cursor.execute("SELECT 1")
    assert end.value.hint == "Resume the run."
    database.close()
    again = Database.reopen(tmp_path / "work.db")
    assert again.cursor().rows("FROM kept") == [(1,)]
    again.close()


def test_scratch_reads_files(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n")
    with scratch() as raw:
        assert raw.execute(f"FROM {quote_text(str(tmp_path / 'in.csv'))}").fetchall() == [(1,)]


@pytest.mark.parametrize("name", ["a", "a b", 'a"b', "select", "a;--", "Ünï", "'"])
def test_any_name_is_legal_once_quoted(cursor: Cursor, name: str) -> None:
    cursor.execute(f"CREATE TABLE {quote(name)} AS SELECT 1 AS {quote(name)}")
    assert names(cursor) == {name}


@pytest.mark.parametrize("text", ["", "it's", "''", "a\nb", '"', "\\", "Ünï"])
def test_any_text_is_a_literal_once_quoted(cursor: Cursor, text: str) -> None:
    assert cursor.rows(f"SELECT {quote_text(text)}") == [(text,)]


@pytest.mark.parametrize(
    ("one", "other"),
    [("ORDERS", "orders"), ("Ünï", "Ünï"), ("ÜNÏ", "Ünï"), ("\u212a", "k"), ("ma\u017f", "mas")],
)
def test_names_fold_as_duckdb_compares_them(cursor: Cursor, one: str, other: str) -> None:
    cursor.execute(f"CREATE TABLE {quote(one)}(a INT)")
    try:
        cursor.execute(f"CREATE TABLE {quote(other)}(a INT)")
        same = False
    except QueryFailed:
        same = True
    assert (fold(one) == fold(other)) is same


@pytest.mark.anyio
async def test_work_that_was_given_up_does_not_do_its_next_step(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "work.db", Limits(stuck_after_s=0.1))
    cursor, gate = database.cursor(), threading.Event()

    def work() -> None:
        with cursor.transaction():
            cursor.execute("CREATE TABLE half AS SELECT 1 AS one")
            gate.wait(timeout=30)
            cursor.execute("CREATE TABLE rest AS SELECT 1 AS one")

    with pytest.raises(QueryStuck):
        await cursor.run(work, timeout_s=0.05)
    assert cursor.rows("SELECT 1") == [(1,)]
    [running] = database.workers.running
    gate.set()
    concurrent.futures.wait([running], timeout=30)
    assert isinstance(running.exception(), QueryStuck)
    assert cursor.rows("SELECT count(*) FROM duckdb_tables()") == [(0,)]
    database.close()
