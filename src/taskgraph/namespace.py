"""Who owns an object's name, and what one node may create and read.

Answers come from names alone, in time that grows with the length of the name and never with the
number of objects in the file: nothing in here looks at a catalog. The rules are DESIGN section 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from taskgraph.database import fold
from taskgraph.graph import Graph
from taskgraph.spec import Node, SourceNode

MAX_NAME_BYTES = 200
"""DuckDB takes names of any length; nobody reads one that is longer than this."""
_RESERVED = "__validation"


@dataclass(frozen=True)
class Names:
    """Every name that a spec gives away; built once per spec."""

    graph: Graph
    """Who depends on whom."""
    _nodes: Mapping[str, str]
    _declared: Mapping[str, str]
    _outputs: Mapping[str, tuple[str, ...]]
    _longest: int
    """Characters of the longest node's name."""

    @classmethod
    def of(cls, nodes: Sequence[Node]) -> Names:
        """Collects the names of a spec's nodes; overlapping outputs are the loader's to refuse."""
        outputs = {node.name: _declared_names(node) for node in nodes}
        return cls(
            graph=Graph.of({node.name: node.depends_on for node in nodes}),
            _nodes={fold(node.name): node.name for node in nodes},
            _declared={fold(name): node for node, names in outputs.items() for name in names},
            _outputs=outputs,
            _longest=max((len(node.name) for node in nodes), default=0),
        )

    def owner(self, name: str) -> str | None:
        """Returns the node that owns this object name, or None: nobody's, or the engine's.

        A declared name (a source's own, an output) goes before a prefix; of the prefixes that fit,
        the longest wins, so that `match` does not own what belongs to a node `match_residual`.
        """
        folded = fold(name)
        if folded.startswith("_"):
            return None
        return self._declared.get(folded) or self._nodes.get(folded) or self._by_prefix(folded)

    def declared_by(self, node: str) -> tuple[str, ...]:
        """Returns the names a node owns beside its prefix: its outputs, or a source's own name."""
        return self._outputs[node]

    def reserved_for_checks(self, name: str) -> str | None:
        """Returns the node whose checks this name belongs to (`{node}__validation...`), if any."""
        # A node's name holds no `__`, so that the first one ends it.
        prefix, mark, _ = fold(name).partition(_RESERVED)
        return self._nodes.get(prefix) if mark else None

    def _by_prefix(self, folded: str) -> str | None:
        # A bare prefix is its node's as well, or the node with the next shorter one could create
        # it. No prefix is longer than the longest node: a name of 60,000 underscores costs no more
        # than a short one.
        end = folded.rfind("_", 0, self._longest + 1)
        while end > 0:
            if node := self._nodes.get(folded[:end]):
                return node
            end = folded.rfind("_", 0, end)
        return None


@dataclass(frozen=True)
class Scope:
    """One node's view of the names."""

    names: Names
    node: str

    def define_refusal(self, name: str) -> str | None:
        """Says why the node may not create or drop `name`, and what to write instead.

        Returns:
            None where it may.
        """
        folded = fold(name)
        if problem := _unfit(name):
            return problem
        if folded.startswith("_"):
            return f"names that start with an underscore belong to the engine; {self._own_names()}"
        if checked := self.names.reserved_for_checks(name):
            return f"names that start with {checked}{_RESERVED} belong to the checks of {checked}"
        owner = self.names.owner(name)
        if owner != self.node:
            whose = f"{name} belongs to node {owner}" if owner else f"{name} is nobody's"
            return f"{whose}; {self._own_names()}"
        own, declared = fold(self.node), {fold(one) for one in self.names.declared_by(self.node)}
        if folded in {own, f"{own}_"} - declared:
            return f"{name} is the node's own name; {self._own_names()}"
        return None

    def read_refusal(self, name: str) -> str | None:
        """Says why the node may not read `name`, and which dependency would allow it.

        Returns:
            None where it may: its own objects, and those of nodes it depends on, directly or
            through others. Whether the object exists is not asked.
        """
        if name.startswith("_"):
            return f"{shown(name)} belongs to the engine, which nodes cannot read"
        owner = self.names.owner(name)
        if owner is None:
            return f"there is no table, view or macro {shown(name)}{self._nearest(name)}"
        if owner == self.node or self.names.graph.depends(self.node, owner):
            return None
        return (
            f"{shown(name)} belongs to node {owner}, which {self.node} does not depend on; "
            f"{self.readable_text()}, or let the spec add {owner!r} to depends_on of {self.node!r}"
        )

    def readable(self) -> tuple[str, ...]:
        """What the node may read, its own first, for messages: declared names and `{node}_*`."""
        nodes = (self.node, *self.names.graph.ancestors(self.node))
        return tuple(text for node in nodes for text in self._names_of(node))

    def _names_of(self, node: str) -> Iterable[str]:
        declared = self.names.declared_by(node)
        return declared if node in declared else (*declared, f"{node}_*")

    def _nearest(self, name: str) -> str:
        known = {fold(text): text for text in self.readable()}
        near = difflib.get_close_matches(fold(shown(name)), known, n=3, cutoff=0.6)
        if near:
            return f"; did you mean {' or '.join(known[text] for text in near)}?"
        return f"; {self.readable_text()}"

    def readable_text(self) -> str:
        """Says what the node may read, in words for a message."""
        names = self.readable()
        shown = ", ".join(names[:20])
        return f"read {shown}{', ...' if len(names) > 20 else ''}"

    def _own_names(self) -> str:
        declared = self.names.declared_by(self.node)
        also = f", or one of its outputs: {', '.join(declared)}" if declared else ""
        return f"name it {self.node}_<something>{also}"


@dataclass(frozen=True)
class Reader(Scope):
    """A person's view of the names, who may read them all, the engine's too, and create none."""

    def define_refusal(self, name: str) -> str | None:
        """Says that nothing can be created."""
        return f"{shown(name)} cannot be created or dropped: this only reads"

    def read_refusal(self, name: str) -> str | None:
        """Says nothing: DuckDB itself knows best what there is."""
        del name

    def readable_text(self) -> str:
        """Says what can be read, in words for a message."""
        return "read any table of the file"


READER = Reader(Names.of(()), "")


def _declared_names(node: Node) -> tuple[str, ...]:
    if isinstance(node, SourceNode):
        return (node.name,)
    return tuple(view.name for view in node.required_views)


def shown(name: str) -> str:
    """Returns the name as a message shows it: a hostile one may be as long as the statement."""
    return name if len(name) <= MAX_NAME_BYTES else f"{name[:MAX_NAME_BYTES]}..."


def _unfit(name: str) -> str | None:
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        return "a name cannot hold control characters"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"the name is longer than {MAX_NAME_BYTES} bytes: shorten it"
    return None
