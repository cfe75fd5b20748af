"""Finds the files that a source names, and says where it looked when there are none."""

from __future__ import annotations

import hashlib
import os
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
        raise IngestError(f"there is no file {shown!r}; {_looked_in(path, start)}")
    if request.format in WORKBOOKS:
        raise IngestError(f"{shown!r}: a pattern cannot name workbooks; name one file")
    # Path.glob takes no absolute pattern.
    matches = sorted(Path(match) for match in glob(str(path), recursive=True))  # noqa: PTH207
    files = tuple(FoundFile(match, _shown(match, start)) for match in matches if match.is_file())
    if not files:
        raise IngestError(f"no file matches {shown!r}; {_looked_in(path, start)}")
    return files


def source_files(files: tuple[FoundFile, ...]) -> tuple[SourceFile, ...]:
    """Reads the files once to tell their sizes and hashes."""
    return tuple(map(_source_file, files))


def _source_file(file: FoundFile) -> SourceFile:
    with file.path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return SourceFile(file.shown, os.fstat(stream.fileno()).st_size, digest)


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
