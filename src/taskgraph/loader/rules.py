"""All rules of a spec, told node by node, in the order in which a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from taskgraph.database import fold, scratch
from taskgraph.errors import Problem, StatementError
from taskgraph.loader.draft import Draft
from taskgraph.loader.fields import nearest
from taskgraph.loader.frame import Frame, dependency_problems, name_problems, output_problems
from taskgraph.loader.references import definition_problems, found_in, read_problems
from taskgraph.loader.script import queries_of, script_of, splits_of
from taskgraph.spec import SourceNode
from taskgraph.sql import Parser
from taskgraph.sql_tree import read_tree


def problems_of(drafts: Sequence[Draft]) -> tuple[Problem, ...]:
    """Returns everything that is wrong with a spec's entries, alone and together."""
    frame = Frame.of(drafts)
    with scratch() as connection:
        # Thousands of queries that only parse: nothing in them to optimise, or to share out.
        connection.execute("SET enable_optimizer = false; SET threads = 1")
        parse = Parser(connection)
        splits = [splits_of(draft, parse) for draft in drafts]
        parse.learn(query for of_draft in splits for query in queries_of(of_draft))
        scripts = [
            script_of(draft, of_draft, parse, frame.names)
            for draft, of_draft in zip(drafts, splits, strict=True)
        ]
        plans = {
            kind: str(connection.execute("SELECT json_serialize_plan(?)", [query]).fetchall()[0][0])
            for kind, query in _casts(drafts).items()
        }
        names = connection.execute("SELECT upper(type_name) FROM duckdb_types()").fetchall()
    types = _Types(plans, tuple(str(name) for (name,) in names))
    found = found_in(drafts, scripts)
    problems: list[Problem] = []
    for draft, script in zip(drafts, scripts, strict=True):
        problems += draft.problems
        problems += name_problems(draft, frame)
        problems += dependency_problems(draft, frame)
        problems += output_problems(draft, frame)
        problems += _type_problems(draft, types)
        problems += _check_name_problems(draft)
        problems += (problem for text in script.texts for problem in text.problems)
        problems += definition_problems(draft, script, frame)
        problems += read_problems(draft, script, frame, found)
    return tuple(problems)


def _check_name_problems(draft: Draft) -> Iterator[Problem]:
    """A declared check is not called like one of the older form, which are numbered."""
    if draft.node:
        declared = {fold(name): name for name in draft.node.validate}
        for check in draft.node.checks:
            if check.style == "rows" and check.name in declared:
                where = f"{draft.label}, validate[{declared[check.name]!r}]"
                yield Problem(where, "is the name of a query of validate_sql", "name it otherwise")


@dataclass(frozen=True, slots=True)
class _Types:
    plans: Mapping[str, str]
    """Declared type to DuckDB's plan of a cast to it, or to why there is none; as JSON."""
    names: tuple[str, ...]
    """All that DuckDB knows."""


def _declared_types(draft: Draft) -> Iterator[tuple[str, str]]:
    """Yields the place and the text of every type that a node's outputs must have."""
    if draft.node is None or isinstance(draft.node, SourceNode):
        return
    for view in draft.node.required_views:
        for column, kind in view.columns.items():
            if kind is not None:
                yield f"output_columns[{view.name!r}][{column!r}]", kind


def _casts(drafts: Sequence[Draft]) -> Mapping[str, str]:
    kinds = (kind for draft in drafts for _, kind in _declared_types(draft))
    return {kind: f"SELECT CAST(NULL AS {kind})" for kind in kinds}


def _type_problems(draft: Draft, types: _Types) -> Iterator[Problem]:
    """A type is one that DuckDB can cast to."""
    for place, kind in _declared_types(draft):
        try:
            read_tree(types.plans[kind], "plans")
        except StatementError as error:
            words = str(error).partition("\n")[0]
            meant = None if "(" in kind else nearest(kind, types.names)
            yield Problem(f"{draft.label}, {place}", f"{kind!r} is no type: {words}", meant)
