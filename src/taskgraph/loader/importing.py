"""Importing a spec's module, fresh from its file, without leaving a trace in the interpreter."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Generator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from taskgraph.errors import SettingsError
from taskgraph.loader.failure import as_written, import_failure, no_module
from taskgraph.loader.finding import Location
from taskgraph.provenance import read_source
from taskgraph.spec import Neighbours, SpecOrigin

_SHARED = frozenset({"__main__", "taskgraph"})
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Imported:
    """A spec's module, and where it came from."""

    module: ModuleType
    origin: SpecOrigin
    neighbours: Neighbours


def import_spec(location: Location, directory: Path, text: str | None = None) -> Imported:
    """Imports the module of a spec.

    Args:
        location: where it is.
        directory: the working directory, absolute.
        text: what its file said once, to be run instead of what it says now.

    Raises:
        SettingsError: there is no such module, or it is no Python file.
        SpecError: importing it raised.
    """
    neighbours = Neighbours(location.folders)
    with importable(neighbours):
        try:
            module, file = _executed(location, directory, text)
        except (Exception, SystemExit) as error:
            if isinstance(error, SettingsError):
                raise
            raise import_failure(error, location, directory) from error
    return Imported(module, _origin(location, file, directory, text), neighbours)


@contextmanager
def importable(neighbours: Neighbours) -> Generator[None]:
    """Lets a spec import its neighbours inside the block, and puts the interpreter back after it.

    A spec's callables may import when they run, so that a run needs this as well as loading does.
    What is imported is kept with the neighbours: two specs with a `helpers.py` of their own do not
    get each other's, and one spec gets the same module each time.
    """
    folders = {folder for folder in neighbours.folders if Path(folder).name not in _INSTALLED}
    hidden = _taken_out(folders)
    sys.modules.update(neighbours.modules)
    sys.path[:0] = neighbours.folders
    importlib.invalidate_caches()
    try:
        yield
    finally:
        neighbours.modules.update(_taken_out(folders))
        for folder in neighbours.folders:
            with suppress(ValueError):  # a spec may have removed it itself
                sys.path.remove(folder)
        sys.modules.update(hidden)


def _taken_out(folders: Set[str]) -> dict[str, ModuleType]:
    """Removes from the interpreter, and returns, the modules that stand in one of the folders."""
    tops = {
        name
        for name, module in sys.modules.items()
        if "." not in name and name not in _SHARED and _stands_in(module, folders)
    }
    names = [name for name in sys.modules if name.partition(".")[0] in tops]
    return {name: sys.modules.pop(name) for name in names}


def _stands_in(module: ModuleType, folders: Set[str]) -> bool:
    # Not by attribute: there are modules that import others when they are asked for one, and None
    # stands for a module that may not be imported.
    attributes: dict[str, Any] = getattr(module, "__dict__", {})
    places = list(attributes.get("__path__") or ()) or [attributes.get("__file__")]
    return any(isinstance(place, str) and str(Path(place).parent) in folders for place in places)


class _Loader(SourceFileLoader):
    """Runs what the file says now, which is what is recorded: a compiled copy may be older."""

    text: str | None = None
    """What it said once, to be run instead."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        text = self.text and self.text.removeprefix("\ufeff")
        return self.source_to_code(text or self.get_data(path), path)


def _executed(location: Location, directory: Path, text: str | None) -> tuple[ModuleType, Path]:
    found = _found(location, directory)
    file = Path(found.origin or "")
    if file.suffix != ".py":
        raise SettingsError(
            f"the spec {location.target!r} is no Python file",
            "write the name of a module in it, as in specs.main",
        )
    found.loader = _Loader(found.name, str(file))
    found.loader.text = text
    module = importlib.util.module_from_spec(found)
    before = sys.modules.get(found.name)
    sys.modules[found.name] = module
    try:
        found.loader.exec_module(module)
    finally:
        if before is not None:
            sys.modules[found.name] = before
    return module, file


def _found(location: Location, directory: Path) -> ModuleSpec:
    found = None
    if location.file and not location.is_in_package:
        found = importlib.util.spec_from_file_location(location.module, location.file)
    else:
        try:
            found = importlib.util.find_spec(location.module)
        except ModuleNotFoundError as error:
            if f"{location.module}.".startswith(f"{error.name}."):
                raise no_module(location, directory) from error
            raise
    if found is None:
        raise no_module(location, directory)
    return found


def _origin(location: Location, file: Path, directory: Path, text: str | None) -> SpecOrigin:
    return SpecOrigin(
        module=location.target if location.file is None else None,
        file=as_written(file, location, directory),
        source=read_source(file) if text is None else text,
        directory=str(file.parent),
    )
