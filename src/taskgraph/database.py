"""The one place that opens DuckDB: locked workspaces, cursors, transactions, timeouts, quoting.

DuckDB's exceptions are translated here. Sources of the facts about settings and interrupts:
DuckDB 2.0.0, each tried; the tests of this module try them again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import duckdb

from taskgraph.errors import (
    OutputError,
    QueryFailed,
    QueryStuck,
    QueryTimeout,
    WorkspaceError,
)

T = TypeVar("T")
Connection: TypeAlias = duckdb.DuckDBPyConnection
"""DuckDB's own connection, as a spec's exports are handed it."""
Value: TypeAlias = Any
Setting: TypeAlias = str | bool | int | float | list[str]
Row: TypeAlias = tuple[Value, ...]

STORAGE_VERSION = "v1.4.0"
"""Readable by DuckDB 1.4 (LTS) and later; a file at DuckDB 2's default is not readable by 1.x."""

_LOCKED_AT_CONNECT: Mapping[str, str] = {
    "storage_compatibility_version": STORAGE_VERSION,
    # A plain SET of these two would not reach cursors that are made afterwards.
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
    "allow_extension_repositories": "forbidden",
    "enable_external_access": "false",
    "max_expression_depth": "500",
    "pivot_limit": "2000",
}
_STATEMENT_THREADS = 16
_INTERRUPT_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine may use."""

    memory: str | None = None
    """As DuckDB writes it, such as `4GB`; None for DuckDB's own default (80 % of the machine)."""
    threads: int | None = None
    """Worker threads, at least 2: with one, a query waits for Python's lock. None for all cores."""
    temp_directory_size: str | None = None
    """Disk that spilling may take, such as `10GB`; None for DuckDB's own default."""
    stuck_after_s: float = 10.0
    """Seconds an interrupted statement gets to end before its connection is given up."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gave."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    """DuckDB's names of the columns' types."""
    rows: tuple[Row, ...]
    complete: bool
    """False where there are more rows than were asked for."""


class Cursor:
    """One connection to the workspace, used by one node, by one thread at a time."""

    def __init__(self, raw: duckdb.DuckDBPyConnection, database: Database) -> None:
        self.raw = raw
        self._database = database

    @property
    def catalog_name(self) -> str:
        """What DuckDB calls the workspace in a full path, folded."""
        return self._database.catalog_name

    def syntax(self) -> duckdb.DuckDBPyConnection:
        """Returns a connection to an empty database, to parse SQL with.

        Not this cursor's own: at the storage version of the workspace DuckDB writes syntax trees
        in an older form, which leaves things out.
        """
        return self._database.syntax.cursor()

    def execute(self, sql: str, parameters: Sequence[Value] | None = None) -> None:
        """Runs one statement to its end and drops what it returns.

        Raises:
            QueryFailed: DuckDB refused it or it failed.
        """
        with _translated():
            self.raw.execute(sql, parameters).fetchall()

    def rows(self, sql: str, parameters: Sequence[Value] | None = None) -> list[Row]:
        """Runs one query and returns all its rows.

        Raises:
            QueryFailed: DuckDB refused it or it failed.
        """
        with _translated():
            return self.raw.execute(sql, parameters).fetchall()

    def fetch(self, sql: str, max_rows: int) -> Result:
        """Runs one query and returns at most `max_rows` of its rows.

        DuckDB streams, so that an endless result costs no more than the rows that are read.

        Raises:
            QueryFailed: DuckDB refused it or it failed.
        """
        with _translated():
            self.raw.execute(sql)
            description = self.raw.description or []
            rows = self.raw.fetchmany(max_rows + 1)
        return Result(
            columns=tuple(str(column[0]) for column in description),
            types=tuple(str(column[1]) for column in description),
            rows=tuple(rows[:max_rows]),
            complete=len(rows) <= max_rows,
        )

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commits what the block did, or none of it."""
        self.execute("BEGIN TRANSACTION")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._rollback()
            raise

    @contextmanager
    def read_only(self) -> Generator[None]:
        """Runs the block in a transaction that cannot write, and rolls it back.

        Rolled back even on success: a dynamic PIVOT leaves a temporary type behind, and a
        bind-time `nextval` committed after a read-only transaction breaks the instance.
        """
        self.execute("BEGIN TRANSACTION READ ONLY")
        try:
            yield
        finally:
            self._rollback()

    def _rollback(self) -> None:
        # A failed COMMIT or a fatal error may have ended the transaction already.
        try:
            self.raw.execute("ROLLBACK")
        except duckdb.TransactionException:
            return

    async def run(self, work: Callable[[], T], *, timeout_s: float | None = None) -> T:
        """Does blocking work with this cursor in a thread, and interrupts it when time is up.

        Args:
            work: uses this cursor and no other.
            timeout_s: seconds from the moment the work starts; None for no limit.

        Raises:
            QueryTimeout: time was up and the work ended when interrupted.
            QueryStuck: it did not end; the cursor must not be used again.
        """
        return await self._database.run_in_thread(work, self.raw.interrupt, timeout_s)

    def close(self) -> None:
        """Closes the connection; what it did not commit is lost."""
        self.raw.close()


class Database:
    """One open workspace file."""

    def __init__(self, raw: duckdb.DuckDBPyConnection, limits: Limits) -> None:
        self._raw = raw
        self._limits = limits
        self._threads = ThreadPoolExecutor(_STATEMENT_THREADS * 2, thread_name_prefix="duckdb")
        self._places = asyncio.Semaphore(_STATEMENT_THREADS)
        [(name,)] = raw.execute("SELECT current_database()").fetchall()
        self.catalog_name = fold(name)
        """What DuckDB calls the workspace in a full path, folded."""

    @cached_property
    def syntax(self) -> duckdb.DuckDBPyConnection:
        """An empty database in memory, locked like the workspace, to parse SQL with."""
        locked: dict[str, Setting] = {**_LOCKED_AT_CONNECT, "storage_compatibility_version": "latest", "threads": "1"}
        raw = duckdb.connect(config=locked)
        raw.execute("SET GLOBAL lock_configuration=true")
        return raw

    @classmethod
    def create(cls, path: Path, limits: Limits = DEFAULT_LIMITS) -> Database:
        """Makes a new workspace file, locked for the life of the instance.

        Raises:
            OutputError: the file cannot be made.
            WorkspaceError: a setting of the lock did not take.
        """
        return cls._open(path, limits)

    @classmethod
    def reopen(cls, path: Path, limits: Limits = DEFAULT_LIMITS) -> Database:
        """Opens an existing workspace file for writing, with the same lock."""
        return cls._open(path, limits)

    @classmethod
    def _open(cls, path: Path, limits: Limits) -> Database:
        try:
            raw = duckdb.connect(path, config=dict(_LOCKED_AT_CONNECT))
        except duckdb.Error as error:
            raise OutputError(f"cannot open {path.name!r}: {_first_line(error)}") from error
        _lock(raw, limits)
        return cls(raw, limits)

    def cursor(self) -> Cursor:
        """Returns a new connection to the file; cheap (3 microseconds)."""
        return Cursor(self._raw.cursor(), self)

    async def run_in_thread(
        self, work: Callable[[], T], interrupt: Callable[[], None], timeout_s: float | None
    ) -> T:
        """Does what `Cursor.run` says, for any work and the way to interrupt it."""
        async with self._places:
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._threads, work)
            try:
                await asyncio.wait([future], timeout=timeout_s)
            except asyncio.CancelledError:
                await self._end(future, interrupt)
                raise
            if future.done():
                return future.result()
            await self._end(future, interrupt)
            raise QueryTimeout(f"stopped after {timeout_s:g} s")

    async def _end(self, future: asyncio.Future[T], interrupt: Callable[[], None]) -> None:
        # An interrupt that falls between two statements of the work is lost: repeat it.
        deadline = asyncio.get_running_loop().time() + self._limits.stuck_after_s
        while not future.done():
            if asyncio.get_running_loop().time() > deadline:
                raise QueryStuck("the statement could not be interrupted")
            interrupt()
            await asyncio.wait([future], timeout=_INTERRUPT_AGAIN_S)
        future.exception()  # the timeout is what the asker is told

    def close(self) -> None:
        """Writes everything into the file and closes it."""
        self._threads.shutdown(wait=True)
        self.syntax.close()
        self._raw.close()


@contextmanager
def read_only(path: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """Opens a finished file for reading.

    Raises:
        WorkspaceError: there is no such file, or it is not a database.
    """
    if not path.is_file():
        raise WorkspaceError(f"there is no file {str(path)!r}")
    try:
        raw = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        raise WorkspaceError(f"cannot read {str(path)!r}: {_first_line(error)}") from error
    try:
        yield raw
    finally:
        raw.close()


@contextmanager
def scratch() -> Generator[duckdb.DuckDBPyConnection]:
    """Opens an unlocked database in memory, to read files with; agents never see it."""
    raw = duckdb.connect(config={"arrow_lossless_conversion": "true"})
    try:
        yield raw
    finally:
        raw.close()


def quote(identifier: str) -> str:
    """Returns the identifier as SQL text; any string is a legal name once quoted."""
    return '"' + identifier.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Returns the text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def fold(name: str) -> str:
    """Returns the name as DuckDB compares it: ASCII letters lowered, nothing else.

    `str.lower` and `str.casefold` do not agree with DuckDB on other scripts.
    """
    return name.translate(_ASCII_LOWER)


_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _lock(raw: duckdb.DuckDBPyConnection, limits: Limits) -> None:
    if limits.memory:
        raw.execute(f"SET GLOBAL memory_limit={quote_text(limits.memory)}")
    if limits.threads:
        raw.execute(f"SET GLOBAL threads={max(2, limits.threads)}")
    if limits.temp_directory_size:
        raw.execute(f"SET GLOBAL max_temp_directory_size={quote_text(limits.temp_directory_size)}")
    raw.execute("SET GLOBAL TimeZone='UTC'")
    raw.execute("SET GLOBAL lock_configuration=true")


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryTimeout("the statement was interrupted") from error
    except duckdb.Error as error:
        raise QueryFailed(_without_prefix(str(error))) from error


def _first_line(error: duckdb.Error) -> str:
    return _without_prefix(str(error)).splitlines()[0]


def _without_prefix(message: str) -> str:
    # "Binder Error: Referenced column ..." says the class twice for a reader of the message.
    return re.sub(r"^(\w+) Error: \1 Error: ", r"\1 Error: ", message)
