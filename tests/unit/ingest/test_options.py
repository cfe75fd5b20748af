from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from taskgraph.ingest import source_problems

FINE: dict[str, object] = {
    "csv": "data.csv",
    "path": Path("data/x.PARQUET"),
    "pattern": "data/*.json",
    "sheet": "book.xlsx#Sheet 1",
    "options": {"path": "x.csv", "delimiter": ";", "encoding": "cp1252", "header": 3},
    "no header": {"path": "x.csv", "header": None},
    "format for another ending": {"path": "x.txt", "format": "csv"},
    "types": {"path": "x.xlsx", "types": {"id": "BIGINT"}, "range": "B3:F20", "sheet": "x"},
    "a column called path": {"path": ["a", "b"]},
    "columns": {"a": [1], "b": (2,)},
    "records": [{"a": 1}],
    "frame": pl.DataFrame({"a": [1]}),
    "function": lambda: None,
}


@pytest.mark.parametrize("source", FINE.values(), ids=FINE)
def test_nothing_is_said_of_a_source_that_may_be_read(source: object) -> None:
    assert source_problems(source) == []


WRONG: dict[str, tuple[object, str]] = {
    "unknown option": (
        {"path": "x.csv", "delimeter": ";"},
        "unknown option 'delimeter', did you mean 'delimiter'?",
    ),
    "bad value": (
        {"path": "x.csv", "header": 0},
        "option 'header' is 0; it must be the number of a row, from 1, or None for no header",
    ),
    "unknown encoding": (
        {"path": "x.csv", "encoding": "utf8000"},
        (
            "option 'encoding' is 'utf8000'; it must be the name of an encoding, "
            "such as 'utf-8', 'utf-16' or 'cp1252'"
        ),
    ),
    "a codec that is none for text": (
        {"path": "x.csv", "encoding": "hex"},
        (
            "option 'encoding' is 'hex'; it must be the name of an encoding, "
            "such as 'utf-8', 'utf-16' or 'cp1252'"
        ),
    ),
    "a delimiter of two characters": (
        {"path": "x.csv", "delimiter": "||"},
        "option 'delimiter' is '||'; it must be one character",
    ),
    "a format that is none": (
        {"path": "x.csv", "format": ["csv"]},
        "option 'format' is ['csv']; it must be one of csv, json, parquet, tsv, xls, xlsx",
    ),
    "types as a list": (
        {"path": "x.csv", "types": ["BIGINT"]},
        "option 'types' is ['BIGINT']; it must be a dict of column to DuckDB type",
    ),
    "option of another format": (
        {"path": "x.csv", "sheet": "A"},
        "option 'sheet' is not for csv files",
    ),
    "unknown ending": (
        "x.xslx",
        (
            "'x.xslx' ends in '.xslx', which names no format, did you mean '.xlsx'? (known: .csv, "
            ".tsv, .parquet, .json, .jsonl, .ndjson, .xlsx, .xlsm, .xls; or say {'path': ..., "
            "'format': ...})"
        ),
    ),
    "no sheet after the mark": ("book.xlsx#", "'book.xlsx#' names no sheet after '#'"),
    "empty path": ("", "the path is empty"),
    "a dict of something else": (
        {"a": [1], "b": "x"},
        "a dict must hold 'path' and options, or one list per column; 'b' is of type str",
    ),
    "nothing": (
        None,
        (
            "source is of type NoneType; it must be a path, {'path': ..., options}, a list of dicts, "
            "a dict of lists, a polars, pandas or Arrow table, or a function that returns one of these"
        ),
    ),
}


@pytest.mark.parametrize(("source", "problem"), WRONG.values(), ids=WRONG)
def test_a_problem_names_the_value_and_the_rule(source: object, problem: str) -> None:
    assert source_problems(source) == [problem]


def test_all_problems_of_a_source_are_told() -> None:
    source = {"path": "x.foo", "shet": "A", "all_text": "yes"}
    assert len(source_problems(source)) == 3
