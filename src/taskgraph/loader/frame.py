"""How a spec's nodes stand to one another: their names, dependencies and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from taskgraph.database import fold
from taskgraph.errors import Problem
from taskgraph.graph import Cycle, Graph
from taskgraph.loader.draft import Draft
from taskgraph.loader.fields import listed, nearest
from taskgraph.namespace import Names, Scope
from taskgraph.spec import Node, SourceNode, Transform

NAMING_FIELDS = frozenset({"output_columns", "outputs"})
_MOST_CYCLES = 10


@dataclass(frozen=True)
class Frame:
    """What of a spec can be relied on, so that one mistake is told once and not many times."""

    first: Mapping[str, Draft]
    """Folded name to the first entry that has it."""
    cycles: tuple[tuple[str, ...], ...]
    """Paths of dependencies, each from the first declared of its nodes back to that node."""
    names: Names
    """Of all nodes, without the dependencies that are wrong."""
    prefixes: Names
    """Of the transforms without what they declare: who would own a name by its prefix alone."""
    declared: Mapping[str, str]
    """Folded output to the first node that declares it."""
    knows_all_names: bool
    """False where the name, kind or outputs of some entry are wrong: it may own any name."""
    unsure: frozenset[str]
    """Nodes with a dependency that is wrong, and all that depend on them."""

    @classmethod
    def of(cls, drafts: Sequence[Draft]) -> Frame:
        """Finds what can be relied on."""
        first: dict[str, Draft] = {}
        for draft in drafts:
            if draft.name is not None:
                first.setdefault(fold(draft.name), draft)
        nodes = {node.name: node for draft in first.values() if (node := draft.node)}
        known = {name: _known_dependencies(node, nodes) for name, node in nodes.items()}
        sound, cycles = _without_cycles(known)
        sure = [replace(node, depends_on=sound[name]) for name, node in nodes.items()]
        return cls(
            first=first,
            cycles=cycles,
            names=Names.of(sure),
            prefixes=Names.of([_bare(node) for node in sure if not isinstance(node, SourceNode)]),
            declared=_declared(sure),
            knows_all_names=len(nodes) == len(drafts)
            and not any(draft.faulty & NAMING_FIELDS for draft in drafts),
            unsure=_unsure(first.values(), sound),
        )

    def is_first(self, draft: Draft) -> bool:
        """Says whether the entry is the one that its name stands for."""
        return draft.name is not None and self.first[fold(draft.name)] is draft


def _known_dependencies(node: Node, nodes: Mapping[str, Node]) -> tuple[str, ...]:
    return tuple(name for name in node.depends_on if name in nodes and name != node.name)


def _without_cycles(
    dependencies: Mapping[str, tuple[str, ...]],
) -> tuple[Mapping[str, tuple[str, ...]], tuple[tuple[str, ...], ...]]:
    """Returns the dependencies less one of each cycle, and the cycles' paths.

    A tangle has more cycles than anybody reads: after some of them, nothing is left to rely on.
    """
    sound = dict(dependencies)
    cycles: list[tuple[str, ...]] = []
    declared = {name: position for position, name in enumerate(dependencies)}
    while len(cycles) < _MOST_CYCLES:
        try:
            Graph.of(sound)
        except Cycle as cycle:
            *names, _ = cycle.path
            start = names.index(min(names, key=declared.__getitem__))
            path = (*names[start:], *names[: start + 1])
            cycles.append(path)
            sound[path[-2]] = tuple(name for name in sound[path[-2]] if name != path[-1])
        else:
            return sound, tuple(cycles)
    return dict.fromkeys(dependencies, ()), tuple(cycles)


def _bare(node: Transform) -> Transform:
    return replace(node, depends_on=(), output_columns={}, outputs=())


def _declared(nodes: Iterable[Node]) -> Mapping[str, str]:
    declared: dict[str, str] = {}
    for node in nodes:
        if not isinstance(node, SourceNode):
            for view in node.required_views:
                declared.setdefault(fold(view.name), node.name)
    return declared


def _unsure(drafts: Iterable[Draft], sound: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    graph = Graph.of(sound)
    roots = [
        draft.node.name
        for draft in drafts
        if draft.node
        and ("depends_on" in draft.faulty or {*draft.node.depends_on} - {*sound[draft.node.name]})
    ]
    return frozenset(roots).union(*(graph.descendants(name) for name in roots))


def name_problems(draft: Draft, frame: Frame) -> Iterator[Problem]:
    """A name is given once, ignoring case."""
    if draft.name is not None and not frame.is_first(draft):
        first = frame.first[fold(draft.name)]
        spelt = "" if first.name == draft.name else f" as {first.name!r}"
        yield Problem(
            f"{draft.place}, name",
            f"{draft.name!r} is taken by {first.place}{spelt}; names ignore case",
        )


def dependency_problems(draft: Draft, frame: Frame) -> Iterator[Problem]:
    """Dependencies are names of other nodes, and no node waits for itself through others."""
    if draft.node is None:
        return
    where = f"{draft.label}, depends_on"
    for name in draft.node.depends_on:
        named = frame.first.get(fold(name))
        if name == draft.name:
            yield Problem(where, f"{name!r} is the node itself", "remove it")
        elif named is None or named.name != name:
            yield Problem(where, f"there is no node {name!r}", _suggested(name, draft, frame))
    for path in frame.cycles:
        if path[0] == draft.name and frame.is_first(draft):
            yield Problem(where, f"the dependencies form a cycle: {' -> '.join(path)}")


def _suggested(name: str, draft: Draft, frame: Frame) -> str:
    others = [one.name for one in frame.first.values() if one.name and one.name != draft.name]
    if not others:
        return "there are no other nodes"
    return nearest(name, others) or f"the others are {listed(others)}"


def output_problems(draft: Draft, frame: Frame) -> Iterator[Problem]:
    """A declared output is its node's own: not the engine's, a source's, or another node's."""
    if draft.node is None or isinstance(draft.node, SourceNode):
        return
    for view in draft.node.required_views:
        if problem := _output_problem(view.name, draft.node, frame):
            field = "output_columns" if view.name in draft.node.output_columns else "outputs"
            suggestion = f"name it {draft.name}_<something>"
            yield Problem(f"{draft.label}, {field}", problem, suggestion)


def _output_problem(view: str, node: Transform, frame: Frame) -> str | None:
    folded = fold(view)
    if folded.startswith("_"):
        return f"{view!r} starts with an underscore: such names belong to the engine"
    if checked := frame.names.reserved_for_checks(view):
        return f"{view!r} belongs to the checks of node {checked!r}"
    named = frame.first.get(folded)
    if named and isinstance(named.node, SourceNode):
        return f"{view!r} is the table of source {named.name!r}"
    declared = frame.declared.get(folded, node.name)
    if declared != node.name:
        return f"{view!r} is an output of node {declared!r} already"
    if unfit := Scope(Names.of([replace(node, depends_on=())]), node.name).define_refusal(view):
        return f"{view!r}: {unfit}"
    prefix = frame.prefixes.owner(view) or node.name
    # `outputs` are names that a node claims beside its prefix, in the older format.
    if named or view in node.outputs or prefix == node.name:
        return None
    return f"{view!r} falls under the prefix of node {prefix!r}; of prefixes, the longest wins"
