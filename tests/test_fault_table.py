"""Every fault of the table has a test named after it, and the note beside this lists them all."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

FAULTS = {
    1: "connection refused or name unknown",
    2: "reset before the head",
    3: "closed before the head",
    4: "reset within the body",
    5: "Content-Length longer than the body",
    6: "body cut without an exception",
    7: "server silent",
    8: "keep-alive filler, then the answer",
    9: "keep-alive for ever",
    10: "filler only",
    11: "bytes that are no HTTP",
    12: "corrupt gzip",
    13: "invalid UTF-8 inside a string",
    14: "body over the cap",
    15: "stale pooled connection",
    16: "more agents than connections",
    17: "5xx, as a page or not",
    18: "a web page with status 200",
    19: "redirect",
    20: "401",
    21: "402 in the middle of a run",
    22: "403",
    23: "404: no endpoints, no tools, data policy",
    24: "400: invalid schema",
    25: "context overflow in each dialect",
    26: "429 with every form of wait",
    27: "429 for one of fifty agents",
    28: "429 for an hour, or per day",
    29: "availability.retryable",
    30: "200 with an error inside",
    31: "no choices, no message",
    32: "finish_reason error with partial content",
    33: "zero completion",
    34: "usage or cost missing",
    35: "malformed tool arguments",
    36: "unknown tools, duplicate ids, parallel calls",
    37: "finish_reason and calls disagree; reasoning only; cut by length",
    38: "the same call for ever",
    39: "cancelled with calls in flight or asleep",
    40: "killed, then resumed",
    41: "content filter",
    42: "retries exhausted",
    43: "finish_reason null",
    44: "chaos with two hundred agents",
    45: "replay without a key",
}
_NAME = re.compile(r"^(?:async )?def (test_faults?_(\d\d)(?:_to_(\d\d))?_\w+)", re.MULTILINE)
_NOTE = Path(__file__).parent / "FAULTS.md"
_START = """# Faults and their tests

Each fault of networks, servers and models that a run has to survive, with the tests that show it.
Written by `python tests/test_fault_table.py`; the test of that name says when it is out of date.

| fault | tests |
|---|---|
"""


@functools.cache
def _tests() -> Mapping[int, tuple[str, ...]]:
    """Each fault's tests, as pytest takes them."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for path in sorted(Path(__file__).parent.rglob("test_*.py")):
        for name, first, last in _NAME.findall(path.read_text()):
            for number in range(int(first), int(last or first) + 1):
                found[number].append(f"{path.relative_to(_NOTE.parent)}::{name}")
    return {number: tuple(names) for number, names in found.items()}


def _note() -> str:
    rows = (
        f"| {number}. {fault} | {'<br>'.join(f'`{test}`' for test in _tests().get(number, ()))} |"
        for number, fault in FAULTS.items()
    )
    return _START + "\n".join(rows) + "\n"


@pytest.mark.parametrize("number", FAULTS, ids=[f"{n:02}" for n in FAULTS])
def test_fault_has_a_test(number: int) -> None:
    assert _tests().get(number), FAULTS[number]


def test_note_lists_each_fault_with_its_tests() -> None:
    assert _NOTE.read_text() == _note(), "run: python tests/test_fault_table.py"


if __name__ == "__main__":
    _NOTE.write_text(_note())
