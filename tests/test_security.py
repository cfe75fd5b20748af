"""SECURITY.md names tests that exist, for every promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "SECURITY.md").read_text()
PROMISES = TEXT.partition("## What is promised")[2].partition("##")[0]
ROWS = re.findall(r"^\|([^|]*)\|[^|]*\|([^|]*::[^|]*)\|$", TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize("test", re.findall(r"`(tests/[^`]*::[^`]*)`", TEXT))
def test_every_test_that_is_named_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), flags=re.MULTILINE)


def test_every_file_that_is_named_exists() -> None:
    for path in re.findall(r"`((?:tests|\.ci)/[\w/.-]+)`", TEXT):
        assert (ROOT / path).is_file(), path
    for module in re.findall(r"`(\w+\.py)`", TEXT):
        assert (ROOT / "src" / "taskgraph" / module).is_file(), module


def test_every_promise_has_a_test() -> None:
    promised = set(re.findall(r"^(\d+)\. ", PROMISES, flags=re.MULTILINE))
    assert len(promised) == 8
    tested: set[str] = set()
    for numbers, tests in ROWS:
        assert tests.strip()
        for first, _, last in re.findall(r"(\d+)( to (\d+))?", numbers):
            tested |= {str(number) for number in range(int(first), int(last or first) + 1)}
    assert tested == promised
