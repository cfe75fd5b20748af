"""From what a person writes after `--spec` to a module that can be imported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from taskgraph.errors import SettingsError
from taskgraph.loader.fields import closest, listed
from taskgraph.provenance import LOOSE_MODULE

DEFAULT_MODULE = "specs.main"
_MODULE_NAME = re.compile(r"[^\s./\\]+(\.[^\s./\\]+)*")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a spec is."""

    target: str
    """As it was named."""
    module: str
    """The name to import it by."""
    file: Path | None
    """Absolute; None where it was named by its module."""
    is_in_package: bool
    """Whether the module's name leads to it, so that it may import relative to itself."""
    folders: tuple[str, ...]
    """Absolute folders that it may import from, the nearest first."""


def locate(target: str | None, *, directory: Path, configured: str | None) -> Location:
    """Finds the spec that is meant, by name or by default; imports nothing.

    Args:
        target: a module's dotted name or a file's path; None for the default.
        directory: the working directory, absolute.
        configured: what `[tool.taskgraph].spec` says.

    Raises:
        SettingsError: no spec is named and none is where specs are by default; the file does not
            exist, or the text is neither a module's name nor the path of a `.py` file.
    """
    target = target or configured
    if target is None:
        if not directory.joinpath("specs", "main.py").is_file():
            raise SettingsError(
                "no spec is named, and there is no specs/main.py",
                "name one with --spec, or as spec in [tool.taskgraph] of pyproject.toml; "
                "`taskgraph init` makes a first one",
            )
        target = DEFAULT_MODULE
    if target.endswith(".py") or "/" in target or "\\" in target:
        return _in_file(target, directory)
    if not _MODULE_NAME.fullmatch(target):
        raise SettingsError(
            f"{target!r} names no spec", "write a module, as in specs.main, or a file, as in a/b.py"
        )
    return Location(target, target, None, True, (str(directory),))


def _in_file(target: str, directory: Path) -> Location:
    file = directory.joinpath(target).resolve()
    if file.is_dir():
        raise SettingsError(f"the spec {target!r} is a folder", _told_files(file, target))
    if not file.is_file():
        raise SettingsError(f"there is no spec {target!r}", _missing_file(file, target))
    if file.suffix != ".py":
        raise SettingsError(f"the spec {target!r} is no Python file: its name must end in .py")
    root, module = _package(file)
    folders = dict.fromkeys((str(file.parent), str(root), str(directory)))
    return Location(target, module, file, root != file.parent, tuple(folders))


def _package(file: Path) -> tuple[Path, str]:
    """Returns the folder that a file's package stands in, and the module's name from there on."""
    names = [file.stem]
    folder = file.parent
    while folder.joinpath("__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if len(names) == 1 or any("." in name for name in names):
        # Not its own name: `types.py` or `test.py` may well hold a spec.
        return file.parent, LOOSE_MODULE + file.stem
    return folder, ".".join(names).removesuffix(".__init__")


def _missing_file(file: Path, target: str) -> str:
    written = Path(target)
    if not file.parent.is_dir():
        return f"there is no folder {written.parent.as_posix()!r} either"
    near = closest(file.stem, [path.stem for path in _python_files(file.parent)])
    if near:
        return f"did you mean {written.with_name(f'{near}.py').as_posix()!r}?"
    return _told_files(file.parent, written.parent.as_posix())


def _told_files(folder: Path, called: str) -> str:
    files = [path.name for path in _python_files(folder)]
    return (
        f"Python files in {called}: {listed(files)}" if files else f"no Python file is in {called}"
    )


def _python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if path.is_file())
