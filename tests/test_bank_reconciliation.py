"""The bank reconciliation: its data, its scorer, its checks, and what its strategies score."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import openpyxl
import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "bank_reconciliation"
RECORDING = EXAMPLE / "recording.jsonl"
JANUARY, FEBRUARY = EXAMPLE / "data" / "2026-01", EXAMPLE / "data" / "2026-02"


def python(
    folder: Path, *arguments: object, data: Path = JANUARY
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"RECONCILIATION_DATA": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )


def made(folder: Path, *options: object) -> dict[str, bytes]:
    """What the generator writes, by path."""
    done = python(folder, EXAMPLE / "make_data", folder, *options)
    assert done.returncode == 0, done.stderr
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def reconciled(folder: Path, spec: Path, data: Path, *options: object) -> tuple[int, Path]:
    """Exit code and file of a run."""
    run = ("-m", "taskgraph", "run", "-s", spec, "-o", "it.db", *options)
    done = python(folder, *run, data=data)
    assert (folder / "it.db").exists(), done.stderr
    return done.returncode, folder / "it.db"


def scores(database: Path, truth: Path) -> dict[str, list[str]]:
    """The scorer's table: its rows by their name."""
    done = python(database.parent, EXAMPLE / "score.py", database, truth)
    assert done.returncode == 0, done.stderr
    rows = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()]
    return {name: columns for name, *columns in rows}


def said(database: Path, check: str) -> list[tuple[str, str, str]]:
    """Node, status and message of a check."""
    with duckdb.connect(database, read_only=True) as connection:
        query = "SELECT node, status, message FROM _checks WHERE check_name = ? ORDER BY node"
        return connection.execute(query, [check]).fetchall()


@pytest.mark.parametrize(
    ("seed", "difficulty", "lines", "digest"),
    [
        pytest.param(1, "easy", 30, "8562254c5e84fa61", id="easy"),
        pytest.param(2, "medium", 300, "b5bb13113f57671e", id="medium"),
        pytest.param(3, "hard", 1000, "65b89cc67386e502", id="hard"),
    ],
)
def test_a_seed_gives_the_same_bytes_everywhere(
    tmp_path: Path, seed: int, difficulty: str, lines: int, digest: str
) -> None:
    options = ("--seed", seed, "--difficulty", difficulty, "--lines", lines, "--month", "2026-03")
    files = made(tmp_path, *options)

    whole = b"".join(name.encode() + files[name] for name in sorted(files))
    assert hashlib.sha256(whole).hexdigest()[:16] == digest


def test_the_committed_months_are_what_the_generator_makes(tmp_path: Path) -> None:
    committed = {
        path.relative_to(EXAMPLE).as_posix(): path.read_bytes()
        for kind in ("data", "truth")
        for path in (EXAMPLE / kind).rglob("*.*")
    }

    assert made(tmp_path) == committed


def test_books_and_truth_have_the_same_items() -> None:
    book = openpyxl.load_workbook(JANUARY / "statement.xlsx", read_only=True)
    rows = list(book["Statement"].iter_rows(values_only=True))
    book.close()
    ledger = (JANUARY / "ledger.csv").read_text(encoding="cp1252").splitlines()[1:]
    with (EXAMPLE / "truth" / "2026-01.csv").open(encoding="utf-8", newline="") as file:
        truth = list(csv.DictReader(file))

    assert rows[2] == ("Line", "Booked", "Details", "Amount", "Currency")
    assert {str(row[0]) for row in rows[3:] if row[0]} == {row["bank_id"] for row in truth} - {""}
    entries = [row["ledger_id"] for row in truth if row["ledger_id"]]
    assert sorted(entries) == [line.partition(";")[0] for line in ledger]


TRUTH = (
    ("1", "A", "single", "-10.00", "EUR"),
    ("2", "B", "batch", "30.00", "EUR"),
    ("2", "C", "batch", "40.50", "EUR"),
    ("3", "", "fee", "-2.50", "EUR"),
    ("", "D", "outstanding", "7.00", "USD"),
)
RIGHT = (("1", "A"), ("2", "B"), ("2", "C"))


@pytest.mark.parametrize(
    ("pairs", "unmatched", "expected"),
    [
        pytest.param(
            RIGHT,
            [(3, None, "fee"), (None, "D", "outstanding")],
            {
                "MATCHES": ["3", "3", "0", "0", "100.0%", "100.0%", "100.0%"],
                "ALL": ["5", "5", "0", "0", "100.0%", "100.0%", "100.0%"],
            },
            id="all_right",
        ),
        pytest.param(
            [],
            [(3, None, "open"), (None, "D", "open")],
            {"ALL": ["5", "0", "0", "5", "100.0%", "0.0%", "0.0%"]},
            id="open_is_missed_but_not_wrong",
        ),
        pytest.param(
            [("2", "A"), ("2", "B"), ("1", "D")],
            [(3, None, "return")],
            {
                "single": ["1", "0", "1", "1", "0.0%", "0.0%", "0.0%", "10.00 EUR"],
                "batch": ["2", "1", "0", "1", "100.0%", "50.0%", "66.7%"],
                "MATCHES": ["3", "1", "2", "2", "33.3%", "33.3%", "33.3%", "10.00 EUR, 7.00 USD"],
                "fee": ["1", "0", "1", "1", "0.0%", "0.0%", "0.0%", "2.50 EUR"],
                "ALL": ["5", "1", "3", "4", "25.0%", "20.0%", "22.2%", "12.50 EUR, 7.00 USD"],
            },
            id="wrong_ones_cost_what_their_entry_is_worth",
        ),
    ],
)
def test_the_scorer_counts_decisions_and_money(
    tmp_path: Path,
    pairs: Sequence[tuple[str, str]],
    unmatched: Sequence[tuple[int | None, str | None, str]],
    expected: dict[str, list[str]],
) -> None:
    truth = tmp_path / "truth.csv"
    header = ("bank_id", "ledger_id", "kind", "amount", "currency")
    truth.write_text("".join(f"{','.join(row)}\n" for row in (header, *TRUTH)))
    with duckdb.connect(tmp_path / "it.db") as connection:
        connection.execute("CREATE TABLE result_matches (bank_id BIGINT, ledger_id VARCHAR)")
        connection.execute(
            "CREATE TABLE result_unmatched (bank_id BIGINT, ledger_id VARCHAR, kind VARCHAR)"
        )
        for pair in pairs:
            connection.execute("INSERT INTO result_matches VALUES (?, ?)", pair)
        for row in unmatched:
            connection.execute("INSERT INTO result_unmatched VALUES (?, ?, ?)", row)

    found = scores(tmp_path / "it.db", truth)

    assert {name: found[name] for name in expected} == expected


@pytest.mark.slow
def test_sql_alone_is_precise_and_leaves_what_takes_judgement(tmp_path: Path) -> None:
    code, database = reconciled(tmp_path, EXAMPLE / "sql_only.py", JANUARY)

    found = scores(database, EXAMPLE / "truth" / "2026-01.csv")

    assert code == 0
    assert found["MATCHES"] == ["1034", "878", "0", "156", "100.0%", "84.9%", "91.8%"]
    assert found["ALL"] == ["1237", "1015", "0", "222", "100.0%", "82.1%", "90.1%"]


@pytest.mark.slow
def test_the_checks_tell_that_january_rules_have_grown_old(tmp_path: Path) -> None:
    code, database = reconciled(tmp_path, EXAMPLE / "sql_only.py", FEBRUARY)

    found = scores(database, EXAMPLE / "truth" / "2026-02.csv")

    assert code == 1
    assert found["MATCHES"] == ["1013", "824", "0", "189", "100.0%", "81.3%", "89.7%"]
    [(_, status, message)] = said(database, "parties_known")
    assert (status, "Marktring Plattform SE (39 of 39)" in message) == ("fail", True)
    [(_, status, message)] = said(database, "texts_known")
    assert (status, "REALTIME SURCHG (16 of 16)" in message) == ("warn", True)


NOTHING = """
import sys
sys.path.append({folder!r})
from prompt_only import MATCH, NODES

MATCH.pop("prompt")
MATCH["sql"] = '''
    CREATE VIEW match_matches AS
    SELECT bank_id, '' AS ledger_id, '' AS reason FROM prepare_bank WHERE false;
    CREATE VIEW match_lines AS SELECT bank_id, 'unbooked' AS kind FROM prepare_bank;
    CREATE VIEW match_entries AS SELECT ledger_id, 'outstanding' AS kind FROM prepare_ledger;
'''
"""


@pytest.mark.slow
def test_an_agent_that_matches_nothing_does_not_pass(tmp_path: Path) -> None:
    spec = tmp_path / "nothing.py"
    spec.write_text(NOTHING.format(folder=str(EXAMPLE)))

    code, database = reconciled(tmp_path, spec, JANUARY)

    assert code == 1
    assert [status for _, status, _ in said(database, "waiting_items")] == ["fail"]
    assert [status for _, status, _ in said(database, "overlooked")] == ["fail"]


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example, and what the recorded agent made of January in it."""
    folder = tmp_path_factory.mktemp("january")
    shutil.copytree(EXAMPLE, folder / "example", ignore=shutil.ignore_patterns("__pycache__"))
    code, _ = reconciled(folder, folder / "example" / "hybrid.py", JANUARY, "--replay", RECORDING)
    assert code == 0
    return folder


@pytest.mark.slow
def test_the_recorded_agent_matches_everything_by_rules(january: Path) -> None:
    found = scores(january / "it.db", EXAMPLE / "truth" / "2026-01.csv")
    assert (found["MATCHES"][6], found["ALL"][6]) == ("100.0%", "100.0%")
    assert said(january / "it.db", "literals") == []


def february(january: Path, example: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Puts January's SQL on February's data, without a model."""
    rerun = ("-m", "taskgraph", "rerun", january / "it.db", "--spec", example / "hybrid.py")
    return python(january, *rerun, "-o", output, "--no-llm", data=FEBRUARY)


@pytest.mark.slow
def test_january_sql_of_the_agent_reconciles_february_once_the_rules_are_mended(
    january: Path, tmp_path: Path
) -> None:
    mended = shutil.copytree(january / "example", tmp_path / "example")
    rules = mended / "rules.py"
    text = rules.read_text(encoding="utf-8")
    for old, new in {
        "|DEBIT INTEREST)": "|DEBIT INTEREST|REALTIME SURCHG)",
        "_all(text, '[0-9]{4,}')": "_all(replace(text, '/', ''), '[0-9]{4,}')",
        "_all(reference, '[0-9]{4,}')": "_all(replace(reference, '/', ''), '[0-9]{4,}')",
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    rules.write_text(text, encoding="utf-8")

    done = february(january, mended, tmp_path / "february.db")

    assert done.returncode == 0, done.stderr
    assert "REUSE prompt rest       (checks pass)" in done.stderr
    found = scores(tmp_path / "february.db", EXAMPLE / "truth" / "2026-02.csv")
    assert (found["MATCHES"][6], found["ALL"][6]) == ("100.0%", "100.0%")
