"""Who owns a name, who may create it, who may read it."""

from __future__ import annotations

from time import perf_counter

import pytest

from builders import prompt, source, sql
from taskgraph.namespace import MAX_NAME_BYTES, READER, Names, Scope

NAMES = Names.of(
    [
        source("orders"),
        source("order_items"),
        prompt("match", outputs=["pairs", "match_residual_total", "match"], depends_on=["orders"]),
        sql("match_residual", depends_on=["match"], output_columns={"Rest": ["id"]}),
        sql("order", depends_on=["orders"]),
        sql("a", depends_on=["match_residual"]),
        sql("a_", depends_on=[]),
        sql("lonely"),
    ]
)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("orders", "orders"),
        ("ORDERS", "orders"),
        ("orders__validation_total", "orders"),
        ("order_items", "order_items"),
        ("order_items_x", "order_items"),
        ("order_item", "order"),
        ("order_x", "order"),
        ("order", "order"),
        ("order_", "order"),
        ("order_items_", "order_items"),
        ("orderx", None),
        ("match_x", "match"),
        ("Match_X", "match"),
        ("match", "match"),
        ("match_", "match"),
        ("a__", "a_"),
        ("match__x", "match"),
        ("match_residual", "match_residual"),
        ("match_residual_x", "match_residual"),
        ("match_residuals", "match"),
        ("match_residual_total", "match"),
        ("pairs", "match"),
        ("PAIRS", "match"),
        ("rest", "match_residual"),
        ("rest_x", None),
        ("pairs_x", None),
        ("a_x", "a"),
        ("a__x", "a_"),
        ("a_", "a_"),
        ("_trace", None),
        ("__match", None),
        ("_", None),
        ("", None),
        ("unknown", None),
        ("ma\u017fch_x", None),
        ("MATCH_Ünï", "match"),
    ],
)
def test_name_has_one_owner(name: str, owner: str | None) -> None:
    assert NAMES.owner(name) == owner


def test_declared_names_are_outputs_and_a_sources_own() -> None:
    assert NAMES.declared_by("match") == ("pairs", "match_residual_total", "match")
    assert NAMES.declared_by("orders") == ("orders",)
    assert NAMES.declared_by("lonely") == ()


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("match__validation_x", "match"),
        ("MATCH__Validation", "match"),
        ("orders__validation_x", "orders"),
        ("a___validation", "a_"),
        ("match_validation_x", None),
        ("match__valid", None),
        ("nobody__validation_x", None),
        ("x_match__validation", None),
    ],
)
def test_names_of_checks_are_reserved(name: str, node: str | None) -> None:
    assert NAMES.reserved_for_checks(name) == node


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("match", "match_x"),
        ("match", "MATCH_x"),
        ("match", "match_with space"),
        ("match", "match_Ünï"),
        ("match", "pairs"),
        ("match", "Pairs"),
        ("match", "match_residual_total"),
        ("match", "match"),
        ("match", "match_validation"),
        ("match", "match__scratch"),
        ("match_residual", "match_residual_x"),
        ("match_residual", "rest"),
        ("order", "order_item"),
        ("a_", "a__x"),
        ("match", "match_" + "x" * (MAX_NAME_BYTES - 6)),
    ],
)
def test_node_may_create_what_it_owns(node: str, name: str) -> None:
    assert Scope(NAMES, node).define_refusal(name) is None


@pytest.mark.parametrize(
    ("node", "name", "reason"),
    [
        ("match", "x", "x is nobody's; name it match_<something>, or one of its outputs: pairs"),
        ("lonely", "x", "x is nobody's; name it lonely_<something>"),
        ("match", "", "name it match_<something>"),
        ("match", "match_", "name it match_<something>"),
        ("match", " match_x", "name it match_<something>"),
        ("match", "orders", "orders belongs to node orders"),
        ("match", "lonely_x", "lonely_x belongs to node lonely"),
        ("match", "match_residual_x", "match_residual_x belongs to node match_residual"),
        ("match", "rest", "rest belongs to node match_residual"),
        ("match_residual", "match_x", "match_x belongs to node match"),
        ("match_residual", "match_residual_total", "belongs to node match"),
        ("order", "order_items_x", "belongs to node order_items"),
        ("lonely", "lonely", "lonely is the node's own name; name it lonely_<something>"),
        ("lonely", "lonely_", "lonely_ is the node's own name; name it lonely_<something>"),
        ("a_", "a__", "a__ is the node's own name; name it a__<something>"),
        ("a", "a__", "belongs to node a_"),
        ("order", "order_items_", "order_items_ belongs to node order_items"),
        ("match", "_match_x", "belong to the engine"),
        ("match", "_trace", "belong to the engine"),
        ("match", "match__validation_x", "belong to the checks of match"),
        ("match", "MATCH__Validation", "belong to the checks of match"),
        ("match", "lonely__validation_x", "belong to the checks of lonely"),
        ("order", "order_items__validation_x", "belong to the checks of order_items"),
        ("match", "match_\n", "control characters"),
        ("match", "match_\x7f", "control characters"),
        ("match", "match_" + "x" * MAX_NAME_BYTES, "longer than 200 bytes"),
        ("match", "match_" + "ü" * (MAX_NAME_BYTES // 2), "longer than 200 bytes"),
    ],
)
def test_node_is_told_why_it_may_not_create_a_name(node: str, name: str, reason: str) -> None:
    assert reason in (Scope(NAMES, node).define_refusal(name) or "may")


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("match", "match_x"),
        ("match", "pairs"),
        ("match", "orders"),
        ("match", "ORDERS"),
        ("match", "orders__validation_x"),
        ("match_residual", "orders"),
        ("match_residual", "match_x"),
        ("match_residual", "match__validation_x"),
        ("a", "orders"),
        ("a", "rest"),
        ("lonely", "lonely_x"),
        ("orders", "orders"),
    ],
)
def test_node_may_read_its_own_and_its_dependencies_objects(node: str, name: str) -> None:
    assert Scope(NAMES, node).read_refusal(name) is None


@pytest.mark.parametrize(
    ("node", "name", "reason"),
    [
        ("lonely", "orders", "add 'orders' to depends_on of 'lonely'"),
        ("match", "rest", "rest belongs to node match_residual, which match does not depend on"),
        ("match", "order_items", "add 'order_items' to depends_on of 'match'"),
        ("match", "_trace", "_trace belongs to the engine, which nodes cannot read"),
        ("match", "_", "belongs to the engine"),
        ("match", "ordrs", "there is no table, view or macro ordrs; did you mean orders?"),
        ("match", "piars", "did you mean pairs?"),
        ("match", "zzzz", "read pairs, match_residual_total, match, orders"),
        ("lonely", "zzzz", "read lonely_*"),
        ("match", "x" * 500, "x" * 200 + "..."),
    ],
)
def test_node_is_told_what_it_may_read_instead(node: str, name: str, reason: str) -> None:
    assert reason in (Scope(NAMES, node).read_refusal(name) or "may")


def test_long_list_of_readable_names_is_cut() -> None:
    names = Names.of([*(source(f"s{n}") for n in range(30)), sql("x", depends_on=["s0"])])
    assert Scope(names, "x").readable() == ("x_*", "s0")
    wide = Names.of(
        [*(source(f"s{n}") for n in range(30)), sql("x", depends_on=[f"s{n}" for n in range(30)])]
    )
    assert Scope(wide, "x").readable_text().endswith("s18, ...")


def test_owner_costs_no_more_with_a_hostile_name_or_many_nodes() -> None:
    names = Names.of([sql(f"n{number}") for number in range(5_000)])
    started = perf_counter()
    assert names.owner("_" * 60_000) is None
    assert names.owner("n" + "_" * 60_000) is None
    assert names.owner("x_" * 30_000) is None
    assert perf_counter() - started < 0.05


def test_no_nodes_own_nothing() -> None:
    assert Names.of([]).owner("x_y") is None


def test_person_reads_everything_and_creates_nothing() -> None:
    assert READER.read_refusal("_trace") is None
    assert READER.readable_text() == "read any table of the file"
    assert READER.define_refusal("x") == "x cannot be created or dropped: this only reads"
