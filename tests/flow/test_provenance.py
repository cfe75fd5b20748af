"""A finished file says which spec, which versions and which data it came from."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from running import resume_spec, run_spec
from spec_modules import write
from taskgraph.loader import load_spec

pytestmark = pytest.mark.anyio

SPEC = """
NODES = [
    {"name": "orders", "source": "data/*.csv"},
    {"name": "typed", "source": [{"id": 1}]},
    {"name": "late", "source": "late.csv"},
]
"""
FILES = {"specs/main.py": SPEC, "specs/data/a.csv": "id\n1\n2\n", "specs/data/b.csv": "id\n3\n"}
GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@example.com")


def git(folder: Path, command: str) -> str:
    done = subprocess.run(
        [*GIT, *command.split()], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_sources_and_version_control_are_on_record_also_after_a_resume(
    tmp_path: Path,
) -> None:
    project = write(tmp_path / "project", FILES)
    for command in ("init -q -b trunk", "add .", "commit -q -m first"):
        git(project, command)
    write(project, {"specs/late.csv": "id\n"})

    spec = load_spec("specs.main", directory=project)
    (project / "specs" / "late.csv").unlink()
    failed = await run_spec(spec, tmp_path)
    assert failed.statuses == {"orders": "passed", "typed": "passed", "late": "failed"}
    write(project, {"specs/late.csv": "id\n4\n"})
    ran = await resume_spec(spec, tmp_path)

    texts = dict(ran.rows("SELECT key, value FROM _workspace_meta"))
    meta: dict[str, Any] = {key: json.loads(texts[key]) for key in texts if texts[key][:1] == "{"}
    assert meta["spec"]["git"] == {
        "commit": git(project, "rev-parse HEAD").strip(),
        "branch": "trunk",
        "dirty": True,
    }
    assert (meta["spec"]["file"], meta["spec"]["source_sha256"]) == ("specs/main.py", sha256(SPEC))
    assert texts["spec_source"] == SPEC
    assert {"duckdb", "polars"} <= meta["packages"].keys()
    assert meta["inputs_row_counts"] == {"orders": 3, "typed": 1, "late": 1}
    assert meta["inputs_files"] == {
        "orders": [facts("data/a.csv", "id\n1\n2\n"), facts("data/b.csv", "id\n3\n")],
        "late": [facts("late.csv", "id\n4\n")],
    }
    assert str(tmp_path) not in "".join(texts.values())


def facts(path: str, content: str) -> dict[str, Any]:
    return {"path": path, "size_bytes": len(content), "sha256": sha256(content)}
