"""Any table comes out of every reader as it went in; any damaged file ends in one known error."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Generator
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingesting import Desk
from taskgraph.database import Database
from taskgraph.errors import IngestError
from taskgraph.ingest.names import column_names

Columns = dict[str, list[Any]]
QUICK = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Generator[Desk]:
    database = Database.create(tmp_path_factory.mktemp("workspace") / "w.db")
    desk = Desk(database)
    try:
        yield desk
    finally:
        desk.cursor.close()
        database.close()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "BOOLEAN": st.booleans(),
    "VARCHAR": TEXT,
    "DATE": st.dates(),
    "TIMESTAMP": MOMENTS,
}


@st.composite
def tables(draw: st.DrawFn, names: st.SearchStrategy[str], *kinds: str) -> Columns:
    """Columns of one type each, some values missing."""
    size = draw(st.integers(1, 6))
    wanted = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    columns: Columns = {}
    for name in wanted:
        values = KINDS[draw(st.sampled_from(kinds))]
        columns[name] = draw(st.lists(values | st.none(), min_size=size, max_size=size))
    return columns


def names_of(columns: Columns) -> list[str]:
    return list(column_names(columns).names)


def rows_of(columns: Columns) -> list[tuple[Any, ...]]:
    return list(zip(*columns.values(), strict=True))


PLAIN_NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
ANY_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)


@QUICK
@given(tables(ANY_NAMES, *KINDS))
def test_lists_and_dicts(desk: Desk, columns: Columns) -> None:
    records = [dict(zip(columns, row, strict=True)) for row in rows_of(columns)]
    for taken in (desk.take(columns), desk.take(records)):
        assert (taken.names, taken.rows) == (names_of(columns), rows_of(columns))


@QUICK
@given(tables(ANY_NAMES, *KINDS))
@example(columns={"": [0], "*": [None], "^a$": [1]})
def test_polars(desk: Desk, columns: Columns) -> None:
    taken = desk.take(pl.DataFrame(columns, strict=False))
    assert (taken.names, taken.rows) == (names_of(columns), rows_of(columns))


@QUICK
@given(tables(PLAIN_NAMES, *KINDS))
def test_parquet(desk: Desk, tmp_path: Path, columns: Columns) -> None:
    pl.DataFrame(columns).write_parquet(tmp_path / "a.parquet")
    taken = desk.take(tmp_path / "a.parquet")
    assert (taken.names, taken.rows) == (names_of(columns), rows_of(columns))


def as_text(value: Any) -> Any:
    """A value as a file of text holds it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value


@QUICK
@given(tables(PLAIN_NAMES, "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR"))
def test_json(desk: Desk, tmp_path: Path, columns: Columns) -> None:
    records = [dict(zip(columns, row, strict=True)) for row in rows_of(columns)]
    (tmp_path / "a.json").write_text(json.dumps(records))
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    for name in ("a.json", "a.jsonl"):
        taken = desk.take(tmp_path / name)
        assert taken.rows == rows_of(columns)


@QUICK
@given(
    tables(PLAIN_NAMES, *KINDS),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_csv_as_text(
    desk: Desk, tmp_path: Path, columns: Columns, delimiter: str, newline: str, encoding: str
) -> None:
    """Every value as it stands; whole numbers, where they are found, give back their text."""
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL)
    texts = {
        name: [None if value is None else str(as_text(value)) for value in values]
        for name, values in columns.items()
    }
    writer.writerows([columns, *rows_of(texts)])
    path = tmp_path / "a.csv"
    path.write_bytes(written.getvalue().encode(encoding))
    told = {"path": path, "delimiter": delimiter}
    assert desk.take({**told, "all_text": True}).rows == rows_of(texts)
    found = desk.take(told)
    for name, type_ in found.ingested.columns:
        if type_ in {"VARCHAR", "BIGINT"}:
            values = [None if value is None else str(value) for value in found.column(name)]
            whole = [text and text.strip() for text in texts[name]]
            assert values == (texts[name] if type_ == "VARCHAR" else whole)


@QUICK
@given(tables(PLAIN_NAMES, "BIGINT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP"))
def test_csv_with_types(desk: Desk, tmp_path: Path, columns: Columns) -> None:
    pl.DataFrame(columns).write_csv(tmp_path / "a.csv")
    assert desk.take(tmp_path / "a.csv").rows == rows_of(columns)


WORKBOOK_DAYS = st.dates(date(1900, 3, 1), date(9999, 12, 30))
WORKBOOK_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "BIGINT": st.integers(-(2**53) + 1, 2**53 - 1),
    "DOUBLE": st.floats(-1e9, 1e9).map(lambda value: round(value, 4)),
    "BOOLEAN": st.booleans(),
    "VARCHAR": st.from_regex(r"[a-zA-Z0-9äöü .,+-]*[a-zA-Z0-9]", fullmatch=True),
    "DATE": WORKBOOK_DAYS,
    "TIMESTAMP": st.datetimes(datetime(1900, 3, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001
        lambda moment: moment.replace(second=1, microsecond=0)  # not midnight: that is a day
    ),
    "INTERVAL": st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
}


@QUICK
@given(
    st.lists(st.sampled_from(list(WORKBOOK_VALUES)), min_size=1, max_size=4),
    st.integers(1, 6),
    st.data(),
)
def test_workbooks(
    desk: Desk, tmp_path: Path, kinds: list[str], size: int, data: st.DataObject
) -> None:
    columns: Columns = {"n": list(range(size))}
    for position, kind in enumerate(kinds):
        values = WORKBOOK_VALUES[kind] | st.none()
        columns[f"x{position}"] = data.draw(st.lists(values, min_size=size, max_size=size))
    book = openpyxl.Workbook()
    for row in [list(columns), *rows_of(columns)]:
        book.worksheets[0].append(row)
    book.save(tmp_path / "a.xlsx")
    assert desk.take(tmp_path / "a.xlsx").rows == rows_of(columns)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small file of each format."""
    folder = tmp_path_factory.mktemp("sound")
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None], "c": [[1], []]})
    frame.write_parquet(folder / "a.parquet")
    book = openpyxl.Workbook()
    for row in (["a", "b"], [1, "x"], [2, None]):
        book.worksheets[0].append(row)
    book.save(folder / "a.xlsx")
    return {
        "csv": b'a,b\n1,"x"\n2,\n',
        "json": b'[{"a": 1, "b": "x", "c": [1]}, {"a": 2, "c": []}]',
        "jsonl": b'{"a": 1, "b": "x"}\n{"a": 2, "c": []}\n',
        "parquet": (folder / "a.parquet").read_bytes(),
        "xlsx": (folder / "a.xlsx").read_bytes(),
    }


@settings(QUICK, max_examples=60)
@given(
    st.sampled_from(["csv", "json", "jsonl", "parquet", "xlsx"]),
    st.integers(0, 10**6),
    st.integers(0, 20),
    st.binary(max_size=8) | st.sampled_from([b'"', b"\r", b"{", b"\xff", b",,"]),
)
def test_a_damaged_file_is_a_table_or_an_ingest_error(
    desk: Desk,
    tmp_path: Path,
    sound: dict[str, bytes],
    ending: str,
    place: int,
    removed: int,
    inserted: bytes,
) -> None:
    content = sound[ending]
    at = place % len(content)
    path = tmp_path / f"a.{ending}"
    path.write_bytes(content[:at] + inserted + content[at + removed :])
    with suppress(IngestError):
        desk.take(path)
