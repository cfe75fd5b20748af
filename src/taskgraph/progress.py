"""Runs the nodes of a plan and turns how each ended into its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskgraph.errors import LimitReached, OutputError, RunError, RunLimit, TaskgraphError
from taskgraph.events import NodeEnded, Outcome, RunStatus, Status, Warned
from taskgraph.nodes import run_node
from taskgraph.plan import Plan
from taskgraph.redaction import described
from taskgraph.scheduler import Blocked, Ending, Passed, Raised, run_graph
from taskgraph.trace import TraceWriter
from taskgraph.workshop import Workshop

_WRITE_EVERY_S = 0.1


class _Halted(TaskgraphError):
    """The node was cancelled because the whole run stops."""


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        shop: what the nodes share.
        plan: the nodes, and how they hang together.
        halted_by: what stopped the whole run; None while it may go on.
    """

    shop: Workshop
    plan: Plan
    halted_by: TaskgraphError | None = None
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, "asyncio.Task[None]"])

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Node to outcome, in the order in which nodes ended."""
        return self.shop.tally.outcomes

    async def run(self) -> RunStatus:
        """Runs all nodes and returns how the run stands.

        Raises:
            asyncio.CancelledError: the caller cancelled; every node has an outcome nevertheless.
        """
        try:
            await run_graph(
                self.plan.graph.dependencies,
                self._execute,
                limit=self.shop.settings.max_concurrency,
                ended=self._ended,
                may_start=lambda: self.halted_by is None,
            )
        finally:
            self._cancel_rest()
        return self._run_status()

    def _run_status(self) -> RunStatus:
        statuses = {outcome.status for outcome in self.outcomes.values()}
        if self.halted_by is not None or statuses & {"stopped", "cancelled"}:
            return "stopped"
        return "failed" if statuses & {"failed", "skipped"} else "passed"

    async def _execute(self, name: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running[name] = task
        try:
            await run_node(self.shop, self.plan.nodes[name])
        except asyncio.CancelledError:
            if self.halted_by is None:
                raise
            task.uncancel()  # this run's own doing, not the caller's
            if name in self.outcomes:
                return  # it was committed as passed in the same moment
            raise _Halted(f"the run stopped: {self.halted_by}") from self.halted_by
        except (RunError, RunLimit, OutputError) as error:
            self.halt(error)
            raise
        finally:
            del self._running[name]

    def halt(self, error: TaskgraphError) -> None:
        """Starts nothing new and cancels what runs."""
        if self.halted_by is not None:
            return
        self.halted_by = error
        for task in self._running.values():
            if task is not asyncio.current_task():
                task.cancel()

    def _ended(self, name: str, ending: Ending) -> None:
        """Emits the outcome of a name that did not pass; who passed has done so itself."""
        if not isinstance(ending, Passed) and name not in self.outcomes:
            self.shop.emit(NodeEnded(self._outcome(name, ending)))

    def _outcome(self, name: str, ending: Ending) -> Outcome:
        match ending:
            case Raised(error):
                hint = error.hint if isinstance(error, TaskgraphError) else None
                return self.shop.tally.outcome(
                    name,
                    _status(error),
                    error=described(error),
                    error_type=type(error).__name__,
                    hint=hint,
                )
            case Blocked(by):
                return self.shop.tally.outcome(
                    name, "skipped", error=f"{by} did not pass", skipped_because=by
                )
            case _:
                return self.shop.tally.outcome(
                    name, "cancelled", error="the run stopped before it started"
                )

    def _cancel_rest(self) -> None:
        for name in self.plan.nodes:
            if name not in self.outcomes:
                self.shop.emit(
                    NodeEnded(self.shop.tally.outcome(name, "cancelled", error="interrupted"))
                )


async def run_recorded(progress: Progress, writer: TraceWriter) -> RunStatus:
    """Runs the nodes while the writer keeps up; all that can be written is committed on return."""
    writing = asyncio.create_task(_keep_writing(writer, progress))
    status: RunStatus = "interrupted"
    try:
        status = await progress.run()
    except asyncio.CancelledError:
        pass
    finally:
        writing.cancel()
        await asyncio.wait([writing])
    try:
        await writer.settled()
    except OutputError as error:
        progress.shop.emit(unwritten(error))
        return status if status == "interrupted" else "stopped"
    return status


def unwritten(error: TaskgraphError) -> Warned:
    """Tells what could not be written, and what to do."""
    return Warned(f"{error}. {error.hint}" if error.hint else str(error))


async def _keep_writing(writer: TraceWriter, progress: Progress) -> None:
    while True:
        await asyncio.sleep(_WRITE_EVERY_S)
        try:
            await writer.settled()
        except OutputError as error:
            progress.halt(error)
            return


def _status(error: BaseException) -> Status:
    if isinstance(error, _Halted):
        return "cancelled"
    if isinstance(error, LimitReached | RunError | OutputError):
        return "stopped"
    return "failed"
