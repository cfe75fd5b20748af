"""Makes the committed sample out of the full nycflights13 data: one month, three file formats.

    python make_sample.py FOLDER

FOLDER holds flights.parquet, weather.csv, airlines.csv, airports.csv and planes.csv. The sample
goes into data/ beside this file: the month's flights as Parquet, its weather as a workbook the
way an office would send it, and the three small tables exactly as published.
"""

from __future__ import annotations

import datetime
import shutil
import sys
from pathlib import Path

import polars as pl
from openpyxl import Workbook
from openpyxl.styles import Font

MONTH = 2
"""February 2013: the month of the blizzard of the 8th and 9th."""
HEADER_ROW = 3


def main(full: Path, sample: Path) -> None:
    sample.mkdir(exist_ok=True)
    for name in ("airlines.csv", "airports.csv", "planes.csv"):
        shutil.copyfile(full / name, sample / name)
    flights = pl.read_parquet(full / "flights.parquet").filter(pl.col("month") == MONTH)
    flights.write_parquet(sample / "flights.parquet", compression="zstd", compression_level=19)
    weather = pl.read_csv(full / "weather.csv", null_values="NA", infer_schema_length=None)
    write_weather(weather.filter(pl.col("month") == MONTH), sample / "weather.xlsx")


def write_weather(weather: pl.DataFrame, path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Hourly"
    month = datetime.date(2013, MONTH, 1)
    sheet["A1"] = f"Hourly weather at the New York airports, {month:%B %Y}"
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["A2"] = "Times in UTC; degrees Fahrenheit, miles per hour, inches, millibars, miles"
    # A cell cannot hold a time zone.
    times = pl.col("time_hour").str.to_datetime(time_zone="UTC").dt.replace_time_zone(None)
    for column, name in enumerate(weather.columns, start=1):
        sheet.cell(HEADER_ROW, column, name).font = Font(bold=True)
    for row in weather.with_columns(times).iter_rows():
        sheet.append(row)
    sheet.freeze_panes = sheet.cell(HEADER_ROW + 1, 1)
    book.save(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(__file__).parent / "data")
