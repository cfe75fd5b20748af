"""Taskgraph from Python: run a spec, open what it left, and look at it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from taskgraph.answering import Answers, as_recorded, recorded_model, service
from taskgraph.database import fold, quote, read_only
from taskgraph.errors import WorkspaceError
from taskgraph.events import Emit, Event, Outcome
from taskgraph.loader import load_spec, read_spec_module
from taskgraph.output import left_at
from taskgraph.report import RunReport, read_report
from taskgraph.settings import RunSettings
from taskgraph.spec import Node, Spec, SpecOrigin

if TYPE_CHECKING:
    import polars as pl

AnySpec: TypeAlias = Spec | str | os.PathLike[str] | Iterable[Node | Mapping[str, Any]]
"""A spec, the name of its module or file, or its nodes."""
T = TypeVar("T")
_TABLES = """
    SELECT DISTINCT table_name, starts_with(table_name, '_') AS of_record
    FROM information_schema.tables WHERE table_catalog = current_database()
    ORDER BY of_record, table_name
"""


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run, read from its `.db`; a notebook shows how its nodes ended.

    Attributes:
        path: the file.
    """

    path: Path

    @cached_property
    def report(self) -> RunReport:
        """Everything that is on record of the run."""
        return read_report(self.path)

    @property
    def status(self) -> str:
        """`passed`, `failed`, `stopped` or `interrupted`."""
        return self.report.status

    @property
    def nodes(self) -> Mapping[str, Outcome]:
        """Node to how it ended, in the order in which the nodes started."""
        return {outcome.node: outcome for outcome in self.report.outcomes}

    def frame(self, table: str) -> pl.DataFrame:
        """Returns a whole table.

        Raises:
            WorkspaceError: there is no such table; names those that there are.
        """
        names: list[str] = self.query(_TABLES)["table_name"].to_list()
        if fold(table) not in map(fold, names):
            raise WorkspaceError(
                f"there is no table {table!r} in {str(self.path)!r}: it has {', '.join(names)}"
            )
        return self.query(f"FROM {quote(table)}")

    def __repr__(self) -> str:
        verdicts = Counter(outcome.status for outcome in self.report.outcomes)
        told = ", ".join(f"{count} {status}" for status, count in verdicts.items())
        return f"Run({str(self.path)!r}, {self.status}{f': {told}' if told else ''})"

    def query(self, sql: str) -> pl.DataFrame:
        """Asks the file, which is opened for reading only.

        Raises:
            duckdb.Error: whatever DuckDB has against the query.
        """
        with read_only(self.path) as connection:
            return connection.sql(sql).pl()

    def html(self) -> str:
        """Returns the page that `taskgraph report` writes."""
        from taskgraph.page import page_of  # noqa: PLC0415 - two libraries that only pages need

        return page_of(self.path)

    def _repr_html_(self) -> str:
        from taskgraph.page import summary_of  # noqa: PLC0415 - as above

        return summary_of(self.report)


def open_run(path: str | os.PathLike[str]) -> Run:
    """Opens a `.db` that a run has left.

    Raises:
        WorkspaceError: there is no such file, it is in use, or Taskgraph did not write it.
    """
    run = Run(Path(path))
    _ = run.report
    return run


def run(
    spec: AnySpec,
    output: str | os.PathLike[str],
    *,
    settings: RunSettings | None = None,
    replace: bool = False,
    replay: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    emit: Emit | None = None,
) -> Run:
    """Runs a spec into a new `.db` and waits for its end; also where an event loop runs already.

    Args:
        spec: a spec, the name of its module or file, or its nodes.
        output: the file to write.
        settings: the run's; the defaults if None.
        replace: whether an existing output may be replaced.
        replay: a recording, or an earlier run's `.db`, that answers instead of a model.
        base_url: any server of chat completions; that of the settings if None.
        api_key: its key; OPENROUTER_API_KEY of the environment if None.
        emit: told of everything that happens.

    Returns:
        The run, whether its nodes passed or not: ask its `status`.

    Raises:
        UserError: nothing was run: the spec has problems, or the output or a setting is wrong.
        RunError: nothing was run: the model's server says that the run cannot work.
    """
    return _waited_for(
        run_async(
            spec,
            output,
            settings=settings,
            replace=replace,
            replay=replay,
            base_url=base_url,
            api_key=api_key,
            emit=emit,
        )
    )


async def run_async(
    spec: AnySpec,
    output: str | os.PathLike[str],
    *,
    settings: RunSettings | None = None,
    replace: bool = False,
    replay: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    emit: Emit | None = None,
) -> Run:
    """Does what `run` does, on the caller's event loop."""
    from taskgraph import runner  # noqa: PLC0415 - opening a run needs none of it

    answers = Answers(
        api_key=api_key or os.environ.get("OPENROUTER_API_KEY"),
        replay=Path(replay) if replay else None,
    )
    settings = settings or RunSettings()
    if base_url is not None:
        settings = dataclasses.replace(settings, base_url=base_url)
    recorded = recorded_model(answers)
    settings = as_recorded(settings, recorded, _stated(settings))
    found = _spec(spec)
    ended = await runner.run(
        found,
        Path(output),
        settings,
        open_service=service(found, settings, answers, recorded),
        emit=emit or _unheard,
        replace=replace,
    )
    return Run(left_at(Path(ended.output), ended.status))


def _stated(settings: RunSettings) -> frozenset[str]:
    """The fields that are not as they are by default: somebody chose them."""
    usual = RunSettings()
    names = (field.name for field in fields(settings))
    return frozenset(name for name in names if getattr(settings, name) != getattr(usual, name))


def _spec(spec: AnySpec) -> Spec:
    if isinstance(spec, Spec):
        return spec
    if isinstance(spec, str | os.PathLike):
        return load_spec(os.fspath(spec), directory=Path.cwd())
    module = ModuleType("nodes")
    vars(module)["NODES"] = list(spec)
    origin = SpecOrigin(module=None, file=None, source=None, directory=str(Path.cwd()))
    return read_spec_module(module, origin)


def _unheard(event: Event) -> None:
    del event


def _waited_for(work: Coroutine[Any, Any, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    # A notebook's cells run on a loop, which cannot be run again from within.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
