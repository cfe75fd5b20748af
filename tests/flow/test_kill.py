"""Runs that are killed by SIGKILL lose nothing that was paid for; `killing.py` has the harness."""

from __future__ import annotations

import os

import pytest

from killing import survive

KILLS = int(os.environ.get("KILLS", "1"))
"""KILLS=500 takes half an hour; a long run is better made by the command of `killing`."""


@pytest.mark.slow
def test_killed_runs_come_to_the_same_end_and_pay_nothing_twice() -> None:
    figures = survive(KILLS, seed=3)
    assert figures.failures == []
    assert figures.kills.total() == KILLS
