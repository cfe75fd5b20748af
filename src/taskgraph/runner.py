"""One run, or one part of a resumed one: plan, run the nodes, export, close, tell of it all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from taskgraph.database import Cursor, Database, Limits, Row, read_only
from taskgraph.definitions import taken_over
from taskgraph.errors import OutputError, RunError, TaskgraphError, WorkspaceError
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
from taskgraph.llm.accounts import Spending
from taskgraph.llm.messages import NOTHING_USED
from taskgraph.llm.service import OpenService, ServiceOnDemand
from taskgraph.loader import importable
from taskgraph.meta import closing_meta, export_meta, models_meta, opening_meta
from taskgraph.output import claimed, continued, discard, partial_path, publish, unfinish
from taskgraph.parts import Identity
from taskgraph.plan import Plan, plan_resume, plan_run
from taskgraph.progress import Progress, run_recorded, unwritten
from taskgraph.recorded import Recorded, read_recorded
from taskgraph.report import read_meta
from taskgraph.resume import BroughtBack, bring_back
from taskgraph.settings import RunSettings
from taskgraph.spec import Spec
from taskgraph.tally import Tally
from taskgraph.trace import (
    TraceWriter,
    begin_record,
    record_exports,
    trace_ids,
    write_meta,
)
from taskgraph.transfer import copy_tables
from taskgraph.watch.server import Watch, watched
from taskgraph.workshop import Workshop


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


@dataclass(frozen=True, slots=True)
class _Job:
    """What one run, or one part of a resumed run, is about."""

    spec: Spec
    plan: Plan
    output: Path
    partial: Path
    settings: RunSettings
    feed: Feed
    export_folder: Path
    recorded: Recorded | None
    """What an earlier part of the run has left; None for a run that begins."""


async def run(
    spec: Spec,
    output: Path,
    settings: RunSettings,
    *,
    open_service: OpenService,
    emit: Emit,
    replace: bool = False,
    export_folder: Path | None = None,
    plan: Plan | None = None,
) -> RunEnded:
    """Runs a spec into a new `.db`.

    Args:
        spec: what to run; the loader has checked it.
        output: where the finished file will stand; until then it is built beside it.
        settings: the run's settings.
        open_service: opens what answers prompt nodes; see `llm.service.served_by`.
        emit: told of everything, on the event loop's thread.
        replace: whether an existing output may be replaced.
        export_folder: where relative export paths start; the working directory if None.
        plan: what to do with each node, as `rerun` plans it; None to run all from nothing.

    Returns:
        How the run ended. `stopped` leaves the unfinished file beside the output.

    Raises:
        UserError: nothing was run: the output cannot be written, or a model is missing.
        RunError: nothing was run: the model's server says that the run cannot work.
        asyncio.CancelledError: the caller cancelled; the unfinished file can be resumed.
    """
    plan = plan or plan_run(spec)
    _demand_another(plan, output)
    with claimed(output, replace=replace) as partial:
        folder = export_folder or Path.cwd()
        job = _Job(spec, plan, output, partial, settings, Feed(emit), folder, None)
        return await _conduct(job, open_service)


async def resume(
    spec: Spec,
    output: Path,
    settings: RunSettings,
    *,
    open_service: OpenService,
    emit: Emit,
    export_folder: Path | None = None,
) -> RunEnded:
    """Goes on with the unfinished or failed run of an output; `plan.plan_resume` says with what.

    Args and what is returned are those of `run`; `read_unfinished` tells the earlier settings.

    Raises:
        WorkspaceError: there is nothing to go on with.
        UserError: nothing was run: the output cannot be written, or a model is missing.
        RunError: nothing was run: the model's server says that the run cannot work.
        asyncio.CancelledError: the caller cancelled; the unfinished file can be resumed.
    """
    with continued(output) as partial:
        recorded = read_unfinished(output)
        plan = plan_resume(spec, recorded)
        folder = export_folder or Path.cwd()
        job = _Job(spec, plan, output, partial, settings, Feed(emit), folder, recorded)
        return await _conduct(job, open_service)


def _demand_another(plan: Plan, output: Path) -> None:
    taken = plan.seed and plan.seed.file
    written = (output, partial_path(output))
    if any(path.exists() and taken and path.samefile(taken) for path in written):
        raise OutputError(
            f"{str(output)!r} is the earlier file, which is only read",
            hint="Choose another with --output.",
        )


def read_unfinished(output: Path) -> Recorded:
    """Reads what the unfinished run of an output has left, or a finished one that failed.

    Raises:
        WorkspaceError: there is none, it is being written, or nothing in it is left to do.
    """
    partial = partial_path(output)
    path = partial if partial.exists() else output
    with read_only(path) as connection:

        def ask(query: str) -> list[Row]:
            return connection.execute(query).fetchall()

        meta = read_meta(ask, path)
        if path == output and meta["status"] == "passed":
            raise WorkspaceError(f"nothing is left to do: all nodes of {str(output)!r} have passed")
        return read_recorded(ask, meta)


async def _conduct(job: _Job, open_service: OpenService) -> RunEnded:
    task = asyncio.current_task()
    assert task is not None
    async with watched(job.partial, task.cancel) as watch:
        return await _conduct_watched(job, open_service, watch)


async def _conduct_watched(job: _Job, open_service: OpenService, watch: Watch) -> RunEnded:
    started = perf_counter()
    emit = job.feed.emit
    with importable(job.spec.neighbours):
        spent = job.recorded.spent if job.recorded else dict[str, Spending]()
        async with ServiceOnDemand(open_service, emit, spent) as service:
            if job.plan.needs_model:
                await service.get()
            if job.recorded is None:
                discard(job.partial)
            emit(_started(job))
            built = await _build(job, service, watch)
        status = _put_in_place(job, await _export(job, built.status))
    earlier_ms = job.recorded.identity.elapsed_ms if job.recorded else 0.0
    elapsed_ms = earlier_ms + (perf_counter() - started) * 1000
    saved = job.plan.takeover.saved(built.outcomes) if job.plan.takeover else None
    ended = RunEnded(str(job.output), status, built.outcomes, elapsed_ms, saved=saved)
    emit(ended)
    if status == "interrupted":
        raise asyncio.CancelledError
    return ended


def _started(job: _Job) -> RunStarted:
    plan, takeover = job.plan, job.plan.takeover
    efforts = job.recorded.efforts.values() if job.recorded else ()
    there = [one for one in job.spec.nodes if one.name in plan.kept or one.name in plan.nodes]
    return RunStarted(
        output=str(job.output),
        nodes=tuple((node.name, node.kind) for node in there),
        kept=tuple(plan.kept),
        earlier=takeover.file if takeover and job.recorded is None else None,
        max_cost=job.settings.max_cost,
        spent=sum((one.usage for one in efforts), NOTHING_USED),
    )


async def _export(job: _Job, status: RunStatus) -> RunStatus:
    """Writes the exports if all nodes passed; returns how the run stands with them."""
    if not job.spec.exports or status not in ("passed", "failed"):
        return status
    if status == "failed" or job.plan.left_out:
        why = "not all nodes passed" if status == "failed" else "not all nodes are in the file"
        job.feed.emit(Warned(f"the exports were not written: {why}"))
        return status
    try:
        exports = await run_exports(job.partial, job.spec.exports, job.export_folder, job.feed.emit)
    except asyncio.CancelledError:
        return "interrupted"
    status = "failed" if any(export.error for export in exports) else "passed"
    try:
        _record_exports(job.partial, exports, status)
    except (OutputError, RunError) as error:
        return _unwritten(job, status, error)
    return status


def _put_in_place(job: _Job, status: RunStatus) -> RunStatus:
    """Moves the finished file to where it was asked for; returns how the run stands with that."""
    if status not in ("passed", "failed"):
        return status
    try:
        publish(job.partial, job.output)
    except OutputError as error:
        return _unwritten(job, status, error)
    return status


def _unwritten(job: _Job, status: RunStatus, error: TaskgraphError) -> RunStatus:
    """Tells what could not be written; such a run can be resumed, and stays unfinished."""
    job.feed.emit(unwritten(error))
    return status if status == "interrupted" else "stopped"


async def _build(job: _Job, service: ServiceOnDemand, watch: Watch) -> Built:
    """Makes or reopens the file and runs the nodes into it; the file is closed on return."""
    started = perf_counter()
    database = await _open(job)
    try:
        cursor = database.cursor()
        identity = _identity(job)
        meta = opening_meta(job.spec, identity, database.threads, service.facts)
        taken = await _begin(job, cursor, meta)
        brought_back = await _bring_back(job, database)
        writer = TraceWriter(cursor, trace_ids(cursor), dict(brought_back.places))
        shop = _workshop(job, database, service, identity.run_id, writer, brought_back)
        progress = Progress(shop, job.plan)
        job.feed.attach(shop.tally.record, writer.record, watch.record)
        watch.attach(database)
        for event in (*taken, *brought_back.warnings):
            job.feed.emit(event)
        status = await run_recorded(progress, writer)
        outcomes = tuple(progress.outcomes.values())
        identity = identity.ended((perf_counter() - started) * 1000)
        try:
            closing = closing_meta(cursor, outcomes, status, identity)
            write_meta(cursor, {**closing, **models_meta(service.facts)})
        except (OutputError, RunError) as error:
            status = _unwritten(job, status, error)
        return Built(status, outcomes)
    finally:
        await watch.detach()
        database.close()


async def _open(job: _Job) -> Database:
    limits = Limits(memory=job.settings.memory_limit, threads=job.settings.threads)
    if job.recorded:
        unfinish(job.output)
        return Database.reopen(job.partial, limits)
    if seed := job.plan.seed:
        await copy_tables(seed.file, job.partial, seed.tables)
        return Database.reopen(job.partial, limits)
    # A table for each node, or more, and one for each check.
    tables = sum(1 + len(node.checks) for node in job.spec.nodes)
    return Database.create(job.partial, limits, tables=tables)


async def _begin(job: _Job, cursor: Cursor, meta: Mapping[str, str | None]) -> Sequence[Event]:
    takeover = job.plan.takeover
    if job.recorded or takeover is None:
        begin_record(cursor, meta)
        return ()
    events = await cursor.run(lambda: taken_over(cursor, job.plan))
    begin_record(cursor, {**meta, "rerun": takeover.to_json()}, job.plan.kept.values())
    return events


def _identity(job: _Job) -> Identity:
    if job.recorded is None:
        return Identity.new(job.settings)
    return job.recorded.identity.resumed(job.settings)


async def _bring_back(job: _Job, database: Database) -> BroughtBack:
    if job.recorded is None:
        return BroughtBack()
    return await bring_back(database, job.plan, job.recorded)


def _workshop(
    job: _Job,
    database: Database,
    service: ServiceOnDemand,
    run_id: str,
    writer: TraceWriter,
    brought_back: BroughtBack,
) -> Workshop:
    nodes, origin = job.spec.nodes, job.spec.origin
    return Workshop(
        database=database,
        plan=job.plan,
        descriptions={node.name: node.description for node in nodes if node.description},
        settings=job.settings,
        tally=_tally(job, brought_back),
        emit=job.feed.emit,
        settled=writer.settled,
        trace_ids=writer.ids,
        service=service,
        directory=Path(origin.directory) if origin.directory else None,
        run_id=run_id,
        brought_back=brought_back,
    )


def _tally(job: _Job, brought_back: BroughtBack) -> Tally:
    tally = Tally({node.name: node.kind for node in job.spec.nodes}, dict(job.plan.kept))
    if job.recorded:
        for node in job.recorded.efforts.keys() & job.plan.nodes.keys():
            tally.carry(node, job.recorded.efforts[node])
    for node, standing in brought_back.standing.items():
        tally.go_on(node, standing)
    return tally


def _record_exports(partial: Path, exports: Sequence[ExportEnded], status: RunStatus) -> None:
    database = Database.reopen(partial)
    try:
        cursor = database.cursor()
        record_exports(cursor, exports)
        write_meta(cursor, export_meta(exports, status))
    finally:
        database.close()
