"""What `import taskgraph` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import taskgraph

SLOW = {"duckdb", "polars", "pyarrow", "pandas", "httpx", "click", "rich", "asyncio", "openpyxl"}


def test_import_loads_nothing_slow() -> None:
    code = "import sys, taskgraph; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert not SLOW.intersection(found.stdout.split())


def test_public_names_are_sorted_and_there() -> None:
    names = list(taskgraph.__all__)
    assert names == sorted(names)
    assert all(getattr(taskgraph, name).__name__ for name in names if name != "Node")


def test_version_is_that_of_the_installed_distribution() -> None:
    assert taskgraph.__version__ == version("taskgraph-duckdb")


def test_unknown_name_is_an_attribute_error() -> None:
    name = "SqlNodes"
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
        getattr(taskgraph, name)
