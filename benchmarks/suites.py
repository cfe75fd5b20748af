"""What is measured: each suite yields its lines as they come."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ingest, peers
from benchmarks.measuring import (
    Case,
    Contender,
    Cost,
    Line,
    compare,
    output_of,
    python,
    run,
    taskgraph,
)
from benchmarks.models import SHAPES

OURS = "Taskgraph"
BARE_FILE = "bare.db"
_FEW, _MANY = 3, 9


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    quick: bool
    """Small sizes, to see that it works."""
    largest: int
    """Nodes of the largest graphs."""
    most_rounds: int

    @property
    def graphs(self) -> tuple[int, ...]:
        sizes = (10, 100) if self.quick else (10, 100, 1_000, 10_000)
        return tuple(size for size in sizes if size <= self.largest)

    def rounds(self, wanted: int) -> int:
        return min(wanted, self.most_rounds)


def graphs(folder: Path, extent: Extent) -> Iterator[Line]:
    """SQL graphs of small models, each a table of ten rows with one check."""
    for shape in SHAPES:
        for size in extent.graphs:
            name = f"{shape}-{size}"
            contenders = [_bare("parallel", name), _bare("statements", name), _bare("tables", name)]
            contenders.append(_ours(name, folder))
            rounds = extent.rounds(1 if size > 1_000 else _FEW)
            yield from compare(Case("graphs", name, tuple(contenders), rounds))
    for size in extent.graphs[:3]:
        yield from _beside_peers(
            "graphs", f"layered-{size}", folder, extent.rounds(1 if size > 100 else _FEW)
        )


def heavy(folder: Path, extent: Extent) -> Iterator[Line]:
    """Twelve models over ten million rows, four of them independent."""
    rows = 1_000_000 if extent.quick else 10_000_000
    output_of(python("-m", "benchmarks.models", str(folder), str(rows)))
    data = {"BENCHMARK_DATA": str(folder)}
    os.environ |= data  # the peers' projects are written in this process
    name = f"heavy-{rows}"
    contenders = [_bare(way, name, data) for way in ("parallel", "statements", "tables")]
    contenders.append(_ours(name, folder, data))
    yield from compare(Case("heavy", name, tuple(contenders), extent.rounds(_FEW)))
    yield from _beside_peers("heavy", name, folder, 1, data)


def _beside_peers(
    suite: str, graph: str, folder: Path, rounds: int, environment: Mapping[str, str] | None = None
) -> Iterator[Line]:
    name = f"{graph}, peers"
    contenders = [_bare("parallel", graph, environment), _ours(graph, folder, environment)]
    for peer in peers.PEERS:
        if failure := peers.installed(peer):
            yield Line(suite, name, peer.name, 0, failure=failure)
        else:
            contenders.append(peers.contender(peer, graph, folder, environment or {}))
    yield from compare(Case(suite, name, tuple(contenders), rounds))


def _bare(way: str, graph: str, environment: Mapping[str, str] | None = None) -> Contender:
    command = python("-m", "benchmarks.floors", way, graph)
    return Contender(f"bare {way}", command, BARE_FILE, environment)


def _ours(graph: str, folder: Path, environment: Mapping[str, str] | None = None) -> Contender:
    spec = folder / f"{graph.replace('-', '_')}.py"
    spec.write_text(f"from benchmarks.models import nodes\n\nNODES = nodes({graph!r})\n")
    command = taskgraph("run", "--spec", str(spec), "--output", "out.db", "--quiet")
    return Contender(OURS, command, "out.db", environment)


def sources(folder: Path, extent: Extent) -> Iterator[Line]:
    """Ingest of each kind of source; only the ingest counts, not the imports."""
    for name, kind in ingest.KINDS.items():
        for rows in kind.sizes[:1] if extent.quick else kind.sizes:
            source = folder / kind.file
            output_of(python("-m", "benchmarks.ingest", name, "write", str(source), str(rows)))
            sides = {"floor": kind.floor_name, OURS: OURS}
            contenders = (
                Contender(
                    called, python("-m", "benchmarks.ingest", name, side, str(source)), ingest.FILE
                )
                for side, called in sides.items()
            )
            rounds = extent.rounds(_FEW if extent.quick or rows > 1_000_000 else 5)
            yield from compare(Case("ingest", f"{name}, {rows:,} rows", tuple(contenders), rounds))
            source.unlink()


_ONE_RUN_OF_AGENTS = """
import json, sys
from benchmarks.agents import measure
one = measure(int(sys.argv[1]), int(sys.argv[2]) / 1000)
print(json.dumps({"seconds": one.wall_s, "processor": one.cpu_s}))
"""


def agents(folder: Path, extent: Extent) -> Iterator[Line]:
    """Agents of ten turns against the fake server: what is added to waiting."""
    del folder
    count = 20 if extent.quick else 200
    for latency_ms in (50,) if extent.quick else (50, 500, 2_000, 4_000):
        case, bound = f"{count} agents, {latency_ms} ms", 10 * latency_ms / 1000
        yield Line("agents", case, "ten latencies", 0, Cost(bound), 1.0)
        command = python("-c", _ONE_RUN_OF_AGENTS, str(count), str(latency_ms))
        for line in compare(
            Case(
                "agents",
                case,
                (Contender(OURS, command),),
                extent.rounds(1 if extent.quick else _FEW),
            )
        ):
            ratio = line.cost.seconds / bound if line.cost else None
            yield Line("agents", case, OURS, line.rounds, line.cost, ratio, None, line.failure)


def start(folder: Path, extent: Extent) -> Iterator[Line]:
    """From nothing to an answer: help, a picture of a spec, a run of the scaffold."""
    project = folder / "project"
    run(Contender("init", taskgraph("init", str(project))))
    spec = ("--spec", str(project / "specs" / "main.py"))
    bare_run = python("-m", "benchmarks.starting", str(project))
    whole_run = taskgraph("run", *spec, "--output", "out.db", "--quiet")
    cases = {
        "--help": (
            Contender("import click", python("-c", "import click")),
            Contender(OURS, taskgraph("--help")),
        ),
        "show": (
            Contender("import click, duckdb", python("-c", "import click, duckdb")),
            Contender(OURS, taskgraph("show", *spec[1:])),
        ),
        "run of the scaffold": (
            Contender("bare script", bare_run, BARE_FILE),
            Contender(OURS, whole_run, "out.db"),
        ),
    }
    for name, contenders in cases.items():
        yield from compare(
            Case("start", name, contenders, extent.rounds(_FEW if extent.quick else _MANY))
        )


_GUARD_LINE = re.compile(r"(\w[\w ]*?) +([\d,]+) +([\d.]+) +([\d.]+) +-?[\d.]+")


def judging(folder: Path, extent: Extent) -> Iterator[Line]:
    """The guard, and the record, per statement and with more and more in the catalog."""
    del folder
    for at in output_of(python("-m", "benchmarks.guard")).splitlines():
        if found := _GUARD_LINE.fullmatch(at.strip()):
            name, objects, guarded, bare = found.groups()
            case = f"{name}, {objects} objects"
            if not name.startswith("refused"):
                yield Line("judging", case, "bare statement", 200, Cost(float(bare) / 1000), 1.0)
            yield Line("judging", case, "guard and statement", 200, Cost(float(guarded) / 1000))
    for objects in (10, 1_000) if extent.quick else (10, 1_000, 10_000):
        command = python("-m", "benchmarks.tracing", str(objects))
        case = Case(
            "judging",
            f"record, {objects:,} objects",
            (Contender(OURS, command),),
            extent.rounds(_FEW),
        )
        yield from compare(case)
    yield from _recording(100 if extent.quick else 1_000, extent.rounds(_FEW))


def _recording(nodes: int, rounds: int) -> Iterator[Line]:
    """Each node of a run, with all of the record and with parts of it left out."""
    printed = output_of(python("-m", "benchmarks.recording", str(nodes), str(rounds)))
    told = json.loads(printed.splitlines()[-1])
    for name, figures in told.items():
        cost = Cost(figures["ms"] / 1000, figures["processor_ms"] / 1000)
        case = f"node of {nodes:,}"
        yield Line("judging", case, name, rounds, cost, None, figures["processor_ratio"])


SUITES: Mapping[str, Callable[..., Iterator[Line]]] = {
    "start": start,
    "judging": judging,
    "ingest": sources,
    "graphs": graphs,
    "heavy": heavy,
    "agents": agents,
}
