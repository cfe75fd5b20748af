"""The cash application: its data, its scorer, its checks, and what its strategies score."""

from __future__ import annotations

import csv
import hashlib
import os
import runpy
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "cash_application"
RECORDING = EXAMPLE / "recording.jsonl"
JANUARY, TRUTH = EXAMPLE / "data" / "2026-01", EXAMPLE / "truth" / "2026-01.csv"
CHECKS = runpy.run_path(str(EXAMPLE / "checks.py"))
SCORE = runpy.run_path(str(EXAMPLE / "score.py"))


def python(
    folder: Path, *arguments: object, data: Path = JANUARY
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"CASH_DATA": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )


def made(folder: Path, *options: object) -> dict[str, bytes]:
    """What the generator writes, by path."""
    done = python(folder, EXAMPLE / "make_data", folder, *options)
    assert done.returncode == 0, done.stderr
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def applied(folder: Path, spec: str, *options: object, data: Path = JANUARY) -> tuple[int, Path]:
    """Exit code and file of a run."""
    run = ("-m", "taskgraph", "run", "-s", EXAMPLE / spec, "-o", "it.db", *options)
    done = python(folder, *run, data=data)
    assert (folder / "it.db").exists(), done.stderr
    return done.returncode, folder / "it.db"


def rows_of(database: Path, truth: Path) -> dict[str, list[str]]:
    """The scorer's table: true, right, wrong and missed by kind, and money where it is wrong."""
    table: str = SCORE["table"](SCORE["scored"](database, truth))
    lines = [line.split() for line in table.replace("ON ACCOUNT", "ACCOUNT").splitlines()]
    return {name: [*columns[:4], *columns[7:]] for name, *columns in lines}


@pytest.mark.parametrize(
    ("seed", "difficulty", "payments", "digest"),
    [
        pytest.param(1, "easy", 30, "d3994cca0c4f7e4a", id="easy"),
        pytest.param(2, "medium", 300, "67bf64bb10bcc617", id="medium"),
        pytest.param(3, "hard", 1000, "4f8363e6f58e70d6", id="hard"),
    ],
)
def test_a_seed_gives_the_same_bytes_everywhere(
    tmp_path: Path, seed: int, difficulty: str, payments: int, digest: str
) -> None:
    size = ("--seed", seed, "--difficulty", difficulty, "--payments", payments)
    files = made(tmp_path, *size, "--month", "2026-03")

    whole = b"".join(name.encode() + files[name] for name in sorted(files))
    assert hashlib.sha256(whole).hexdigest()[:16] == digest


def test_the_committed_month_is_what_the_generator_makes(tmp_path: Path) -> None:
    committed = {
        path.relative_to(EXAMPLE).as_posix(): path.read_bytes()
        for kind in ("data", "truth")
        for path in (EXAMPLE / kind).rglob("*.*")
    }

    assert made(tmp_path) == committed


def test_the_truth_places_each_payment_to_the_cent() -> None:
    placed: defaultdict[str, Decimal] = defaultdict(Decimal)
    with TRUTH.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            placed[row["payment_id"]] += Decimal(row["amount"])
    with (JANUARY / "payments.csv").open(encoding="cp1252", newline="") as file:
        paid = {
            row["Payment"]: Decimal(row["Amount"].replace(".", "").replace(",", "."))
            for row in csv.DictReader(file, delimiter=";")
        }

    assert placed == paid


PAID = """
    CREATE TABLE prepare_payments (
        payment_id VARCHAR, booked_on DATE, payer VARCHAR, amount DECIMAL(14, 2), currency VARCHAR
    );
    INSERT INTO prepare_payments VALUES
        ('P1', '2026-01-12', 'A', 98, 'EUR'), ('P2', '2026-01-13', 'A', 60, 'EUR'),
        ('P3', '2026-01-14', 'B', 60, 'EUR'), ('P4', '2026-01-15', 'B', 60, 'EUR');
    CREATE TABLE prepare_items (
        invoice_id VARCHAR, dated_on DATE, amount DECIMAL(14, 2), currency VARCHAR,
        percent INTEGER, discount_days INTEGER, discount DECIMAL(14, 2)
    );
    INSERT INTO prepare_items VALUES
        ('RE-1', '2026-01-02', 100, 'EUR', 2, 10, 2), ('RE-2', '2026-01-01', 100, 'EUR', 2, 10, 2),
        ('RE-3', '2026-01-01', 80, 'EUR', 0, 0, 0), ('RE-4', '2026-01-01', 60, 'USD', 0, 0, 0),
        ('RE-5', '2026-01-31', 60, 'EUR', 0, 0, 0), ('GS-1', '2026-01-01', -20, 'EUR', 0, 0, 0);
    CREATE TABLE applied (
        payment_id VARCHAR, invoice_id VARCHAR, amount DECIMAL(14, 2), reason VARCHAR
    );
    CREATE TABLE account (payment_id VARCHAR, amount DECIMAL(14, 2), kind VARCHAR);
"""


@pytest.mark.parametrize(
    ("given", "left", "failing"),
    [
        pytest.param(
            [
                ("P1", "RE-1", 98, "discount"),
                ("P2", "RE-3", 80, "full"),
                ("P2", "GS-1", -20, "credit"),
                ("P3", "RE-2", 60, "partial"),
            ],
            [("P4", 60, "duplicate")],
            set[str](),
            id="all_right",
        ),
        pytest.param([("P1", "RE-2", 98, "discount")], [], {"reasons_fit"}, id="discount_too_late"),
        pytest.param(
            [("P2", "RE-3", 60, "short_pay"), ("P3", "RE-3", 60, "short_pay")],
            [],
            {"not_over_applied"},
            id="over_applied",
        ),
        pytest.param(
            [
                ("P2", "RE-3", 80, "full"),
                ("P2", "GS-1", -20, "credit"),
                ("P3", "RE-1", 80, "partial"),
                ("P3", "GS-1", -20, "credit"),
            ],
            [],
            {"credit_notes_once"},
            id="credit_note_twice",
        ),
        pytest.param([("P2", "RE-4", 60, "full")], [], {"currencies_agree"}, id="other_currency"),
        pytest.param([("P2", "RE-5", 60, "full")], [], {"dates_fit"}, id="before_its_date"),
        pytest.param(
            [("P1", "RE-3", 80, "full")], [("P1", 17, "overpayment")], {"cents"}, id="a_euro_lost"
        ),
        pytest.param([], [("P3", 60, "duplicate")], {"duplicates_repeat"}, id="nothing_repeated"),
        pytest.param(
            [("P2", "RE-3", 50, "short_pay")],
            [("P2", 10, "overpayment")],
            {"overpaid"},
            id="short_and_overpaid",
        ),
        pytest.param([], [("P1", 98, "stranger")], {"overlooked"}, id="set_aside_though_it_fits"),
    ],
)
def test_the_checks_refuse(
    given: Sequence[tuple[str, str, int, str]],
    left: Sequence[tuple[str, int, str]],
    failing: set[str],
) -> None:
    placed = {payment for payment, *_ in [*given, *left]}
    checks: dict[str, str] = {
        **CHECKS["of_applied"]("applied"),
        **CHECKS["of_account"]("account"),
        "overpaid": CHECKS["overpaid"]("applied", "account"),
        "overlooked": CHECKS["overlooked"]("applied", "account", "prepare_items", most=0),
        "cents": CHECKS["each_cent_once"]("applied", "account", "placed"),
    }
    with duckdb.connect() as connection:
        connection.execute(PAID)
        for row in given:
            connection.execute("INSERT INTO applied VALUES (?, ?, ?, ?)", row)
        for row in left:
            connection.execute("INSERT INTO account VALUES (?, ?, ?)", row)
        listed = ", ".join(f"'{payment}'" for payment in placed)
        connection.execute(
            f"CREATE VIEW placed AS FROM prepare_payments WHERE payment_id IN ({listed})"
        )
        found = {name: connection.execute(check).fetchall() for name, check in checks.items()}

    assert {name for name, [(status, _)] in found.items() if status == "fail"} == failing


@pytest.mark.parametrize(
    ("given", "left", "expected"),
    [
        pytest.param(
            [("P1", "RE-1", 98), ("P2", "RE-2", 60)],
            [("P2", 40, "overpayment"), ("P3", 5, "stranger")],
            {"ALL": ["4", "4", "0", "0"]},
            id="all_right",
        ),
        pytest.param(
            [], [("P1", 98, "open")], {"ALL": ["4", "0", "0", "4"]}, id="open_is_not_wrong"
        ),
        pytest.param(
            [("P1", "RE-1", 100), ("P3", "RE-2", 5)],
            [("P2", 40, "prepayment")],
            {
                "single": ["1", "0", "1", "1", "100.00", "EUR"],
                "APPLIED": ["2", "0", "2", "2", "105.00", "EUR"],
                "ALL": ["4", "0", "3", "4", "145.00", "EUR"],
            },
            id="a_wrong_amount_item_or_kind_costs_what_it_places",
        ),
    ],
)
def test_the_scorer_counts_decisions_and_money(
    tmp_path: Path,
    given: Sequence[tuple[str, str, int]],
    left: Sequence[tuple[str, int, str]],
    expected: dict[str, list[str]],
) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text(
        "payment_id,invoice_id,kind,amount,currency\n"
        "P1,RE-1,single,98.00,EUR\nP2,RE-2,overpayment,60.00,EUR\n"
        "P2,,overpayment,40.00,EUR\nP3,,stranger,5.00,EUR\n"
    )
    with duckdb.connect(tmp_path / "it.db") as connection:
        connection.execute(
            """
            CREATE TABLE prepare_payments AS
                SELECT unnest(['P1', 'P2', 'P3']) AS payment_id, 'EUR' AS currency;
            CREATE TABLE result_applied (
                payment_id VARCHAR, invoice_id VARCHAR, amount DECIMAL(14, 2)
            );
            CREATE TABLE result_on_account (
                payment_id VARCHAR, amount DECIMAL(14, 2), kind VARCHAR
            );
            """
        )
        for row in given:
            connection.execute("INSERT INTO result_applied VALUES (?, ?, ?)", row)
        for row in left:
            connection.execute("INSERT INTO result_on_account VALUES (?, ?, ?)", row)

    found = rows_of(tmp_path / "it.db", truth)

    assert {name: found[name] for name in expected} == expected


@pytest.mark.slow
def test_sql_alone_is_precise_and_leaves_what_takes_judgement(tmp_path: Path) -> None:
    code, database = applied(tmp_path, "sql_only.py")

    found = rows_of(database, TRUTH)

    assert code == 0
    assert found["APPLIED"] == ["746", "538", "0", "208"]
    assert found["ACCOUNT"] == ["48", "21", "0", "27"]


@pytest.mark.slow
def test_the_checks_tell_that_advice_is_written_in_a_new_way(tmp_path: Path) -> None:
    made(tmp_path, "--month", "2026-02")
    code, database = applied(tmp_path, "sql_only.py", data=tmp_path / "data" / "2026-02")

    found = rows_of(database, tmp_path / "truth" / "2026-02.csv")
    with duckdb.connect(database, read_only=True) as connection:
        failed = connection.execute(
            "SELECT check_name, message FROM _checks WHERE status = 'fail'"
        ).fetchall()

    assert code == 1
    assert found["APPLIED"] == ["724", "494", "0", "230"]
    [(check, message)] = failed
    assert (check, message.endswith("portal export (18 of 18)")) == ("advice_used", True)


@pytest.mark.slow
def test_the_recorded_agent_applies_everything(tmp_path: Path) -> None:
    code, database = applied(tmp_path, "hybrid.py", "--replay", RECORDING)

    assert code == 0
    assert rows_of(database, TRUTH)["ALL"][:4] == ["794", "794", "0", "0"]
