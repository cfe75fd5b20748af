"""What the record costs a run of small SQL nodes: with it and without, in turns, in one process.

    python -m benchmarks.recording [NODES [ROUNDS]]

How a node passed is written in the transaction that makes its tables, and all else in batches; each
part is left out in turn. A ratio tells more than the times: a busy machine is busy for all.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from benchmarks.models import nodes
from taskgraph import finish
from taskgraph.llm.service import served_by
from taskgraph.runner import run
from taskgraph.settings import RunSettings
from taskgraph.spec import SourceNode, Spec, SqlNode
from taskgraph.trace import TraceWriter

_OUTCOMES = (finish, "write_outcome")
_BATCHES = (TraceWriter, "record")
LEFT_OUT: Mapping[str, tuple[tuple[Any, str], ...]] = {
    "no record": (_OUTCOMES, _BATCHES),
    "batches only": (_OUTCOMES,),
    "the whole record": (),
}


def spec_of(count: int) -> Spec:
    declared = nodes(f"layered-{count}")
    return Spec(tuple((SqlNode if "sql" in one else SourceNode)(**one) for one in declared))


def once(spec: Spec, left_out: tuple[tuple[Any, str], ...]) -> tuple[float, float]:
    """Returns the wall and the processor milliseconds per node of one run."""
    settings = RunSettings()
    service = served_by(None, settings)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for owner, name in left_out:
            stack.enter_context(patch.object(owner, name, lambda *_: None))
        wall, processor = perf_counter(), process_time()
        output = Path(folder) / "out.db"
        ended = asyncio.run(run(spec, output, settings, open_service=service, emit=lambda _: None))
        wall, processor = perf_counter() - wall, process_time() - processor
        assert ended.status == "passed"
    return wall / len(spec.nodes) * 1000, processor / len(spec.nodes) * 1000


def main(count: int, rounds: int) -> None:
    """Prints a line for each, and JSON."""
    spec = spec_of(count)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in LEFT_OUT}
    for _ in range(rounds):
        for name, left_out in LEFT_OUT.items():
            taken[name].append(once(spec, left_out))
    least = median(cpu for _, cpu in taken["no record"])
    told: dict[str, dict[str, float]] = {}
    for name, figures in taken.items():
        wall, cpu = (median(one) for one in zip(*figures, strict=True))
        told[name] = {"ms": wall, "processor_ms": cpu, "processor_ratio": cpu / least}
        print(f"{name:<18}{wall:>8.2f} ms{cpu:>8.2f} ms of processor{cpu / least:>7.2f}")
    print(json.dumps(told))


if __name__ == "__main__":
    main(*(int(one) for one in (*sys.argv[1:], *("1000", "3")[len(sys.argv) - 1 :])))
