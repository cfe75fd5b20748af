"""A year of months over one another: an agent is asked when there is no SQL yet, or none that holds."""

from __future__ import annotations

import asyncio
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from running import rows_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "monthly"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(EXAMPLE), *sys.path])
    monkeypatch.setenv("MONTHLY_MONTH", "")  # put back afterwards: the year sets it


def test_agent_is_asked_in_the_first_month_and_when_the_format_drifts(tmp_path: Path) -> None:
    example = import_module("year")
    months = asyncio.run(example.year(tmp_path))
    assert [month.name for month in months if month.calls] == ["2026-01", "2026-05", "2026-09"]
    [printed] = re.findall(
        r"^```\n(2026-01.*?)^```", (EXAMPLE / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert [*example.lines(months)] == printed.splitlines()
    for month in months:
        assert rows_of(
            tmp_path / f"{month.name}.db",
            "SELECT (SELECT sum(amount_eur) FROM customers_totals) = total_eur::DECIMAL(12,2) FROM expected_month",
        ) == [(True,)]  # fmt: skip


def test_data_are_what_the_generator_makes(tmp_path: Path) -> None:
    import_module("reports").main(tmp_path)
    committed = {path.name: path.read_bytes() for path in (EXAMPLE / "data").iterdir()}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == committed
