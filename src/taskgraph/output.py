"""The output file's life: never half a file, an old one never harmed, two runs never on one."""

from __future__ import annotations

import os
from pathlib import Path

from taskgraph.errors import OutputError


def partial_path(output: Path) -> Path:
    """Returns where the run builds the file until it ends."""
    return output.with_name(output.name + ".partial")


def claim(output: Path, *, replace: bool) -> Path:
    """Makes sure that a run may write `output`, and returns the path to build it at.

    Args:
        output: where the finished file will stand.
        replace: whether an existing output may be replaced in the end, and an unfinished run of
            it be thrown away now.

    Raises:
        OutputError: it exists, an unfinished run of it exists, or its folder cannot be written.
    """
    partial = partial_path(output)
    if output.exists() and not replace:
        raise OutputError(
            f"the output {str(output)!r} exists",
            hint="Choose another with --output, or replace it with --force.",
        )
    if partial.exists() and not replace:
        raise OutputError(
            f"an unfinished run is at {str(partial)!r}",
            hint="Start over with --force, or choose another output with --output.",
        )
    _make_writable_folder(output.parent)
    return partial


def discard(partial: Path) -> None:
    """Removes an unfinished run and its write-ahead log; call it only while nobody uses it."""
    for path in (partial, _log_of(partial)):
        path.unlink(missing_ok=True)


def publish(partial: Path, output: Path) -> None:
    """Puts the closed file in its place at once: a reader sees the old file or the new one.

    Raises:
        OutputError: the file cannot be moved there.
    """
    try:
        _fsync(partial)
        partial.replace(output)
        _fsync(output.parent)
    except OSError as error:
        raise OutputError(
            f"cannot put {str(partial)!r} in the place of {str(output)!r}: {error.strerror}"
        ) from error


def _log_of(partial: Path) -> Path:
    return partial.with_name(partial.name + ".wal")


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


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
