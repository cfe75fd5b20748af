"""From a module, or from objects, to a `Spec` that is right: all problems are found at once.

    finding, importing, failure    a name or a path -> a module
    declared, older                a module -> entries, in today's terms
    fields, draft                  an entry by itself -> a node
    frame, script, references      nodes together: names and dependencies, their SQL, who reads what
    rules                          all of it, in the order in which a person reads a spec

Nothing here runs a node's SQL, calls a source or opens a file that a spec names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from taskgraph.errors import Problem, SpecError
from taskgraph.loader.declared import declared_entries, declared_exports, entries_of
from taskgraph.loader.draft import draft_of
from taskgraph.loader.finding import locate
from taskgraph.loader.importing import import_spec, importable
from taskgraph.loader.rules import problems_of
from taskgraph.spec import Node, Spec, SpecOrigin

__all__ = ["check_nodes", "importable", "load_spec", "read_spec_module"]


def load_spec(
    target: str | None, *, directory: Path, configured: str | None = None, text: str | None = None
) -> Spec:
    """Finds, imports and checks a spec.

    Args:
        target: a module's dotted name (`specs.main`) or the path of a `.py` file; None for
            `configured`, or for `specs.main` where `specs/main.py` exists.
        directory: the working directory: relative paths and modules are looked for in it.
        configured: what `[tool.taskgraph].spec` says.
        text: what the spec's file said once, to be loaded instead of what it says now.

    Raises:
        SettingsError: no spec is named, or there is none of that name.
        SpecError: the module raised while it was imported, or the spec has problems: all of them.
    """
    directory = directory.resolve()
    location = locate(target, directory=directory, configured=configured)
    imported = import_spec(location, directory, text)
    spec = read_spec_module(imported.module, imported.origin)
    return replace(spec, neighbours=imported.neighbours)


def read_spec_module(module: ModuleType, origin: SpecOrigin) -> Spec:
    """Reads and checks what an imported module declares.

    Args:
        module: has NODES, or INPUTS and TASKS, and may have EXPORTS.
        origin: where it came from; names the spec in messages.

    Raises:
        SpecError: the spec has problems: all of them.
    """
    entries, whole = declared_entries(module)
    drafts = [draft_of(entry) for entry in entries]
    exports, of_exports = declared_exports(module)
    problems = (*whole, *problems_of(drafts), *of_exports)
    if problems:
        raise SpecError(origin.module or origin.file or module.__name__, problems)
    return Spec(
        nodes=tuple(draft.node for draft in drafts if draft.node),
        exports=exports,
        origin=origin,
        module=module,
    )


def check_nodes(nodes: Sequence[Node]) -> tuple[Problem, ...]:
    """Returns everything that is wrong with nodes that were built in memory; empty if nothing is."""
    return problems_of([draft_of(entry) for entry in entries_of(nodes)])
