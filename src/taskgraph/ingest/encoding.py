"""Brings text files into the one encoding that is read: UTF-8."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from taskgraph.errors import IngestError
from taskgraph.ingest.paths import FoundFile

_MARKS = (
    # UTF-32's little-endian mark begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_CHUNK = 1 << 20
_SHOWN_BYTES = 20
_CONTINUING = range(0x80, 0xC0)
"""Bytes with which no character of UTF-8 begins."""


@contextmanager
def as_utf8(file: FoundFile, encoding: str | None) -> Generator[Path]:
    """Gives a path to the file's text in UTF-8: the file itself, or a temporary copy.

    Python's codecs do the work, since DuckDB reads few encodings without an extension from the
    network.

    Args:
        file: the file as it is.
        encoding: Python's name of the codec; None for UTF-8, or what a byte order mark says.

    Raises:
        IngestError: the file's bytes are not of that encoding; names the line.
    """
    codec = codecs.lookup(encoding or _marked(file.path) or "utf-8").name
    if codec in {"utf-8", "ascii"}:
        yield file.path
        return
    with _temporary(file.path.name) as copy:
        _transcode(file, codec, copy)
        yield copy


@contextmanager
def with_plain_newlines(path: Path) -> Generator[Path]:
    r"""Gives a copy of a file in which every line ends in `\n`.

    DuckDB's reader gives up on a file that ends some lines in `\r\n` and others in `\n`.
    """
    with _temporary(path.name) as copy, path.open("rb") as old, copy.open("wb") as new:
        for line in old:
            new.write(line[:-2] + b"\n" if line.endswith(b"\r\n") else line)
        new.close()
        yield copy


def not_utf8(path: Path, shown: str) -> IngestError | None:
    """Returns the error that names the first line which is not UTF-8; None if there is none."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return _undecodable(shown, number, line, error)
    return None


def _undecodable(shown: str, number: int, line: bytes, error: UnicodeDecodeError) -> IngestError:
    start, end = max(0, error.start - _SHOWN_BYTES), error.end + _SHOWN_BYTES
    while start and line[start] in _CONTINUING:
        start -= 1  # where a character begins
    while end < len(line) and line[end] in _CONTINUING:
        end += 1
    excerpt = line[start:end]
    before, after = "..." if start else "", "..." if line[end:].strip() else ""
    shown_text = excerpt.decode(errors="replace").strip()
    return IngestError(
        f"{shown}, line {number}: '{before}{shown_text}{after}' is not {error.encoding.upper()}",
        hint=f"say which encoding it is, such as {{'path': ..., 'encoding': 'cp1252'}}: "
        f"read so it says {excerpt.decode('cp1252', errors='replace').strip()!r}",
    )


def _marked(path: Path) -> str | None:
    with path.open("rb") as stream:
        start = stream.read(4)
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _transcode(file: FoundFile, codec: str, copy: Path) -> None:
    line = 1
    with (
        file.path.open(encoding=codec, newline="") as old,
        copy.open("w", encoding="utf-8", newline="") as new,
    ):
        try:
            while text := old.read(_CHUNK):
                new.write(text)
                line += text.count("\n")
        except UnicodeError as error:
            raise IngestError(
                f"{file.shown}, at or after line {line}: the bytes are not {codec} ({error})",
                hint="say which encoding it is with the option encoding",
            ) from error


@contextmanager
def _temporary(name: str) -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="taskgraph-") as folder:
        yield Path(folder) / name
