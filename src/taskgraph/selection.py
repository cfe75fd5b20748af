"""Which nodes a person means by `--select` and `--exclude`: the grammar of dbt.

    match  match_*             by name, with `*` and `?`
    kind:prompt  status:failed by what it is, by how it ended in the earlier file
    +match  match+  +match+    with all that it depends on, all that depends on it
    2+match  match+1           the same, no farther than this many steps
    a b                        either; so is an option given twice
    a,b                        both at once

Source: dbt's node selection syntax, https://docs.getdbt.com/reference/node-selection/syntax.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import reduce
from typing import TypeAlias, get_args

from taskgraph.database import fold
from taskgraph.errors import SettingsError
from taskgraph.events import Status
from taskgraph.graph import Graph
from taskgraph.spec import Kind, Spec

_ATOM = re.compile(r"(?:(?P<up>\d*)\+)?(?P<body>[^+]+)(?:\+(?P<down>\d*))?")
_Edges: TypeAlias = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Selector:
    """Answers what is meant, for the nodes of one spec."""

    graph: Graph
    kinds: Mapping[str, Kind]
    """Of each node."""
    statuses: Mapping[str, Status]
    """Of each node that an earlier file has; empty where none is given."""

    @classmethod
    def of(cls, spec: Spec, graph: Graph, statuses: Mapping[str, Status]) -> Selector:
        """Makes one for a spec."""
        return cls(graph, {node.name: node.kind for node in spec.nodes}, statuses)

    def chosen(self, select: Sequence[str], exclude: Sequence[str]) -> frozenset[str]:
        """Returns the nodes that are selected and not excluded; all are selected where none are.

        Raises:
            SettingsError: a name, a kind or a status means nothing, or no node is left.
        """
        chosen = self._union(select) if select else frozenset(self.kinds)
        left = chosen - self._union(exclude)
        if not left:
            what = " ".join([*(f"--select {one!r}" for one in select), *_excluding(exclude)])
            raise SettingsError(f"nothing is selected by {what}", _listed(self.kinds))
        return left

    def _union(self, texts: Sequence[str]) -> frozenset[str]:
        parts = [part for text in texts for part in text.split()]
        return frozenset[str]().union(*map(self._intersection, parts))

    def _intersection(self, text: str) -> frozenset[str]:
        return reduce(frozenset[str].intersection, map(self._atom, text.split(",")))

    def _atom(self, text: str) -> frozenset[str]:
        found = _ATOM.fullmatch(text)
        if found is None:
            raise SettingsError(
                f"{text!r} selects nothing",
                "Write a node's name, kind:prompt or status:failed; +match and match+ take along "
                "what it depends on and what depends on it, 2+match no farther than two steps.",
            )
        named = self._named(found["body"])
        above = _within(named, self.graph.dependencies, found["up"])
        below = _within(named, self.graph.dependents, found["down"])
        return named | above | below

    def _named(self, text: str) -> frozenset[str]:
        method, colon, value = text.partition(":")
        match method if colon else "":
            case "":
                return self._by_name(text)
            case "kind":
                return self._by_value("kind", value, self.kinds, get_args(Kind))
            case "status":
                if not self.statuses:
                    raise SettingsError(
                        f"{text!r} selects by how nodes ended, and no earlier file is given",
                        "Give one: taskgraph rerun FILE.db, or taskgraph run --from FILE.db.",
                    )
                return self._by_value("status", value, self.statuses, get_args(Status))
            case _:
                raise _unknown("method of selection", method, ("kind", "status"))

    def _by_name(self, pattern: str) -> frozenset[str]:
        found = frozenset(name for name in self.kinds if fnmatchcase(fold(name), fold(pattern)))
        if not found:
            raise _unknown("node", pattern, self.kinds)
        return found

    def _by_value(
        self, what: str, value: str, values: Mapping[str, str], known: Sequence[str]
    ) -> frozenset[str]:
        if fold(value) not in known:
            raise _unknown(what, value, known)
        return frozenset(name for name in self.kinds if values.get(name) == fold(value))


def _within(names: frozenset[str], edges: _Edges, steps: str | None) -> frozenset[str]:
    """Returns what is reached over edges: in no step for None, in any number for an empty text."""
    if steps is None:
        return frozenset()
    limit = int(steps) if steps else len(edges)
    reached, frontier = names, names
    for _ in range(limit):
        frontier = frozenset(other for name in frontier for other in edges[name]) - reached
        if not frontier:
            break
        reached |= frontier
    return reached


def _excluding(exclude: Sequence[str]) -> Iterable[str]:
    return (f"--exclude {one!r}" for one in exclude)


def _unknown(what: str, value: str, known: Iterable[str]) -> SettingsError:
    by_key = {fold(name): name for name in known}
    nearest = difflib.get_close_matches(fold(value), by_key, n=1)
    hint = f"did you mean {by_key[nearest[0]]!r}?" if nearest else _listed(by_key.values())
    return SettingsError(f"there is no {what} {value!r}", hint)


def _listed(names: Iterable[str]) -> str:
    all_names = list(names)
    more = f" and {len(all_names) - 20} more" if len(all_names) > 20 else ""
    return f"there are {', '.join(all_names[:20])}{more}"
