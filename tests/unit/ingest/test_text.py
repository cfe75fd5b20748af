"""Delimited text: how a file is laid out, and what is done about one that is not as it should be."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from ingesting import Desk, Write

Case = tuple[str | bytes, dict[str, Any], list[str], list[tuple[object, ...]]]

LAYOUTS: dict[str, Case] = {
    "comma": ("a,b\n1,x\n", {}, ["a", "b"], [(1, "x")]),
    "semicolon": ("a;b\n1,5;x\n", {}, ["a", "b"], [("1,5", "x")]),
    "tab": ("a\tb\n1\tx,y\n", {}, ["a", "b"], [(1, "x,y")]),
    "pipe": ("a|b\n1|x\n", {}, ["a", "b"], [(1, "x")]),
    "delimiter that is told": ("a~b\n1~x\n", {"delimiter": "~"}, ["a", "b"], [(1, "x")]),
    "one column": ("a\n1\n", {}, ["a"], [(1,)]),
    "one column with commas in quotes": ('a\n"x,y"\n"z"\n', {}, ["a"], [("x,y",), ("z",)]),
    "blank value in one column": ("a\n1\n\n3\n", {}, ["a"], [(1,), (None,), (3,)]),
    "blank lines between": ("\n\na,b\n\n1,2\n\n3,4\n\n", {}, ["a", "b"], [(1, 2), (3, 4)]),
    "row of nothing but delimiters": ("a,b\n,\n1,2\n", {}, ["a", "b"], [(None, None), (1, 2)]),
    "no newline at the end": ("a,b\n1,2", {}, ["a", "b"], [(1, 2)]),
    "windows newlines": ("a,b\r\n1,2\r\n", {}, ["a", "b"], [(1, 2)]),
    "old newlines": ("a,b\r1,2\r3,4\r", {}, ["a", "b"], [(1, 2), (3, 4)]),
    "mixed newlines": ("a,b\r\n1,2\n3,4\r\n", {}, ["a", "b"], [(1, 2), (3, 4)]),
    "quoted newline": ('a,b\n"x\ny",2\n', {}, ["a", "b"], [("x\ny", 2)]),
    "quoted windows newline": ('a,b\r\n"x\r\ny",2\r\n', {}, ["a", "b"], [("x\r\ny", 2)]),
    "quoted newline in the header": ('"a\nb",c\n1,2\n', {}, ["a\nb", "c"], [(1, 2)]),
    "doubled quote": ('a\n"say ""hi"""\n', {}, ["a"], [('say "hi"',)]),
    "quote within a bare value": ('a,b\n5" pipe,2\n', {}, ["a", "b"], [('5" pipe', 2)]),
    "other quote": ("a,b\n'x,y',2\n", {"quote": "'"}, ["a", "b"], [("x,y", 2)]),
    "no quote": ('a,b\n"x,2\n', {"quote": ""}, ["a", "b"], [('"x', 2)]),
    "escape": ('a,b\n"x\\"y",2\n', {"escape": "\\"}, ["a", "b"], [('x"y', 2)]),
    "empty texts are no values": ('a,b,c\n"",,x\n', {}, ["a", "b", "c"], [(None, None, "x")]),
    "text for null": (
        "a,b\nNA,1\n-,2\n",
        {"null_text": ["NA", "-"]},
        ["a", "b"],
        [(None, 1), (None, 2)],
    ),
    "one text for null": ("a\n1\nNA\n", {"null_text": "NA"}, ["a"], [(1,), (None,)]),
    "header further down": ("Report\nof 2024\na,b\n1,2\n", {"header": 3}, ["a", "b"], [(1, 2)]),
    "header far down": ("x\n" * 300 + "a,b\n1,2\n", {"header": 301}, ["a", "b"], [(1, 2)]),
    "skipped rows": ("Report\n\na,b\n1,2\n", {"skip_rows": 1}, ["a", "b"], [(1, 2)]),
    "no header": ("1,x\n2,y\n", {"header": None}, ["column_1", "column_2"], [(1, "x"), (2, "y")]),
    "no header below skipped rows": (
        "x\n1,2\n",
        {"header": None, "skip_rows": 1},
        ["column_1", "column_2"],
        [(1, 2)],
    ),
    "spaces around names": (" a , b\n1,2\n", {}, ["a", "b"], [(1, 2)]),
    "trailing delimiters in the rows": ("a,b\n1,2,\n3,4,\n", {}, ["a", "b"], [(1, 2), (3, 4)]),
    "trailing delimiters everywhere": ("a,b,\n1,2,\n", {}, ["a", "b"], [(1, 2)]),
    "short rows padded": ("a,b\n1\n1,2\n", {"null_padding": True}, ["a", "b"], [(1, None), (1, 2)]),
    "a NUL in a text": (b"a\nx\x00y\n", {}, ["a"], [("x\x00y",)]),
    "comment sign": ("a\n#1\n", {}, ["a"], [("#1",)]),
    "mark of utf-8": (b"\xef\xbb\xbfa,b\n1,2\n", {}, ["a", "b"], [(1, 2)]),
    "mark of utf-8 before a quote": (b'\xef\xbb\xbf"a",b\n1,2\n', {}, ["a", "b"], [(1, 2)]),
    "utf-16, little end first": (
        "\ufeffa;ü\n1;ö\n".encode("utf-16-le"),
        {},
        ["a", "ü"],
        [(1, "ö")],
    ),
    "utf-16, big end first": ("\ufeffa;ü\n1;ö\n".encode("utf-16-be"), {}, ["a", "ü"], [(1, "ö")]),
    "cp1252": ("ü\n€ 5\n".encode("cp1252"), {"encoding": "cp1252"}, ["ü"], [("€ 5",)]),
    "latin-1": ("ü\nö\n".encode("latin-1"), {"encoding": "latin-1"}, ["ü"], [("ö",)]),
    "another script": (
        "名前\n日本\n".encode("shift-jis"),
        {"encoding": "shift-jis"},
        ["名前"],
        [("日本",)],
    ),
}


@pytest.mark.parametrize(
    ("content", "options", "names", "rows"), LAYOUTS.values(), ids=list(LAYOUTS)
)
def test_a_file_becomes_the_table_that_it_shows(
    desk: Desk,
    write: Write,
    content: str | bytes,
    options: dict[str, Any],
    names: list[str],
    rows: list[tuple[object, ...]],
) -> None:
    taken = desk.take({"path": write("a.csv", content), **options})
    assert (taken.names, taken.rows) == (names, rows)
    assert taken.warnings == ()


def test_a_tsv_is_split_at_tabs_alone(desk: Desk, write: Write) -> None:
    assert desk.take(write("a.tsv", "a,b,c\td\n1,2,3\t4\n")).names == ["a,b,c", "d"]


BAD: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "too few fields": (
        "a,b,c\n1,2,3\n4,5\n",
        {},
        "a.csv, line 3: 2 fields separated by ',', where 3 are expected: '4,5'",
    ),
    "too many fields": (
        "a,b\n1,2\n3,4,5\n6,7,8\n",
        {},
        (
            "a.csv, line 3: 3 fields separated by ',', where 2 are expected: '3,4,5' "
            "(and 1 more bad line)"
        ),
    ),
    "a title above the header": (
        "Report of 2024\na,b\n1,2\n",
        {},
        "a.csv, line 2: 2 fields separated by ',', where 1 is expected: 'a,b' (and 1 more bad line)",
    ),
    "a line after quoted newlines": (
        'a,b\n"x\ny\nz",1\n2\n',
        {},
        "a.csv, line 5: 1 field separated by ',', where 2 are expected: '2'",
    ),
    "a quote that never ends": (
        'a,b\n1,"x\n2,3\n',
        {},
        "a.csv, line 2: value with unterminated quote found: '1,\"x\\n2,3'",
    ),
    "bytes that are not utf-8": (
        "a\nx\nMüller\n".encode("cp1252"),
        {},
        "a.csv, line 3: 'M\ufffdller' is not UTF-8",
    ),
    "a header that is not utf-8": (
        "Käufer\nx\n".encode("cp1252"),
        {},
        "a.csv, line 1: 'K\ufffdufer' is not UTF-8",
    ),
    "bytes that are not utf-8 in the middle of a long line": (
        f"a\n{'ö' * 30};".encode() + b"M\xfcller" + b"x" * 30,
        {},
        f"a.csv, line 2: '...{'ö' * 9};M\ufffdller{'x' * 16}...' is not UTF-8",
    ),
    "bytes that are not what was said": (
        b"a\nx\n\x81\n",
        {"encoding": "cp1252"},
        (
            "a.csv, at or after line 1: the bytes are not cp1252 ('charmap' codec can't decode byte "
            "0x81 in position 4: character maps to <undefined>)"
        ),
    ),
    "a value that is not of its type": (
        "a,b\n1,2\n3,x\n",
        {"types": {"b": "BIGINT"}},
        "column 'b' cannot be BIGINT: row 2 has 'x'",
    ),
    "a number that would be rounded": (
        "a\n3.7\n",
        {"types": {"a": "INTEGER"}},
        "column 'a' cannot be INTEGER: row 1 has '3.7'",
    ),
    "an unknown type": (
        "a\n1\n",
        {"types": {"a": "NUMBR"}},
        "types: 'NUMBR' of column 'a': Type with name NUMBR does not exist!",
    ),
    "a type for an unknown column": (
        "amount\n1\n",
        {"types": {"amout": "BIGINT"}},
        (
            "the option types names columns that are not there: 'amout' (did you mean 'amount'?); "
            "there are: 'amount'"
        ),
    ),
    "a header below the end": ("a\n1\n", {"header": 9}, "a.csv: header=9, but it has 2 rows"),
    "nothing": ("", {}, "the source has neither rows nor columns: a.csv is empty"),
    "nothing but blanks": (" \n\n", {}, "the source has neither rows nor columns: a.csv is empty"),
}


@pytest.mark.parametrize(("content", "options", "message"), BAD.values(), ids=list(BAD))
def test_what_is_wrong_with_a_file_is_told_with_its_place(
    desk: Desk, write: Write, content: str | bytes, options: dict[str, Any], message: str
) -> None:
    path = write("a.csv", content)
    assert str(desk.refusal({"path": path, **options}, path.parent)) == message


def test_a_wrong_encoding_shows_how_another_would_read(desk: Desk, write: Write) -> None:
    error = desk.refusal(write("a.csv", "a\nMüller\n".encode("cp1252")))
    assert error.hint is not None
    assert error.hint.endswith("read so it says 'Müller'")


WARNED: dict[str, tuple[str, dict[str, Any], list[str], tuple[str, ...]]] = {
    "header only": ("a,b\n", {}, ["a", "b"], ("the table is empty",)),
    "header only, no newline": ("a,b", {}, ["a", "b"], ("the table is empty",)),
    "doubled and blank names": (
        "a,a,,A\n1,2,3,4\n",
        {},
        ["a", "a_2", "column_3", "A_3"],
        (
            "column 2 is a second 'a': it is called 'a_2'",
            "column 3 has no name: it is called 'column_3'",
            "column 4 is a second 'A': it is called 'A_3'",
        ),
    ),
    "a column of the engine's name": (
        "_row_id,a\n7,1\n",
        {},
        ["_row_id_2", "a"],
        ("column '_row_id' is called '_row_id_2': the engine numbers the rows as '_row_id'",),
    ),
    "a header that looks like data": (
        "1,2.5,2024-01-31\n2,3.5,2024-02-29\n",
        {},
        ["1", "2.5", "2024-01-31"],
        (
            "a.csv: the header row holds '1', which looks like data; say header=None if the file has no header",
        ),
    ),
    "years as names are no data": ("region,2023,2024\nx,1,2\n", {}, ["region", "2023", "2024"], ()),
}


@pytest.mark.parametrize(
    ("content", "options", "names", "warnings"), WARNED.values(), ids=list(WARNED)
)
def test_what_is_odd_about_a_file_is_a_warning(
    desk: Desk,
    write: Write,
    content: str,
    options: dict[str, Any],
    names: list[str],
    warnings: tuple[str, ...],
) -> None:
    path = write("a.csv", content)
    taken = desk.take({"path": path, **options}, path.parent)
    assert (taken.names, taken.warnings) == (names, warnings)


def test_files_of_a_pattern_may_order_their_columns_in_different_ways(
    desk: Desk, write: Write
) -> None:
    write("1.csv", "a,b\n1,x\n")
    folder = write("2.csv", "B;A\ny;2\n").parent
    taken = desk.take("*.csv", folder)
    assert (taken.names, taken.rows) == (["a", "b"], [(1, "x"), (2, "y")])


def test_types_are_found_over_all_files_of_a_pattern(desk: Desk, write: Write) -> None:
    write("1.csv", "a\n1\n")
    folder = write("2.csv", "a\n007\n").parent
    assert desk.take("*.csv", folder).rows == [("1",), ("007",)]


def test_files_with_other_columns_are_refused_unless_they_may_differ(
    desk: Desk, write: Write
) -> None:
    write("1.csv", "a,b\n1,x\n")
    folder = write("2.csv", "a,c\n2,y\n").parent
    assert str(desk.refusal("*.csv", folder)) == (
        "2.csv lacks 'b' and adds 'c', compared with 1.csv"
    )
    united = desk.take({"path": "*.csv", "union_by_name": True}, folder)
    assert (united.names, united.rows) == (["a", "b", "c"], [(1, "x", None), (2, None, "y")])


def test_an_empty_file_among_others_is_a_warning(desk: Desk, write: Write) -> None:
    write("1.csv", "")
    folder = write("2.csv", "a\n1\n").parent
    taken = desk.take("*.csv", folder)
    assert (taken.rows, taken.warnings) == ([(1,)], ("1.csv is empty",))


LARGE: dict[str, tuple[str, str, list[object]]] = {
    "kept": ("7", "BIGINT", [7]),
    "written in another way": (" 7", "BIGINT", [7]),
    "missing": ("", "BIGINT", [None]),
    "broken": ("007", "VARCHAR", ["007"]),
}


@pytest.mark.parametrize(("last", "type_", "values"), LARGE.values(), ids=list(LARGE))
def test_a_large_file_is_read_with_types_that_hold_to_its_end(
    desk: Desk, write: Write, last: str, type_: str, values: list[object]
) -> None:
    row = "x" * 200 + ",1.50,2024-01-31,2024-01-31 10:00:00,true,n/a,"
    lines = f"{row}1\n" * 4_000 + f"{row}{last}\n"
    content = "text,double,day,moment,flag,other,n\n" + lines
    taken = desk.take({"path": write("a.csv", content), "null_text": "n/a"})
    assert taken.types == ["VARCHAR", "DOUBLE", "DATE", "TIMESTAMP", "BOOLEAN", "VARCHAR", type_]
    assert taken.column("n")[-1:] == values
    assert {row[:-1] for row in taken.rows} == {
        ("x" * 200, 1.5, date(2024, 1, 31), datetime(2024, 1, 31, 10), True, None)  # noqa: DTZ001
    }


def test_a_very_wide_file_is_read(desk: Desk, write: Write) -> None:
    names = [f"c{number}" for number in range(400)]
    values = [str(number) for number in range(400)]
    taken = desk.take(write("a.csv", ",".join(names) + "\n" + ",".join(values) + "\n"))
    assert taken.names == names
    assert taken.rows == [tuple(range(400))]


def test_a_long_value_is_read(desk: Desk, write: Write) -> None:
    text = "x" * 2_500_000
    assert desk.take(write("a.csv", f"a,b\n{text},2\n")).rows == [(text, 2)]
