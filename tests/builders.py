"""Terse valid nodes and specs, so that a test says only what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from taskgraph.spec import (
    Export,
    Literals,
    Node,
    OutputColumns,
    PromptNode,
    ReasoningEffort,
    SourceData,
    SourceNode,
    Spec,
    SqlNode,
)

ROWS: tuple[dict[str, object], ...] = ({"id": 1, "amount": 10.0}, {"id": 2, "amount": 20.0})


class Common(TypedDict, total=False):
    """Fields that every node may have."""

    validate: Mapping[str, str]
    validate_sql: Sequence[str]
    description: str | None


class Source(Common, total=False):
    """Fields of a source, beside its name and its data."""

    depends_on: Sequence[str]
    columns: Sequence[str]


class Prompt(Common, total=False):
    """Fields of a prompt node that override the run's settings."""

    model: str | None
    fallback: Sequence[str]
    reasoning_effort: ReasoningEffort | None
    max_iterations: int | None
    max_cost: float | None
    max_tokens: int | None
    max_seconds: float | None
    literals: Literals


def source(name: str, rows: SourceData = None, **fields: Unpack[Source]) -> SourceNode:
    """A source with two rows of `id` and `amount`, unless other data is given."""
    return SourceNode(name=name, source=list(ROWS) if rows is None else rows, **fields)


def sql(
    name: str,
    text: str | None = None,
    depends_on: Sequence[str] = (),
    *,
    output_columns: OutputColumns | None = None,
    outputs: Sequence[str] = (),
    **fields: Unpack[Common],
) -> SqlNode:
    """An SQL node that makes `{name}_all` of what it depends on first, unless SQL is given."""
    body = f"SELECT * FROM {depends_on[0]}" if depends_on else "SELECT 1 AS one"
    return SqlNode(
        name=name,
        sql=f"CREATE VIEW {name}_all AS {body}" if text is None else text,
        depends_on=depends_on,
        output_columns=output_columns or {},
        outputs=outputs,
        **fields,
    )


def prompt(
    name: str,
    text: str = "Make the view.",
    depends_on: Sequence[str] = (),
    *,
    output_columns: OutputColumns | None = None,
    outputs: Sequence[str] = (),
    **fields: Unpack[Prompt],
) -> PromptNode:
    """A prompt node that must leave `{name}_result`, unless other outputs are given."""
    if output_columns is None and not outputs:
        output_columns = {f"{name}_result": []}
    return PromptNode(
        name=name,
        prompt=text,
        depends_on=depends_on,
        output_columns=output_columns or {},
        outputs=outputs,
        **fields,
    )


def spec_of(*nodes: Node, exports: Mapping[str, Export] | None = None) -> Spec:
    """A spec built in memory, from no file."""
    return Spec(nodes=nodes, exports=exports or {})
