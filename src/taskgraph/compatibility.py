"""Whether a spec is built like the one of an earlier run: its nodes, what they read and leave.

Prompts, SQL, checks and data may be others. What makes an agent's earlier SQL another task's is a
difference: a node that is new or gone, other dependencies, other outputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from taskgraph.errors import Problem, SpecError
from taskgraph.provenance import structure
from taskgraph.spec import Spec

_Structure: TypeAlias = Mapping[str, Any]


def differences(spec: Spec, meta: Mapping[str, str]) -> Mapping[str, tuple[Problem, ...]]:
    """Returns how the spec's structure differs from the recorded one.

    Args:
        spec: the spec that is to run.
        meta: `_workspace_meta` of the earlier file.

    Returns:
        Node to its differences, for those that have any; nodes that are gone come last.
    """
    then = _by_name(json.loads(meta["structure"]))
    now = _by_name(structure(spec))
    found = {name: tuple(_of_node(name, one, then.get(name))) for name, one in now.items()}
    gone = {
        name: (Problem(f"node {name!r}", "is gone", "--allow-changes goes on without it"),)
        for name in then
        if name not in now
    }
    return {name: problems for name, problems in (found | gone).items() if problems}


def incompatible(spec: Spec, problems: Iterable[Problem], file: str) -> SpecError:
    """Returns the error that refuses a spec for what differs from an earlier file."""
    title = spec.origin.module or spec.origin.file or "in memory"
    error = SpecError(f"{title}: it is built otherwise than that of {file}", tuple(problems))
    error.hint = (
        "--allow-changes runs these nodes afresh and takes the rest over. Or name the spec "
        "that fits with --spec."
    )
    return error


def _by_name(nodes: Sequence[_Structure]) -> dict[str, _Structure]:
    return {node["name"]: node for node in nodes}


def _of_node(name: str, now: _Structure, then: _Structure | None) -> Iterator[Problem]:
    where = f"node {name!r}"
    if then is None:
        yield Problem(where, "is new", "--allow-changes runs it")
        return
    keys = now if now["kind"] == then["kind"] else ("kind",)
    for key in keys:
        if now[key] != then[key]:
            yield Problem(
                f"{where}, {_FIELDS.get(key, key)}",
                f"is {_told(now[key])} and was {_told(then[key])}",
                "--allow-changes runs it afresh",
            )


_FIELDS = {"outputs": "output_columns"}


def _told(value: Any) -> str:
    if not value or isinstance(value, str):
        return value or "nothing"
    if isinstance(value, dict):
        outputs = cast("Mapping[str, Mapping[str, str | None]]", value)
        return ", ".join(f"{view}{_columns(columns)}" for view, columns in outputs.items())
    return ", ".join(value)


def _columns(columns: Mapping[str, str | None]) -> str:
    told = [f"{name} {kind}" if kind else name for name, kind in columns.items()]
    return f" ({', '.join(told)})" if told else ""
