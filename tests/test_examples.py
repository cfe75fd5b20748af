"""The shipped examples: they run as their READMEs say, and their numbers are right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import polars as pl
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
FLIGHTS = EXAMPLES / "flights" / "data"
EXPENSES = EXAMPLES / "expenses"


def _run(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    ours = {"FLIGHTS_DATA", "EXPENSES_MONTH"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def _rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(database, read_only=True) as connection:
        return connection.execute(query).fetchall()


def _weather() -> pl.DataFrame:
    return pl.read_excel(
        FLIGHTS / "weather.xlsx", sheet_name="Hourly", read_options={"header_row": 2}
    )


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the flights were run."""
    folder = tmp_path_factory.mktemp("flights")
    spec = EXAMPLES / "flights" / "spec.py"
    done = _run(folder, "-m", "taskgraph", "run", "--spec", spec, "-o", "flights.db")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def departures() -> pl.DataFrame:
    """The published flights, judged without the spec's SQL."""
    cancelled = pl.col("dep_time").is_null()
    on_time = (pl.col("arr_delay") < 15).fill_null(value=False)
    scheduled = pl.col("time_hour") + pl.duration(minutes=pl.col("minute"))
    return pl.read_parquet(FLIGHTS / "flights.parquet").with_columns(
        cancelled=cancelled, on_time=on_time, scheduled=scheduled.dt.replace_time_zone(None)
    )


@pytest.mark.slow
def test_flights_pass_with_the_warnings_that_the_data_deserves(flights: Path) -> None:
    warned = _rows(
        flights / "flights.db", "SELECT node, check_name FROM _checks WHERE status = 'warn'"
    )
    failed = _rows(flights / "flights.db", "FROM _checks WHERE status NOT IN ('pass', 'warn')")

    assert not failed
    assert set(warned) == {
        ("sky", "hours_missing"),
        ("sky", "implausible_wind"),
        ("conditions", "sky_is_recent"),
        ("routes", "airports_known"),
        ("fleet", "planes_known"),
        ("scorecard", "enough_flights"),
    }


@pytest.mark.slow
def test_flights_by_carrier_are_those_of_the_published_data(
    flights: Path, departures: pl.DataFrame
) -> None:
    expected = departures.group_by("carrier").agg(
        pl.len(), pl.col("cancelled").sum(), pl.col("on_time").mean() * 100
    )
    found = _rows(
        flights / "flights.db",
        "SELECT carrier, flights, cancelled, on_time_pct FROM scorecard_carriers",
    )

    assert len(found) == 15
    for row, wanted in zip(sorted(found), sorted(expected.rows()), strict=True):
        assert row == pytest.approx(wanted, abs=0.0501)


@pytest.mark.slow
def test_every_departure_is_under_the_last_sky_before_it(
    flights: Path, departures: pl.DataFrame
) -> None:
    weather = _weather().select("origin", pl.col("time_hour").cast(pl.Datetime("us")).alias("seen"))
    joined = (
        departures.with_columns(pl.col("scheduled").cast(pl.Datetime("us")))
        .sort("scheduled")
        .join_asof(
            weather.sort("seen"),
            left_on="scheduled",
            right_on="seen",
            by="origin",
            check_sortedness=False,
        )
    )
    expected = (joined["scheduled"] - joined["seen"]).dt.total_minutes().sum()

    [(found,)] = _rows(
        flights / "flights.db", "SELECT sum(sky_age_minutes) FROM conditions_by_flight"
    )

    assert found == expected


@pytest.mark.slow
def test_flights_know_the_blizzard_and_the_missing_aircraft(
    flights: Path, departures: pl.DataFrame
) -> None:
    planes = pl.read_csv(FLIGHTS / "planes.csv", columns=["tailnum"])
    blizzard = departures.filter(pl.col("day").is_in([8, 9]))

    [(cancelled,)] = _rows(
        flights / "flights.db",
        "SELECT sum(cancelled) FROM conditions_days WHERE day(flight_date) IN (8, 9)",
    )
    [(unknown,)] = _rows(
        flights / "flights.db", "SELECT count(*) FROM fleet_by_flight WHERE NOT registered"
    )

    assert cancelled == blizzard["cancelled"].sum() == 865
    assert unknown == departures.join(planes, on="tailnum", how="anti").height


@pytest.mark.slow
def test_flights_exports_can_be_read_back(flights: Path) -> None:
    scorecard = pl.read_csv(flights / "runs" / "flights_scorecard.csv")
    book = openpyxl.load_workbook(flights / "runs" / "flights_report.xlsx", read_only=True)
    sheet = list(book["Scorecard"].iter_rows(values_only=True))
    book.close()

    assert scorecard["carrier"].to_list() == [row[1] for row in sheet[1:]]
    assert list(scorecard.columns) == list(sheet[0])
    assert {"Weather", "Days", "Hours", "Routes", "Aircraft age", "Checks"} < set(book.sheetnames)


@pytest.mark.slow
def test_flights_run_on_the_folder_that_the_environment_names(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    for name in ("airlines.csv", "airports.csv", "planes.csv"):
        shutil.copyfile(FLIGHTS / name, full / name)
    first_days = pl.read_parquet(FLIGHTS / "flights.parquet").filter(pl.col("day") <= 3)
    first_days.write_parquet(full / "flights.parquet")
    weather = pl.col("time_hour").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    _weather().with_columns(weather).write_csv(full / "weather.csv", null_value="NA")

    run = ("-m", "taskgraph", "run", "--spec", EXAMPLES / "flights" / "spec.py", "-o", "year.db")
    done = _run(tmp_path, *run, FLIGHTS_DATA="full")

    assert done.returncode == 0, done.stderr
    [(flights, unknown)] = _rows(
        tmp_path / "year.db",
        "SELECT count(*), count(*) FILTER (sky = 'unknown') FROM conditions_by_flight",
    )
    assert (flights, unknown) == (first_days.height, 0)


@pytest.mark.slow
def test_expenses_data_is_what_its_generator_makes(tmp_path: Path) -> None:
    done = _run(tmp_path, EXPENSES / "make_data", tmp_path)
    made = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*.*")}
    committed = {
        path.relative_to(EXPENSES): path
        for kind in ("data", "truth")
        for path in (EXPENSES / kind).rglob("*.*")
    }

    assert done.returncode == 0, done.stderr
    assert made.keys() == committed.keys()
    for name, path in committed.items():
        assert made[name].read_bytes() == path.read_bytes(), name
