"""Results as text: every cell can be read in one way only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraph.agent.rendering import (
    cell,
    columns_text,
    preview_text,
    result_text,
    rows_text,
)
from taskgraph.database import Cursor, Database, Result


@pytest.fixture(scope="module")
def cursor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cursor]:
    path: Path = tmp_path_factory.mktemp("rendering") / "r.db"
    database = Database.create(path)
    cursor = database.cursor()
    yield cursor
    cursor.close()
    database.close()


def shown(cursor: Cursor, sql: str) -> str | None:
    return result_text(cursor.fetch(sql, 1_000), 30_000)


def test_a_result_is_a_count_a_header_and_a_line_per_row(cursor: Cursor) -> None:
    sql = "SELECT * FROM (VALUES (1, 'ann', 10.50), (2, NULL, 5)) t(id, name, amount)"

    assert shown(cursor, sql) == (
        "2 rows\nid INTEGER|name VARCHAR|amount DECIMAL(12,2)\n1|ann|10.50\n2|NULL|5.00"
    )


def test_an_empty_result_still_tells_its_columns(cursor: Cursor) -> None:
    assert shown(cursor, "SELECT 1 AS a WHERE false") == "0 rows\na INTEGER"


CELLS = {
    "null": ("NULL", "NULL"),
    "empty text": ("''", "''"),
    "text NULL": ("'NULL'", "'NULL'"),
    "text null": ("'null'", "'null'"),
    "text": ("'ann b'", "ann b"),
    "number as text": ("'007'", "007"),
    "separator": ("'a|b'", "'a|b'"),
    "outer blank": ("' a'", "' a'"),
    "quote inside": ("'it''s'", "it's"),
    "quote first": ("'''a'", "'''a'"),
    "looks like an escape": ("'E''a'", "'E''a'"),
    "lines": ("'a\nb\t'", r"E'a\nb\t'"),
    "blank that looks like a space": ("'a' || chr(160) || 'b'", r"E'a\xC2\xA0b'"),
    "umlaut": ("'Müller €'", "Müller €"),
    "true": ("true", "true"),
    "decimal": ("1234567.10::DECIMAL(18,2)", "1234567.10"),
    "small decimal": ("0.0000001::DECIMAL(18,7)", "0.0000001"),
    "double": ("0.1::DOUBLE + 0.2", "0.30000000000000004"),
    "whole double": ("2::DOUBLE", "2.0"),
    "not a number": ("'nan'::DOUBLE", "nan"),
    "huge integer": (
        "170141183460469231731687303715884105727",
        "170141183460469231731687303715884105727",
    ),
    "date": ("DATE '2026-01-31'", "2026-01-31"),
    "date out of Python's range": ("DATE '12026-01-31'", "12026-01-31"),
    "timestamp": ("TIMESTAMP '2026-01-31 10:00'", "2026-01-31 10:00:00"),
    "timestamp with zone": ("TIMESTAMPTZ '2026-01-31 10:00+02'", "2026-01-31 08:00:00+00"),
    "time": ("TIME '10:00:01.5'", "10:00:01.500000"),
    "interval": ("INTERVAL 36 HOUR", "1 day, 12:00:00"),
    "blob": (r"'\xAA\x01'::BLOB", r"\xAA\x01"),
    "list": ("['a', NULL, '']", "['a', NULL, '']"),
    "struct": ("{'a': 1, 'b': DATE '2026-01-31'}", "{'a': 1, 'b': 2026-01-31}"),
    "map": ("MAP {1: [true]}", "{1: [true]}"),
    "json": ("""'{"a": null}'::JSON""", '{"a": null}'),
    "uuid": (
        "'68e5743e-efb2-4d0a-8ecb-5314875c847e'::UUID",
        "68e5743e-efb2-4d0a-8ecb-5314875c847e",
    ),
}


@pytest.mark.parametrize(("expression", "text"), CELLS.values(), ids=CELLS)
def test_a_cell_can_be_read_in_one_way_only(cursor: Cursor, expression: str, text: str) -> None:
    (row,) = cursor.rows(f"SELECT {expression}")

    assert cell(row[0], 1_000) == text


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_quoted_cell_is_a_literal_of_the_same_text(cursor: Cursor, text: str) -> None:
    shown = cell(text, 1_000)

    if shown != text:
        assert cursor.rows(f"SELECT {shown}") == [(text,)]


def test_a_long_cell_is_cut_with_a_notice() -> None:
    assert cell("x" * 1_234, 1_000) == "x" * 1_000 + "…(+234 characters)"
    assert cell(["x" * 30], 10) == "['xxxxxxxx…(+24 characters)"


def test_few_rows_show_more_of_long_cells() -> None:
    one = Result(("a",), ("VARCHAR",), (("x" * 5_000,),), complete=True)
    many = Result(("a",), ("VARCHAR",), (("x" * 5_000,),) * 20, complete=True)

    assert "characters)" not in (result_text(one, 30_000) or "")
    assert (result_text(many, 30_000) or "").count("…(+4,000 characters)") == 20


@pytest.mark.parametrize(("limit", "fits"), [(19, False), (20, True)])
def test_a_result_over_the_limit_is_not_shown(limit: int, fits: bool) -> None:
    result = Result(("a",), ("INTEGER",), ((1,), (2,)), complete=True)

    assert (result_text(result, limit) == "2 rows\na INTEGER\n1\n2") is fits
    assert (result_text(result, limit) is None) is not fits


def test_a_preview_is_short_whatever_the_result_holds() -> None:
    wide = Result(("a",) * 500, ("VARCHAR",) * 500, (("x" * 1_000,) * 500,) * 9, complete=False)

    assert len(preview_text(wide, 30_000)) < 2_050
    assert len(preview_text(wide, 300)) < 350


def test_a_column_name_that_could_be_misread_is_quoted() -> None:
    assert columns_text(("a", "b c", "d|e", "count_star()"), ("INTEGER",) * 4, ", ") == (
        'a INTEGER, "b c" INTEGER, "d|e" INTEGER, count_star() INTEGER'
    )


def test_a_plan_is_shown_as_drawn(cursor: Cursor) -> None:
    text = shown(cursor, "EXPLAIN SELECT 1") or ""

    assert "\n" in text
    assert "\\n" not in text


@pytest.mark.parametrize(("count", "text"), [(0, "0 rows"), (1, "1 row"), (12_345, "12,345 rows")])
def test_rows_are_counted_in_words(count: int, text: str) -> None:
    assert rows_text(count) == text
