"""Taskgraph from Python: a run, its frames, and what a notebook shows."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path

import pytest

import taskgraph
from taskgraph import SpecError, SqlNode, TaskgraphError

NODES = [
    {"name": "orders", "source": [{"id": 1, "amount": 2.5}, {"id": 2, "amount": 4.0}]},
    SqlNode(
        name="sums",
        depends_on=["orders"],
        sql="CREATE VIEW sums_all AS SELECT sum(amount) AS total FROM orders",
        validate={"few": "SELECT 'warn' AS status, '<few>' AS message"},
    ),
]


def test_a_run_gives_frames_and_shows_itself(tmp_path: Path) -> None:
    seen: list[object] = []
    run = taskgraph.run(NODES, tmp_path / "out.db", emit=seen.append)
    assert run.status == "passed"
    assert repr(run) == f"Run('{tmp_path}/out.db', passed: 2 passed)"
    with pytest.raises(
        TaskgraphError, match=r"no table 'nope' in .*: it has orders, sums__.*, sums_all, _"
    ):
        run.frame("nope")
    assert list(run.nodes) == ["orders", "sums"]
    assert run.frame("sums_all").to_dicts() == [{"total": 6.5}]
    assert run.query("SELECT count(*) AS n FROM orders").item() == 2
    shown = run._repr_html_()  # pyright: ignore[reportPrivateUsage] - notebooks call it
    assert shown.count("<tr>") == 3
    assert '<span class="pill warned">warned</span>' in shown
    assert "<!DOCTYPE html>" in run.html()
    assert "&lt;few&gt;" in run.html()
    assert seen


def test_a_file_is_opened_again(tmp_path: Path) -> None:
    taskgraph.run(NODES, tmp_path / "out.db")
    assert taskgraph.open(tmp_path / "out.db").nodes["sums"].tables == (("sums_all", 1),)
    with pytest.raises(TaskgraphError, match="there is no file"):
        taskgraph.open(tmp_path / "none.db")


def test_a_failed_run_is_returned_and_a_wrong_spec_raised(tmp_path: Path) -> None:
    bad = [{"name": "x", "sql": "CREATE VIEW x_all AS SELECT error('no')"}]
    assert taskgraph.run(bad, tmp_path / "out.db").status == "failed"
    with pytest.raises(SpecError, match="prompt"):
        taskgraph.run([{"name": "x"}], tmp_path / "other.db")
    with pytest.raises(TaskgraphError, match="exists"):
        taskgraph.run(NODES, tmp_path / "out.db")
    assert taskgraph.run(NODES, tmp_path / "out.db", replace=True).status == "passed"


def test_a_cell_of_a_notebook_may_wait_or_await(tmp_path: Path) -> None:
    async def cell() -> None:
        (tmp_path / "spec.py").write_text('NODES = [{"name": "n", "source": [{"a": 1}]}]')
        run = await taskgraph.run_async(tmp_path / "spec.py", tmp_path / "a.db")
        assert run.status == "passed"
        assert taskgraph.run(tmp_path / "spec.py", tmp_path / "b.db").status == "passed"

    asyncio.run(cell())


def test_the_guide_shows_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (Path(__file__).parents[2] / "SPEC_GUIDE.md").read_text(encoding="utf-8")
    block = guide.partition("## From Python")[2].partition("```python\n")[2].partition("```")[0]
    (tmp_path / "orders.py").write_text(block)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("orders.py", run_name="__main__")
    printed = capsys.readouterr().out
    assert "passed (('orders', 2),)" in printed
    assert "6.5" in printed
