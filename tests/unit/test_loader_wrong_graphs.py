"""Nodes that do not fit together, one mistake each: the one message that says so."""

from __future__ import annotations

from typing import Any

import pytest

from spec_modules import ORDERS, RATES, Given, ask, match, problems, table


def prompt(name: str, *depends_on: str, **fields: Any) -> Given:
    """A prompt node."""
    return {"name": name, "prompt": "Do it.", "depends_on": list(depends_on)} | fields


NAMES = table({
    "same": ([ORDERS, ORDERS], "NODES[1], name: 'orders' is taken by NODES[0]; names ignore case"),
    "same_but_for_case": (
        [ORDERS, ORDERS | {"name": "Orders"}],
        "NODES[1], name: 'Orders' is taken by NODES[0] as 'orders'; names ignore case",
    ),
    "same_with_other_work": (
        [ORDERS, RATES, match(), match(depends_on=["rates"], sql="CREATE VIEW match_r AS FROM rates")],
        "NODES[3], name: 'match' is taken by NODES[2]; names ignore case",
    ),
    "third": ([ORDERS, RATES, ask(name="ORDERS")], "NODES[2], name: 'ORDERS' is taken by NODES[0] as 'orders'; names ignore case"),
})  # fmt: skip

DEPENDENCIES = table({
    "misspelt": (
        [ORDERS, ask(depends_on=["order"])],
        "node 'ask', depends_on: there is no node 'order' (did you mean 'orders'?)",
    ),
    "other_case": (
        [ORDERS, ask(depends_on=["Orders"])],
        "node 'ask', depends_on: there is no node 'Orders' (did you mean 'orders'?)",
    ),
    "unlike_any": (
        [ORDERS, RATES, ask(depends_on=["xyz"])],
        "node 'ask', depends_on: there is no node 'xyz' (the others are orders, rates)",
    ),
    "unlike_many": (
        [*(ORDERS | {"name": f"part{n}"} for n in range(13)), ask(depends_on=["xyz"])],
        "node 'ask', depends_on: there is no node 'xyz' (the others are part0, part1, part2, part3, part4, part5, part6, part7, part8, part9, part10, part11, ...)",
    ),
    "alone": (
        [ask(depends_on=["xyz"])],
        "node 'ask', depends_on: there is no node 'xyz' (there are no other nodes)",
    ),
    "view_of_a_node": (
        [ORDERS, match(), ask(depends_on=["match_all"])],
        "node 'ask', depends_on: there is no node 'match_all' (did you mean 'match'?)",
    ),
    "itself": (
        [ORDERS, ask(depends_on=["ask"])],
        "node 'ask', depends_on: 'ask' is the node itself (remove it)",
    ),
    "cycle_of_two": (
        [prompt("a", "b"), prompt("b", "a")],
        "node 'a', depends_on: the dependencies form a cycle: a -> b -> a",
    ),
    "cycle_starts_at_its_first_node": (
        [prompt("x", "c"), prompt("b", "c"), prompt("c", "a"), prompt("a", "b")],
        "node 'b', depends_on: the dependencies form a cycle: b -> c -> a -> b",
    ),
    "cycle_through_a_source": (
        [ORDERS | {"depends_on": ["ask"]}, ask()],
        "node 'orders', depends_on: the dependencies form a cycle: orders -> ask -> orders",
    ),
})  # fmt: skip

OUTPUTS = table({
    "engines": (
        [ORDERS, ask(output_columns={"_ask": []})],
        ("node 'ask', output_columns: '_ask' starts with an underscore: such names belong to the "
        "engine (name it ask_<something>)"),
    ),
    "engines_in_the_older_form": (
        [ORDERS, ask(outputs=["_ask"])],
        ("node 'ask', outputs: '_ask' starts with an underscore: such names belong to the engine "
        "(name it ask_<something>)"),
    ),
    "a_checks": (
        [ORDERS, ask(output_columns={"ask__validation_a": []})],
        ("node 'ask', output_columns: 'ask__validation_a' belongs to the checks of node 'ask' "
        "(name it ask_<something>)"),
    ),
    "a_check_of_another_node": (
        [ORDERS, ask(output_columns={"orders__validation": []})],
        ("node 'ask', output_columns: 'orders__validation' belongs to the checks of node 'orders' "
        "(name it ask_<something>)"),
    ),
    "a_sources_name": (
        [ORDERS, ask(output_columns={"Orders": []})],
        ("node 'ask', output_columns: 'Orders' is the table of source 'orders' "
        "(name it ask_<something>)"),
    ),
    "of_two_nodes": (
        [ORDERS, ask(output_columns={"report": []}), prompt("late", output_columns={"Report": []})],
        ("node 'late', output_columns: 'Report' is an output of node 'ask' already "
        "(name it late_<something>)"),
    ),
    "no_name_that_can_be_made": (
        [ORDERS, ask(output_columns={"ask\t": []})],
        ("node 'ask', output_columns: 'ask\\t': a name cannot hold control characters "
        "(name it ask_<something>)"),
    ),
    "prefix_of_another_node": (
        [ORDERS, match(), ask(output_columns={"match_more": []})],
        ("node 'ask', output_columns: 'match_more' falls under the prefix of node 'match'; of "
        "prefixes, the longest wins (name it ask_<something>)"),
    ),
    "longer_prefix_of_another_node": (
        [ORDERS, ask(output_columns={"ask_rest_all": []}), prompt("ask_rest")],
        ("node 'ask', output_columns: 'ask_rest_all' falls under the prefix of node 'ask_rest'; of "
        "prefixes, the longest wins (name it ask_<something>)"),
    ),
})  # fmt: skip


@pytest.mark.parametrize(("nodes", "message"), [*NAMES, *DEPENDENCIES, *OUTPUTS])
def test_nodes_that_do_not_fit_together(nodes: list[Given], message: str) -> None:
    assert problems(NODES=nodes) == [message]


RIGHT = table({
    "name_like_a_prefix": ([ORDERS, prompt("match"), prompt("match_rest", "match")],),
    "source_under_a_prefix": ([ORDERS | {"name": "match_data"}, prompt("match", "match_data")],),
    "source_that_depends": ([ORDERS, RATES | {"depends_on": ["orders"]}],),
    "reserved_word": ([ORDERS | {"name": "select"}, prompt("table", "select")],),
    "output_without_prefix": ([ask(depends_on=[], output_columns={"report": ["id"]})],),
    "output_called_like_its_node": ([ask(depends_on=[], output_columns={"ask": ["id"]})],),
    "output_called_like_another_node": ([prompt("match"), prompt("a", output_columns={"match": []})],),
    "output_under_a_prefix_in_the_older_form": ([prompt("match"), prompt("a", outputs=["match_x"])],),
    "output_under_a_sources_name": ([ORDERS, ask(output_columns={"orders_clean": []})],),
    "output_in_both_forms": ([ask(depends_on=[], outputs=["x"], output_columns={"x": ["id"]})],),
    "output_names_that_differ_in_case": ([ask(depends_on=[], outputs=["x", "y"], output_columns={"X": []})],),
    "none_where_it_is_optional": ([ask(depends_on=[], model=None, max_cost=None, description=None)],),
    "kind_that_is_none": ([ORDERS, ask(sql=None)],),
    "types": ([ask(depends_on=[], output_columns={"ask_x": {"a": "int", "b": "DECIMAL(10, 2)", "c": "STRUCT(x INT)[]"}})],),
})  # fmt: skip


@pytest.mark.parametrize("nodes", RIGHT)
def test_right_nodes_have_no_problems(nodes: list[Given]) -> None:
    assert problems(NODES=nodes) == []


def test_every_cycle_is_told_once() -> None:
    pairs = [prompt("a", "b"), prompt("b", "a"), prompt("c", "d"), prompt("d", "c")]
    assert problems(NODES=pairs) == [
        "node 'a', depends_on: the dependencies form a cycle: a -> b -> a",
        "node 'c', depends_on: the dependencies form a cycle: c -> d -> c",
    ]


def test_tangle_of_cycles_is_told_by_some_of_them() -> None:
    everyone = [f"n{number}" for number in range(40)]
    nodes = [prompt(name, *(one for one in everyone if one != name)) for name in everyone]
    told = problems(NODES=nodes)
    assert len(told) == 10
    assert all("the dependencies form a cycle: n" in message for message in told)


def test_all_problems_are_told_node_by_node_in_declared_order() -> None:
    nodes: list[Any] = [
        ORDERS | {"columns": "id"},
        ask(name="a", max_cost=0, depends_on=["order"], model=1),
        "b",
        match(name="C", sql="CREATE VIEW c_x AS SELEC 1", validate={"a b": "x", "ok": "SELEC 2"}),
        match(name="c", depends_on=["d"]),
        match(name="d", depends_on=["e"], sql="CREATE VIEW wrong AS SELECT 1"),
        ask(name="e", depends_on=["d"], output_columns={"_e": {"x": "FOO"}, "e_y": {"x": 1}}),
    ]
    told = problems(NODES=nodes, EXPORTS={"": 1})
    assert [message.partition(": ")[0] for message in told] == [
        "node 'orders', columns",
        "node 'a', max_cost",
        "node 'a', model",
        "node 'a', depends_on",
        "NODES[2]",
        "node 'C', validate['a b']",
        "node 'C', sql",
        "node 'C', validate['ok']",
        "NODES[4], name",
        "node 'd', depends_on",
        "node 'd', sql",
        "node 'e', output_columns['e_y']['x']",
        "node 'e', output_columns",
        "node 'e', output_columns['_e']['x']",
        "EXPORTS['']",
        "EXPORTS['']",
    ]
