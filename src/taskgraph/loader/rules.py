"""All rules of a spec, told node by node, in the order in which a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from taskgraph.database import scratch
from taskgraph.errors import Problem, StatementError
from taskgraph.loader.draft import Draft
from taskgraph.loader.frame import Frame, dependency_problems, name_problems, output_problems
from taskgraph.loader.references import definition_problems, found_in, read_problems
from taskgraph.loader.script import script_of
from taskgraph.spec import SourceNode
from taskgraph.sql import Parser
from taskgraph.sql_tree import read_tree


def problems_of(drafts: Sequence[Draft]) -> tuple[Problem, ...]:
    """Returns everything that is wrong with a spec's entries, alone and together."""
    frame = Frame.of(drafts)
    with scratch() as connection:
        parse = Parser(connection)
        scripts = [script_of(draft, parse) for draft in drafts]
        plans = {
            kind: str(connection.execute("SELECT json_serialize_plan(?)", [query]).fetchall()[0][0])
            for kind, query in _casts(drafts).items()
        }
    found = found_in(drafts, scripts)
    problems: list[Problem] = []
    for draft, script in zip(drafts, scripts, strict=True):
        problems += draft.problems
        problems += name_problems(draft, frame)
        problems += dependency_problems(draft, frame)
        problems += output_problems(draft, frame)
        problems += _type_problems(draft, plans)
        problems += (problem for text in script.texts for problem in text.problems)
        problems += definition_problems(draft, script, frame)
        problems += read_problems(draft, script, frame, found)
    return tuple(problems)


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


def _type_problems(draft: Draft, plans: Mapping[str, str]) -> Iterator[Problem]:
    """A type is one that DuckDB knows: it plans a cast to it."""
    for place, kind in _declared_types(draft):
        try:
            read_tree(plans[kind], "plans")
        except StatementError as error:
            words, _, meant = str(error).partition("\n")
            yield Problem(f"{draft.label}, {place}", f"{kind!r} is no type: {words}", meant or None)
