"""Which nodes a person means by `-S`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from taskgraph.database import fold
from taskgraph.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that may be meant."""

    name: str
    kind: str
    status: str | None = None
    """How it ended, where there is a run."""

    def fits(self, pattern: str) -> bool:
        """Says whether the node is meant by a name with `*` and `?`, `kind:` or `status:`."""
        method, colon, value = fold(pattern).partition(":")
        if colon:
            return value == {"kind": self.kind, "status": self.status}.get(method)
        return fnmatchcase(fold(self.name), fold(pattern))


def selected(patterns: Sequence[str], candidates: Sequence[Candidate]) -> frozenset[str]:
    """Returns the names of the nodes that any pattern means; all where there is no pattern.

    Raises:
        SettingsError: a pattern means no node.
    """
    if not patterns:
        return frozenset(one.name for one in candidates)
    return frozenset(name for pattern in patterns for name in _meant(pattern, candidates))


def _meant(pattern: str, candidates: Sequence[Candidate]) -> list[str]:
    found = [one.name for one in candidates if one.fits(pattern)]
    if not found:
        raise unknown_node(pattern, (one.name for one in candidates))
    return found


def unknown_node(name: str, nodes: Iterable[str]) -> SettingsError:
    """Returns the error for a name that no node has, with the nearest that one has."""
    names = list(nodes)
    nearest = difflib.get_close_matches(name, names, n=1)
    some = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {some}"
    return SettingsError(f"there is no node {name!r}", hint)
