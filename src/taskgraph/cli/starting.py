"""What `run` and `rerun` have in common once there is a plan: settings, output, who answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from taskgraph.answering import as_recorded
from taskgraph.cli.conduct import Manner, conduct
from taskgraph.cli.ending import ExitCode
from taskgraph.cli.models import planned_service, recorded_model
from taskgraph.cli.resume import DEFAULT_FOLDER
from taskgraph.cli.settings import overrides
from taskgraph.llm.replay import RecordedModel
from taskgraph.output import partial_path
from taskgraph.plan import Plan
from taskgraph.runner import run
from taskgraph.settings import LEAST_THREADS, RunSettings
from taskgraph.spec import Spec, SpecOrigin


def carry_out(
    spec: Spec,
    plan: Plan,
    output: Path | None,
    settings: RunSettings,
    given: Mapping[str, Any],
    manner: Manner,
    *,
    force: bool,
) -> ExitCode:
    """Runs a plan to its end.

    Args:
        spec: what runs.
        plan: which of its nodes run, and which of those may ask a model.
        output: where to write; a name of its own below `runs` if None.
        settings: the run's, as flags, environment and project have them.
        given: those that flags and environment state.
        manner: how the run is carried out.
        force: whether an existing output may be replaced without asking.

    Raises:
        SettingsError: a model will certainly be asked, and none can be.
    """
    recorded = recorded_model(manner)
    settings = _settings(settings, recorded, given, manner)
    open_service = planned_service(spec, plan, settings, manner, recorded)
    output = output or _default_output(spec.origin)
    work = run(
        spec,
        output,
        settings,
        open_service=open_service,
        emit=manner.listener,
        replace=force or _may_replace(output),
        plan=plan,
    )
    return conduct(work, manner)


def _settings(
    settings: RunSettings, recorded: RecordedModel | None, given: Mapping[str, Any], manner: Manner
) -> RunSettings:
    settings = replace(settings, overrides=overrides(given))
    settings = as_recorded(settings, recorded, frozenset(given))
    if settings.threads is None and manner.record:
        # A recording says how many there were.
        return replace(settings, threads=max(LEAST_THREADS, os.cpu_count() or LEAST_THREADS))
    return settings


def _default_output(origin: SpecOrigin) -> Path:
    """Returns where a run writes that is not told so."""
    name = (origin.module or Path(origin.file or "spec").stem).rpartition(".")[2]
    return DEFAULT_FOLDER / f"{name}_{datetime.now(UTC):%Y%m%d_%H%M%S}.db"


def _may_replace(output: Path) -> bool:
    """Asks, where there is something to lose and somebody to ask."""
    in_the_way = [path for path in (output, partial_path(output)) if path.exists()]
    if not in_the_way or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return click.confirm(f"{' and '.join(map(str, in_the_way))} exists. Replace it?", err=True)
