"""Wrong fields, one per rule: each gives the one message that says what is wrong with it."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from spec_modules import ORDERS, Given, ask, match, problems, table

LISTS = table({
    "missing": ({}, "NODES: is missing (declare NODES = [...], a list of nodes)"),
    "misspelt": ({"NODE": [ORDERS]}, "NODES: is missing (the module has 'NODE')"),
    "dict": ({"NODES": {"a": 1}}, "NODES: must be a list of nodes, not {'a': 1} (dict)"),
    "generator": ({"NODES": (n for n in [ORDERS])}, "NODES: must be a list of nodes, not a generator"),
    "empty": ({"NODES": []}, "NODES: is empty: a spec has at least one node"),
    "beside_tasks": (
        {"NODES": [ORDERS], "TASKS": []},
        "NODES: stands beside TASKS (put the tasks into NODES as nodes)",
    ),
})  # fmt: skip


@pytest.mark.parametrize(("declared", "message"), LISTS)
def test_wrong_list_of_nodes(declared: Given, message: str) -> None:
    assert problems(**declared) == [message]


ENTRIES = table({
    "text": ("orders.csv", "NODES[1]: must be a dict or a node, not 'orders.csv'"),
    "none": (None, "NODES[1]: must be a dict or a node, not None"),
    "class": (list, "NODES[1]: must be a dict or a node, not a type"),
    "no_name": ({"source": []}, "NODES[1]: has no name"),
    "misspelt_name": (
        {"nmae": "a", "prompt": "x"},
        "NODES[1]: unknown field 'nmae' (did you mean 'name'?)",
    ),
    "no_kind": (
        {"name": "a", "depends_on": []},
        "node 'a': has none of source, sql, prompt; a node has exactly one of them",
    ),
    "misspelt_kind": (
        {"name": "a", "promt": "x"},
        "node 'a': unknown field 'promt' (did you mean 'prompt'?)",
    ),
    "two_kinds": (
        match(prompt="x"),
        "node 'match': has sql and prompt; a node has exactly one of them",
    ),
    "three_kinds": (
        match(prompt="x", source=[]),
        "node 'match': has source and sql and prompt; a node has exactly one of them",
    ),
    "unknown_field": (
        match(depend_on=[]),
        "node 'match': unknown field 'depend_on' (did you mean 'depends_on'?)",
    ),
    "unknown_field_by_case": (
        ask(Model="x"),
        "node 'ask': unknown field 'Model' (did you mean 'model'?)",
    ),
    "unknown_field_like_no_other": (
        {"name": "a", "source": [], "zzz": 1},
        ("node 'a': unknown field 'zzz' (the fields are name, depends_on, validate, validate_sql, "
        "description, source, columns)"),
    ),
    "many_fields_are_not_all_listed": (
        ask(zzz=1),
        ("node 'ask': unknown field 'zzz' (the fields are name, depends_on, validate, validate_sql, "
        "description, output_columns, outputs, prompt, model, fallback, reasoning_effort, "
        "max_iterations, ...)"),
    ),
    "field_that_is_no_text": (
        {"name": "a", "source": [], 3: 1},
        ("node 'a': unknown field 3 (int) (the fields are name, depends_on, validate, validate_sql, "
        "description, source, columns)"),
    ),
    "field_of_another_kind": (
        match(columns=["id"]),
        ("node 'match': unknown field 'columns' of sql nodes; source nodes have it "
        "(did you mean 'output_columns'?)"),
    ),
    "field_of_two_other_kinds": (
        {"name": "a", "source": [], "outputs": []},
        "node 'a': unknown field 'outputs' of source nodes; sql and prompt nodes have it",
    ),
})  # fmt: skip


@pytest.mark.parametrize(("entry", "message"), ENTRIES)
def test_wrong_entry(entry: Any, message: str) -> None:
    assert problems(NODES=[ORDERS, entry]) == [message]


SHAPE = "is no identifier: letters (a-z), digits and _, starting with a letter"
NAMES = table({
    "number": (3, "NODES[0], name: must be text, not 3 (int)"),
    "none": (None, "NODES[0], name: must be text, not None"),
    "empty": ("", f"NODES[0], name: '' {SHAPE}"),
    "digit": ("2024", f"node '2024', name: '2024' {SHAPE}"),
    "hyphen": ("my-orders", f"node 'my-orders', name: 'my-orders' {SHAPE} (write 'my_orders')"),
    "umlaut": ("größe", f"node 'größe', name: 'größe' {SHAPE}"),
    "underscore": ("_orders", f"node '_orders', name: '_orders' {SHAPE} (write 'orders')"),
    "newline": ("orders\n", f"node 'orders\\n', name: 'orders\\n' {SHAPE} (write 'orders')"),
    "two_underscores": (
        "my__orders",
        ("node 'my__orders', name: 'my__orders' holds '__', which belongs to the engine "
        "(write 'my_orders')"),
    ),
})  # fmt: skip


@pytest.mark.parametrize(("name", "message"), NAMES)
def test_wrong_name(name: Any, message: str) -> None:
    assert problems(NODES=[{"name": name, "source": []}]) == [message]


IDENTIFIER = "is no identifier: letters (a-z), digits and _, not starting with a digit"
ASK_FIELDS = table({
    "depends_on_text": ("depends_on", "orders", ": must be a list of names, not one text (write ['orders'])"),
    "depends_on_set": ("depends_on", {"orders"}, ": must be a list of names, not {'orders'} (set)"),
    "depends_on_none": ("depends_on", None, ": must be a list of names, not None"),
    "depends_on_number": ("depends_on", ["orders", 3], "[1]: must be text, not 3 (int)"),
    "depends_on_twice": ("depends_on", ["orders", "orders"], "[1]: 'orders' is there already (remove it)"),
    "prompt_empty": ("prompt", " \n", ": must not be empty"),
    "prompt_bytes": ("prompt", b"x", ": must be text, not b'x' (bytes)"),
    "prompt_none": ("prompt", None, ": must be text, not None"),
    "description_list": ("description", ["x"], ": must be text, not ['x'] (list)"),
    "model_number": ("model", 4, ": must be text, not 4 (int)"),
    "model_empty": ("model", "", ": must not be empty"),
    "fallback_text": ("fallback", "a/b", ": must be a list of models, not one text (write ['a/b'])"),
    "effort_misspelt": (
        "reasoning_effort", "medum", ": must be low, medium or high, not 'medum' (did you mean 'medium'?)",
    ),
    "effort_number": ("reasoning_effort", 3, ": must be low, medium or high, not 3 (int)"),
    "effort_list": ("reasoning_effort", ["low"], ": must be low, medium or high, not ['low'] (list) (did you mean 'low'?)"),
    "literals_bool": ("literals", 0, ": must be warn, fail or allow, not 0 (int)"),
    "iterations_zero": ("max_iterations", 0, ": must be a whole number from 1, not 0 (int)"),
    "iterations_bool": ("max_iterations", True, ": must be a whole number from 1, not True (bool)"),
    "iterations_text": ("max_iterations", "10", ": must be a whole number from 1, not '10'"),
    "tokens_fraction": ("max_tokens", 1.5, ": must be a whole number from 1, not 1.5 (float)"),
    "cost_negative": ("max_cost", -1, ": must be a number of US dollars above 0, not -1 (int)"),
    "cost_zero": ("max_cost", 0, ": must be a number of US dollars above 0, not 0 (int)"),
    "cost_nan": ("max_cost", nan, ": must be a number of US dollars above 0, not nan (float)"),
    "cost_endless": ("max_cost", -(10**400), ": must be a number of US dollars above 0, not -10000000000000000...0000000000000000000 (int)"),
    "cost_text": ("max_cost", "$1", ": must be a number of US dollars above 0, not '$1'"),
    "seconds_infinite": ("max_seconds", inf, ": must be a number of seconds above 0, not inf (float)"),
    "seconds_bool": ("max_seconds", True, ": must be a number of seconds above 0, not True (bool)"),
    "outputs_text": ("outputs", "ask_all", ": must be a list of views, not one text (write ['ask_all'])"),
    "output_columns_list": (
        "output_columns",
        ["ask_all"],
        (": must be a dict of view and columns, not ['ask_all'] (list) "
        "(write {view: [columns]} or {view: {column: type}})"),
    ),
    "columns_text": (
        "output_columns",
        {"ask_all": "id"},
        "['ask_all']: must be a list of columns, not one text (write ['id'])",
    ),
    "columns_none": ("output_columns", {"ask_all": None}, "['ask_all']: must be a list of columns, not None"),
    "columns_twice": ("output_columns", {"ask_all": ["id", "Id"]}, "['ask_all'][1]: 'Id' is there already (remove it)"),
    "columns_with_types_twice": (
        "output_columns", {"ask_all": {"id": "INT", "Id": "INT"}}, "['ask_all'][1]: 'Id' is there already (remove it)",
    ),
    "column_number": ("output_columns", {"ask_all": {3: "INT"}}, "['ask_all'][0]: must be text, not 3 (int)"),
    "view_number": ("output_columns", {3: ["id"]}, "[3]: is not the name of a view"),
    "view_empty": ("output_columns", {"": ["id"]}, "['']: is not the name of a view"),
    "type_number": ("output_columns", {"ask_all": {"id": 3}}, "['ask_all']['id']: must be text, not 3 (int)"),
    "type_unknown": (
        "output_columns",
        {"ask_all": {"id": "INTEGR"}},
        ("['ask_all']['id']: 'INTEGR' is no type: Type with name INTEGR does not exist! "
        "(did you mean 'INTEGER'?)"),
    ),
    "type_out_of_bounds": (
        "output_columns",
        {"ask_all": {"id": "DECIMAL(60, 2)"}},
        "['ask_all']['id']: 'DECIMAL(60, 2)' is no type: DECIMAL type width must be between 1 and 38",
    ),
    "type_syntax": (
        "output_columns",
        {"ask_all": {"id": "LIST("}},
        """['ask_all']['id']: 'LIST(' is no type: syntax error at or near ")\"""",
    ),
    "validate_list": (
        "validate",
        ["SELECT 1"],
        (": must be a dict of check and query, not ['SELECT 1'] (list) "
        "(a list of queries that return no row goes into validate_sql)"),
    ),
    "validate_text": ("validate", "SELECT 1", ": must be a dict of check and query, not 'SELECT 1'"),
    "check_name": ("validate", {"no gaps": "SELECT 1"}, f"['no gaps']: {IDENTIFIER}"),
    "check_name_digit": ("validate", {"1st": "SELECT 1"}, f"['1st']: {IDENTIFIER}"),
    "check_name_number": ("validate", {1: "SELECT 1"}, f"[1]: {IDENTIFIER}"),
    "check_name_twice": (
        "validate",
        {"a": "SELECT 1", "A": "SELECT 1"},
        "['A']: is there already; names ignore case (name it otherwise)",
    ),
    "check_none": ("validate", {"a": None}, "['a']: must be text, not None"),
    "check_empty": ("validate", {"a": " "}, "['a']: must not be empty"),
    "validate_sql_text": ("validate_sql", "SELECT 1", ": must be a list of queries, not one text (write ['SELECT 1'])"),
    "validate_sql_number": ("validate_sql", ["SELECT 1", 2], "[1]: must be text, not 2 (int)"),
})  # fmt: skip


@pytest.mark.parametrize(("field", "value", "message"), ASK_FIELDS)
def test_wrong_field_of_a_transform(field: str, value: Any, message: str) -> None:
    assert problems(NODES=[ORDERS, ask(**{field: value})]) == [f"node 'ask', {field}{message}"]


def test_long_value_is_shown_short() -> None:
    prompt = "must be text, not ['xxxxxxxxxxxx...xxxxxxxxxxxxx'] (list)"
    assert problems(NODES=[ORDERS, ask(prompt=["x" * 500])]) == [f"node 'ask', prompt: {prompt}"]
    [message] = problems(NODES=[ORDERS, ask(reasoning_effort="x" * 500)])
    assert message.endswith(f"not '{'x' * 59}...'")


def of_a_connection(connection: Any) -> Any:
    """Takes one argument."""
    return connection


ACCEPTED = (
    "it must be a path, {'path': ..., options}, a list of dicts, a dict of lists, "
    "a polars, pandas or Arrow table, or a function that returns one of these"
)
SOURCE_FIELDS = table({
    "none": ("source", None, f": source is of type NoneType; {ACCEPTED}"),
    "number": ("source", 3, f": source is of type int; {ACCEPTED}"),
    "option": (
        "source",
        {"path": "x.csv", "delimeter": ";"},
        ": unknown option 'delimeter', did you mean 'delimiter'?",
    ),
    "needs_arguments": ("source", of_a_connection, ": is called with nothing, but takes connection"),
    "columns_text": ("columns", "id", ": must be a list of columns, not one text (write ['id'])"),
    "columns_dict": ("columns", {"id": "INT"}, ": must be a list of columns, not {'id': 'INT'} (dict)"),
    "columns_twice": ("columns", ["id", "ID"], "[1]: 'ID' is there already (remove it)"),
    "column_blank": ("columns", ["id", " "], "[1]: must not be empty"),
})  # fmt: skip


@pytest.mark.parametrize(("field", "value", "message"), SOURCE_FIELDS)
def test_wrong_field_of_a_source(field: str, value: Any, message: str) -> None:
    assert problems(NODES=[ORDERS | {field: value}]) == [f"node 'orders', {field}{message}"]


def test_function_that_does_not_tell_its_parameters_is_taken_as_it_is() -> None:
    assert problems(NODES=[{"name": "a", "source": dict}]) == []


EXPORTS = table({
    "list": ([print], "EXPORTS: must be a dict of path and function, not [<built-in function print>] (list)"),
    "path_number": ({3: print}, "EXPORTS[3]: the path must be text, not 3 (int)"),
    "path_empty": ({"": print}, "EXPORTS['']: the path must name a file"),
    "path_of_a_folder": ({"out/": print}, "EXPORTS['out/']: the path must name a file"),
    "path_absolute": ({"/a.csv": print}, "EXPORTS['/a.csv']: the path must be relative to the working directory"),
    "path_on_a_drive": (
        {"C:\\a.csv": print},
        "EXPORTS['C:\\\\a.csv']: the path must be relative to the working directory",
    ),
    "same_file": ({"a.csv": print, "./a.csv": print}, "EXPORTS['./a.csv']: another export writes this file"),
    "query": ({"a.csv": "SELECT 1"}, "EXPORTS['a.csv']: must be a function of connection and path, not 'SELECT 1'"),
    "one_argument": (
        {"a.csv": of_a_connection},
        "EXPORTS['a.csv']: is called with a connection and a path, but takes connection",
    ),
})  # fmt: skip


@pytest.mark.parametrize(("exports", "message"), EXPORTS)
def test_wrong_export(exports: Any, message: str) -> None:
    assert problems(NODES=[ORDERS], EXPORTS=exports) == [message]
