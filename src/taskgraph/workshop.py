"""What all nodes of a run share, and the two things that each of them does with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from taskgraph.database import Cursor, Database
from taskgraph.events import CheckResult, Emit, Event
from taskgraph.finish import Finisher
from taskgraph.guard import Guard
from taskgraph.llm.service import ServiceOnDemand
from taskgraph.materialise import Tables
from taskgraph.namespace import Names, Scope
from taskgraph.plan import Plan
from taskgraph.resume import BroughtBack
from taskgraph.settings import RunSettings
from taskgraph.spec import Node, PromptNode
from taskgraph.tally import Tally

T = TypeVar("T")


def _sql_places() -> asyncio.Semaphore:
    # One heavy query takes all cores by itself: more of them side by side only share the memory.
    # With fewer than two, nothing computes while a commit waits for the disk.
    return asyncio.Semaphore(max(2, os.cpu_count() or 2))


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all nodes of a run share.

    Attributes:
        database: the open workspace.
        plan: what happens to each node; who owns which name, and the graph.
        descriptions: what the spec says of its nodes, for those that it describes.
        settings: the run's settings.
        tally: how each node stands.
        emit: receives every event, on the event loop's thread.
        settled: returns once everything emitted so far is committed.
        trace_ids: gives each statement of the run its id.
        service: what prompt nodes ask their models through.
        directory: where relative source paths start.
        run_id: tells this run's conversations from others'.
        brought_back: the conversations of an earlier part of the run.
        sql_places: for SQL nodes, which compute all the time; sources and agents mostly wait.
    """

    database: Database
    plan: Plan
    descriptions: Mapping[str, str]
    settings: RunSettings
    tally: Tally
    emit: Emit
    settled: Callable[[], Awaitable[None]]
    trace_ids: Iterator[int]
    service: ServiceOnDemand
    directory: Path | None
    run_id: str
    brought_back: BroughtBack
    sql_places: asyncio.Semaphore = field(default_factory=_sql_places)

    @property
    def names(self) -> Names:
        """Who owns which name, and the graph."""
        return self.plan.names

    async def in_thread(
        self, cursor: Cursor, work: Callable[[Emit], T], timeout_s: float | None = None
    ) -> T:
        """Does blocking work in a thread; its events are passed on here, on the loop's thread."""
        events: list[Event] = []
        try:
            return await cursor.run(partial(work, events.append), timeout_s=timeout_s)
        finally:
            for event in events:
                self.emit(event)

    def finisher(self, node: Node, cursor: Cursor, emit: Emit) -> Finisher:
        """Returns what ends the node; for use in the thread that `emit` is for."""
        guard = Guard(cursor, Scope(self.names, node.name), "check")
        ids, sources = self.trace_ids, self._sources(node)
        return Finisher(cursor, node, self.tally, guard, emit, ids, sources)

    def _sources(self, node: Node) -> list[str]:
        before = self.names.graph.ancestors(node.name) if isinstance(node, PromptNode) else ()
        return [name for name in before if self.tally.kinds[name] == "source"]

    async def try_to_pass(
        self,
        node: Node,
        cursor: Cursor,
        *,
        tables: Tables = (),
        timeout_s: float | None = None,
        reused: str | None = None,
    ) -> tuple[CheckResult, ...]:
        """Commits the node as passed if everything holds; returns the results of its checks.

        Args:
            node: the node.
            cursor: its connection.
            tables: those that it has made already.
            timeout_s: seconds that it may take; None for no limit.
            reused: why the node counts as reused; None if its work is this run's own.
        """

        def work(emit: Emit) -> tuple[CheckResult, ...]:
            finisher = replace(self.finisher(node, cursor, emit), reused=reused)
            return finisher.try_to_pass(tables)

        # A node that has passed is not gone through again: what led to it comes before it.
        await self.settled()
        return await self.in_thread(cursor, work, timeout_s)
