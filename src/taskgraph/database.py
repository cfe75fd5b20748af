"""The one place that opens DuckDB: locked workspaces, cursors, transactions, timeouts, quoting.

Sources of the facts: DuckDB 2.0.0, each tried; the tests of this module try them again.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import duckdb

from taskgraph.duckdb_errors import conflicting_process, first_line, translated
from taskgraph.engine import (
    DEFAULT_LIMITS,
    LOCK,
    STORAGE_VERSION,
    Limits,
    Setting,
    block_bytes,
    cap_address_space,
    lock,
)
from taskgraph.errors import (
    OutputError,
    QueryStuck,
    UserError,
    WorkspaceError,
)
from taskgraph.held_names import free_name, give_back, hold
from taskgraph.identifiers import fold as fold
from taskgraph.identifiers import quote as quote
from taskgraph.identifiers import quote_text as quote_text
from taskgraph.result import Result, Row, Value, fetch
from taskgraph.worker import Workers

T = TypeVar("T")
Connection: TypeAlias = duckdb.DuckDBPyConnection
"""DuckDB's own connection, as a spec's exports are handed it."""

_PLACES = 16
"""Statements that run at once; more would only share the same cores."""
_CONFIG: Mapping[str, Setting] = {**LOCK, "storage_compatibility_version": STORAGE_VERSION}
_CONFUSING = frozenset({"information_schema", "pg_catalog", "recurring"})
"""What a path in SQL may mean beside a catalog of that name."""


class Cursor:
    """One connection to the workspace, used by one node, by one thread at a time."""

    def __init__(self, raw: Connection, database: Database) -> None:
        self._newest = raw
        self._database = database
        self._of_thread: dict[int, Connection] = {}
        self._given_up: list[Connection] = []

    @property
    def raw(self) -> Connection:
        """DuckDB's own connection; work in a thread keeps the one that it began with.

        Raises:
            QueryStuck: the work was given up. It must not do its next step, such as a commit,
                when the one that was stuck ends after all.
        """
        connection = self._of_thread.get(threading.get_ident(), self._newest)
        if any(connection is one for one in self._given_up):
            raise QueryStuck("the work of this thread was given up")
        return connection

    @property
    def catalog_name(self) -> str:
        """What DuckDB calls the workspace in a full path, folded."""
        return self._database.catalog_name

    def syntax(self) -> Connection:
        """Returns a connection to an empty database, to parse SQL with.

        Not this cursor's own: at the storage version of the workspace DuckDB writes syntax trees
        in an older form, which leaves things out.
        """
        return self._database.syntax.cursor()

    def execute(self, sql: str, parameters: Sequence[Value] | None = None) -> None:
        """Runs one statement to its end and drops what it returns.

        Raises:
            QueryFailed: DuckDB refused it or it failed.
            QueryTimeout: it was interrupted.
        """
        with translated():
            self.raw.execute(sql, parameters).fetchall()

    def rows(self, sql: str, parameters: Sequence[Value] | None = None) -> list[Row]:
        """Runs one query and returns all its rows.

        Raises:
            QueryFailed: DuckDB refused it or it failed.
            QueryTimeout: it was interrupted.
        """
        with translated():
            return self.raw.execute(sql, parameters).fetchall()

    def fetch(self, sql: str, max_rows: int) -> Result:
        """Runs one query and returns at most `max_rows` of its rows, fewer if they are huge.

        Raises:
            QueryFailed: DuckDB refused it or it failed.
            QueryTimeout: it was interrupted.
        """
        with translated():
            self.raw.execute(sql)
            return fetch(self.raw, max_rows)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commits what the block did, or none of it."""
        try:
            self.execute("BEGIN TRANSACTION")
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
        try:
            self.execute("BEGIN TRANSACTION READ ONLY")
            yield
        finally:
            self._rollback()

    def _rollback(self) -> None:
        while True:
            try:
                self.raw.execute("ROLLBACK")
            except duckdb.InterruptException:
                continue  # it was meant for the statement before, and nothing was rolled back
            except duckdb.Error:
                return  # there is no transaction: it never began, or a fatal error ended it
            return

    async def run(self, work: Callable[[], T], *, timeout_s: float | None = None) -> T:
        """Does blocking work with this cursor in a thread, and interrupts it when time is up.

        Args:
            work: uses this cursor and no other.
            timeout_s: seconds from the moment the work starts; None for no limit.

        Raises:
            QueryTimeout: time was up and the work ended when interrupted.
            QueryStuck: it did not end. It keeps its connection, and the cursor gets a new one.
        """
        connection = self._newest

        def with_its_own_connection() -> T:
            thread = threading.get_ident()
            self._of_thread[thread] = connection
            try:
                return work()
            finally:
                del self._of_thread[thread]

        try:
            return await self._database.workers.run(
                with_its_own_connection, connection.interrupt, timeout_s
            )
        except QueryStuck:
            self._given_up.append(connection)
            self._newest = self._database.connect()
            raise

    def close(self) -> None:
        """Closes the connection; what it did not commit is lost."""
        # A statement that is stuck keeps its connection, until `Database.close` deals with both.
        with suppress(duckdb.ResourceInUseException):
            self._newest.close()


class Database:
    """One open workspace file."""

    def __init__(
        self, raw: Connection, path: Path, name: Path, limits: Limits, *, reads_only: bool = False
    ) -> None:
        self._raw = raw
        self._reads_only = reads_only
        self.path = path
        self._name = name
        self._uncap = cap_address_space(limits.process_memory)
        self.workers = Workers(_PLACES, limits.stuck_after_s)
        """Where statements run."""
        [(catalog,)] = raw.execute("SELECT current_database()").fetchall()
        self.catalog_name = fold(catalog)
        """What DuckDB calls the workspace in a full path, folded."""

    @cached_property
    def syntax(self) -> Connection:
        """An empty database in memory, locked like the workspace, to parse SQL with."""
        raw = duckdb.connect(config={**LOCK, "threads": "1"})
        # Of the time that writing a tree takes, it is a third, and finds nothing to do.
        raw.execute("SET GLOBAL enable_optimizer=false")
        raw.execute("SET GLOBAL lock_configuration=true")
        return raw

    @classmethod
    def create(cls, path: Path, limits: Limits = DEFAULT_LIMITS, *, tables: int = 0) -> Database:
        """Makes a new workspace file, locked for the life of the instance.

        Args:
            path: where.
            limits: what the engine may use.
            tables: about how many it will hold; see `engine.block_bytes`.

        Raises:
            OutputError: the file cannot be made.
            SettingsError: a limit is not one that DuckDB understands.
            WorkspaceError: a setting of the lock did not take.
        """
        return cls._open(path, limits, {"default_block_size": str(block_bytes(tables))})

    @classmethod
    def reopen(cls, path: Path, limits: Limits = DEFAULT_LIMITS) -> Database:
        """Opens an existing workspace file for writing, with the same lock.

        Raises:
            WorkspaceError: there is no such file; all else as in `create`.
        """
        _demand_file(path)
        return cls._open(path, limits, {})

    @classmethod
    def view(cls, path: Path) -> Database:
        """Opens an existing file for reading only, with the same lock; raises what `reopen` does."""
        _demand_file(path)
        return cls._open(path, DEFAULT_LIMITS, {}, reads_only=True)

    @classmethod
    def _open(
        cls,
        path: Path,
        limits: Limits,
        of_new: Mapping[str, Setting],
        *,
        reads_only: bool = False,
    ) -> Database:
        if fold(path.name).split(".")[0] in _CONFUSING:
            raise OutputError(
                f"{path.name!r} is a name that SQL gives another meaning: choose another"
            )
        name = free_name(path)
        try:
            config = {**_CONFIG, **of_new}
            raw = duckdb.connect(name, read_only=reads_only, config=config)
        except duckdb.Error as error:
            if process := conflicting_process(error):
                raise OutputError(f"{path.name!r} is in use by process {process}") from error
            if "a different configuration" in str(error):
                raise OutputError(f"{path.name!r} is open in this process already") from error
            raise OutputError(f"cannot open {path.name!r}: {first_line(error)}") from error
        try:
            lock(raw, path, limits)
        except UserError:
            raw.close()
            raise
        return cls(raw, path, name, limits, reads_only=reads_only)

    def cursor(self) -> Cursor:
        """Returns a new connection to the file; cheap (3 microseconds)."""
        return Cursor(self.connect(), self)

    def connect(self) -> Connection:
        """Returns DuckDB's own connection to the file."""
        return self._raw.cursor()

    @property
    def threads(self) -> int:
        """How many threads DuckDB works with."""
        [(threads,)] = self._raw.execute("SELECT current_setting('threads')").fetchall()
        return threads

    @property
    def stuck(self) -> bool:
        """Says, once closed, whether a statement still runs that nothing could stop.

        It takes a processor until the process ends. The file is complete and can be opened.
        """
        return self in _given_up

    def close(self) -> None:
        """Writes everything into the file and closes it, in bounded time.

        Work that still runs is interrupted, and what it did not commit is lost.
        """
        while not self.workers.end() and not self.stuck and not self._reads_only:
            if replace_by_copy(self._name, partial(self._still_runs, self.workers.running)):
                _given_up.append(self)
                hold(self.path)
                self._name.replace(self.path)
        if not self.stuck and not self.workers.running:
            if "syntax" in self.__dict__:
                self.syntax.close()
            self._raw.close()
        give_back(self._name, self.path)
        self._uncap()

    def _still_runs(self, work: frozenset[Future[object]]) -> bool:
        return self.workers.running == work


_given_up: list[Database] = []
"""Kept for good: destroying the connection of a running statement would wait for it."""


def replace_by_copy(path: Path, unchanged: Callable[[], bool]) -> bool:
    """Replaces a file by one with all that is committed, and that no running statement holds.

    DuckDB cannot write its log into the file while a statement runs, and only the process's end
    would make a statement go that nothing can stop. All that is committed is in the file and its
    log, so that copies of the two, opened and closed, are what the file would have become.

    Args:
        path: the file; nothing but what is stuck uses it.
        unchanged: asked once both are copied. What ended meanwhile may have committed in between.

    Returns:
        False where it was not unchanged: nothing was replaced.
    """
    copy = path.with_name(f"{path.name}.copy")
    log, copied_log = (one.with_name(f"{one.name}.wal") for one in (path, copy))
    for source, target in ((path, copy), (log, copied_log)):
        if source.exists():
            shutil.copyfile(source, target)
    if not unchanged():
        copy.unlink()
        copied_log.unlink(missing_ok=True)
        return False
    duckdb.connect(copy, config=dict(_CONFIG)).close()
    copy.replace(path)
    log.unlink(missing_ok=True)
    return True


@contextmanager
def read_only(path: Path) -> Generator[Connection]:
    """Opens a finished file for reading.

    Raises:
        WorkspaceError: there is no such file, or it is not a database.
    """
    _demand_file(path)
    name = free_name(path)
    try:
        raw = duckdb.connect(name, read_only=True)
    except duckdb.Error as error:
        if process := conflicting_process(error):
            raise WorkspaceError(f"{str(path)!r} is being written by process {process}") from error
        raise WorkspaceError(f"cannot read {str(path)!r}: {first_line(error)}") from error
    finally:
        give_back(name, path)  # what is open stays open
    try:
        yield raw
    finally:
        raw.close()


def _demand_file(path: Path) -> None:
    if not path.is_file():
        raise WorkspaceError(f"there is no file {str(path)!r}")


def writer_of(path: Path) -> int | None:
    """Returns the id of another process that has the file open for writing, None if none has."""
    try:
        duckdb.connect(path, read_only=True).close()
    except duckdb.Error as error:
        return conflicting_process(error)
    return None


@contextmanager
def scratch() -> Generator[Connection]:
    """Opens an unlocked database in memory, to read files with; agents never see it."""
    raw = duckdb.connect(config={"arrow_lossless_conversion": "true"})
    try:
        yield raw
    finally:
        raw.close()
