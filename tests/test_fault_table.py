"""Every fault of the table has a test named after it, or stands in the list of those that wait."""

from __future__ import annotations

import functools
import re
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
WAITING = {40}
"""Faults of the loop and the run: they need the whole program. Take one out with its test."""

_NAME = re.compile(r"test_faults?_(\d\d)(?:_to_(\d\d))?_")


@functools.cache
def _named() -> set[int]:
    """Numbers in the names of all tests."""
    found: set[int] = set()
    for path in Path(__file__).parent.rglob("test_*.py"):
        for first, last in _NAME.findall(path.read_text()):
            found.update(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize("number", FAULTS, ids=[f"{n:02}" for n in FAULTS])
def test_fault_has_a_test_or_waits_for_one(number: int) -> None:
    assert (number in _named()) != (number in WAITING), FAULTS[number]
