"""Bank reconciliation with SQL only: what the rules cannot decide for certain stays open."""

from __future__ import annotations

from books import BOOKS
from result import result
from rules import RULES

NODES = [
    *BOOKS,
    *RULES,
    result(nodes=["certain"], matched=["certain"], alone=["alone"], open_share=0.2),
]
