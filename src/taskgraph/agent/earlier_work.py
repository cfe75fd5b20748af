"""What an agent is told of the work that an earlier run has of its task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc

from taskgraph.agent.rendering import cut, rows_text
from taskgraph.catalog import Shape
from taskgraph.events import CheckResult, Definition

_SQL_CHARACTERS = 6_000
_MESSAGE_CHARACTERS = 200
_MOST_FINDINGS = 30


@dataclass(frozen=True, slots=True)
class EarlierWork:
    """What an earlier run made of the task, and how that stands today."""

    definitions: tuple[Definition, ...]
    """In the order in which they were made."""
    findings: tuple[CheckResult, ...]
    """What its checks say on today's data."""
    lost: Mapping[str, str] = field(default_factory=dict[str, str])
    """Views and macros that could not be made again, and why."""
    then: Mapping[str, Shape] = field(default_factory=dict[str, Shape])
    """What the agent could read when the SQL was accepted."""
    now: Mapping[str, Shape] = field(default_factory=dict[str, Shape])
    other_prompt: str | None = None
    """How the task was worded then; None if as it is now."""


def earlier_text(work: EarlierWork) -> str:
    """Describes it: the SQL, what no longer holds, and what is new in what it reads."""
    made = "\n".join(_sql(one) for one in work.definitions)
    return (
        "An agent's SQL was accepted for this task on earlier data. It has been run again, and "
        f"{_standing(work)} Keep what is right, and replace or drop the rest; what you do not "
        f"touch stays.\n{made}\n{_verdicts(work)}\n{_changes(work.then, work.now)}"
        f"{_rewording(work.other_prompt)}"
    )


def _rewording(other_prompt: str | None) -> str:
    if other_prompt is None:
        return ""
    return f"\nThe task was worded otherwise then:\n{cleandoc(other_prompt)}"


def _standing(work: EarlierWork) -> str:
    if not work.lost:
        return "all of it stands in the database now."
    return f"all of it stands in the database now but {', '.join(work.lost)}."


def _sql(definition: Definition) -> str:
    return f"```sql\n{cut(cleandoc(definition.sql), _SQL_CHARACTERS)}\n```"


def _verdicts(work: EarlierWork) -> str:
    lost = [f"- {name} cannot be made: {_cut(why)}" for name, why in work.lost.items()]
    found = [
        f"- {one.status} {one.check}: {_cut(one.message)}"
        for one in work.findings
        if one.status != "pass"
    ]
    lines = [*lost, *found]
    if not lines:
        return (
            "On today's data all checks pass. See whether it still does what the task asks for, "
            "also where no check looks; if it does, say so and end."
        )
    more = [f"- and {len(lines) - _MOST_FINDINGS} more"] if len(lines) > _MOST_FINDINGS else []
    return "\n".join(["What does not hold on today's data:", *lines[:_MOST_FINDINGS], *more])


def _cut(text: str) -> str:
    return cut(text, _MESSAGE_CHARACTERS)


def _changes(then: Mapping[str, Shape], now: Mapping[str, Shape]) -> str:
    lines = [f"- {table} is no longer there" for table in then if table not in now]
    lines += [f"- {table} is new" for table in now if table not in then]
    for table in now.keys() & then.keys():
        changes = list(_table_changes(then[table], now[table]))
        if changes:
            lines.append(f"- {table}: {', '.join(changes)}")
    if not lines:
        return "What you can read has the same columns, types and row counts as then."
    return "\n".join(["What has changed in what you can read:", *sorted(lines)])


def _table_changes(then: Shape, now: Shape) -> Iterator[str]:
    yield from (f"column {name} is gone" for name in then.columns if name not in now.columns)
    for name, kind in now.columns.items():
        if name not in then.columns:
            yield f"column {name} {kind} is new"
        elif kind != then.columns[name]:
            yield f"column {name} was {then.columns[name]} and is {kind}"
    if then.row_count != now.row_count:
        yield f"{rows_text(then.row_count)} then, {rows_text(now.row_count)} now"
