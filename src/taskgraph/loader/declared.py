"""What a spec's module declares: NODES, or INPUTS and TASKS of the older format, and EXPORTS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from types import ModuleType
from typing import Any, TypeAlias, cast

from taskgraph.errors import Problem
from taskgraph.loader.draft import Entry
from taskgraph.loader.fields import call_faults, closest, shown
from taskgraph.loader.older import older_entries
from taskgraph.spec import Export

_Entries: TypeAlias = tuple[Sequence[Entry], Sequence[Problem]]


def declared_entries(module: ModuleType) -> _Entries:
    """Returns the nodes as they were written, and what is wrong with the lists as a whole."""
    values = vars(module)
    if "NODES" in values and "TASKS" in values:
        return (), [Problem("NODES", "stands beside TASKS", "put the tasks into NODES as nodes")]
    if "NODES" in values:
        return _nodes(values["NODES"])
    if "INPUTS" in values or "TASKS" in values:
        return _inputs_and_tasks(values.get("INPUTS", {}), values.get("TASKS", []))
    near = closest("NODES", [name for name, value in values.items() if isinstance(value, list)])
    suggestion = f"the module has {near!r}" if near else "declare NODES = [...], a list of nodes"
    return (), [Problem("NODES", "is missing", suggestion)]


def entries_of(nodes: Sequence[object]) -> tuple[Entry, ...]:
    """Returns the entries of a list of nodes, dicts or both."""
    return tuple(Entry(f"NODES[{position}]", node) for position, node in enumerate(nodes))


def _nodes(nodes: Any) -> _Entries:
    if not isinstance(nodes, list | tuple):
        return (), [Problem("NODES", f"must be a list of nodes, not {shown(nodes)}")]
    if not nodes:
        return (), [Problem("NODES", "is empty: a spec has at least one node")]
    return entries_of(cast("Sequence[object]", nodes)), ()


def _inputs_and_tasks(inputs: Any, tasks: Any) -> _Entries:
    problems: list[Problem] = []
    if not isinstance(inputs, dict):
        problems.append(Problem("INPUTS", f"must be a dict of name and data, not {shown(inputs)}"))
        inputs = {}
    if not isinstance(tasks, list | tuple):
        problems.append(Problem("TASKS", f"must be a list of tasks, not {shown(tasks)}"))
        tasks = ()
    entries = older_entries(cast("dict[Any, Any]", inputs), cast("Sequence[Any]", tasks))
    if not entries and not problems:
        problems.append(Problem("INPUTS and TASKS", "are empty: a spec has at least one node"))
    return entries, problems


def declared_exports(module: ModuleType) -> tuple[Mapping[str, Export], Sequence[Problem]]:
    """Returns the exports, and what is wrong with them."""
    exports = vars(module).get("EXPORTS", {})
    if not isinstance(exports, dict):
        message = f"must be a dict of path and function, not {shown(exports)}"
        return {}, [Problem("EXPORTS", message)]
    given = cast("dict[Any, Any]", exports)
    paths: set[PurePosixPath] = set()
    problems: list[Problem] = []
    for path, export in given.items():
        faults = [*_path_faults(path, paths), *_function_faults(export)]
        problems += [Problem(f"EXPORTS[{path!r}]", fault) for fault in faults]
    return given, problems


def _path_faults(path: Any, earlier: set[PurePosixPath]) -> Iterator[str]:
    if not isinstance(path, str):
        yield f"the path must be text, not {shown(path)}"
    elif not PurePosixPath(path).name or path.endswith(("/", "\\")):
        yield "the path must name a file"
    elif PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor:
        yield "the path must be relative to the working directory"
    elif PurePosixPath(path) in earlier:
        yield "another export writes this file"
    else:
        earlier.add(PurePosixPath(path))


def _function_faults(export: Any) -> Iterator[str]:
    if callable(export):
        yield from call_faults(export, "a connection", "a path")
    else:
        yield f"must be a function of connection and path, not {shown(export)}"
