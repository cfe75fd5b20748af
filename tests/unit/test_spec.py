"""Nodes and specs as values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from builders import prompt, source, spec_of, sql
from taskgraph.loader.fields import RULES
from taskgraph.spec import Check, Kind, Node, OutputView, PromptNode, SourceNode, SqlNode


@pytest.mark.parametrize(
    ("node", "kind"),
    [(source("a"), "source"), (sql("a"), "sql"), (prompt("a"), "prompt")],
    ids=["source", "sql", "prompt"],
)
def test_kind_follows_the_class(node: Node, kind: Kind) -> None:
    assert node.kind == kind


def test_node_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        source("a").name = "b"  # pyright: ignore[reportAttributeAccessIssue]


def test_checks_are_the_named_ones_and_then_the_older_form_by_number() -> None:
    node = source("a", validate={"main": "SELECT 1"}, validate_sql=["SELECT 2", "SELECT 3"])
    assert node.checks == (
        Check("main", "SELECT 1", "status"),
        Check("sql_1", "SELECT 2", "rows"),
        Check("sql_2", "SELECT 3", "rows"),
    )


def test_required_views_have_columns_with_and_without_types() -> None:
    node = sql("a", output_columns={"a_x": ["id", "day"], "a_y": {"id": "BIGINT"}})
    assert node.required_views == (
        OutputView("a_x", {"id": None, "day": None}),
        OutputView("a_y", {"id": "BIGINT"}),
    )


def test_outputs_are_required_too_and_each_view_once() -> None:
    node = prompt("a", output_columns={"found": ["id"]}, outputs=["found", "lost"])
    assert node.required_views == (OutputView("found", {"id": None}), OutputView("lost", {}))


def test_node_is_found_by_its_exact_name() -> None:
    spec = spec_of(source("orders"), prompt("ask"))
    assert spec.node("ask").kind == "prompt"
    with pytest.raises(KeyError):
        spec.node("Ask")


@pytest.mark.parametrize(
    ("kind", "node"),
    [("source", SourceNode), ("sql", SqlNode), ("prompt", PromptNode)],
)
def test_every_field_has_a_rule(kind: Kind, node: type[Node]) -> None:
    assert set(RULES[kind]) == {field.name for field in fields(node)}
