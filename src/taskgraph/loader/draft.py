"""One entry of a spec on its way to a node: what it holds, and what is wrong with it by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from taskgraph.errors import Problem
from taskgraph.loader.fields import (
    KINDS,
    RULES,
    Fault,
    Rule,
    closest,
    listed,
    nearest,
    shown,
    sound_part,
)
from taskgraph.spec import Kind, Node, PromptNode, SourceNode, SqlNode

_CLASSES: Mapping[Kind, type[Node]] = {"source": SourceNode, "sql": SqlNode, "prompt": PromptNode}
_ANY_FIELD: Mapping[str, Rule] = {
    field: rule for kind in KINDS for field, rule in RULES[kind].items()
}
_UNFIT: Mapping[Kind, Any] = {"source": None, "sql": "", "prompt": ""}
"""What stands for a node's work where that is faulty, so that the rest can still be looked at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One node as it was written, in today's terms."""

    place: str
    """Where it stands, as in `NODES[2]`."""
    value: object
    """A dict or a node; anything else is a mistake."""
    problems: tuple[Problem, ...] = ()
    """What was found wrong with it in the older format."""
    faulty: frozenset[str] = frozenset()
    """Fields of today whose values could not be found from it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One entry after a look at it alone."""

    place: str
    label: str
    """How messages call it: by its name where it has one."""
    name: str | None
    """None where it is missing or unfit."""
    node: Node | None
    """The node, without what is faulty; None where its name or its kind is not known."""
    faulty: frozenset[str]
    """Fields whose values are not to be relied on."""
    problems: tuple[Problem, ...]


def draft_of(entry: Entry) -> Draft:
    """Looks at one entry by itself: its shape, its fields, and their values."""
    given = _given(entry.value)
    if given is None:
        problem = Problem(entry.place, f"must be a dict or a node, not {shown(entry.value)}")
        return Draft(entry.place, entry.place, None, None, frozenset(), (problem,))
    kinds = _kinds(given)
    given = {field: value for field, value in given.items() if field in kinds or field not in KINDS}
    rules = RULES[kinds[0]] if len(kinds) == 1 else _ANY_FIELD
    faults = {field: tuple(rules[field](value)) for field, value in given.items() if field in rules}
    faulty = entry.faulty | {field for field, found in faults.items() if found}
    name: str | None = None if "name" in faulty else given.get("name")
    label = label_of(entry.place, given)
    return Draft(
        entry.place,
        label,
        name,
        _node(kinds[0], given, faults) if name and len(kinds) == 1 else None,
        faulty,
        (
            *entry.problems,
            *_missing(label, given, kinds),
            *(problem for field in given for problem in _of_field(label, field, kinds, faults)),
        ),
    )


def label_of(place: str, given: Mapping[Any, Any]) -> str:
    """Returns how messages call an entry: by its name where it has one, else by its place."""
    name = given.get("name")
    return f"node {name!r}" if name and isinstance(name, str) else place


def _given(value: object) -> Mapping[Any, Any] | None:
    if isinstance(value, dict):
        return cast("dict[Any, Any]", value)
    if isinstance(value, Node):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None


def _kinds(given: Mapping[Any, Any]) -> list[Kind]:
    """Returns the kinds that an entry could be; a None beside another kind does not count."""
    set_to_something: list[Kind] = [kind for kind in KINDS if given.get(kind) is not None]
    return set_to_something or [kind for kind in KINDS if kind in given]


def _missing(label: str, given: Mapping[Any, Any], kinds: Sequence[Kind]) -> Iterator[Problem]:
    meant = {closest(field, _ANY_FIELD) for field in given if field not in _ANY_FIELD}
    if "name" not in given and "name" not in meant:
        yield Problem(label, "has no name")
    if len(kinds) > 1:
        yield Problem(label, f"has {' and '.join(kinds)}; a node has exactly one of them")
    elif not kinds and not meant.intersection(KINDS):
        yield Problem(label, f"has none of {', '.join(KINDS)}; a node has exactly one of them")


def _of_field(
    label: str, field: Any, kinds: Sequence[Kind], faults: Mapping[str, tuple[Fault, ...]]
) -> Iterator[Problem]:
    if field in faults:
        for fault in faults[field]:
            yield Problem(f"{label}, {field}{fault.at}", fault.message, fault.suggestion)
    elif field in _ANY_FIELD:
        others = [kind for kind in KINDS if field in RULES[kind]]
        yield Problem(
            label,
            f"unknown field {field!r} of {kinds[0]} nodes; {' and '.join(others)} nodes have it",
            nearest(field, RULES[kinds[0]]),
        )
    else:
        known = RULES[kinds[0]] if len(kinds) == 1 else _ANY_FIELD
        suggestion = nearest(field, known) or f"the fields are {listed(tuple(known))}"
        yield Problem(label, f"unknown field {shown(field)}", suggestion)


def _node(kind: Kind, given: Mapping[Any, Any], faults: Mapping[str, tuple[Fault, ...]]) -> Node:
    values: dict[str, Any] = {kind: _UNFIT[kind]}
    for field, found in faults.items():
        part = sound_part(given[field], found) if found else given[field]
        if part is not None:
            values[field] = part if field == "source" else _frozen(part)
    return _CLASSES[kind](**values)


def _frozen(value: Any) -> Any:
    """Returns a list as a tuple, a mapping as a copy: a spec does not change under a run."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[Any, Any]", value)
        return {key: _frozen(part) for key, part in mapping.items()}
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value
