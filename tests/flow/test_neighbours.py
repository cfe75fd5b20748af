"""What a spec imports beside itself is there when its callables run, not only when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from running import run_spec
from taskgraph.loader import load_spec

pytestmark = pytest.mark.anyio

SPEC = """
def rows():
    import prices
    return prices.ROWS

def export(connection, path):
    from prices import NAME
    path.write_text(NAME)

NODES = [{"name": "orders", "source": rows}]
EXPORTS = {"name.txt": export}
"""


async def test_a_callable_may_import_the_specs_neighbours_when_it_runs(tmp_path: Path) -> None:
    (tmp_path / "spec.py").write_text(SPEC)
    (tmp_path / "prices.py").write_text("ROWS = [{'a': 1}]\nNAME = 'prices'\n")
    ran = await run_spec(load_spec("spec.py", directory=tmp_path), tmp_path)
    assert ran.statuses == {"orders": "passed"}
    assert (tmp_path / "name.txt").read_text() == "prices"
