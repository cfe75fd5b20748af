"""What the disk and the clock do to a run: nothing is published that is not whole, nothing is lost."""

from __future__ import annotations

import resource
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from builders import prompt, source, spec_of, sql
from running import names_in, resume_spec, rows_of, run_spec
from taskgraph.errors import OutputError
from taskgraph.events import Warned
from taskgraph.llm.scripted import ScriptedModel, run_sql
from taskgraph.loader import load_spec
from taskgraph.settings import RunSettings

pytestmark = pytest.mark.anyio

LARGE = """
NODES = [
    {"name": "orders", "source": [{"id": n} for n in range(1000)]},
    {"name": "big", "depends_on": ["orders"], "sql": '''
        CREATE VIEW big_t AS SELECT hash(id * 7919 + r.range) AS h FROM orders, range(400) r
    '''},
]
"""
STOPPED_AT = {
    "within a node": (300_000, "STOP", "the file cannot be written: File too large"),
    # The tables fit, and at the end the log does not fit into the file.
    "at the end": (3_500_000, "Warning", "its log did not fit into it"),
}


def run_with_room(folder: Path, most_bytes: int) -> subprocess.CompletedProcess[str]:
    """Runs the spec in a process that can write no file of more bytes."""
    return subprocess.run(
        [sys.executable, "-m", "taskgraph", "run", "-s", "spec.py", "-o", "out.db"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("most_bytes", "word", "why"), STOPPED_AT.values(), ids=STOPPED_AT)
async def test_run_whose_disk_is_full_stops_and_goes_on_when_there_is_space(
    tmp_path: Path, most_bytes: int, word: str, why: str
) -> None:
    (tmp_path / "spec.py").write_text(LARGE)
    done = run_with_room(tmp_path, most_bytes)
    assert done.returncode == 3, done.stderr
    assert any(word in line and why in line for line in done.stderr.splitlines()), done.stderr
    assert str(tmp_path) not in done.stderr
    assert "resume the run" in done.stderr
    assert done.stderr.splitlines()[-1] == "Go on with: taskgraph resume out.db"
    assert not (tmp_path / "out.db").exists()
    ran = await resume_spec(load_spec("spec.py", directory=tmp_path), tmp_path)
    assert ran.ended.status == "passed"
    assert ran.rows("SELECT count(*) FROM big_t") == [(400_000,)]


async def test_finished_file_that_finds_its_place_taken_is_kept(tmp_path: Path) -> None:
    def rows() -> list[dict[str, int]]:
        (tmp_path / "out.db").mkdir(exist_ok=True)
        return [{"a": 1}]

    ran = await run_spec(spec_of(source("orders", rows)), tmp_path)
    assert ran.ended.status == "stopped"
    [warning] = [event for event in ran.events if isinstance(event, Warned)]
    assert warning.message.startswith("cannot put ")
    assert warning.message.endswith("out.db': Is a directory")
    (tmp_path / "out.db").rmdir()
    assert (await resume_spec(spec_of(source("orders", rows)), tmp_path)).ended.status == "passed"
    assert names_in(tmp_path) == ["out.db"]


async def test_folder_that_cannot_be_made_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot make the folder .*file/runs'"):
        await run_spec(spec_of(source("orders")), tmp_path / "file" / "runs")


MATCH = prompt("match", "Match.", ["orders"], output_columns={"match_t": []})
VIEW = run_sql("CREATE VIEW match_t AS FROM orders")


@pytest.mark.parametrize("hours", [-24, 24], ids=["behind", "ahead"])
async def test_clock_that_was_wrong_in_an_earlier_part_changes_no_total(
    tmp_path: Path, hours: int
) -> None:
    spec = spec_of(
        source("orders"), MATCH, sql("after", "CREATE VIEW after_t AS FROM match_t", ["match"])
    )
    script = [VIEW, "No more calls.", "Done."]
    model = ScriptedModel(lambda request: script[request.step - 1], cost_usd=0.5)
    await run_spec(spec, tmp_path, model=model, settings=RunSettings(max_iterations=1))
    with duckdb.connect(tmp_path / "out.db.partial") as connection:
        for table, column in (
            ("_messages", "timestamp"),
            ("_trace", "timestamp"),
            ("_node_meta", "started_at"),
        ):
            connection.execute(
                f"UPDATE {table} SET {column} = {column} + ?", [timedelta(hours=hours)]
            )
        connection.execute("DELETE FROM _node_meta WHERE node = 'match'")  # killed in its midst
    ran = await resume_spec(spec, tmp_path, model=model)
    assert ran.ended.status == "passed"
    outcome = ran.outcomes["match"]
    assert 0 <= outcome.elapsed_ms < 60_000
    assert 0 <= ran.ended.elapsed_ms < 60_000
    assert (outcome.iterations, outcome.usage.cost_usd) == (3, 1.5)
    assert rows_of(ran.path, "SELECT min(elapsed_ms) >= 0 FROM _node_meta") == [(True,)]
