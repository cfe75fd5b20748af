"""Finds the files that a source names, and says where it looked when there are none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from glob import glob, has_magic
from pathlib import Path

from taskgraph.errors import IngestError
from taskgraph.events import SourceFile
from taskgraph.ingest.options import WORKBOOKS, FileRequest

_SHOWN_NAMES = 8


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that exists."""

    path: Path
    shown: str
    """Its name for people and for the record: relative to the spec's folder."""


def find_files(request: FileRequest, directory: Path | None) -> tuple[FoundFile, ...]:
    """Returns the files that a request names, a pattern's in the order of their names.

    Args:
        request: its path may be relative, and may be a pattern such as `data/*.csv`.
        directory: where relative paths start; None for the working directory.

    Raises:
        IngestError: there is no such file; says where it looked and what is there instead.
    """
    start = directory or Path.cwd()
    path = start / Path(request.path).expanduser()
    if path.is_file():
        return (FoundFile(path, _shown(path, start)),)
    shown = _shown(path, start)
    if path.is_dir():
        raise IngestError(f"{shown!r} is a folder; name a file, or a pattern such as '*.csv'")
    if not has_magic(shown):
        raise IngestError(f"{_absence(shown)}; {_looked_in(path, start)}")
    if request.format in WORKBOOKS:
        raise IngestError(f"{shown!r}: a pattern cannot name workbooks; name one file")
    files = tuple(FoundFile(match, _shown(match, start)) for match in _matches(path))
    if not files:
        raise IngestError(f"{_absence(shown)}; {_looked_in(path, start)}")
    return files


def told_missing(request: FileRequest, directory: Path | None) -> str | None:
    """Says that what a request names is not there; None where something is."""
    start = directory or Path.cwd()
    path = start / Path(request.path).expanduser()
    return None if path.exists() or _matches(path) else _absence(_shown(path, start))


def changed_since(
    request: FileRequest, directory: Path | None, recorded: Iterable[SourceFile]
) -> tuple[str, ...]:
    """Returns the names of files that are other ones than on record, new ones and gone ones too.

    Returns:
        Nothing where no file is found, or one cannot be read: then nobody can tell.
    """
    before = {file.path: file for file in recorded}
    with suppress(IngestError, OSError):
        now = {file.shown: file for file in find_files(request, directory)}
        other = [name for name, file in now.items() if _is_other(file, before.get(name))]
        return (*other, *(name for name in before if name not in now))
    return ()


def _is_other(file: FoundFile, before: SourceFile | None) -> bool:
    # A size costs nothing, and a hash reads the whole file.
    if before is None or file.path.stat().st_size != before.size_bytes:
        return True
    return _source_file(file).sha256 != before.sha256


def source_files(files: tuple[FoundFile, ...]) -> tuple[SourceFile, ...]:
    """Reads the files once to tell their sizes and hashes."""
    return tuple(map(_source_file, files))


def _source_file(file: FoundFile) -> SourceFile:
    with file.path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return SourceFile(file.shown, os.fstat(stream.fileno()).st_size, digest)


def _matches(pattern: Path) -> list[Path]:
    # Path.glob takes no absolute pattern.
    matches = sorted(Path(match) for match in glob(str(pattern), recursive=True))  # noqa: PTH207
    return [match for match in matches if match.is_file()]


def _absence(shown: str) -> str:
    return f"no file matches {shown!r}" if has_magic(shown) else f"there is no file {shown!r}"


def _shown(path: Path, start: Path) -> str:
    # The `.db` holds no absolute path of the machine: a file elsewhere goes by its bare name.
    return path.relative_to(start).as_posix() if path.is_relative_to(start) else path.name


def _looked_in(path: Path, start: Path) -> str:
    """Says which folder was looked in, and what it holds."""
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    place = _place(folder, start)
    if folder != path.parent:
        return f"looked in {place}, which has no folder {path.relative_to(folder).parts[0]!r}"
    return f"looked in {place}, {_holding(folder, path.name)}"


def _place(folder: Path, start: Path) -> str:
    """Names a folder without an absolute path: messages are kept in the `.db`."""
    for base, name in ((Path.cwd(), "the working directory"), (start, "the spec's folder")):
        if folder == base:
            return name
        if folder.is_relative_to(base):
            return f"{folder.relative_to(base).as_posix()!r} of {name}"
    return f"the folder {folder.name!r}"


def _holding(folder: Path, name: str) -> str:
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    similar = get_close_matches(name, names, n=_SHOWN_NAMES) or [
        one for one in names if Path(one).suffix.lower() == Path(name).suffix.lower()
    ]
    if not similar:
        return "which has no such file"
    return f"which has {', '.join(map(repr, similar[:_SHOWN_NAMES]))}"
