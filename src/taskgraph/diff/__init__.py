"""What differs between the files of two runs: data, SQL, prompts, checks, and what it cost."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taskgraph.database import Connection, fold
from taskgraph.diff.rows import ONE, OTHER
from taskgraph.diff.tables import (
    Side,
    TableDiff,
    attached,
    compare_table,
    read_sides,
)
from taskgraph.errors import SettingsError
from taskgraph.events import CheckResult, CheckStatus, Outcome, SourceFile, Status
from taskgraph.llm.messages import NOTHING_USED
from taskgraph.report import RunReport, read_report
from taskgraph.spec import Kind

_SEVERITY: tuple[CheckStatus, ...] = ("fail", "warn", "pass")


@dataclass(frozen=True, slots=True)
class Keys:
    """What the rows of tables are matched by."""

    everywhere: tuple[str, ...] = ()
    """In each table that has all of these columns."""
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """In the tables named."""


NO_KEYS = Keys()


@dataclass(frozen=True, slots=True)
class RunSide:
    """One of the two runs."""

    path: str
    status: str
    created_at: str
    commit: str | None
    """The git commit of its spec."""
    elapsed_ms: float
    """Of all nodes, added up."""
    tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that one run lacks, or that is of another kind or ended otherwise."""

    node: str
    one: tuple[Kind, Status] | None
    other: tuple[Kind, Status] | None


@dataclass(frozen=True, slots=True)
class SourceSide:
    """What a source was in one of the runs."""

    files: tuple[SourceFile, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class SourceChange:
    """A source with other files, or another number of rows."""

    node: str
    one: SourceSide | None
    other: SourceSide | None


@dataclass(frozen=True, slots=True)
class TextChange:
    """A text that differs."""

    name: str
    node: str
    change: str
    """`added`, `removed` or `changed`."""
    lines: tuple[str, ...]
    """As a unified diff."""


@dataclass(frozen=True, slots=True)
class CheckChange:
    """A check that says something else."""

    node: str
    check: str
    one: tuple[CheckResult, ...]
    """Empty where it did not run."""
    other: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class CostChange:
    """What a prompt node took in each of the runs."""

    node: str
    one_usd: float | None
    other_usd: float | None
    one_calls: int
    other_calls: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs between two runs."""

    one: RunSide
    other: RunSide
    nodes: tuple[NodeChange, ...]
    sources: tuple[SourceChange, ...]
    tables: tuple[TableDiff, ...]
    """All of them, those that are equal too."""
    sql: tuple[TextChange, ...]
    prompts: tuple[TextChange, ...]
    checks: tuple[CheckChange, ...]
    costs: tuple[CostChange, ...]
    """Of all prompt nodes; another cost alone is no difference."""

    @property
    def is_equal(self) -> bool:
        """Says whether the two runs came to the same."""
        changes = (self.nodes, self.sources, self.sql, self.prompts, self.checks)
        return not any(changes) and all(table.is_equal for table in self.tables)


def compare(one: Path, other: Path, keys: Keys = NO_KEYS) -> Comparison:
    """Compares the files of two runs; both are only read.

    Args:
        one: the first, called A where it is shown.
        other: the second, called B.
        keys: what rows are matched by.

    Raises:
        WorkspaceError: a file is missing, in use, or not Taskgraph's.
        SettingsError: both are the same file, or a key names a table or columns that are not there.
    """
    reports = read_report(one), read_report(other)
    if one.samefile(other):
        raise SettingsError(f"{str(one)!r} and {str(other)!r} are the same file")
    before, after = reports
    with attached(one, other) as connection:
        tables = tuple(_tables(connection, keys))
    return Comparison(
        one=_side(before),
        other=_side(after),
        nodes=tuple(_node_changes(before, after)),
        sources=tuple(_source_changes(before, after)),
        tables=tables,
        sql=tuple(_text_changes(_sql(before), _sql(after))),
        prompts=tuple(_text_changes(_prompts(before), _prompts(after))),
        checks=tuple(_check_changes(before, after)),
        costs=tuple(_costs(before, after)),
    )


def _tables(connection: Connection, keys: Keys) -> Iterator[TableDiff]:
    one, other = read_sides(connection, ONE), read_sides(connection, OTHER)
    names = list(dict.fromkeys((*one, *other)))
    matched_by = _keys_of(keys, names, one, other)
    for name in names:
        yield compare_table(
            connection, name, one.get(name), other.get(name), matched_by.get(name, ())
        )


def _keys_of(
    keys: Keys, names: Sequence[str], one: Mapping[str, Side], other: Mapping[str, Side]
) -> dict[str, tuple[str, ...]]:
    """Decides for each table, and makes sure that every key was meant for something."""
    on_both = [name for name in names if name in one and name in other]
    everywhere = {
        name: keys.everywhere
        for name in on_both
        if keys.everywhere and not _lacking(keys.everywhere, one[name], other[name])
    }
    if keys.everywhere and not everywhere:
        raise SettingsError(f"no table of both files has the columns {_listed(keys.everywhere)}")
    by_fold = {fold(name): name for name in on_both}
    named: dict[str, tuple[str, ...]] = {}
    for table, columns in keys.tables.items():
        name = by_fold.get(fold(table))
        if name is None:
            near = difflib.get_close_matches(table, on_both, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {_listed(on_both)}"
            raise SettingsError(f"there is no table {table!r} in both files", hint)
        if lacking := _lacking(columns, one[name], other[name]):
            there = [column for column in one[name].columns if column in other[name].columns]
            raise SettingsError(
                f"the table {name!r} has no column {_listed(lacking)} in both files",
                f"there are {_listed(there)}",
            )
        named[name] = columns
    return everywhere | named


def _lacking(columns: Iterable[str], *sides: Side) -> list[str]:
    there = [set(map(fold, side.columns)) for side in sides]
    return [column for column in columns if not all(fold(column) in one for one in there)]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _side(report: RunReport) -> RunSide:
    commit: dict[str, str] | None = json.loads(report.meta["spec"])["git"]
    usage = sum((outcome.usage for outcome in report.outcomes), NOTHING_USED)
    return RunSide(
        path=report.path,
        status=report.status,
        created_at=report.meta["created_at_utc"],
        commit=commit["commit"] if commit else None,
        elapsed_ms=sum(outcome.elapsed_ms for outcome in report.outcomes),
        tokens=usage.total_tokens,
        cost_usd=usage.cost_usd,
    )


def _node_changes(before: RunReport, after: RunReport) -> Iterator[NodeChange]:
    one, other = ({o.node: _how_ended(o) for o in run.outcomes} for run in (before, after))
    for node in one | other:
        if one.get(node) != other.get(node):
            yield NodeChange(node, one.get(node), other.get(node))


def _how_ended(outcome: Outcome) -> tuple[Kind, Status]:
    # Whether its work is new or taken over from an earlier run makes no difference here.
    return outcome.kind, "passed" if outcome.status == "reused" else outcome.status


def _source_changes(before: RunReport, after: RunReport) -> Iterator[SourceChange]:
    one, other = _sources(before), _sources(after)
    for node in one | other:
        if one.get(node) != other.get(node):
            yield SourceChange(node, one.get(node), other.get(node))


def _sources(report: RunReport) -> dict[str, SourceSide]:
    return {
        outcome.node: SourceSide(outcome.files, dict(outcome.tables).get(outcome.node, 0))
        for outcome in report.outcomes
        if outcome.kind == "source" and outcome.tables
    }


def _sql(report: RunReport) -> dict[tuple[str, str], str]:
    return {
        (outcome.node, definition.name): definition.sql
        for outcome in report.outcomes
        for definition in outcome.definitions
    }


def _prompts(report: RunReport) -> dict[tuple[str, str], str]:
    prompts: dict[str, str] = json.loads(report.meta["node_prompts"])
    return {(node, node): text for node, text in prompts.items()}


def _text_changes(
    one: Mapping[tuple[str, str], str], other: Mapping[tuple[str, str], str]
) -> Iterator[TextChange]:
    for place in {**one, **other}:
        before, after = one.get(place), other.get(place)
        if before != after:
            change = "added" if before is None else "removed" if after is None else "changed"
            node, name = place
            yield TextChange(name, node, change, tuple(_unified(before or "", after or "")))


def _unified(before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        before.strip().splitlines(), after.strip().splitlines(), lineterm=""
    )
    # The first two name files, which there are none of.
    yield from list(lines)[2:]


def _check_changes(before: RunReport, after: RunReport) -> Iterator[CheckChange]:
    one, other = _checks(before), _checks(after)
    for place in {**one, **other}:
        if one.get(place) != other.get(place):
            yield CheckChange(*place, one.get(place, ()), other.get(place, ()))


def _checks(report: RunReport) -> dict[tuple[str, str], tuple[CheckResult, ...]]:
    found: dict[tuple[str, str], list[CheckResult]] = {}
    for outcome in report.outcomes:
        for result in outcome.checks:
            found.setdefault((outcome.node, result.check), []).append(result)
    # The rows of a check come in any order.
    return {
        place: tuple(sorted(rows, key=lambda row: (_SEVERITY.index(row.status), row.message)))
        for place, rows in found.items()
    }


def _costs(before: RunReport, after: RunReport) -> Iterator[CostChange]:
    one, other = (
        {o.node: o for o in run.outcomes if o.kind == "prompt"} for run in (before, after)
    )
    for node in one | other:
        was, became = one.get(node), other.get(node)
        yield CostChange(
            node=node,
            one_usd=was and was.usage.cost_usd,
            other_usd=became and became.usage.cost_usd,
            one_calls=was.iterations if was else 0,
            other_calls=became.iterations if became else 0,
        )
