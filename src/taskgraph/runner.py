"""One run: plan, schedule the nodes, export, close; everything that happens is an event."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from taskgraph.database import Database, Limits
from taskgraph.errors import OutputError, SettingsError
from taskgraph.events import (
    Emit,
    Event,
    ExportEnded,
    Outcome,
    RunEnded,
    RunStarted,
    RunStatus,
    Warned,
)
from taskgraph.export import run_exports
from taskgraph.llm.service import ModelService, OpenService
from taskgraph.loader import importable
from taskgraph.meta import closing_meta, export_meta, opening_meta
from taskgraph.output import claim, discard, publish
from taskgraph.plan import Plan, plan_run
from taskgraph.progress import Progress
from taskgraph.settings import RunSettings
from taskgraph.spec import Spec
from taskgraph.tally import Tally
from taskgraph.trace import TraceWriter, create_tables, record_exports, write_meta
from taskgraph.workshop import Workshop

_WRITE_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Built:
    """What the nodes came to, before exports."""

    status: RunStatus
    outcomes: tuple[Outcome, ...]


@dataclass
class Feed:
    """Passes events on to all listeners; those that come late are told what they missed.

    Attributes:
        watcher: who asked for the run: told first, and of everything.
    """

    watcher: Emit
    _missed: list[Event] = field(default_factory=list[Event])
    _listeners: tuple[Emit, ...] = ()

    def emit(self, event: Event) -> None:
        """Tells everybody."""
        self.watcher(event)
        if not self._listeners:
            self._missed.append(event)
        for listener in self._listeners:
            listener(event)

    def attach(self, *listeners: Emit) -> None:
        """Adds the listeners for which the file had to be open."""
        self._listeners = listeners
        for event in self._missed:
            for listener in listeners:
                listener(event)
        self._missed.clear()


async def run(
    spec: Spec,
    output: Path,
    settings: RunSettings,
    *,
    open_service: OpenService,
    emit: Emit,
    replace: bool = False,
    export_folder: Path | None = None,
) -> RunEnded:
    """Runs a spec from nothing into a new `.db`.

    Args:
        spec: what to run; the loader has checked it.
        output: where the finished file will stand; until then it is built beside it.
        settings: the run's settings.
        open_service: opens what answers prompt nodes; see `llm.service.served_by`.
        emit: told of everything, on the event loop's thread.
        replace: whether an existing output may be replaced.
        export_folder: where relative export paths start; the working directory if None.

    Returns:
        How the run ended. `stopped` leaves the unfinished file beside the output.

    Raises:
        UserError: nothing was run: the output cannot be written, or a model is missing.
        RunError: nothing was run: the model's server says that the run cannot work.
        asyncio.CancelledError: the caller cancelled; the unfinished file is consistent.
    """
    plan = plan_run(spec)
    partial = claim(output, replace=replace)
    started = perf_counter()
    feed = Feed(emit)
    with importable(spec.neighbours):
        async with open_service(feed.emit) as service:
            if plan.needs_model and service is None:
                raise SettingsError("the spec has prompt nodes, and no model was given")
            discard(partial)
            feed.emit(RunStarted(str(output), tuple((node.name, node.kind) for node in spec.nodes)))
            built = await _build(spec, plan, partial, settings, service, feed)
        status = await _export(spec, partial, built.status, export_folder or Path.cwd(), feed.emit)
    if status in ("passed", "failed"):
        publish(partial, output)
    ended = RunEnded(str(output), status, built.outcomes, (perf_counter() - started) * 1000)
    feed.emit(ended)
    if status == "interrupted":
        raise asyncio.CancelledError
    return ended


async def _export(
    spec: Spec, partial: Path, status: RunStatus, folder: Path, emit: Emit
) -> RunStatus:
    """Writes the exports if all nodes passed; returns how the run stands with them."""
    if not spec.exports or status not in ("passed", "failed"):
        return status
    if status == "failed":
        emit(Warned("the exports were not written: not all nodes passed"))
        return status
    exports = await run_exports(partial, spec.exports, folder, emit)
    status = "failed" if any(export.error for export in exports) else "passed"
    _record_exports(partial, exports, status)
    return status


async def _build(
    spec: Spec,
    plan: Plan,
    partial: Path,
    settings: RunSettings,
    service: ModelService | None,
    feed: Feed,
) -> Built:
    """Makes the file and runs all nodes into it; the file is closed on return."""
    database = Database.create(
        partial, Limits(memory=settings.memory_limit, threads=settings.threads)
    )
    try:
        cursor = database.cursor()
        create_tables(cursor)
        run_id = uuid.uuid4().hex
        write_meta(cursor, opening_meta(spec, settings, run_id))
        writer = TraceWriter(cursor)
        tally = Tally({node.name: node.kind for node in spec.nodes})
        shop = Workshop(
            database=database,
            names=plan.names,
            descriptions={node.name: node.description for node in spec.nodes if node.description},
            settings=settings,
            tally=tally,
            emit=feed.emit,
            settled=writer.settled,
            service=service,
            directory=Path(spec.origin.directory) if spec.origin.directory else None,
            run_id=run_id,
        )
        progress = Progress(shop, plan)
        feed.attach(tally.record, writer.record)
        status = await _run_nodes(progress, writer)
        outcomes = tuple(progress.outcomes.values())
        write_meta(cursor, closing_meta(cursor, outcomes, status))
        return Built(status, outcomes)
    finally:
        database.close()


async def _run_nodes(progress: Progress, writer: TraceWriter) -> RunStatus:
    """Runs the nodes while the writer keeps up; everything is committed on return."""
    writing = asyncio.create_task(_keep_writing(writer, progress))
    try:
        return await progress.run()
    except asyncio.CancelledError:
        return "interrupted"
    finally:
        writing.cancel()
        await asyncio.wait([writing])
        await writer.settled()


async def _keep_writing(writer: TraceWriter, progress: Progress) -> None:
    while True:
        await asyncio.sleep(_WRITE_EVERY_S)
        try:
            await writer.settled()
        except OutputError as error:
            progress.halt(error)
            return


def _record_exports(partial: Path, exports: Sequence[ExportEnded], status: RunStatus) -> None:
    database = Database.reopen(partial)
    try:
        cursor = database.cursor()
        record_exports(cursor, exports)
        write_meta(cursor, export_meta(exports, status))
    finally:
        database.close()
