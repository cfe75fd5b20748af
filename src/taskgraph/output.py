"""The output file's life: never half a file, an old one never harmed, two runs never on one."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from taskgraph.database import read_only, writer_of
from taskgraph.errors import OutputError, WorkspaceError
from taskgraph.events import RunStatus

_ENDING = ".partial"
_LEAST_FREE_BYTES = 16 * 1024 * 1024
"""A disk with less is full: DuckDB's smallest file and its log, and a record that can be written."""
_EMPTY_FILE_BYTES = 3 * 4096
"""DuckDB writes three headers before anything else; a file without them is one it was killed at."""
_RECORDS = "SELECT count(*) FROM duckdb_tables() WHERE table_name = '_workspace_meta'"
_claimed: set[Path] = set()
"""What runs of this process write: DuckDB's lock tells of other processes only."""


def left_at(output: Path, status: RunStatus) -> Path:
    """Returns where a run's file is: in its place, or beside it if the run did not get through."""
    return output if status in ("passed", "failed") else partial_path(output)


def partial_path(output: Path) -> Path:
    """Returns where the run builds the file until it ends."""
    return output.with_name(output.name + _ENDING)


def output_path(path: Path) -> Path:
    """Returns the output that is meant, by its own name or by that of its unfinished file."""
    return path.with_name(path.name.removesuffix(_ENDING))


def is_unfinished(output: Path) -> bool:
    """Says whether there is an unfinished run of an output that came to do anything."""
    partial = partial_path(output)
    if not partial.is_file() or partial.stat().st_size < _EMPTY_FILE_BYTES:
        return False
    try:
        with read_only(partial) as connection:
            # The record is begun before any work; tables of an earlier file may come before it.
            [(records,)] = connection.execute(_RECORDS).fetchall()
            return records > 0
    except WorkspaceError:
        return True  # in use, or no database: nothing to be thrown away without a word


def demand_ended(output: Path) -> None:
    """Makes sure that a file which is not there is not one that a run has yet to finish.

    Raises:
        WorkspaceError: only the unfinished file is there.
    """
    partial = partial_path(output)
    if output.exists() or not partial.exists():
        return
    if process := _writer(partial):
        raise WorkspaceError(
            f"the run of {str(output)!r} goes on, in process {process}", hint=_while_it_runs(output)
        )
    raise WorkspaceError(
        f"the run of {str(output)!r} is unfinished",
        hint=f"Go on with it: {resume_command(output)}.",
    )


@contextmanager
def claimed(output: Path, *, replace: bool) -> Generator[Path]:
    """Lets this run alone write `output` inside the block; gives the path to build it at.

    Args:
        output: where the finished file will stand.
        replace: whether an existing output may be replaced in the end, and an unfinished run of
            it be thrown away.

    Raises:
        OutputError: it exists, another run writes it, an unfinished run of it exists, or its
            folder cannot be written.
    """
    partial = partial_path(output)
    with _held(partial):
        if output.exists() and not replace:
            raise OutputError(
                f"the output {str(output)!r} exists",
                hint="Choose another with --output, or replace it with --force.",
            )
        if is_unfinished(output) and not replace:
            raise OutputError(
                f"an unfinished run is at {str(partial)!r}",
                hint=f"Go on with it: {resume_command(output)}. Or start over with --force.",
            )
        _make_writable_folder(output.parent)
        yield partial


@contextmanager
def continued(output: Path) -> Generator[Path]:
    """Lets this run alone go on with an `output` inside the block; gives the path to build it at.

    Raises:
        OutputError: another run writes it, or its folder cannot be written.
    """
    partial = partial_path(output)
    with _held(partial):
        _make_writable_folder(output.parent)
        yield partial


def resume_command(output: Path) -> str:
    """Returns what a person types to go on."""
    return f"taskgraph resume {shlex.quote(str(output))}"


def unfinish(output: Path) -> None:
    """Makes an unfinished run of a finished one, unless there is one; the finished one stays.

    Raises:
        OutputError: the copy cannot be made.
    """
    partial = partial_path(output)
    if partial.exists():
        return
    try:
        shutil.copyfile(output, partial)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"cannot write {str(partial)!r}: {error.strerror}") from error


def discard(partial: Path) -> None:
    """Removes an unfinished run and its write-ahead log.

    Raises:
        OutputError: another process writes it.
    """
    # Moved away before anybody is asked: who opens the file from here on makes a new one, and who
    # has opened it gets it back, with the log that belongs to it.
    away = {path: path.with_name(f"{path.name}.old") for path in (partial, _log_of(partial))}
    for path, old in away.items():
        _move(path, old)
    if process := writer_of(away[partial]):
        for path, old in away.items():
            _move(old, path)
        raise _in_use(partial, process)
    for old in away.values():
        old.unlink(missing_ok=True)


def publish(partial: Path, output: Path) -> None:
    """Puts the closed file in its place at once: a reader sees the old file or the new one.

    Raises:
        OutputError: the file cannot be moved there, or is not whole.
    """
    if _log_of(partial).exists():
        # DuckDB closes a file without a word although its log could not be written into it.
        raise OutputError(
            f"{str(partial)!r} could not be completed: its log did not fit into it",
            hint="Free some disk space, then resume the run.",
        )
    try:
        _fsync(partial)
        partial.replace(output)
        _fsync(output.parent)
    except OSError as error:
        raise OutputError(
            f"cannot put {str(partial)!r} in the place of {str(output)!r}: {error.strerror}"
        ) from error


@contextmanager
def _held(partial: Path) -> Generator[None]:
    if process := _writer(partial):
        raise _in_use(partial, process)
    key = partial.resolve()
    _claimed.add(key)
    try:
        yield
    finally:
        _claimed.remove(key)


def _writer(partial: Path) -> int | None:
    return os.getpid() if partial.resolve() in _claimed else writer_of(partial)


def _in_use(partial: Path, process: int) -> OutputError:
    return OutputError(
        f"process {process} is writing {str(partial)!r}",
        hint=f"{_while_it_runs(output_path(partial))} Or choose another with --output.",
    )


def _while_it_runs(output: Path) -> str:
    name = shlex.quote(str(output))
    return f"Look at it with: taskgraph show {name}. End it with: taskgraph stop {name}."


def _log_of(partial: Path) -> Path:
    return partial.with_name(partial.name + ".wal")


def _move(path: Path, to: Path) -> None:
    if path.exists():
        path.replace(to)


def _make_writable_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {str(folder)!r}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise OutputError(
            f"the folder {str(folder)!r} cannot be written",
            hint="Choose another with --output.",
        )
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        raise OutputError(
            f"the disk of the folder {str(folder)!r} is full: {free:,} bytes are free",
            hint="Free some space, or choose another folder with --output.",
        )


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
