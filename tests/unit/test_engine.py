"""The lock: each setting proven by trying what it blocks, unlocked beside it; and the limits."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import polars as pl
import pytest

from guard_workspace import files
from taskgraph.cli.settings import SETTINGS
from taskgraph.database import Cursor, Database
from taskgraph.engine import (
    LOCK,
    MEMORY_SHARE,
    Limits,
    block_bytes,
    cap_address_space,
    verify,
)
from taskgraph.errors import OutOfMemory, OutputError, QueryFailed, SettingsError, WorkspaceError

frame = pl.DataFrame({"a": [1]})


@dataclass(frozen=True)
class Place:
    """A locked workspace, and files beside it."""

    folder: Path
    cursor: Cursor


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Generator[Place]:
    folder = tmp_path_factory.mktemp("locked")
    (folder / "in.csv").write_text("a\n1\n")
    (folder / "in.json").write_text('{"a": 1}')
    with duckdb.connect(folder / "other.db") as other:
        other.execute("CREATE TABLE t AS SELECT 1 AS a")
    database = Database.create(folder / "work.db", Limits(memory="1GB"))
    there = files(folder)
    yield Place(folder, database.cursor())
    assert files(folder) == there
    database.close()


def test_nothing_of_the_lock_is_duckdbs_default_or_left_to_chance(locked: Place) -> None:
    verify(locked.cursor.raw)


BLOCKED: Mapping[str, tuple[str, str]] = {
    "read a file": ("FROM read_text('{}/in.csv')", "file system operations are disabled"),
    "read a csv": ("FROM read_csv('{}/in.csv')", "file system operations are disabled"),
    "read a file by its name": ("FROM '{}/in.csv'", "file system operations are disabled"),
    "read json": ("FROM read_json('{}/in.json')", "file system operations are disabled"),
    "list files": ("FROM glob('{}/*')", "file system operations are disabled"),
    "write a file": ("COPY (SELECT 1) TO '{}/out.csv'", "file system operations are disabled"),
    "export": ("EXPORT DATABASE '{}/out'", "file system operations are disabled"),
    "import": ("IMPORT DATABASE '{}/out'", "file system operations are disabled"),
    "attach a database": ("ATTACH '{}/other.db' AS o", "file system operations are disabled"),
    "make a database": ("ATTACH '{}/new.db' AS n", "file system operations are disabled"),
    "read another database": (
        "FROM read_duckdb('{}/other.db', table_name = 't')",
        "file system operations are disabled",
    ),
    "network": ("FROM 'http://127.0.0.1:9/x.csv'", "file system operations are disabled"),
    "object store": ("FROM 's3://bucket/x.parquet'", "file system operations are disabled"),
    "install": ("INSTALL httpfs", "disabled"),
    "install from the community": ("INSTALL h3 FROM community", "disabled"),
    "load by name": ("LOAD httpfs", "Loading external extensions is disabled"),
    "load by path": ("LOAD '{}/x.duckdb_extension'", "Loading external extensions is disabled"),
    "update extensions": ("UPDATE EXTENSIONS", "disabled"),
    "python variable": ("FROM frame", "Table with name frame does not exist"),
    "persistent secret": ("CREATE PERSISTENT SECRET s (TYPE http)", "Persistent secrets are disa"),
    "deep expression": ("SELECT 1" + "+1" * 600, "Max expression depth limit of 500"),
    "wide pivot": ("PIVOT range(3000) ON range", "Pivot column limit of 2000"),
    **{
        f"set {name}": (f"SET GLOBAL {name} = '{value}'", "Cannot change configuration option")
        for name, value in {
            **dict.fromkeys(LOCK, "true"),
            "lock_configuration": "false",
            "memory_limit": "100GB",
            "max_temp_directory_size": "100GB",
            "threads": "1",
            "TimeZone": "CET",
            "max_execution_time": "1",
            "enable_view_dependencies": "true",
            "enable_macro_dependencies": "true",
            "log_query_path": "{}/q.log",
            "allowed_directories": "[]",
            "allowed_configs": "[threads]",
        }.items()
    },
    "reset": ("RESET memory_limit", "Cannot change configuration option"),
    "profiling": ("PRAGMA enable_profiling", "Cannot change configuration option"),
    "logging": ("CALL enable_logging()", "Cannot change configuration option"),
}


@pytest.mark.parametrize("what", BLOCKED)
def test_locked_engine_refuses(locked: Place, what: str) -> None:
    sql, reason = BLOCKED[what]
    with pytest.raises(QueryFailed) as failure:
        locked.cursor.execute(sql.replace("{}", str(locked.folder)))
    assert reason in str(failure.value)


@pytest.mark.parametrize(
    "what",
    [
        *("read a file", "read a csv", "read a file by its name", "list files", "write a file"),
        *("make a database", "export", "python variable", "deep expression", "reset"),
        *("set threads", "set TimeZone", "set enable_view_dependencies", "update extensions"),
    ],
)
def test_engine_without_the_lock_would_have_done_it(tmp_path: Path, what: str) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n")
    with duckdb.connect(":memory:") as unlocked:
        unlocked.execute(BLOCKED[what][0].replace("{}", str(tmp_path)))


def test_lock_holds_for_every_cursor_and_as_long_as_the_instance_lives(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "work.db")
    first = database.cursor()
    first.execute("CREATE TABLE late AS SELECT 1 AS a")
    for cursor in (first, database.cursor(), database.cursor()):
        with pytest.raises(QueryFailed, match="disabled"):
            cursor.execute("FROM read_text('/etc/hostname')")
        with pytest.raises(QueryFailed, match="frame does not exist"):
            cursor.execute("FROM frame")
    database.close()


def test_late_source_still_comes_in_and_results_still_go_out(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "work.db")
    cursor = database.cursor()
    cursor.raw.register("incoming", frame)
    cursor.execute("CREATE TABLE late AS FROM incoming")
    cursor.raw.unregister("incoming")
    assert cursor.raw.execute("FROM late").fetchall() == [(1,)]
    with pytest.raises(QueryFailed, match="does not exist"):
        database.cursor().execute("FROM incoming")
    database.close()


def test_setting_that_did_not_take_refuses_to_begin() -> None:
    with duckdb.connect(":memory:") as raw, pytest.raises(WorkspaceError) as refusal:
        verify(raw)
    assert "the database could not be locked: enable_external_access = 'true'" in str(refusal.value)
    assert "lock_configuration = 'false'" in str(refusal.value)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(memory="lots"), "memory_limit cannot be 'lots'"),
        (Limits(memory="1'; DROP TABLE t; --"), "memory_limit cannot be"),
        (Limits(temp_directory_size="much"), "max_temp_directory_size cannot be 'much'"),
    ],
)
def test_limit_that_duckdb_does_not_understand_is_named(
    tmp_path: Path, limits: Limits, words: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        Database.create(tmp_path / "work.db", limits)
    assert words in str(refusal.value)
    assert refusal.value.hint == "Write it like 4GB, 512MB or 50%."
    Database.create(tmp_path / "work.db").close()


def setting(cursor: Cursor, name: str) -> str:
    [(value,)] = cursor.rows("SELECT value FROM duckdb_settings() WHERE name = ?", [name])
    return value


def test_limits_come_from_the_machine_unless_given(tmp_path: Path) -> None:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    database = Database.create(tmp_path / "default.db")
    cursor = database.cursor()
    assert float(setting(cursor, "memory_limit").split()[0]) <= machine * 0.61
    assert "%" not in setting(cursor, "max_temp_directory_size")
    database.close()
    given = Limits(memory="500MB", threads=1, temp_directory_size="100MB")
    database = Database.create(tmp_path / "given.db", given)
    cursor = database.cursor()
    assert setting(cursor, "memory_limit") == "476.8 MiB"
    assert setting(cursor, "threads") == "2" == str(database.threads)
    assert setting(cursor, "max_temp_directory_size") == "95.3 MiB"
    database.close()


def test_spilling_ends_where_the_disk_limit_is(tmp_path: Path) -> None:
    limits = Limits(memory="60MB", temp_directory_size="10MB")
    database = Database.create(tmp_path / "work.db", limits)
    cursor = database.cursor()
    with pytest.raises(OutOfMemory, match=r"failed to offload.* Use less at once"):
        cursor.fetch("FROM range(3_000_000) ORDER BY hash(range)", 5)
    assert cursor.rows("SELECT 1") == [(1,)]
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["work.db"]


def test_help_tells_the_default() -> None:
    [memory] = [one for one in SETTINGS if one.option == "memory-limit"]
    assert memory.without == MEMORY_SHARE


def test_file_that_is_open_already_is_not_opened_twice(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "work.db")
    again = partial(Database.reopen, tmp_path / "work.db")
    with pytest.raises(OutputError, match=r"'work.db' is open in this process already"):
        again()
    database.cursor().execute("CREATE TABLE t AS SELECT 1")
    database.close()
    database = again()
    with pytest.raises(OutputError, match=r"'work.db' is open in this process already"):
        again()
    database.close()


ALLOCATION = """
import resource, sys
from taskgraph.engine import block_bytes, cap_address_space
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (hard, hard))  # not what the tests have inherited
undo = cap_address_space(500_000_000)
second = cap_address_space(1)
try:
    bytearray(1_000_000_000)
    print("allocated")
except MemoryError:
    print("refused")
bytearray(50_000_000)
second()
print(resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY)
undo()
print(resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY)
bytearray(1_000_000_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces it")
def test_allocation_beyond_the_cap_fails_until_the_cap_is_undone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALLOCATION], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["refused", "False", "True"]


def test_machine_without_the_cap_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    before = resource.getrlimit(resource.RLIMIT_AS)
    cap_address_space(1)()
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.parametrize(
    ("tables", "block"),
    [(0, 262_144), (256, 262_144), (257, 131_072), (2_000, 32_768), (1_000_000, 16_384)],
)
def test_blocks_are_as_large_as_the_number_of_tables_allows(tables: int, block: int) -> None:
    assert block_bytes(tables) == block


def test_file_of_many_tables_has_small_blocks_for_good(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    Database.create(path, tables=2_000).close()
    database = Database.reopen(path)
    [(size,)] = database.cursor().rows("SELECT block_size FROM pragma_database_size()")
    database.close()
    assert size == 32_768
