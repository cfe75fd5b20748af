"""Faults by chance, the same for the same seed whatever order the tries come in."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from taskgraph.testing.steps import TICK, Answer, Content, Step, Wire, body, error, page

MOST_IN_A_ROW = 4
"""Fewer than the tries that a client makes, so that each call comes through in the end."""
FAULTS: Mapping[str, tuple[Content, Wire]] = {
    "rst": (body({}), Wire(cut_head=0, ending="rst")),
    "fin": (body({}), Wire(cut_head=0, ending="fin")),
    "cut": (Answer(text="never read"), Wire(cut_body=20, ending="rst")),
    "429": (error(429, "Provider returned error", headers={"Retry-After": "1"}), Wire()),
    "502": (page(502, "<html><h1>502 Bad gateway</h1></html>"), Wire()),
    "200err": (error(502, "Internal Server Error", inside=200), Wire()),
    "ws_only": (body(TICK * 3), Wire()),
    "no_choices": (body({"id": None, "choices": None}), Wire()),
}


@dataclass(frozen=True, slots=True)
class Chaos:
    """Draws a fault, or none, for each try."""

    seed: int
    chances: Mapping[str, float]
    """By name in `FAULTS`."""

    def step(self, lane: str, number: int) -> Step | None:
        """Returns the fault for a lane's try of this number; None to serve it."""
        if number % (MOST_IN_A_ROW + 1) == 0:
            return None
        draw = random.Random(f"{self.seed}/{lane}/{number}").random()
        for kind, chance in self.chances.items():
            draw -= chance
            if draw < 0:
                return Step(*FAULTS[kind])
        return None
