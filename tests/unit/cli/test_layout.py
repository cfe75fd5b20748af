"""How texts, tables, code and trees fit the terminal."""

from __future__ import annotations

import io
from itertools import pairwise

import click
import pytest

from taskgraph.cli.code_frame import frame_lines, without_place
from taskgraph.cli.tables import table_lines
from taskgraph.cli.tree import draw
from taskgraph.cli.width import clipped, columns_of, width_of, wrapped
from taskgraph.graph import Graph


@pytest.mark.parametrize(("given", "columns"), [("120", 120), ("10", 40), ("", 80), ("many", 80)])
def test_width_is_what_columns_says(
    given: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", given)
    assert width_of(io.StringIO()) == columns


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("match", 5, "match"),
        ("matches", 5, "matc…"),
        ("東京都庁", 5, "東京…"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
    ],
)
def test_text_is_cut_by_what_it_takes_on_the_screen(text: str, columns: int, expected: str) -> None:
    assert clipped(text, columns) == expected


def test_lines_keep_their_own_breaks() -> None:
    assert list(wrapped("one two\n\nthree", 8, "- ", "  ")) == ["- one", "  two", "", "  three"]


def test_table_gives_way_where_it_is_widest() -> None:
    lines = list(table_lines(["id", "note"], [["7", "x" * 99], [None, "a\nb"]], 24, {"id"}))
    assert lines == ["  id  note", "   7  " + "x" * 17 + "…", "NULL  a\\nb"]


def test_table_with_too_many_columns_says_how_many_are_missing() -> None:
    names = [f"column_{number}" for number in range(20)]
    head, row = table_lines(names, [["value"] * 20], 60)
    assert head.endswith("… and 13 more columns")
    assert columns_of(row) <= 60


SQL = (
    "CREATE VIEW x AS\n        SELECT customer,\n            sum(amuont) AS n\n        FROM orders"
)


@pytest.mark.parametrize(
    ("error", "marked"),
    [
        ("not found\n\nLINE 3:             sum(amuont) AS n\n                        ^", "amuont"),
        ("not found\n\nLINE 3: ...sum(amuont) AS n\n               ^^^^^^", "amuont"),
        ('Referenced column "amuont" not found', "amuont"),
        ("cannot cast from source column customer", "customer"),
        ("LINE 9: gone\n        ^", ""),
        ("it took too long", ""),
    ],
    ids=["begins", "cut", "named", "source", "elsewhere", "nowhere"],
)
def test_place_of_an_error_is_marked(error: str, marked: str) -> None:
    lines = [click.unstyle(line) for line in frame_lines(SQL, error, 80)]
    above = {under: line for line, under in pairwise(lines)}
    found = ["".join(above[u][at] for at, c in enumerate(u) if c == "^") for u in lines if "^" in u]
    assert found == ([marked] if marked else [])


def test_long_line_is_shown_where_the_error_is() -> None:
    sql = f"SELECT {', '.join(f'column_{number}' for number in range(90))} FROM orders"
    line, under = [click.unstyle(one) for one in frame_lines(sql, '"column_42" is not there', 60)]
    assert line[under.index("^") : under.rindex("^") + 1] == "column_42"
    assert line.startswith("  > 1 | …")
    assert len(line) <= 60


def test_long_statement_is_shown_around_the_error() -> None:
    sql = "\n".join(f"line_{number}" for number in range(1, 41))
    lines = [click.unstyle(line) for line in frame_lines(sql, '"line_20" is wrong', 80)]
    assert lines[0] == "    16 | line_16"
    assert lines[-2:] == ["    24 | line_24", "       | ... 16 more lines"]


def test_error_is_told_without_duckdbs_drawing() -> None:
    assert without_place("no\nmaybe\n\nLINE 3: x\n        ^^") == "no\nmaybe"


def test_tree_has_every_name_once_below_its_nearest_dependency() -> None:
    graph = Graph.of({"a": (), "b": (), "c": ("a",), "d": ("a", "c", "b"), "e": ("a",)})
    drawn = [(one.layer, one.branch + one.name, one.parent) for one in draw(graph, 9)]
    assert drawn == [
        (1, "a", None),
        (2, "├─ c", "a"),
        (3, "│  └─ d", "c"),
        (2, "└─ e", "a"),
        (1, "b", None),
    ]


def test_long_chain_begins_at_the_left_again() -> None:
    names = [f"n{number}" for number in range(1000)]
    graph = Graph.of({names[0]: (), **{name: (before,) for before, name in pairwise(names)}})
    drawn = list(draw(graph, 8))
    assert sorted(one.name for one in drawn) == sorted(names)
    assert max(columns_of(one.branch) for one in drawn) == 24
