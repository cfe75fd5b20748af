"""The older format: INPUTS and TASKS become the same nodes as NODES does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl
import pytest

from builders import prompt, source, sql
from spec_modules import Given, problems, read, table
from taskgraph import Task
from taskgraph.spec import Node, SourceNode

ROWS = [{"id": 1}]
FRAME = pl.DataFrame(ROWS)


def load() -> list[dict[str, int]]:
    """Returns the rows, as a spec's function does."""
    return ROWS


INPUTS = table({
    "function": (load, source("orders", load)),
    "rows": (ROWS, source("orders", ROWS)),
    "columns": ({"id": [1]}, source("orders", {"id": [1]})),
    "path": ("orders.xlsx#May", source("orders", "orders.xlsx#May")),
    "path_with_options": (
        {"path": "orders.csv", "delimiter": ";"},
        source("orders", {"path": "orders.csv", "delimiter": ";"}),
    ),
    "rich_function": ({"data": load}, source("orders", load)),
    "rich_with_everything": (
        {"data": ROWS, "columns": ["id"], "validate_sql": ["FROM orders WHERE id < 0"]},
        source("orders", ROWS, columns=("id",), validate_sql=("FROM orders WHERE id < 0",)),
    ),
    "rich_columns_of_lists": ({"data": {"data": [1]}}, source("orders", {"data": [1]})),
})  # fmt: skip


@pytest.mark.parametrize(("value", "node"), INPUTS)
def test_input_becomes_a_source(value: Any, node: Node) -> None:
    assert read(INPUTS={"orders": value}).nodes == (node,)


@pytest.mark.parametrize("value", [FRAME, {"data": FRAME}], ids=["alone", "rich"])
def test_frame_is_kept_as_it_is(value: Any) -> None:
    [found] = read(INPUTS={"orders": value}).nodes
    assert isinstance(found, SourceNode)
    assert found.source is FRAME


TASKS = table({
    "prompt": (
        {"name": "match", "prompt": "Do it.", "inputs": ["orders"], "outputs": ["matches"]},
        prompt("match", "Do it.", ["orders"], outputs=("matches",)),
    ),
    "sql": (
        {"name": "match", "sql": "CREATE VIEW matches AS FROM orders", "inputs": ["orders"], "outputs": ["matches"]},
        sql("match", "CREATE VIEW matches AS FROM orders", ["orders"], outputs=("matches",)),
    ),
    "output_columns": (
        {"name": "match", "prompt": "x", "outputs": ["matches"], "output_columns": {"matches": ["id"]}},
        prompt("match", "x", outputs=("matches",), output_columns={"matches": ("id",)}),
    ),
    "validate_sql": (
        {"name": "match", "prompt": "x", "inputs": ["orders"], "outputs": ["m"], "validate_sql": ["FROM m"]},
        prompt("match", "x", ["orders"], outputs=("m",), validate_sql=("FROM m",)),
    ),
    "fields_of_today": (
        {"name": "match", "prompt": "x", "outputs": ["m"], "model": "a/b", "max_cost": 1.5, "description": "d"},
        prompt("match", "x", outputs=("m",), model="a/b", max_cost=1.5, description="d"),
    ),
    "task_with_prompt": (
        Task(name="match", prompt="x", inputs=["orders"], outputs=["m"], output_columns={"m": ["id"]}),
        prompt("match", "x", ["orders"], outputs=("m",), output_columns={"m": ("id",)}),
    ),
    "task_with_sql": (
        Task(name="match", sql="CREATE VIEW m AS FROM orders", inputs=["orders"], outputs=["m"]),
        sql("match", "CREATE VIEW m AS FROM orders", ["orders"], outputs=("m",)),
    ),
})  # fmt: skip


@pytest.mark.parametrize(("task", "node"), TASKS)
def test_task_becomes_a_transform(task: Any, node: Node) -> None:
    found = read(INPUTS={"orders": ROWS}, TASKS=[task]).nodes[1]
    assert found == replace(node, depends_on=tuple(node.depends_on))


@dataclass
class OwnTask:
    """A task class of the spec's own, as older packages had one."""

    name: str
    prompt: str = ""
    sql: str = ""
    inputs: Sequence[str] = ()
    outputs: list[str] = field(default_factory=list[str])


def test_task_may_be_of_any_dataclass_with_these_fields() -> None:
    spec = read(INPUTS={"orders": ROWS}, TASKS=[OwnTask("m", "x", inputs=["orders"])])
    assert spec.node("m").depends_on == ("orders",)
    assert spec.node("m").kind == "prompt"


def test_node_of_today_may_stand_among_tasks() -> None:
    assert read(TASKS=[prompt("ask")]).node("ask") == prompt(
        "ask", output_columns={"ask_result": ()}
    )


def test_inputs_come_first_and_the_lists_may_stand_alone() -> None:
    task = {"name": "a", "prompt": "x"}
    assert [node.name for node in read(TASKS=[task], INPUTS={"o": [], "p": []}).nodes] == [*"opa"]
    assert [node.name for node in read(INPUTS={"o": []}).nodes] == ["o"]
    assert [node.name for node in read(TASKS=[task]).nodes] == ["a"]


DEPENDENCIES = table({
    "input": (["orders"], ("orders",)),
    "declared_output": (["clean"], ("tidy",)),
    "output_with_columns": (["columned"], ("tidy",)),
    "view_under_a_prefix": (["tidy_steps"], ("tidy",)),
    "view_under_the_longest_prefix": (["tidy_more_steps"], ("tidy_more",)),
    "other_case": (["ORDERS", "Clean"], ("orders", "tidy")),
    "two_of_one_task": (["clean", "columned", "orders"], ("tidy", "orders")),
    "none": ([], ()),
})  # fmt: skip


@pytest.mark.parametrize(("inputs", "depends_on"), DEPENDENCIES)
def test_dependencies_are_who_makes_the_inputs(
    inputs: list[str], depends_on: tuple[str, ...]
) -> None:
    tasks: list[Given] = [
        {"name": "last", "prompt": "x", "inputs": inputs},
        {"name": "tidy", "prompt": "x", "inputs": ["orders"], "outputs": ["clean"],
         "output_columns": {"columned": ["id"]}},
        {"name": "tidy_more", "prompt": "x"},
    ]  # fmt: skip
    spec = read(INPUTS={"orders": ROWS}, TASKS=tasks)
    assert spec.node("last").depends_on == depends_on


def test_input_goes_before_an_output_of_the_same_name() -> None:
    tasks = [{"name": "a", "prompt": "x", "outputs": ["orders"]}, {"name": "b", "prompt": "x", "inputs": ["orders"]}]  # fmt: skip
    assert problems(INPUTS={"orders": ROWS}, TASKS=tasks) == [
        "node 'a', outputs: 'orders' is the table of source 'orders' (name it a_<something>)"
    ]


def m(**fields: Any) -> list[Given]:
    """One task, with these fields."""
    return [{"name": "m", "prompt": "x"} | fields]


WRONG = table({
    "inputs_list": ([1], [], "INPUTS: must be a dict of name and data, not [1] (list)"),
    "tasks_dict": ({"o": []}, {"a": 1}, "TASKS: must be a list of tasks, not {'a': 1} (dict)"),
    "both_empty": ({}, [], "INPUTS and TASKS: are empty: a spec has at least one node"),
    "input_name": (
        {"my orders": []}, [],
        ("node 'my orders', name: 'my orders' is no identifier: letters (a-z), digits and _, "
        "starting with a letter (write 'my_orders')"),
    ),
    "input_name_number": ({3: []}, [], "INPUTS[3], name: must be text, not 3 (int)"),
    "input_unknown_field": (
        {"o": {"data": [], "column": ["id"]}}, [],
        "INPUTS['o']: unknown field 'column' (did you mean 'columns'?)",
    ),
    "input_unknown_field_unlike_any": (
        {"o": {"data": [], "zzz": 1}}, [],
        "INPUTS['o']: unknown field 'zzz' (the fields are data, columns, validate_sql)",
    ),
    "input_columns": (
        {"o": {"data": [], "columns": "id"}}, [],
        "node 'o', columns: must be a list of columns, not one text (write ['id'])",
    ),
    "task_text": ({"o": []}, ["x"], "TASKS[0]: must be a dict or a node, not 'x'"),
    "task_class": ({"o": []}, [Task], "TASKS[0]: must be a dict or a node, not a type"),
    "task_without_name": ({"o": []}, [{"prompt": "x"}], "TASKS[0]: has no name"),
    "task_unknown_field": ({"o": []}, m(input=["o"]), "node 'm': unknown field 'input' (did you mean 'inputs'?)"),
    "task_with_dependencies_of_today": (
        {"o": []}, m(depends_on=["o"]),
        ("node 'm': unknown field 'depends_on' (the fields are name, inputs, validate, validate_sql, "
        "description, output_columns, outputs, sql, prompt, model, fallback, reasoning_effort, ...)"),
    ),
    "task_with_both": (
        {"o": []}, m(sql="CREATE VIEW m_x AS SELECT 1"),
        "node 'm': has sql and prompt; a node has exactly one of them",
    ),
    "inputs_text": ({"o": []}, m(inputs="o"), "node 'm', inputs: must be a list of names, not one text (write ['o'])"),
    "inputs_number": ({"o": []}, m(inputs=[3]), "node 'm', inputs[0]: must be text, not 3 (int)"),
    "inputs_misspelt": (
        {"orders": []}, m(inputs=["orders", "ordres"]),
        "node 'm', inputs[1]: no input and no task makes 'ordres' (did you mean 'orders'?)",
    ),
    "inputs_unlike_any": (
        {"orders": []}, m(inputs=["zzz"], outputs=["found"]),
        "node 'm', inputs[0]: no input and no task makes 'zzz' (made are orders, found)",
    ),
    "inputs_own_output": (
        {"o": []}, m(inputs=["found"], outputs=["found"]),
        "node 'm', inputs[0]: the task makes 'found' itself (remove it)",
    ),
    "outputs_text": ({"o": []}, m(outputs="found"), "node 'm', outputs: must be a list of views, not one text (write ['found'])"),
    "outputs_of_two_tasks": (
        {"o": []}, [*m(outputs=["found"]), {"name": "n", "prompt": "x", "outputs": ["found"]}],
        "node 'n', outputs: 'found' is an output of node 'm' already (name it n_<something>)",
    ),
    "cycle": (
        {}, [*m(inputs=["ns"], outputs=["ms"]), {"name": "n", "prompt": "x", "inputs": ["ms"], "outputs": ["ns"]}],
        "node 'm', depends_on: the dependencies form a cycle: m -> n -> m",
    ),
    "undeclared_read": (
        {"o": [], "p": []}, m(inputs=["o"], validate_sql=["FROM p"]),
        "node 'm', validate_sql[0]: reads 'p' of node 'p', which it does not depend on (add 'p' to depends_on)",
    ),
    "unknown_input_hides_no_other_mistake": (
        {"o": []}, m(inputs=["zzz"], validate_sql=["FROM o"]),
        "node 'm', inputs[0]: no input and no task makes 'zzz' (made are o)",
    ),
})  # fmt: skip


@pytest.mark.parametrize(("inputs", "tasks", "message"), WRONG)
def test_wrong_spec_of_the_older_format(inputs: Any, tasks: Any, message: str) -> None:
    assert problems(INPUTS=inputs, TASKS=tasks) == [message]
