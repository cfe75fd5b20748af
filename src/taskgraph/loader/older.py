"""The older format, INPUTS and TASKS, put into today's terms.

An input is a source. A task is an SQL or prompt node; it depends on whoever makes what it names in
`inputs`, and its `outputs` are names that it owns beside its prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast

from taskgraph.database import fold
from taskgraph.errors import Problem
from taskgraph.loader.draft import Entry, label_of
from taskgraph.loader.fields import NAMES, RULES, Fault, listed, nearest, shown
from taskgraph.spec import Node

_SOURCE_FIELDS = {"data": "source", "columns": "columns", "validate_sql": "validate_sql"}
"""Fields of a rich input to those of a source."""
_NODE_FIELDS = tuple(
    one for one in {**RULES["sql"], **RULES["prompt"]} if one not in {"name", "depends_on"}
)
_TASK_FIELDS = ("name", "inputs", *_NODE_FIELDS)


def older_entries(inputs: Mapping[Any, Any], tasks: Sequence[Any]) -> tuple[Entry, ...]:
    """Returns the entries that INPUTS and TASKS stand for, in declared order."""
    given = [_fields_of(task) for task in tasks]
    makers = _Makers.of(inputs, [one for one in given if one is not None])
    sources = [_source(name, value) for name, value in inputs.items()]
    transforms = [
        Entry(f"TASKS[{position}]", task)
        if one is None
        else _transform(f"TASKS[{position}]", one, makers)
        for position, (task, one) in enumerate(zip(tasks, given, strict=True))
    ]
    return (*sources, *transforms)


def _source(name: Any, value: Any) -> Entry:
    place = f"INPUTS[{name!r}]"
    rich = cast("dict[Any, Any]", value) if isinstance(value, dict) else {}
    if "data" not in rich:
        return Entry(place, {"name": name, "source": cast("object", value)})
    known = {new: rich[old] for old, new in _SOURCE_FIELDS.items() if old in rich}
    return Entry(place, {"name": name, **known}, tuple(_unknown(place, rich, [*_SOURCE_FIELDS])))


def _unknown(where: str, given: Iterable[Any], known: Sequence[str]) -> Iterator[Problem]:
    for one in given:
        if one not in known:
            suggestion = nearest(one, known) or f"the fields are {listed(known)}"
            yield Problem(where, f"unknown field {shown(one)}", suggestion)


def _fields_of(task: object) -> Mapping[Any, Any] | None:
    """Returns the fields of a dict, or those of a `Task` that are not empty."""
    if isinstance(task, dict):
        return cast("dict[Any, Any]", task)
    if is_dataclass(task) and not isinstance(task, type | Node):
        return {one.name: value for one in fields(task) if (value := getattr(task, one.name))}
    return None


@dataclass(frozen=True, slots=True)
class _Makers:
    by_name: Mapping[str, tuple[str, str]]
    """Folded table or view to how it is spelt, and to the input or task that makes it."""
    tasks: tuple[str, ...]
    """The longest name first: of the prefixes that fit, the longest wins."""

    @classmethod
    def of(cls, inputs: Iterable[Any], tasks: Iterable[Mapping[Any, Any]]) -> _Makers:
        """Collects who makes what, as far as the names are right."""
        named = [(task["name"], task) for task in tasks if isinstance(task.get("name"), str)]
        made = [(name, name) for name in inputs if isinstance(name, str)]
        made += [(view, name) for name, task in named for view in _outputs(task)]
        by_name: dict[str, tuple[str, str]] = {}
        for view, name in made:
            by_name.setdefault(fold(view), (view, name))
        return cls(
            by_name,
            tuple(sorted((name for name, _ in named), key=len, reverse=True)),
        )

    def maker(self, view: str) -> str | None:
        """Returns who makes a table or view: by its declared name, else by its prefix."""
        if fold(view) in self.by_name:
            return self.by_name[fold(view)][1]
        return next((task for task in self.tasks if fold(view).startswith(f"{fold(task)}_")), None)


def _outputs(task: Mapping[Any, Any]) -> Iterator[str]:
    for name in ("outputs", "output_columns"):
        views = task.get(name)
        if isinstance(views, list | tuple | dict):
            yield from (view for view in cast("Iterable[Any]", views) if isinstance(view, str))


def _transform(place: str, given: Mapping[Any, Any], makers: _Makers) -> Entry:
    label = label_of(place, given)
    makers_of_inputs, faults = _makers_of(given.get("inputs", ()), given.get("name"), makers)
    return Entry(
        place,
        {name: given[name] for name in given if name == "name" or name in _NODE_FIELDS}
        | {"depends_on": makers_of_inputs},
        (
            *_unknown(label, given, _TASK_FIELDS),
            *(Problem(f"{label}, inputs{one.at}", one.message, one.suggestion) for one in faults),
        ),
        faulty=frozenset({"depends_on"} if faults else ()),
    )


def _makers_of(
    inputs: Any, task: object, makers: _Makers
) -> tuple[tuple[str, ...], Sequence[Fault]]:
    """Returns the names of those who make the inputs, and what is wrong with the inputs."""
    if faults := list(NAMES(inputs)):
        return (), faults
    found: list[str] = []
    for position, view in enumerate(cast("Sequence[str]", inputs)):
        maker = makers.maker(view)
        if maker is None:
            spelt = [name for name, _ in makers.by_name.values()]
            meant = nearest(view, spelt) or f"made are {listed(spelt)}"
            faults.append(Fault(f"no input and no task makes {view!r}", meant, (position,)))
        elif maker == task:
            faults.append(Fault(f"the task makes {view!r} itself", "remove it", (position,)))
        else:
            found.append(maker)
    return tuple(dict.fromkeys(found)), faults
