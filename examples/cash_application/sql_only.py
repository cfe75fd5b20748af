"""Cash application with SQL only: what the rules cannot decide for certain stays open."""

from __future__ import annotations

from books import BOOKS
from result import result
from rules import RULES

NODES = [
    *BOOKS,
    *RULES,
    result(nodes=["certain"], applied=["certain"], account=["aside"], open_share=0.4),
]
