"""`sql`, `show` and `stop`: on a finished file, on what a dead run has left, and on a live run."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from taskgraph.cli import group

SPEC = """
import time

NODES = [
    {"name": "orders", "source": [{"id": 1, "note": "a, b"}, {"id": 2, "note": None}]},
    {"name": "sums", "depends_on": ["orders"], "sql": "CREATE VIEW sums_t AS SELECT sum(id) AS s FROM orders"},
    {"name": "deaf", "depends_on": ["sums"], "source": lambda: time.sleep(SECONDS) or [{"a": 1}]},
]
"""


def taskgraph(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "spec.py").write_text(SPEC.replace("SECONDS", "0"))
    file = folder / "out.db"
    ended = taskgraph("run", "-s", str(folder / "spec.py"), "-o", str(file))
    assert ended.exit_code == 0, ended.stderr
    return file


FORMATS = {
    "table": ((), "id  note\n 1  a, b\n 2  NULL\n(2 rows)\n"),
    "csv": (("--csv",), 'id,note\n1,"a, b"\n2,\n'),
    "json": (("--json",), '[{"id": 1, "note": "a, b"}, {"id": 2, "note": null}]\n'),
    "cut": (("--csv", "--max-rows", "1"), 'id,note\n1,"a, b"\n'),
}


@pytest.mark.parametrize(("flags", "told"), FORMATS.values(), ids=FORMATS)
def test_answers_come_in_three_formats(finished: Path, flags: tuple[str, ...], told: str) -> None:
    ended = taskgraph("sql", str(finished), "SELECT id, note FROM orders", *flags)
    assert (ended.exit_code, ended.stdout) == (0, told)
    assert ("Only the first 1 rows" in ended.stderr) == ("--max-rows" in flags)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT count(*) AS n FROM _node_meta WHERE status = 'passed'", "n\n3\n(1 row)\n"),
        ("DELETE FROM orders", "DELETE is not allowed"),
        ("COPY orders TO 'x.csv'", "COPY is not allowed"),
        ("FROM read_text('/etc/passwd')", "not allowed"),
        ("FROM orderz", 'Did you mean "orders"'),
    ],
)
def test_reads_the_engines_tables_and_does_nothing_else(
    finished: Path, query: str, told: str
) -> None:
    ended = taskgraph("sql", str(finished), query)
    assert told in ended.output
    assert (ended.exit_code == 0) == query.startswith("SELECT")


def test_what_a_dead_run_has_left_can_be_asked_by_either_name(
    finished: Path, tmp_path: Path
) -> None:
    shutil.copy(finished, tmp_path / "dead.db.partial")
    for name in ("dead.db", "dead.db.partial"):
        assert taskgraph("sql", str(tmp_path / name), "SELECT 1 AS a").stdout == "a\n1\n(1 row)\n"
    assert "no run writes" in taskgraph("stop", str(tmp_path / "dead.db")).stderr
    missing = taskgraph("sql", str(tmp_path / "none.db"), "SELECT 1")
    assert (missing.exit_code, "there is no file" in missing.stderr) == (2, True)


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, in the middle of its last node."""
    monkeypatch.chdir(tmp_path)
    Path("spec.py").write_text(SPEC.replace("time.sleep(SECONDS)", "time.sleep(0.5)"))
    with subprocess.Popen(
        [sys.executable, "-m", "taskgraph", "run", "-s", "spec.py", "-o", "out.db"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        while "START source deaf" not in process.stderr.readline():
            assert process.poll() is None
        yield process
        process.send_signal(signal.SIGKILL)


def test_live_run_is_shown_asked_and_stopped(live: subprocess.Popen[str]) -> None:
    shown = json.loads(taskgraph("show", "out.db", "--json").stdout)
    assert [one["node"] for one in shown["live"]["running"]] == ["deaf"]
    assert shown["live"]["process"] == live.pid
    assert taskgraph("sql", "out.db", "FROM sums_t", "--csv").stdout == "s\n3\n"
    refused = taskgraph("run", "-s", "spec.py", "-o", "out.db")
    assert f"process {live.pid} is writing 'out.db.partial'" in refused.stderr
    stopped = taskgraph("stop", "out.db")
    assert stopped.exit_code == 0, stopped.stderr
    assert stopped.stderr.splitlines() == [
        f"Process {live.pid} ends its run in good order.",
        "Go on with: taskgraph resume out.db",
    ]
    live.communicate(timeout=30)
    assert live.returncode == 130
    assert "interrupted. PASS=" in taskgraph("show", "out.db").stdout
    assert taskgraph("resume", "out.db").exit_code == 0
