"""What a live run does now, as text for a person and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from taskgraph.cli.lines import spent
from taskgraph.cli.standing import in_one_line
from taskgraph.cli.text import printable, styled
from taskgraph.cli.width import clipped, wrapped
from taskgraph.llm.messages import Usage
from taskgraph.watch.wire import RunningNode, Standing
from taskgraph.wording import duration


def live_lines(standing: Standing, now: datetime, width: int) -> Iterator[str]:
    """Tells what runs, what waits, and who runs it."""
    yield ""
    for one in standing.running:
        yield clipped(
            "  ".join([f"{styled('RUN')} {one.kind:<6} {one.node}", *_measures(one, now)]), width
        )
        if doing := _doing(one):
            yield clipped(f"      {doing}", width)
    if standing.waiting:
        yield from wrapped(f"waiting: {', '.join(standing.waiting)}", width, hanging=" " * 9)
    yield f"process {standing.process} runs it"


def live_json(standing: Standing) -> Mapping[str, Any]:
    """Returns the same as JSON values."""
    running = [
        {**asdict(one), "started_at": one.started_at.isoformat(timespec="milliseconds")}
        for one in standing.running
    ]
    return {"process": standing.process, "running": running, "waiting": list(standing.waiting)}


def _doing(one: RunningNode) -> str:
    statement = in_one_line(printable(one.statement or ""))
    if one.thinks:
        return f"thinks, after {statement}" if statement else "thinks"
    return statement


def _measures(one: RunningNode, now: datetime) -> Iterator[str]:
    if one.turns:
        yield f"{one.turns} {'turn' if one.turns == 1 else 'turns'}"
    yield from spent(Usage(prompt_tokens=one.tokens, cost_usd=one.cost_usd))
    yield duration((now - one.started_at).total_seconds() * 1000)
