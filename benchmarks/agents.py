"""Many agents at once against the fake server in another process: what Taskgraph adds to waiting.

Each agent asks ten times: eight queries, a view with its check, and a closing message. However
many there are, they could be done after ten latencies; what comes on top is Taskgraph's own work
for all of them, on the one core that Python uses, and the server's on the other. That work is the
same at any latency: short ones show what a turn costs, those of models how little it matters.

    python -m benchmarks.agents [AGENTS [LATENCY_MS ...]]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskgraph.events import Event
from taskgraph.llm.endpoint import endpoint
from taskgraph.llm.live import Live
from taskgraph.runner import run
from taskgraph.settings import RunSettings
from taskgraph.spec import PromptNode, SourceNode, Spec

TURNS = 10
SAMPLE_S = 0.05
CHECK = (
    "SELECT CASE WHEN count(*) = 1000 THEN 'pass' ELSE 'fail' END AS status, '' AS message FROM {}"
)


@dataclass(frozen=True)
class Measured:
    """One run."""

    latency_s: float
    wall_s: float
    cpu_s: float
    resident_mb: tuple[float, ...]
    """At the start, at each quarter of the run, and at its end."""

    @property
    def ratio(self) -> float:
        """Wall time over the latency-bound minimum."""
        return self.wall_s / (TURNS * self.latency_s)


@dataclass
class Resident:
    """Memory over time, sampled in a thread."""

    samples: list[float] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Resident:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._ended.wait(SAMPLE_S):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.samples.append(pages * page / 2**20)

    @property
    def quarters(self) -> tuple[float, ...]:
        """Megabytes at five moments."""
        last = len(self.samples) - 1
        return tuple(self.samples[last * quarter // 4] for quarter in range(5))


def spec_of(agents: int) -> Spec:
    """A source, and the agents that read it side by side."""
    orders = SourceNode(
        name="orders", source={"id": list(range(1000)), "amount": [one / 7 for one in range(1000)]}
    )
    return Spec((orders, *(_agent(f"a{number}") for number in range(agents))))


def _agent(name: str) -> PromptNode:
    return PromptNode(
        name=name,
        depends_on=["orders"],
        prompt="Add the running total to the orders.",
        output_columns={f"{name}_result": ["id", "total"]},
        validate={"all": CHECK.format(f"{name}_result")},
    )


def script_of(agents: int, latency_s: float) -> dict[str, Any]:
    """What the server answers each agent."""
    return {"lanes": {f"a{number}": _steps(f"a{number}", latency_s) for number in range(agents)}}


def _steps(name: str, latency_s: float) -> list[dict[str, Any]]:
    reads = [
        f"SELECT id, round(amount, 2) AS amount FROM orders WHERE id % 9 = {turn} LIMIT 20"
        for turn in range(TURNS - 2)
    ]
    view = (
        f"CREATE VIEW {name}_result AS SELECT id, sum(amount) OVER (ORDER BY id) AS total "
        "FROM orders"
    )
    calls = [{"tools": [["run_sql", {"sql": sql}]]} for sql in (*reads, view)]
    wire = {"latency_s": latency_s}
    return [{**step, "wire": wire} for step in (*calls, {"text": "Every order has its total."})]


@contextlib.contextmanager
def served(script: dict[str, Any], folder: Path) -> Iterator[str]:
    """Runs the fake server in a process of its own; gives its base URL."""
    (folder / "script.json").write_text(json.dumps(script))
    port = folder / "port"
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "taskgraph.testing.fake_openrouter"),
            *("--script", folder / "script.json", "--port-file", port),
        ],
        stdin=subprocess.PIPE,
    )
    while not (port.exists() and port.read_text()):
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port.read_text()}/api/v1"
    except BaseException:
        server.kill()
        raise
    server.communicate()
    assert server.returncode == 0, "requests and script disagree"


def measure(agents: int, latency_s: float) -> Measured:
    """Runs all agents once."""
    settings = RunSettings(max_concurrency=agents)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(script_of(agents, latency_s), folder) as url, Resident() as resident:
            server = endpoint(url, "sk-benchmark", "openrouter")
            service = Live(server, [settings.model], settings)
            wall, cpu = time.perf_counter(), time.process_time()
            ended = asyncio.run(
                run(
                    spec_of(agents),
                    folder / "out.db",
                    settings,
                    open_service=service.opened,
                    emit=_ignore,
                )
            )
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert ended.status == "passed", [one.error for one in ended.outcomes if one.error][:1]
    return Measured(latency_s, wall, cpu, resident.quarters)


def _ignore(event: Event) -> None:
    del event


def main() -> None:
    """Measures the latencies given, and prints a table."""
    agents, *latencies = [int(argument) for argument in sys.argv[1:]] or [200]
    turns = agents * TURNS
    print(f"{agents} agents of {TURNS} turns")
    print(f"{'latency':>9}{'minimum':>9}{'wall':>9}{'ratio':>7}{'cpu/turn':>10}  resident MB")
    for latency_ms in latencies or [50, 500, 2000, 4000]:
        run_of = measure(agents, latency_ms / 1000)
        memory = " ".join(f"{megabytes:,.0f}" for megabytes in run_of.resident_mb)
        print(
            f"{latency_ms:>6} ms{TURNS * run_of.latency_s:>7.1f} s{run_of.wall_s:>7.2f} s"
            f"{run_of.ratio:>7.2f}{run_of.cpu_s / turns * 1000:>7.2f} ms  {memory}"
        )


if __name__ == "__main__":
    main()
