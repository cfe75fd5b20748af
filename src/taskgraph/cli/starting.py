"""What `run` and `rerun` have in common before anything runs: settings, output, who answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from taskgraph.answering import as_recorded
from taskgraph.cli.conduct import Manner
from taskgraph.cli.models import planned_service, recorded_model
from taskgraph.cli.resume import DEFAULT_FOLDER
from taskgraph.cli.settings import overrides
from taskgraph.llm.service import OpenService
from taskgraph.output import partial_path
from taskgraph.plan import Plan
from taskgraph.settings import LEAST_THREADS, RunSettings
from taskgraph.spec import Spec, SpecOrigin


@dataclass(frozen=True, slots=True)
class Start:
    """What a run begins with."""

    settings: RunSettings
    open_service: OpenService


def start(
    spec: Spec, plan: Plan, settings: RunSettings, given: Mapping[str, Any], manner: Manner
) -> Start:
    """Decides with which settings a run begins, and who answers.

    Args:
        spec: what runs.
        plan: which of its nodes may ask a model.
        settings: the run's, as flags, environment and project have them.
        given: those that flags and environment state.
        manner: how the run is carried out.

    Raises:
        SettingsError: a model will certainly be asked, and none can be.
    """
    recorded = recorded_model(manner)
    settings = replace(settings, overrides=overrides(given))
    settings = as_recorded(settings, recorded, frozenset(given))
    if settings.threads is None and manner.record:
        # A recording says how many there were.
        settings = replace(settings, threads=max(LEAST_THREADS, os.cpu_count() or LEAST_THREADS))
    return Start(settings, planned_service(spec, plan, settings, manner, recorded))


def default_output(origin: SpecOrigin) -> Path:
    """Returns where a run writes that is not told so."""
    name = (origin.module or Path(origin.file or "spec").stem).rpartition(".")[2]
    return DEFAULT_FOLDER / f"{name}_{datetime.now(UTC):%Y%m%d_%H%M%S}.db"


def may_replace(output: Path) -> bool:
    """Asks, where there is something to lose and somebody to ask."""
    in_the_way = [path for path in (output, partial_path(output)) if path.exists()]
    if not in_the_way or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return click.confirm(f"{' and '.join(map(str, in_the_way))} exists. Replace it?", err=True)
