"""JSON and Parquet."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from ingesting import Desk, Write
from taskgraph.ingest.reading import pyarrow

JSON: dict[str, tuple[object, dict[str, str], list[tuple[object, ...]]]] = {
    "late and missing keys": (
        [{"a": 1}, {"b": "x"}, {"a": 3, "b": None}],
        {"a": "BIGINT", "b": "VARCHAR"},
        [(1, None), (None, "x"), (3, None)],
    ),
    "whole and other numbers": ([{"a": 1}, {"a": 2.5}], {"a": "DOUBLE"}, [(1.0,), (2.5,)]),
    "text that looks like numbers": ([{"a": "007"}], {"a": "VARCHAR"}, [("007",)]),
    "dates and moments": (
        [{"a": "2024-01-31", "b": "2024-01-31T10:00:00Z"}],
        {"a": "DATE", "b": "TIMESTAMP WITH TIME ZONE"},
        [(date(2024, 1, 31), datetime(2024, 1, 31, 10, tzinfo=UTC))],
    ),
    "dates of two meanings": ([{"a": "01/02/2024"}], {"a": "VARCHAR"}, [("01/02/2024",)]),
    "lists": ([{"a": [1, 2]}, {"a": []}], {"a": "BIGINT[]"}, [([1, 2],), ([],)]),
    "objects": (
        [{"a": {"x": 1}}, {"a": {"y": "z", "x": 2.5}}],
        {"a": "STRUCT(x DOUBLE, y VARCHAR)"},
        [({"x": 1.0, "y": None},), ({"x": 2.5, "y": "z"},)],
    ),
    "lists of objects": (
        [{"a": [{"x": 1}, {"y": 2}]}],
        {"a": "STRUCT(x BIGINT, y BIGINT)[]"},
        [([{"x": 1, "y": None}, {"x": None, "y": 2}],)],
    ),
    "nothing but null": ([{"a": None, "b": 1}], {"a": "VARCHAR", "b": "BIGINT"}, [(None, 1)]),
    "lists of nothing": ([{"a": [None]}], {"a": "VARCHAR[]"}, [([None],)]),
    "empty texts are texts": ([{"a": ""}], {"a": "VARCHAR"}, [("",)]),
    "a key called json": ([{"json": 1}], {"json": "BIGINT"}, [(1,)]),
    "keys that few objects have": (
        [{"id": number, f"k{number}": number} for number in range(30)],
        {"id": "BIGINT", **{f"k{number}": "BIGINT" for number in range(30)}},
        [(row, *(row if row == column else None for column in range(30))) for row in range(30)],
    ),
}


@pytest.mark.parametrize("ending", ["json", "jsonl"])
@pytest.mark.parametrize(("records", "types", "rows"), JSON.values(), ids=list(JSON))
def test_objects_become_rows(
    desk: Desk,
    write: Write,
    ending: str,
    records: list[Any],
    types: dict[str, str],
    rows: list[tuple[object, ...]],
) -> None:
    lines = "\n".join(map(json.dumps, records))
    taken = desk.take(write(f"a.{ending}", json.dumps(records) if ending == "json" else lines))
    assert dict(taken.ingested.columns) == types
    assert taken.rows == rows
    assert taken.warnings == ()


def test_values_of_several_types_become_text_and_whole_numbers_stay_whole(
    desk: Desk, write: Write
) -> None:
    taken = desk.take(write("a.json", '[{"a": 7}, {"a": "x"}, {"a": true}, {"a": null}]'))
    assert (taken.types, taken.column("a")) == (["VARCHAR"], ["7", "x", "true", None])
    assert taken.warnings == (
        "column 'a' is kept as text: its values are of types boolean, number, varchar",
    )


def test_values_some_of_which_are_nested_stay_json(desk: Desk, write: Write) -> None:
    taken = desk.take(write("a.json", '[{"a": 7}, {"a": [1]}, {"a": "x"}]'))
    assert (taken.types, taken.column("a")) == (["JSON"], ["7", "[1]", '"x"'])
    assert taken.warnings == (
        "column 'a' is kept as JSON: its values are of types array, number, varchar",
    )


def test_types_that_are_asked_for(desk: Desk, write: Write) -> None:
    path = write("a.json", '[{"a": "007", "b": 1}]')
    taken = desk.take({"path": path, "types": {"A": "INTEGER", "b": "VARCHAR"}})
    assert (taken.types, taken.rows) == (["INTEGER", "VARCHAR"], [(7, "1")])


def test_a_value_of_json_that_is_not_of_its_type(desk: Desk, write: Write) -> None:
    path = write("a.json", '[{"a": 1}, {"a": "n/a"}]')
    assert str(desk.refusal({"path": path, "types": {"a": "BIGINT"}})) == (
        "column 'a' cannot be BIGINT: row 2 has 'n/a'"
    )
    assert desk.take({"path": path, "types": {"a": "VARCHAR"}}).warnings == ()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_with_a_byte_order_mark(desk: Desk, write: Write, encoding: str) -> None:
    assert desk.take(write("a.json", '[{"a": "ü"}]'.encode(encoding))).rows == [("ü",)]


def test_json_files_of_a_pattern_are_united(desk: Desk, write: Write) -> None:
    write("1.json", '[{"a": 1}]')
    folder = write("2.jsonl", '{"b": "x", "a": 2.5}').parent
    write("3.json", '[{"b": "y"}]')
    taken = desk.take({"path": "?.json*", "format": "json"}, folder)
    assert (taken.names, taken.rows) == (["a", "b"], [(1.0, None), (2.5, "x"), (None, "y")])


BAD_JSON: dict[str, tuple[str | bytes, str]] = {
    "broken array": (
        '[{"a": 1}, {"a": }]',
        "a.json: Malformed JSON at byte 7 in record/value 3: unexpected character.",
    ),
    "broken line": (
        '{"a": 1}\n{"a":\n',
        "a.json: Malformed JSON at byte 7 in line 3: unexpected end of data.",
    ),
    "key twice": (
        '[{"a": 1, "a": 2}]',
        'a.json: JSON transform error in record/value 1: Object {"a":1,"a":2} has duplicate key "a"',
    ),
    "numbers": ("[1, 2]", "a.json: holds something else than objects"),
    "no objects": ("[]", "the source has neither rows nor columns"),
    "nothing": ("", "the source has neither rows nor columns"),
    "another encoding": (
        b'[{"a": "M\xfcller"}]',
        'a.json, line 1: \'[{"a": "M\ufffdller"}]\' is not UTF-8',
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_JSON.values(), ids=list(BAD_JSON))
def test_what_is_wrong_with_json_is_told(
    desk: Desk, write: Write, content: str | bytes, message: str
) -> None:
    path = write("a.json", content)
    assert str(desk.refusal(path, path.parent)) == message


def test_parquet_keeps_types(desk: Desk, write: Write) -> None:
    frame = pl.DataFrame(
        {
            "id": [1, None],
            "day": [date(2024, 1, 31), None],
            "tags": [["x"], []],
            "point": [{"x": 1.5}, None],
            "ordinality": ["a column of", "this name"],
        }
    )
    path = write("a.parquet", "")
    frame.write_parquet(path)
    taken = desk.take(path)
    assert taken.types == ["BIGINT", "DATE", "VARCHAR[]", "STRUCT(x DOUBLE)", "VARCHAR"]
    assert taken.rows == [
        (1, date(2024, 1, 31), ["x"], {"x": 1.5}, "a column of"),
        (None, None, [], None, "this name"),
    ]


def test_names_and_types_of_parquet_may_need_to_change(desk: Desk, write: Write) -> None:
    path = write("a.parquet", "")
    parquet = pyarrow("pyarrow.parquet")
    parquet.write_table(pyarrow().table({"_row_id": [7], "n": [1]}), path)
    taken = desk.take({"path": path, "types": {"n": "VARCHAR"}})
    assert (taken.names, taken.rows) == (["_row_id_2", "n"], [(7, "1")])
    assert len(taken.warnings) == 1


def test_parquet_files_of_a_pattern(desk: Desk, write: Write) -> None:
    folder = write("x", "").parent
    pl.DataFrame({"a": [1], "b": ["x"]}).write_parquet(folder / "1.parquet")
    pl.DataFrame({"b": ["y"], "a": [2.5]}).write_parquet(folder / "2.parquet")
    taken = desk.take("*.parquet", folder)
    assert (taken.names, taken.rows) == (["a", "b"], [(1.0, "x"), (2.5, "y")])


def test_parquet_files_with_other_columns_are_refused_unless_they_may_differ(
    desk: Desk, write: Write
) -> None:
    folder = write("x", "").parent
    pl.DataFrame({"a": [1]}).write_parquet(folder / "1.parquet")
    pl.DataFrame({"a": [2], "b": [3]}).write_parquet(folder / "2.parquet")
    assert str(desk.refusal("*.parquet", folder)) == ("2.parquet adds 'b', compared with 1.parquet")
    taken = desk.take({"path": "*.parquet", "union_by_name": True}, folder)
    assert taken.rows == [(1, None), (2, 3)]


def test_a_file_that_is_no_parquet(desk: Desk, write: Write) -> None:
    path = write("a.parquet", "a,b\n1,2\n" * 10)
    assert str(desk.refusal(path, path.parent)) == (
        "a.parquet: No magic bytes found at end of file 'a.parquet'"
    )


def test_an_empty_parquet_file_is_an_empty_table(desk: Desk, write: Write) -> None:
    path = write("a.parquet", "")
    pl.DataFrame({"a": [1]}).clear().write_parquet(path)
    taken = desk.take(path)
    assert (taken.types, taken.warnings) == (["BIGINT"], ("the table is empty",))
