"""What CI systems are told of a run, and that the workflow in examples/ci works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from click.testing import CliRunner

from screens import SPEC as SCREENS
from screens import assert_screen, make_run
from taskgraph.cli import group
from taskgraph.cli.github import annotation_lines, summary_lines
from taskgraph.cli.junit import junit_xml
from taskgraph.events import CheckResult, Outcome
from taskgraph.report import RunReport, read_report
from taskgraph.testing import Answer, FakeOpenRouter, calls

WORKFLOW = Path(__file__).parents[3] / "examples" / "ci" / "taskgraph.yml"
SPEC = """
NODES = [
    {"name": "rows", "source": [{"a": 1}], "validate": {"any": "SELECT 'warn' AS status, 'few, %' AS message"}},
    {"name": "story", "depends_on": ["rows"], "prompt": "Tell it.", "output_columns": {"story_text": ["a"]}},
]
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunReport]:
    """A run in which about everything went wrong."""
    path = tmp_path_factory.mktemp("ci")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        made = read_report(make_run(path))
        yield replace(made, exports={"book.xlsx": None, "out.csv": "KeyError: 'x'"})


def test_junit_has_a_suite_per_node_and_a_case_per_check(report: RunReport) -> None:
    root = ET.fromstring(junit_xml(report))
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == [*(outcome.node for outcome in report.outcomes), "exports"]
    told = {
        f"{case.get('classname')}.{case.get('name')}": [child.tag for child in case]
        for case in root.iter("testcase")
    }
    assert told["clean.large"] == ["system-out"]
    assert told["bounds.small"] == told["bounds.notes"] == ["failure"]
    assert told["totals.runs"] == told["exports.out.csv"] == ["error"]
    assert told["report.runs"] == ["skipped"]
    assert told["exports.book.xlsx"] == told["orders.runs"] == []
    assert [suites["bounds"].get(key) for key in ("tests", "failures", "errors")] == ["2", "2", "0"]


def test_junit_is_xml_whatever_data_say(report: RunReport) -> None:
    wild = Outcome("a", "sql", "failed", None, 1.0, "\x1b[2J<&>\udc80\x00", last_words="\x07")
    odd = replace(wild, checks=(CheckResult("x\x01", "fail", "\ufffe\"']]>"),))
    root = ET.fromstring(junit_xml(replace(report, outcomes=(wild, odd), evidence={})))
    assert len(list(root.iter("testcase"))) == 4


def test_what_github_is_told(report: RunReport) -> None:
    lines = ["\n".join(annotation_lines(report)), *summary_lines(report)]
    assert_screen("github", 100, "\n".join(lines) + "\n")


def test_annotations_are_as_many_as_github_shows(report: RunReport) -> None:
    results = (CheckResult("x", "warn", "100% of,\nall: rows"),)
    warned = Outcome("clean", "sql", "passed", None, 1.0, checks=results)
    lines = list(annotation_lines(replace(report, outcomes=(warned,) * 30, exports={})))
    assert len(lines) == 10
    declared = SCREENS.partition('"name": "clean"')[0].count("\n") + 1
    expected = f"file=spec.py,line={declared},title=clean::x: 100%25 of,%0Aall: rows"
    assert lines[0] == f"::warning {expected}"


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return yaml.safe_load(WORKFLOW.read_text())


def test_workflow_runs_as_it_stands(workflow: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "spec.py").write_text(SPEC)
    record(tmp_path)
    outside = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    names = workflow["env"].keys()
    inside = dict(zip(names, ("spec.py", "recording.jsonl"), strict=True))
    assert list(names) == ["SPEC", "RECORDING"]
    steps = workflow["jobs"]["replay"]["steps"]
    ours = [step["run"] for step in steps if step.get("run", "").startswith("taskgraph ")]
    told = ""
    for command in ours:
        line = command.replace("taskgraph ", f"'{sys.executable}' -m taskgraph ", 1)
        done = subprocess.run(
            ["bash", "-ec", line],
            cwd=tmp_path,
            env=os.environ | outside | inside,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told += done.stderr
    assert len(ours) == 3
    assert "::warning file=spec.py,line=3,title=rows::any: few, %25\n" in told
    assert "| ✅ | story | prompt |" in (tmp_path / "summary.md").read_text()
    uploaded = steps[-1]["with"]["path"].split()
    assert all((tmp_path / name).exists() for name in uploaded)


def record(folder: Path) -> None:
    """Makes the recording that the workflow runs from, with a model that is not there."""
    with FakeOpenRouter() as fake, pytest.MonkeyPatch.context() as patch:
        view = "CREATE VIEW story_text AS SELECT a FROM rows"
        fake.agent("story").send(calls(("run_sql", {"sql": view}))).send(Answer("All told."))
        patch.chdir(folder)
        patch.setenv("OPENROUTER_API_KEY", "sk-or-v1-" + "a" * 40)
        arguments = ["run", "-s", "spec.py", "-o", "first.db", "--record", "recording.jsonl"]
        done = CliRunner().invoke(group, [*arguments, "--base-url", fake.base_url])
        assert done.exit_code == 0, done.stderr


def test_junit_is_written_also_where_a_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.py").write_text(
        'NODES = [{"name": "a", "sql": "CREATE VIEW a_x AS SELECT error(1)"}]'
    )
    done = CliRunner().invoke(
        group, ["run", "-s", "spec.py", "-o", "a.db", "--junit", "out/a.xml", "--json"]
    )
    assert done.exit_code == 1
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "done"
    assert ET.parse(tmp_path / "out" / "a.xml").find(".//error") is not None
