"""From declarations to nodes: dicts and objects alike, frozen, and checked in memory too."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from builders import prompt, source, sql
from spec_modules import ORDERS, Given, ask, problems, read, table
from taskgraph.errors import SpecError
from taskgraph.loader import check_nodes, read_spec_module
from taskgraph.spec import Node, PromptNode, SourceNode, SpecOrigin, SqlNode

ROWS = [{"id": 1}]
PASS = "SELECT 'pass' AS status, '' AS message"

FULL = table({
    "source": (
        {"name": "orders", "source": ROWS, "columns": ["id"], "depends_on": [], "validate": {"a": PASS},
         "validate_sql": ["FROM orders WHERE id < 0"], "description": "Orders"},
        SourceNode(
            name="orders", source=ROWS, columns=["id"], depends_on=[], validate={"a": PASS},
            validate_sql=["FROM orders WHERE id < 0"], description="Orders",
        ),
    ),
    "sql": (
        {"name": "late", "sql": "CREATE VIEW late_x AS SELECT 1 AS i; CREATE VIEW x AS SELECT 2 AS i",
         "output_columns": {"late_x": ["i"]}, "outputs": ["x"]},
        SqlNode(
            name="late", sql="CREATE VIEW late_x AS SELECT 1 AS i; CREATE VIEW x AS SELECT 2 AS i",
            output_columns={"late_x": ["i"]}, outputs=["x"],
        ),
    ),
    "prompt": (
        {"name": "ask", "prompt": "Do it.", "output_columns": {"ask_x": {"id": "BIGINT"}, "ask_y": []},
         "model": "a/b", "fallback": ["c/d"], "reasoning_effort": "high", "max_iterations": 9,
         "max_cost": 1, "max_tokens": 1000, "max_seconds": 60.0, "literals": "fail"},
        PromptNode(
            name="ask", prompt="Do it.", output_columns={"ask_x": {"id": "BIGINT"}, "ask_y": []},
            model="a/b", fallback=["c/d"], reasoning_effort="high", max_iterations=9,
            max_cost=1, max_tokens=1000, max_seconds=60.0, literals="fail",
        ),
    ),
})  # fmt: skip


@pytest.mark.parametrize(("as_dict", "as_object"), FULL)
def test_dict_and_object_give_equal_specs(as_dict: Given, as_object: Node) -> None:
    assert read(NODES=[as_dict]) == read(NODES=[as_object])
    assert type(read(NODES=[as_dict]).nodes[0]) is type(as_object)


@pytest.mark.parametrize(("as_dict", "as_object"), FULL)
def test_tuples_and_lists_are_the_same(as_dict: Given, as_object: Node) -> None:
    lists = {"depends_on", "columns", "validate_sql", "outputs", "fallback"}
    with_tuples = {
        field: tuple(value) if field in lists else value for field, value in as_dict.items()
    }
    assert read(NODES=(with_tuples,)) == read(NODES=[as_object])


def test_dicts_and_objects_mix() -> None:
    spec = read(NODES=[ORDERS, sql("late", depends_on=["orders"]), ask()])
    assert [node.kind for node in spec.nodes] == ["source", "sql", "prompt"]
    assert spec.node("late").depends_on == ("orders",)


def test_spec_does_not_change_with_the_lists_it_was_read_from() -> None:
    depends_on = ["orders"]
    columns = {"ask_x": ["id"]}
    spec = read(NODES=[ORDERS, ask(depends_on=depends_on, output_columns=columns)])
    depends_on.append("other")
    columns["ask_x"].append("other")
    assert spec.node("ask") == prompt(
        "ask", "Do it.", ("orders",), output_columns={"ask_x": ("id",)}
    )


def test_source_is_kept_as_it_is() -> None:
    rows: list[Any] = []
    node = read(NODES=[{"name": "a", "source": rows}]).nodes[0]
    assert isinstance(node, SourceNode)
    assert node.source is rows


def test_callables_do_not_run() -> None:
    def load() -> None:
        raise AssertionError("a source runs at ingest time")

    def export(connection: object, path: object) -> None:
        raise AssertionError("an export runs after the nodes")

    spec = read(NODES=[{"name": "a", "source": load}], EXPORTS={"out/a.csv": export})
    assert spec.exports == {"out/a.csv": export}


def of_anything(*arguments: object) -> None:
    """Takes what it is given."""


@pytest.mark.parametrize(
    "export",
    [
        pytest.param(of_anything, id="any_arguments"),
        pytest.param(print, id="builtin"),
        pytest.param(dict, id="that_does_not_tell"),
    ],
)
def test_export_may_be_anything_that_takes_two_arguments(export: Callable[..., object]) -> None:
    assert problems(NODES=[ORDERS], EXPORTS={"a.csv": export}) == []


def test_module_is_kept_with_the_spec() -> None:
    module = ModuleType("spec")
    vars(module)["NODES"] = [ORDERS]
    origin = SpecOrigin(module="specs.main", file="specs/main.py", source="", directory="/x")
    spec = read_spec_module(module, origin)
    assert spec.module is module
    assert spec.origin is origin


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        (SpecOrigin("specs.main", "specs/main.py", None, None), "specs.main"),
        (SpecOrigin(None, "specs/main.py", None, None), "specs/main.py"),
        (SpecOrigin(None, None, None, None), "a_module"),
    ],
    ids=["module", "file", "memory"],
)
def test_message_names_the_spec_as_the_person_did(origin: SpecOrigin, name: str) -> None:
    module = ModuleType("a_module")
    vars(module)["NODES"] = [3, None]
    with pytest.raises(SpecError) as caught:
        read_spec_module(module, origin)
    assert str(caught.value) == (
        f"2 problems in spec {name}\n"
        "  - NODES[0]: must be a dict or a node, not 3 (int)\n"
        "  - NODES[1]: must be a dict or a node, not None"
    )


def test_nodes_in_memory_are_checked_by_the_same_rules() -> None:
    wrong = PromptNode(name="a-b", prompt="", depends_on="orders", max_cost=-1)
    assert [str(problem) for problem in check_nodes([source("orders"), wrong])] == [
        (
            "node 'a-b', name: 'a-b' is no identifier: letters (a-z), digits and _, "
            "starting with a letter (write 'a_b')"
        ),
        "node 'a-b', depends_on: must be a list of names, not one text (write ['orders'])",
        "node 'a-b', prompt: must not be empty",
        "node 'a-b', max_cost: must be a number of US dollars above 0, not -1 (int)",
    ]


def test_right_nodes_in_memory_have_no_problems() -> None:
    nodes = [source("orders"), sql("late", depends_on=["orders"]), prompt("ask", "x", ["late"])]
    assert check_nodes(nodes) == ()
    assert check_nodes([]) == ()


def test_thousand_nodes_are_checked_in_a_moment() -> None:
    chain = [
        prompt(f"n{number}", "x", [f"n{number - 1}"] if number else []) for number in range(1_000)
    ]
    assert check_nodes(chain) == ()
    assert len(check_nodes([*chain, prompt("late", "x", ["n2000"])])) == 1
