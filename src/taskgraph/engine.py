"""What the engine may use, and what it may not do: limits, and the lock that agents stand behind.

Sources of the facts: DuckDB 2.0.0, each tried; `tests/unit/test_engine.py` tries what each setting
blocks. What no setting blocks (ATTACH ':memory:', SET VARIABLE, USE, PRAGMA, LOAD of what is linked
in), the guard refuses.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import duckdb

from taskgraph.errors import OutputError, SettingsError, WorkspaceError

Setting: TypeAlias = str | bool | int | float | list[str]

STORAGE_VERSION = "v1.4.0"
"""Readable by DuckDB 1.4 (LTS) and later; a file at DuckDB 2's default is not readable by 1.x."""

LOCK: Mapping[str, Setting] = {
    # files, network, other databases
    "enable_external_access": "false",
    # extensions
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_extension_repositories": "forbidden",
    # names in SQL that mean variables of this process
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "allow_persistent_secrets": "false",
    # what a plan may grow to
    "max_expression_depth": "500",
    "pivot_limit": "2000",
}
"""Given to `duckdb.connect`: a plain SET of some of them would not reach cursors made afterwards."""
_RELIED_ON: Mapping[str, str] = {
    "lock_configuration": "true",
    "TimeZone": "UTC",
    "allowed_configs": "[]",
    # The guard relies on a DROP that takes nothing else with it.
    "enable_view_dependencies": "false",
    "enable_macro_dependencies": "false",
}
_LARGEST_BLOCK, _SMALLEST_BLOCK = 256 * 1024, 16 * 1024
"""Bytes: DuckDB's default and its least; DuckDB 1.4 reads files of both."""
_FIRST_BLOCKS_BYTES = 64 * 1024 * 1024
MEMORY_SHARE = "60%"
"""Python, the frames it reads and what DuckDB does not count need the rest."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine may use."""

    memory: str | None = None
    """As DuckDB writes it, such as `4GB` or `50%`; None for 60 % of the machine (or container)."""
    threads: int | None = None
    """Worker threads, at least 2: with one, a query waits for Python's lock. None for all cores."""
    temp_directory_size: str | None = None
    """Disk that spilling may take, such as `10GB`; None for half of what is free."""
    stuck_after_s: float = 30.0
    """Seconds an interrupted statement gets to end before its connection is given up."""
    process_memory: int | None = None
    """Bytes that the process may take beside what it has when the file is opened, whatever DuckDB
    counts; None for the machine's memory. Only Linux enforces it."""


DEFAULT_LIMITS = Limits()


def block_bytes(tables: int) -> int:
    """Returns how large the blocks of a new file are to be, for so many tables.

    A table takes a block, in the file and in memory, however small it is: 2,000 tables of one row
    500 MB. With small blocks they take 64 MB and a third less time, but texts that differ in each
    row take up to five times as long to write. So blocks are as large as the tables allow.
    """
    size = _LARGEST_BLOCK
    while size > _SMALLEST_BLOCK and size * tables > _FIRST_BLOCKS_BYTES:
        size //= 2
    return size


def lock(raw: duckdb.DuckDBPyConnection, path: Path, limits: Limits) -> None:
    """Sets the limits, locks the instance for life, and checks that all of it took.

    Raises:
        SettingsError: a limit is not one that DuckDB understands.
        OutputError: the file is open in this process already.
        WorkspaceError: a setting did not take.
    """
    [(locked,)] = raw.execute("SELECT current_setting('lock_configuration')").fetchall()
    if locked:
        raise OutputError(f"{path.name!r} is open in this process already")
    _set_limit(raw, "memory_limit", limits.memory or MEMORY_SHARE)
    free = shutil.disk_usage(path.parent).free
    _set_limit(raw, "max_temp_directory_size", limits.temp_directory_size or f"{free // 2048}KiB")
    if limits.threads:
        _set_limit(raw, "threads", str(max(2, limits.threads)))
    raw.execute("SET GLOBAL TimeZone='UTC'")
    raw.execute("SET GLOBAL lock_configuration=true")
    verify(raw)


def verify(raw: duckdb.DuckDBPyConnection) -> None:
    """Checks on a cursor of its own that everything the guard relies on holds.

    Raises:
        WorkspaceError: names each setting that did not take, and its value.
    """
    wanted = {**LOCK, **_RELIED_ON}
    cursor = raw.cursor()
    found = dict(cursor.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    cursor.close()
    wrong = {name: found.get(name) for name in wanted if found.get(name) != wanted[name]}
    if wrong:
        values = ", ".join(f"{name} = {value!r}" for name, value in wrong.items())
        raise WorkspaceError(
            f"the database could not be locked: {values}",
            hint=f"Taskgraph was written for DuckDB 2.0; this is {duckdb.__version__}.",
        )


def cap_address_space(growth: int | None) -> Callable[[], None]:
    """Makes allocations fail that the machine cannot honour, instead of ending the process.

    DuckDB does not count the memory of strings and lists inside one function call: with a limit of
    1 GB such calls were seen to take 7.5 GB. A failed allocation ends the query, with a message.

    Args:
        growth: bytes that the process may take beside what it has now; None for the machine's
            memory.

    Returns:
        What undoes it. A cap that is there already is left as it is.
    """
    if sys.platform != "linux":
        return _nothing
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        return _nothing
    page = os.sysconf("SC_PAGE_SIZE")
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * page
    cap = taken + (growth or page * os.sysconf("SC_PHYS_PAGES"))
    resource.setrlimit(resource.RLIMIT_AS, (cap, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _nothing() -> None: ...


def _set_limit(raw: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    try:
        raw.execute(f"SET GLOBAL {name} = '{value.replace(chr(39), chr(39) * 2)}'")
    except duckdb.Error as error:
        words = str(error).splitlines()[0]
        raise SettingsError(
            f"{name} cannot be {value!r}: {words}", hint="Write it like 4GB, 512MB or 50%."
        ) from error
