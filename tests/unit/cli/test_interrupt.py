from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ENDLESS = """
NODES = [
    {"name": "endless", "sql": "CREATE VIEW endless_a AS SELECT count(*) AS n FROM range(10**15)"},
]
"""
DEAF = """
import time

NODES = [{"name": "deaf", "source": lambda: time.sleep(600)}]
"""


class Started:
    """A run in a process of its own that has started its node."""

    def __init__(self, folder: Path, spec: str) -> None:
        (folder / "spec.py").write_text(spec)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "taskgraph", "run", "-s", "spec.py", "-o", "out.db"],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.wait_for("START")

    def wait_for(self, word: str) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            if word in line:
                return
        raise AssertionError(f"it ended without {word!r}")

    def end(self) -> list[str]:
        """What it still says, as lines."""
        assert self.process.stderr
        said = self.process.stderr.read().splitlines()
        self.process.wait(timeout=60)
        return said


@pytest.fixture
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Started]:
    run = Started(tmp_path, request.param)
    yield run
    run.process.kill()
    run.process.wait()
    assert run.process.stderr
    run.process.stderr.close()


@pytest.mark.parametrize("started", [ENDLESS], indirect=True, ids=["endless"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_ends_the_run_in_good_order(
    started: Started, number: signal.Signals, tmp_path: Path
) -> None:
    started.process.send_signal(number)
    first, *_, told, last = started.end()
    assert started.process.returncode == 130
    assert first == "Stopping in good order; interrupt again to stop at once."
    assert last == "Go on with: taskgraph resume out.db"
    assert told.startswith("Interrupted. PASS=0 WARN=0 FAIL=0 SKIP=0 REUSE=0 CANCEL=1 TOTAL=1")
    assert told.endswith("out.db.partial")
    assert sorted(path.name for path in tmp_path.glob("out.db*")) == ["out.db.partial"]


@pytest.mark.parametrize("started", [DEAF], indirect=True, ids=["deaf"])
def test_second_signal_ends_the_process_at_once(started: Started) -> None:
    started.process.send_signal(signal.SIGINT)
    started.wait_for("Stopping")
    started.process.send_signal(signal.SIGINT)
    assert started.end() == []
    assert started.process.returncode == -signal.SIGINT
