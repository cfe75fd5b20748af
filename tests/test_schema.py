"""The schema that AGENTS.md shows is the schema that is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taskgraph.schema import TABLES, Table

AGENTS = Path(__file__).parent.parent / "AGENTS.md"
DOCUMENTED = dict(re.findall(r"^\| `(_\w+)` \| `([^`]+)` \|$", AGENTS.read_text(), re.MULTILINE))


@pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
def test_each_engine_table_is_documented_with_its_columns(table: Table) -> None:
    assert DOCUMENTED[table.name].split(", ") == list(table.columns)


def test_nothing_else_is_documented() -> None:
    assert set(DOCUMENTED) == {table.name for table in TABLES}
