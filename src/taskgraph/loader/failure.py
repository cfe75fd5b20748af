"""Telling why a spec's module was not found, or what it raised while it was imported."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from taskgraph.errors import Problem, SettingsError, SpecError
from taskgraph.loader.fields import closest, listed, nearest
from taskgraph.loader.finding import Location
from taskgraph.redaction import without_keys

_TASKGRAPH = Path(__file__).parents[1]
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_MOST_FRAMES = 6


def as_written(file: Path, location: Location, directory: Path) -> str:
    """Returns a spec's path as a person writes it, never an absolute one.

    Relative to the working directory if it is below that, else as it was named, else its name.
    """
    if file.is_relative_to(directory):
        return file.relative_to(directory).as_posix()
    named = Path(location.target)
    return named.as_posix() if location.file and not named.is_absolute() else file.name


def no_module(location: Location, directory: Path) -> SettingsError:
    """Says that there is no module of that name, and which one may be meant."""
    names = location.module.split(".")
    folder = directory
    depth = 0
    while depth < len(names) - 1 and (folder / names[depth]).is_dir():
        folder /= names[depth]
        depth += 1
    known = _packages(folder) if depth < len(names) - 1 else _importable(folder)
    if near := closest(names[depth], known):
        hint = f"did you mean {'.'.join([*names[:depth], near, *names[depth + 1 :]])!r}?"
    else:
        place = "/".join(names[:depth]) or "the working directory"
        hint = f"in {place} are {listed(known)}" if known else f"nothing to import is in {place}"
    return SettingsError(f"there is no module {location.module!r}", hint)


def _importable(folder: Path) -> list[str]:
    files = [path.stem for path in folder.glob("*.py") if path.stem.isidentifier()]
    return sorted({*(name for name in files if not name.startswith("_")), *_packages(folder)})


def _packages(folder: Path) -> list[str]:
    folders = [path.name for path in folder.iterdir() if path.is_dir() and path.name.isidentifier()]
    return sorted(name for name in folders if not name.startswith("_"))


def import_failure(error: BaseException, location: Location, directory: Path) -> SpecError:
    """Returns what a person needs to mend a module that raised: place, words, their own frames."""
    spec = as_written(location.file, location, directory) if location.file else location.target
    frames = [frame for frame in _frames(error) if _is_persons(frame.filename, location.folders)]
    places = [(frame.filename, frame.lineno) for frame in frames]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    where = _place(*places[-1], directory) if places else spec
    lines = [
        f"\n      {_place(frame.filename, frame.lineno, directory)}, in {frame.name}: {frame.line}"
        for frame in frames[-_MOST_FRAMES:]
    ]
    return SpecError(
        spec, (Problem(where, _words(error) + "".join(lines), _meant(error, location)),)
    )


def _frames(error: BaseException) -> Iterator[traceback.FrameSummary]:
    yield from traceback.extract_tb(error.__traceback__)


def _is_persons(filename: str, folders: Iterable[str]) -> bool:
    file = Path(filename)
    return (
        any(file.is_relative_to(folder) for folder in folders)
        and not _INSTALLED.intersection(file.parts)
        and not file.is_relative_to(_TASKGRAPH)
    )


def _place(filename: str, line: int | None, directory: Path) -> str:
    file = Path(filename)
    shown = file.relative_to(directory).as_posix() if file.is_relative_to(directory) else file.name
    return f"{shown} line {line}" if line else shown


def _words(error: BaseException) -> str:
    """Returns the exception as Python's own traceback ends, without the drawing of a syntax error."""
    if isinstance(error, SyntaxError):
        text = f": {error.text.strip()}" if error.text else ""
        return f"{type(error).__name__}: {error.msg}{text}"
    return without_keys("".join(traceback.format_exception_only(error)).strip())


def _meant(error: BaseException, location: Location) -> str | None:
    if not isinstance(error, ModuleNotFoundError) or not error.name or "." in error.name:
        return None
    known = {name for folder in location.folders for name in _importable(Path(folder))}
    return nearest(error.name, sorted(known))
