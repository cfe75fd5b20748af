"""The guide is right: its specs load, its queries answer, its tables are those of the code."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from taskgraph.cli import group
from taskgraph.cli.project import read_project
from taskgraph.cli.settings import SETTINGS
from taskgraph.ingest.options import FileRequest
from taskgraph.loader import load_spec
from taskgraph.loader.fields import RULES

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "SPEC_GUIDE.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    return GUIDE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(text: str) -> set[str]:
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("text", blocks("python"), ids=range(1, 1 + len(blocks("python"))))
def test_python_of_the_guide_is_a_spec(text: str, tmp_path: Path) -> None:
    (tmp_path / "spec.py").write_text(text)
    assert load_spec("spec.py", directory=tmp_path).nodes


def test_guide_has_every_field_of_a_node() -> None:
    fields = {field for rules in RULES.values() for field in rules} - {"outputs"}
    assert first_column(section("Fields")) == fields


def test_guide_uses_every_field_of_a_node() -> None:
    text = "\n".join(blocks("python"))
    assert not {
        field
        for rules in RULES.values()
        for field in rules
        if f'"{field}"' not in text and not re.search(rf"\b{field}=", text)
    }


def test_guide_has_every_option_of_a_file() -> None:
    options = {field.name for field in dataclasses.fields(FileRequest)} - {"path"}
    assert first_column(section("Sources")) == options


def test_guide_has_every_setting_of_a_project(tmp_path: Path) -> None:
    (block,) = blocks("toml")
    (tmp_path / "pyproject.toml").write_text(block)
    project = read_project(tmp_path)
    assert project.settings.keys() == {setting.field for setting in SETTINGS}
    assert project.spec


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh project that has been run, as the guide and `init` say."""
    folder = tmp_path_factory.mktemp("project")
    assert CliRunner().invoke(group, ["init", str(folder)]).exit_code == 0
    ended = subprocess.run(
        [sys.executable, "-m", "taskgraph", "run", "-o", "runs/first.db"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Done. PASS=3 WARN=1 FAIL=0" in ended.stderr
    return folder


def test_new_project_shows_what_is_left_over(project: Path) -> None:
    with duckdb.connect(project / "runs" / "first.db", read_only=True) as connection:
        warned = connection.execute("SELECT message FROM _checks WHERE status = 'warn'").fetchall()
        pairs = connection.execute("SELECT count(*), sum(amount) FROM match_pairs").fetchone()
    assert warned == [("3 payments match no order",)]
    assert pairs == (7, 2738.75)


def test_new_project_writes_its_export(project: Path) -> None:
    lines = (project / "runs" / "customers_open.csv").read_text().splitlines()
    assert lines[:2] == ["customer,open_orders,open_amount", "Aurora Books,1,510.0"]


def test_next_step_of_a_new_project_is_a_right_spec(project: Path) -> None:
    spec = project / "specs" / "main.py"
    more = project / "specs" / "more.py"
    more.write_text(spec.read_text().replace("MATCH, CUSTOMERS]", "MATCH, CUSTOMERS, RESIDUAL]"))
    nodes = load_spec("specs/more.py", directory=project).nodes
    assert [node.kind for node in nodes] == ["source", "source", "sql", "sql", "prompt"]


@pytest.mark.parametrize("statement", "".join(blocks("sql")).strip().split(";\n"))
def test_query_of_the_guide_answers(statement: str, project: Path) -> None:
    with duckdb.connect(project / "runs" / "first.db", read_only=True) as connection:
        assert connection.execute(statement).description
