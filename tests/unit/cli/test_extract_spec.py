"""The spec in a `.db` becomes files again that run to the same tables."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from builders import source, spec_of
from replaying import differences
from running import run_spec
from spec_modules import write
from taskgraph.cli import group

# An encoding of its own, and line ends of another system.
SPEC = (
    "# coding: latin-1\r\n"
    "from .rows import ROWS\r\n"
    "from lib import text\r\n"
    "NODES = [{'name': 'caf\xe9s'[:3], 'source': ROWS, 'description': text.SAID}]\r\n"
).encode("latin-1")
FILES = {"specs/rows.py": "ROWS = [{'id': 1}]\n", "lib/text.py": "SAID = 'na\xefve'\n"}


@pytest.fixture
def run_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that a run with its own neighbours in it has made."""
    return made(tmp_path / "project", monkeypatch, "--embed-imports")


def made(project: Path, monkeypatch: pytest.MonkeyPatch, *flags: str) -> Path:
    write(project, FILES)
    (project / "specs" / "main.py").write_bytes(SPEC)
    monkeypatch.chdir(project)
    done = command("run", "-o", "out.db", *flags)
    assert done.exit_code == 0, done.stderr
    return project / "out.db"


def command(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments)


def test_extracted_spec_is_the_same_bytes_and_runs_to_the_same_tables(
    run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)

    done = command("extract-spec", str(run_file), "specs/main.py")

    assert done.exit_code == 0, done.stderr
    assert (empty / "specs" / "main.py").read_bytes() == SPEC
    assert {str(path.relative_to(empty)) for path in empty.rglob("*.py")} == {
        "specs/main.py",
        *FILES,
    }
    assert command("run", "-o", "again.db").exit_code == 0
    assert differences(run_file, empty / "again.db") == []


def test_what_is_there_is_replaced_only_when_told_to(run_file: Path) -> None:
    Path("specs/rows.py").write_text("ROWS = []\n")
    done = command("extract-spec", str(run_file), "specs/main.py")
    assert done.exit_code == 2
    assert "specs/rows.py' exists, and is another text" in done.stderr
    assert command("extract-spec", str(run_file), "specs/main.py", "-f").exit_code == 0
    assert Path("specs/rows.py").read_text() == FILES["specs/rows.py"]


def test_spec_that_imports_relative_to_its_package_is_extracted_into_one(run_file: Path) -> None:
    done = command("extract-spec", str(run_file), "elsewhere.py")
    assert done.exit_code == 2
    assert "Extract it to a path that ends in specs/main.py" in done.stderr


@pytest.mark.parametrize("path", ["../outside.py", "/tmp/outside.py", "lib/.bashrc"])
def test_file_of_a_stranger_writes_nothing_elsewhere(run_file: Path, path: str) -> None:
    with duckdb.connect(run_file) as connection:
        connection.execute(
            "UPDATE _workspace_meta SET value = ? WHERE key = 'spec_imports'",
            [json.dumps({path: "print('here')"})],
        )
    done = command("extract-spec", str(run_file), "new/specs/main.py")
    assert (done.exit_code, "that is refused" in done.stderr) == (2, True)
    assert not Path("new").exists()


def test_imports_are_not_kept_unless_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made(tmp_path / "project", monkeypatch)
    assert "na\xefve" not in str(file.read_bytes())
    done = command("extract-spec", str(file), str(tmp_path / "specs" / "main.py"))
    assert done.exit_code == 0
    assert "Warning: it imports lib.text, specs.rows, and" in done.stderr


@pytest.mark.anyio
async def test_spec_that_was_no_file_is_refused_and_why(tmp_path: Path) -> None:
    ran = await run_spec(spec_of(source("orders")), tmp_path)
    done = command("extract-spec", str(ran.path), str(tmp_path / "spec.py"))
    assert done.exit_code == 2
    assert "it was built in memory, from no file" in done.stderr
