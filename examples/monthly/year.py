"""Runs the year: January from nothing, each further month as a rerun of the one before.

    uv run python examples/monthly/year.py

No model is asked: the agent is a script with three answers, which a person wrote. What is shown is
not that a model can write them, but when it would have been asked to.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reports import MONTHS

from taskgraph.earlier import read_earlier
from taskgraph.events import Event
from taskgraph.llm.messages import ModelRequest
from taskgraph.llm.scripted import Answer, ScriptedModel, run_sql
from taskgraph.llm.service import served_by
from taskgraph.loader import load_spec
from taskgraph.rerun import Wishes, plan_rerun
from taskgraph.runner import run
from taskgraph.settings import RunSettings

SPEC = Path(__file__).parent / "spec.py"
VIEW = "CREATE OR REPLACE VIEW payments_all AS SELECT"
IN_EUROS = f"{VIEW} paid_on, customer, amount::DECIMAL(12,2) AS amount_eur FROM report"
IN_CENTS = f"{VIEW} paid_on, customer, (amount / 100)::DECIMAL(12,2) AS amount_eur FROM report"
RENAMED = f"""{VIEW} value_date AS paid_on, payer AS customer,
    (sum / 100)::DECIMAL(12,2) AS amount_eur FROM report"""


@dataclass(frozen=True, slots=True)
class Month:
    """What came of a month."""

    name: str
    status: str
    """Of the agent's node: `passed` if it was asked, `reused` if not."""
    why: str
    calls: int
    """Answers that the agent gave."""


def agent(request: ModelRequest) -> Answer:
    """Answers as an agent might that has read its brief."""
    brief = str(request.messages[1].content)
    if request.step > 1:
        return "One row per payment, in euros."
    if "value_date" in brief:
        return run_sql(RENAMED)
    return run_sql(IN_CENTS if "- fail total:" in brief else IN_EUROS)


async def year(folder: Path) -> list[Month]:
    """Runs all months into a folder."""
    return [await _month(folder, position) for position in range(len(MONTHS))]


async def _month(folder: Path, position: int) -> Month:
    os.environ["MONTHLY_MONTH"] = MONTHS[position]
    spec = load_spec(str(SPEC), directory=SPEC.parent)
    before = folder / f"{MONTHS[position - 1]}.db"
    plan = plan_rerun(spec, read_earlier(before), Wishes()) if position else None
    model, settings = ScriptedModel(agent), RunSettings()
    ended = await run(
        spec,
        folder / f"{MONTHS[position]}.db",
        settings,
        open_service=served_by(model, settings),
        emit=_nobody,
        plan=plan,
    )
    [payments] = [outcome for outcome in ended.outcomes if outcome.node == "payments"]
    return Month(MONTHS[position], payments.status, payments.why or "", len(model.requests))


def _nobody(event: Event) -> None:
    del event


def lines(months: list[Month]) -> Iterator[str]:
    """Tells of each month in a line."""
    for month in months:
        asked = f"{month.calls} answers" if month.calls else "-"
        yield f"{month.name}  {month.status:<7} {asked:<10} {month.why}".rstrip()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        print(*lines(asyncio.run(year(Path(made)))), sep="\n")
