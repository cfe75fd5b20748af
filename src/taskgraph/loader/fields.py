"""What each field of a node may hold, one rule per field; the rules look at one value only."""

from __future__ import annotations

import inspect
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeAlias, cast, get_args

from taskgraph.database import fold
from taskgraph.ingest.options import source_problems
from taskgraph.spec import Kind, Literals, ReasoningEffort

KINDS: tuple[Kind, ...] = get_args(Kind)
_NODE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_SHOWN = 60
_MOST_LISTED = 12
_PLAIN: tuple[type, ...] = (bool, int, float, list, tuple, dict, set, bytes)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a field's value."""

    message: str
    suggestion: str | None = None
    path: tuple[object, ...] = ()
    """The place within the field: positions in lists and keys of dicts."""

    @property
    def at(self) -> str:
        """The place as Python would write it, such as `['main']`."""
        return "".join(f"[{step!r}]" for step in self.path)

    def below(self, step: object) -> Fault:
        """Returns the fault as one of the value that holds this one at `step`."""
        return replace(self, path=(step, *self.path))


Rule: TypeAlias = Callable[[Any], Iterator[Fault]]


def shown(value: object) -> str:
    """Returns a value as a message shows it: short, with its type unless it is text."""
    if isinstance(value, str) or value is None:
        text = repr(value)
        return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...'"
    kind = type(value).__name__
    return f"{reprlib.repr(value)} ({kind})" if isinstance(value, _PLAIN) else f"a {kind}"


def listed(names: Sequence[str]) -> str:
    """Returns names as a message lists them: not more than a person reads."""
    return ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")


def closest(name: object, known: Iterable[str]) -> str | None:
    """Returns the known name most like this one, ignoring case; None where none is like it."""
    # The first declared of two names that differ in case only, and of two that are as near.
    folded = {fold(one): one for one in reversed(list(known))}
    near = get_close_matches(fold(str(name)), reversed(folded), n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Returns the suggestion to write the known name most like this one, if there is one."""
    near = closest(name, known)
    return f"did you mean {near!r}?" if near else None


def _node_name(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(f"must be text, not {shown(value)}")
    elif not _NODE_NAME.fullmatch(value):
        yield Fault(
            f"{value!r} is no identifier: letters (a-z), digits and _, starting with a letter",
            _repaired(value),
        )
    elif "__" in value:
        yield Fault(f"{value!r} holds '__', which belongs to the engine", _repaired(value))


def _repaired(name: str) -> str | None:
    if not name.isascii():
        return None
    fitting = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", name)).strip("_")
    return f"write {fitting!r}" if _NODE_NAME.fullmatch(fitting) else None


def _text(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(f"must be text, not {shown(value)}")
    elif not value.strip():
        yield Fault("must not be empty")


def _description(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(f"must be text, not {shown(value)}")


def _source(value: Any) -> Iterator[Fault]:
    if callable(value):
        yield from (Fault(message) for message in call_faults(value))
    else:
        yield from (Fault(message) for message in source_problems(value))


def call_faults(function: Callable[..., object], *arguments: str) -> Iterator[str]:
    """Says that a function cannot be called with these arguments, if it cannot.

    Args:
        function: what a spec gave.
        arguments: what it will be called with, in words.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions that are written in C do not tell
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        given = " and ".join(arguments) or "nothing"
        yield f"is called with {given}, but takes {', '.join(signature.parameters) or 'nothing'}"


def _optional(rule: Rule) -> Rule:
    def check(value: Any) -> Iterator[Fault]:
        if value is not None:
            yield from rule(value)

    return check


def _list_of(what: str) -> Rule:
    def check(value: Any) -> Iterator[Fault]:
        if isinstance(value, str):
            yield Fault(f"must be a list of {what}, not one text", f"write [{shown(value)}]")
        elif isinstance(value, list | tuple):
            yield from _texts(cast("Sequence[object]", value))
        else:
            yield Fault(f"must be a list of {what}, not {shown(value)}")

    return check


def _texts(values: Sequence[object]) -> Iterator[Fault]:
    for position, value in enumerate(values):
        yield from (fault.below(position) for fault in _text(value))


def _distinct(rule: Rule) -> Rule:
    def check(value: Any) -> Iterator[Fault]:
        faults = list(rule(value))
        yield from faults or _repeated(value)

    return check


def _repeated(names: Iterable[str]) -> Iterator[Fault]:
    seen: set[str] = set()
    for position, name in enumerate(names):
        if fold(name) in seen:
            yield Fault(f"{name!r} is there already", "remove it", (position,))
        seen.add(fold(name))


def _checks(value: Any) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        older = "a list of queries that return no row goes into validate_sql"
        yield Fault(
            f"must be a dict of check and query, not {shown(value)}",
            older if isinstance(value, list | tuple) else None,
        )
        return
    checks = cast("Mapping[object, object]", value)
    seen: set[str] = set()
    for name, query in checks.items():
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            message = "is no identifier: letters (a-z), digits and _, not starting with a digit"
            yield Fault(message, path=(name,))
        elif fold(name) in seen:
            yield Fault("is there already; names ignore case", "name it otherwise", (name,))
        else:
            seen.add(fold(name))
        yield from (fault.below(name) for fault in _text(query))


def _output_columns(value: Any) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield Fault(
            f"must be a dict of view and columns, not {shown(value)}",
            "write {view: [columns]} or {view: {column: type}}",
        )
        return
    for view, columns in cast("Mapping[object, object]", value).items():
        if not isinstance(view, str) or not view:
            yield Fault("is not the name of a view", path=(view,))
        rule = _columns_with_types if isinstance(columns, Mapping) else _COLUMNS
        yield from (fault.below(view) for fault in rule(columns))


def _columns_with_types(value: Any) -> Iterator[Fault]:
    columns = cast("Mapping[object, object]", value)
    for column, kind in columns.items():
        yield from (fault.below(column) for fault in _text(kind))
    faults = list(_texts(list(columns)))
    yield from faults or _repeated(cast("Mapping[str, object]", columns))


def _whole_number(value: Any) -> Iterator[Fault]:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        yield Fault(f"must be a whole number from 1, not {shown(value)}")


def _amount(unit: str) -> Rule:
    def check(value: Any) -> Iterator[Fault]:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value < math.inf:
            yield Fault(f"must be a number of {unit} above 0, not {shown(value)}")

    return check


def _one_of(*words: str) -> Rule:
    def check(value: Any) -> Iterator[Fault]:
        if value not in words:
            allowed = f"{', '.join(words[:-1])} or {words[-1]}"
            yield Fault(f"must be {allowed}, not {shown(value)}", nearest(value, words))

    return check


NAMES = _distinct(_list_of("names"))
_COLUMNS = _distinct(_list_of("columns"))


def sound_part(value: Any, faults: Sequence[Fault]) -> Any:
    """Returns a list or a dict without the parts that have faults, so that the rest is looked at.

    Returns:
        None where the value as a whole is wrong.
    """
    if not all(fault.path for fault in faults):
        return None
    wrong = {fault.path[0] for fault in faults}
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {key: part for key, part in items if key not in wrong}
    return [part for position, part in enumerate(value) if position not in wrong]


_COMMON: Mapping[str, Rule] = {
    "name": _node_name,
    "depends_on": NAMES,
    "validate": _checks,
    "validate_sql": _list_of("queries"),
    "description": _optional(_description),
}
_TRANSFORM: Mapping[str, Rule] = {
    "output_columns": _output_columns,
    "outputs": _distinct(_list_of("views")),
}
RULES: Mapping[Kind, Mapping[str, Rule]] = {
    "source": {**_COMMON, "source": _source, "columns": _COLUMNS},
    "sql": {**_COMMON, **_TRANSFORM, "sql": _text},
    "prompt": {
        **_COMMON,
        **_TRANSFORM,
        "prompt": _text,
        "model": _optional(_text),
        "fallback": _list_of("models"),
        "reasoning_effort": _optional(_one_of(*get_args(ReasoningEffort))),
        "max_iterations": _optional(_whole_number),
        "max_cost": _optional(_amount("US dollars")),
        "max_tokens": _optional(_whole_number),
        "max_seconds": _optional(_amount("seconds")),
        "literals": _one_of(*get_args(Literals)),
    },
}
"""Kind of node to its fields, each with the rule for its value."""
