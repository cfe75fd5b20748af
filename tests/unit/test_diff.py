"""Two files are compared by DuckDB: tables as bags of rows, or row by row with a key."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

import anyio
import duckdb
import pytest
from click.testing import CliRunner, Result

from builders import source, spec_of, sql
from running import run_spec
from spec_modules import table
from taskgraph.cli import group
from taskgraph.diff.rows import RowsDiff
from taskgraph.diff.tables import TableDiff, attached, compare_table, read_sides


def compared(folder: Path, one: str, other: str, *key: str) -> TableDiff:
    """Compares the table t of two files that hold the results of two queries."""
    paths = [folder / "one.db", folder / "other.db"]
    for path, query in zip(paths, (one, other), strict=True):
        with duckdb.connect(path) as connection:
            connection.execute(f"CREATE TABLE t AS {query}")
    with attached(*paths) as connection:
        before, after = (read_sides(connection, file)["t"] for file in ("one", "other"))
        return compare_table(connection, "t", before, after, key)


ROWS = "FROM (VALUES (1, 'a', 1.5), (2, 'b', 2.5), (3, NULL, 3.5)) AS t(id, name, amount)"
CASES = table({
    "the same in another order": (ROWS, f"{ROWS} ORDER BY id DESC", (), (0, 0, 0), []),
    "a row more": (ROWS, f"{ROWS} UNION ALL SELECT 4, 'd', 1.5", (), (0, 1, 0), []),
    "a row twice": (ROWS, f"{ROWS} UNION ALL SELECT 1, 'a', 1.5", (), (0, 1, 0), []),
    "another value": (ROWS, f"SELECT * REPLACE (name || id // 3 AS name) {ROWS}", (), (2, 2, 0), []),
    "other numbers": (ROWS, f"SELECT * REPLACE (amount::DOUBLE AS amount) {ROWS}", (), (0, 0, 0),
        ["amount DECIMAL(2,1) DOUBLE"]),
    "number and text": (ROWS, f"SELECT * REPLACE ('x' || id AS id) {ROWS}", (), (3, 3, 0),
        ["id INTEGER VARCHAR"]),
    "a column less": (ROWS, f"SELECT id, name {ROWS}", (), (0, 0, 0), ["amount DECIMAL(2,1) None"]),
    "in other letters": (ROWS, f"SELECT id AS ID, name, amount {ROWS}", (), (0, 0, 0), []),
    "no column in common": ("SELECT 1 AS a", "SELECT 1 AS b FROM range(3)", (), (0, 2, 0),
        ["a INTEGER None", "b None INTEGER"]),
    "numbered rows": (f"SELECT row_number() OVER () AS _row_id, * {ROWS}",
        f"SELECT row_number() OVER (ORDER BY id DESC) AS _row_id, * {ROWS}", (), (0, 0, 0), []),
    "values that are nested": ("SELECT {'a': [1, NULL]} AS s", "SELECT {'a': [1, 2]} AS s", (), (1, 1, 0), []),
    "by key": (ROWS, f"SELECT * REPLACE (id + 1 AS id) {ROWS}", ("id",), (1, 1, 2), []),
    "by key, with names of our own": ("SELECT 1 AS found, 2 AS there, 3 AS number, 4 AS side",
        "SELECT 1 AS found, 2 AS there, 5 AS number, 4 AS side", ("found",), (0, 0, 1), []),
    "by key with NULL": (ROWS, f"SELECT * REPLACE (id * 2 AS id) {ROWS}", ("name",), (0, 0, 3), []),
    "by row number": (f"SELECT row_number() OVER () AS _row_id, * {ROWS}",
        f"SELECT row_number() OVER (ORDER BY id DESC) AS _row_id, * {ROWS}", ("_row_id",), (0, 0, 2), []),
    "by all columns": (ROWS, f"{ROWS} LIMIT 2", ("id", "name", "amount"), (1, 0, 0), []),
})  # fmt: skip


@pytest.mark.parametrize(("one", "other", "key", "counts", "columns"), CASES)
def test_rows_and_columns_that_differ_are_counted(
    tmp_path: Path,
    one: str,
    other: str,
    key: tuple[str, ...],
    counts: tuple[int, int, int],
    columns: list[str],
) -> None:
    found = compared(tmp_path, one, other, *key)
    assert found.rows is not None
    assert (found.rows.only_one, found.rows.only_other, found.rows.changed) == counts
    assert [f"{one.name} {one.one} {one.other}" for one in found.columns] == columns
    assert found.is_equal == (not any(counts) and not columns)


def shares(rows: RowsDiff | None) -> dict[str, float]:
    assert rows is not None
    return {one.column: round(one.share, 2) for one in rows.equal_values}


def test_share_of_equal_values_tells_the_column_that_differs(tmp_path: Path) -> None:
    other = "FROM (VALUES (1, 'a', 9.5), (2, 'b', 2.5), (4, NULL, 3.5)) AS t(id, name, amount)"
    found = compared(tmp_path, ROWS, other)
    assert shares(found.rows) == {"id": 0.67, "name": 1.0, "amount": 0.67}
    assert found.rows is not None
    assert found.rows.sample_one.rows == (("1", "a", "1.5"), ("3", None, "3.5"))
    assert found.rows.sample_other.rows == (("1", "a", "9.5"), ("4", None, "3.5"))


def test_key_tells_which_value_became_which(tmp_path: Path) -> None:
    other = "FROM (VALUES (1, 'a', 9.5), (2, 'b', 2.5), (4, NULL, 3.5)) AS t(id, name, amount)"
    found = compared(tmp_path, ROWS, other, "ID")
    assert shares(found.rows) == {"name": 1.0, "amount": 0.5}
    assert found.rows is not None
    assert found.rows.sample_changed.rows == (("1", "amount", "1.5", "9.5"),)


def test_key_that_is_none_is_told_and_whole_rows_are_compared(tmp_path: Path) -> None:
    found = compared(tmp_path, f"{ROWS} UNION ALL {ROWS}", ROWS, "id")
    assert found.note == "(id) is no key: in A, 3 of its values occur twice"
    assert found.key == ()
    assert found.rows is not None
    assert found.rows.only_one == 3


SUMS = "CREATE VIEW sums_all AS\nSELECT sum({}) AS total\nFROM orders"
FEW = {"few": "SELECT if(total > 2, 'warn', 'pass') AS status, 'so' AS message FROM sums_all"}
MONTHS = {"jan": ("id,paid\n1,2\n", "paid"), "feb": ("id,paid\n1,3\n2,4\n", "paid * 2")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `jan.db` and `feb.db` are."""
    folder = tmp_path_factory.mktemp("months")
    for month, (rows, total) in MONTHS.items():
        place = folder / month
        place.mkdir()
        (place / "orders.csv").write_text(rows)
        nodes = (
            source("orders", str(place / "orders.csv")),
            source("same"),
            sql("sums", SUMS.format(total), ["orders"], validate=FEW),
        )
        ran = anyio.run(run_spec, spec_of(*nodes), place)
        ran.path.rename(folder / f"{month}.db")
    return folder


def diff(folder: Path, *arguments: str) -> Result:
    with contextlib.chdir(folder):
        return CliRunner().invoke(group, ["diff", *arguments])


TOLD = """\
Different: 1 source, 2 tables, the SQL of 1 view, 1 check. 1 table is equal.

Sources
  orders  orders.csv 12 B 9b72b3a4, 1 row -> orders.csv 16 B 3cf1d1ad, 2 rows

Tables
  orders  1 -> 2 rows, 1 only in B, 1 changed, by id
    equal values: paid 0%
    only in B:
      id  paid
      2   4
    changed:
      id  column  in A  in B
      1   paid    2     3
  sums_all  1 row, 1 only in A, 1 only in B
    equal values: total 0%
    only in A:
      total
      2
    only in B:
      total
      14

SQL
  sums_all of sums: changed
    @@ -1,3 +1,3 @@
     CREATE VIEW sums_all AS
    -SELECT sum(paid) AS total
    +SELECT sum(paid * 2) AS total
     FROM orders

Checks
  sums.few  pass -> warn: so
"""


def test_terminal_is_told_what_differs_in_eighty_columns(folder: Path) -> None:
    told = diff(folder, "jan.db", "feb.db", "--key", "orders:id").stdout
    head, _, body = told.partition("\n\n")
    assert head.startswith("A  jan.db (passed, 20")
    assert re.sub(r"B [0-9a-f]{8},", "B (hash),", body) == re.sub(
        r"B [0-9a-f]{8},", "B (hash),", TOLD
    )
    assert max(map(len, told.splitlines())) <= 80


def test_markdown_and_json_tell_the_same(folder: Path) -> None:
    markdown = diff(folder, "jan.db", "feb.db", "--md").stdout
    assert "## Tables\n\n- `orders`: 1 -> 2 rows, 1 only in A, 2 only in B\n" in markdown
    assert "+SELECT sum(paid \\* 2)" not in markdown, "a fenced text is not escaped"
    assert "| sums.few | pass -> warn: so |" in markdown
    value = json.loads(diff(folder, "jan.db", "feb.db", "--json").stdout)
    assert value["equal"] is False
    assert [(one["name"], one["equal"]) for one in value["tables"]] == [
        ("orders", False),
        ("same", True),
        ("sums_all", False),
    ]
    assert value["sources"][0]["other"]["files"][0]["size_bytes"] == 16


def test_exit_code_tells_scripts_whether_there_is_a_difference(folder: Path) -> None:
    shutil.copy(folder / "jan.db", folder / "copy.db")
    assert diff(folder, "jan.db", "feb.db").exit_code == 0
    assert diff(folder, "jan.db", "feb.db", "--exit-code").exit_code == 1
    same = diff(folder, "jan.db", "copy.db", "--exit-code")
    assert (same.exit_code, "No difference: 3 tables, 4 rows." in same.stdout) == (0, True)


REFUSED = table({
    "unknown table": (("feb.db", "--key", "order:id"), "did you mean 'orders'?"),
    "unknown column": (("feb.db", "--key", "orders:nope"), "there are _row_id, id, paid"),
    "key of no table": (("feb.db", "--key", "nope"), "no table of both files has the columns nope"),
    "two keys": (("feb.db", "--key", "id", "--key", "paid"), "write columns, as in `id`"),
    "one file twice": (("jan.db",), "are the same file"),
    "no file": (("march.db",), "there is no file 'march.db'"),
    "no database": (("jan/orders.csv",), "cannot read 'jan/orders.csv'"),
    "two forms": (("feb.db", "--json", "--md"), "exclude one another"),
})  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_compared_is_refused(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = diff(folder, "jan.db", *arguments)
    assert (done.exit_code, message in done.stderr) == (2, True), done.stderr
