"""A DAG scheduler for LLM agents on DuckDB: agents write views, checks decide, one `.db` keeps it all.

A spec may be written with these classes, with dicts of the same fields, or with both:

    from taskgraph import PromptNode, SourceNode, SqlNode

    NODES = [
        SourceNode(name="orders", source="orders.csv"),
        SqlNode(name="paid", depends_on=["orders"],
                sql="CREATE VIEW paid_orders AS SELECT * FROM orders WHERE status = 'paid'"),
    ]

And it may be run from Python:

    run = taskgraph.run("specs/main.py", "month.db")
    run.status, run.nodes, run.frame("paid_orders")

Importing the package loads neither the database nor anything else that is slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskgraph.errors import Problem, SpecError, TaskgraphError
from taskgraph.settings import RunSettings
from taskgraph.spec import Node, PromptNode, SourceNode, Spec, SqlNode, Task

__all__ = [
    "Node",
    "Problem",
    "PromptNode",
    "Run",
    "RunSettings",
    "SourceNode",
    "Spec",
    "SpecError",
    "SqlNode",
    "Task",
    "TaskgraphError",
    "open",
    "run",
    "run_async",
]

if TYPE_CHECKING:
    from taskgraph.api import Run, run, run_async
    from taskgraph.api import open_run as open

    __version__: str
else:  # a type checker would take any name at all from a module with `__getattr__`

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415 - 40 ms, and seldom asked

            return version("taskgraph-duckdb")
        if name in ("Run", "open", "run", "run_async"):
            from taskgraph import api  # noqa: PLC0415 - DuckDB, which a spec module does not need

            return getattr(api, "open_run" if name == "open" else name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
