"""Tables of a run against gold: which rows are right, whatever the order of columns and rows."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from builders import prompt, source, spec_of
from taskgraph.errors import SettingsError
from taskgraph.scoring import gold_of, scores_of

SPEC = spec_of(
    source("orders"), prompt("match", depends_on=["orders"], output_columns={"pairs": ["id"]})
)
GOLD = "id,day,ok,amount,part\n1,2026-01-31,true,1.50,0.1\n2,2026-02-01,,2.25,0.2\n3,,false,3,0.3\n"
RIGHT = (
    "SELECT * FROM (VALUES (1, DATE '2026-01-31', true, 1.5::DECIMAL(9,2), 0.1::DOUBLE),"
    " (2, '2026-02-01', NULL, 2.25, 0.1 + 0.1), (3, NULL, false, 3, 0.3)) t(id, day, ok, amount, part)"
)


def score(tmp_path: Path, made: str | None, gold: str = GOLD) -> tuple[int, int, int]:
    """Rows expected, found and right."""
    (tmp_path / "pairs.csv").write_text(gold)
    with duckdb.connect(tmp_path / "run.db") as connection:
        if made:
            connection.execute(f"CREATE TABLE pairs AS {made}")
    found = gold_of(SPEC, [str(tmp_path / "pairs.csv")])
    [one] = scores_of(tmp_path / "run.db", found, {"match": True})
    return one.expected, one.found, one.right


CASES = {
    "equal": (RIGHT, (3, 3, 3)),
    "other order and further columns": (
        f"SELECT part, amount, ok, 'x' AS note, day, id AS ID FROM ({RIGHT}) ORDER BY id DESC",
        (3, 3, 3),
    ),
    "other types": (f"SELECT id::VARCHAR AS id, * EXCLUDE (id) FROM ({RIGHT})", (3, 3, 3)),
    "a wrong value": (f"SELECT * REPLACE (amount + 1 AS amount) FROM ({RIGHT})", (3, 3, 0)),
    "a value where NULL should be": (
        f"SELECT * REPLACE (coalesce(ok, true) AS ok) FROM ({RIGHT})",
        (3, 3, 2),
    ),
    "rows missing": (f"FROM ({RIGHT}) WHERE id > 1", (3, 2, 2)),
    "rows twice": (f"FROM ({RIGHT}) UNION ALL FROM ({RIGHT})", (3, 6, 3)),
    "rows that nobody asked for": (
        f"FROM ({RIGHT}) UNION ALL SELECT 9, NULL, NULL, NULL, NULL",
        (3, 4, 3),
    ),
    "a column missing": (f"SELECT * EXCLUDE (day) FROM ({RIGHT})", (3, 3, 0)),
    "no such table": (None, (3, 0, 0)),
}


@pytest.mark.parametrize(("made", "counts"), CASES.values(), ids=CASES)
def test_rows_are_found_by_key_and_compared_by_value(
    tmp_path: Path, made: str | None, counts: tuple[int, int, int]
) -> None:
    assert score(tmp_path, made) == counts


def test_pairs_are_their_own_key(tmp_path: Path) -> None:
    made = "SELECT * FROM (VALUES ('a', 1), ('a', 2), ('b', 3)) t(id, other)"
    assert score(tmp_path, made, "id,other\na,1\na,3\nb,3\nb,4\n") == (4, 3, 2)


def test_precision_recall_and_f1_follow_from_the_counts(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("id\n1\n2\n3\n4\n")
    duckdb.connect(tmp_path / "run.db").execute("CREATE TABLE pairs AS FROM range(3, 9) t(id)")
    found = gold_of(SPEC, [f"pairs={tmp_path / 'pairs.csv'}"])

    [one] = scores_of(tmp_path / "run.db", found, {"match": True})
    [failed] = scores_of(tmp_path / "run.db", found, {"match": False})

    assert (one.precision, one.recall, one.f1) == (2 / 6, 2 / 4, 0.4)
    assert (failed.found, failed.f1) == (0, 0.0)


def test_gold_of_a_database_is_what_nodes_make_without_checks_and_sources(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "gold.db") as connection:
        for name in ("pairs", "match_more", "match__validation_a", "orders", "_trace", "other"):
            connection.execute(f"CREATE TABLE {name} AS SELECT 1 AS id")

    found = gold_of(SPEC, [str(tmp_path / "gold.db")])

    assert [(one.node, one.relation) for one in found] == [
        ("match", "match_more"),
        ("match", "pairs"),
    ]


WRONG = {
    "no file": ("nowhere.csv", "there is no gold file 'nowhere.csv'"),
    "no such table": ("pars.csv", "no node of the spec makes 'pars'"),
    "a source": ("orders.csv", "no node of the spec makes 'orders'"),
    "no table": ("pairs=gold.txt", "no CSV, TSV or Parquet file"),
}


@pytest.mark.parametrize(("gold", "message"), WRONG.values(), ids=WRONG)
def test_gold_that_no_node_makes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gold: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pars.csv", "orders.csv", "gold.txt"):
        Path(name).write_text("id\n1\n")
    with pytest.raises(SettingsError, match=message):
        gold_of(SPEC, [gold])
