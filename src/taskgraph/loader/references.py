"""What the SQL of a spec makes and reads, held against who owns which name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from taskgraph.database import fold
from taskgraph.errors import Problem
from taskgraph.loader.draft import Draft
from taskgraph.loader.fields import Fault, listed, nearest
from taskgraph.loader.frame import NAMING_FIELDS, Frame
from taskgraph.loader.script import Script
from taskgraph.namespace import Scope
from taskgraph.spec import Node, SourceNode, SqlNode
from taskgraph.sql import builtins


@dataclass(frozen=True, slots=True)
class Found:
    """What nodes leave behind, as far as the spec tells."""

    known: Mapping[str, str]
    """All names that somebody makes for sure, by folded name."""
    complete: Mapping[str, Mapping[str, str]]
    """Node to all that it leaves; without those whose text does not tell."""


def found_in(drafts: Sequence[Draft], scripts: Sequence[Script]) -> Found:
    """Collects what every node leaves behind."""
    known: dict[str, str] = {}
    complete: dict[str, Mapping[str, str]] = {}
    for draft, script in zip(drafts, scripts, strict=True):
        if node := draft.node:
            left = _left(node, script)
            known |= left
            if script.left is not None or isinstance(node, SourceNode):
                complete[node.name] = left
    return Found(known, complete)


def _left(node: Node, script: Script) -> Mapping[str, str]:
    checks = [f"{node.name}__validation_{check.name}" for check in node.checks]
    if isinstance(node, SourceNode):
        named = [node.name]
    else:
        named = [view.name for view in node.required_views]
    return {fold(name): name for name in (*named, *checks, *(script.left or {}).values())}


def definition_problems(draft: Draft, script: Script, frame: Frame) -> Iterator[Problem]:
    """An SQL node makes what it owns and nothing else, and all that it declares."""
    node = draft.node
    if not isinstance(node, SqlNode) or script.work is None or not _owns_for_sure(draft, frame):
        return
    scope = Scope(frame.names, node.name)
    strays = [
        f"{outline.kind.replace('_', ' ').upper()} {outline.name}: {refusal}"
        for outline in script.work.outlines
        if outline.name and (refusal := scope.define_refusal(outline.name))
    ]
    # A view that is misspelt where it is made is missing as well: that is one mistake.
    missing = [] if strays or script.left is None else _missing(node, script.left, scope)
    yield from (Problem(script.work.where, message) for message in strays)
    for view in missing:
        message = f"it does not make {view!r}, which is declared"
        yield Problem(script.work.where, message, nearest(view, (script.left or {}).values()))


def _missing(node: SqlNode, left: Mapping[str, str], scope: Scope) -> list[str]:
    names = [view.name for view in node.required_views]
    return [name for name in names if fold(name) not in left and not scope.define_refusal(name)]


def _owns_for_sure(draft: Draft, frame: Frame) -> bool:
    return frame.is_first(draft) and not draft.faulty & NAMING_FIELDS


def read_problems(draft: Draft, script: Script, frame: Frame, found: Found) -> Iterator[Problem]:
    """A node reads what it makes itself, and what nodes make that it depends on."""
    if draft.node is None or not frame.is_first(draft):
        return
    reader = _Reader(draft.node.name, script.created, frame, found)
    told: set[str] = set()
    for text in script.texts:
        for name in (name for outline in text.outlines for name in outline.reads):
            stranger = reader.stranger(name)
            # One dependency that is missing is one mistake, however many of its views are read.
            if (stranger or fold(name)) in told:
                continue
            told.add(stranger or fold(name))
            fault = reader.undeclared(name, stranger) if stranger else reader.fault(name)
            if fault:
                yield Problem(text.where, fault.message, fault.suggestion)


@dataclass(frozen=True, slots=True)
class _Reader:
    node: str
    created: Mapping[str, str]
    frame: Frame
    found: Found

    def stranger(self, name: str) -> str | None:
        """Returns the owner of a name where the node does not depend on it."""
        names = self.frame.names
        owner = names.owner(name)
        if owner is None or owner == self.node or names.graph.depends(self.node, owner):
            return None
        return owner

    def undeclared(self, name: str, owner: str) -> Fault | None:
        """Says that a dependency is missing, unless one that is wrong may be meant for it."""
        if self.node in self.frame.unsure:
            return None
        message = f"reads {name!r} of node {owner!r}, which it does not depend on"
        if self.frame.names.graph.depends(owner, self.node):
            return Fault(
                message, f"{owner!r} depends on {self.node!r}: only one can read the other"
            )
        return Fault(message, f"add {owner!r} to depends_on")

    def fault(self, name: str) -> Fault | None:
        """Says what is wrong with a name that is the node's own, its dependencies', or nobody's."""
        folded = fold(name)
        owner = self.frame.names.owner(name)
        if folded.startswith("_"):
            return Fault(f"reads {name!r}: names that start with an underscore are the engine's")
        if owner is None:
            return self._nobodys(name) if self.frame.knows_all_names else None
        left = self.found.complete.get(owner)
        if left is None:
            is_bare = folded == fold(owner) and folded not in self.found.known
            hint = f"its views are called {owner}_<something>"
            return Fault(f"reads {name!r}, which is a node and no view", hint) if is_bare else None
        if folded in left or (owner == self.node and folded in self.created):
            return None
        names = _without_checks(left)
        meant = nearest(name, names) or f"it makes {listed(names)}"
        return Fault(f"reads {name!r}, which node {owner!r} does not make", meant)

    def _nobodys(self, name: str) -> Fault | None:
        if "." in name or "/" in name:
            return None  # a file: the guard has refused it in its own words
        names = _without_checks(self.found.known)
        meant = nearest(name, (*names, *builtins().functions)) or f"there are {listed(names)}"
        return Fault(f"uses {name!r}, which neither a node nor DuckDB makes", meant)


def _without_checks(known: Mapping[str, str]) -> list[str]:
    return [name for name in known.values() if "__" not in name]
