"""`taskgraph eval`: which model does a spec's work best, how surely, and for how much."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from taskgraph.cli.conduct import FILE, Manner, manner_options
from taskgraph.cli.ending import ExitCode, write_line
from taskgraph.cli.interrupt import run_interruptibly
from taskgraph.cli.models import recorded_model, service
from taskgraph.cli.project import read_project
from taskgraph.cli.resume import DEFAULT_FOLDER
from taskgraph.cli.settings import (
    option,
    overridden,
    overrides,
    run_settings,
    settings_options_without,
    stated,
)
from taskgraph.cli.specs import load_project_spec
from taskgraph.cli.tables import table_lines
from taskgraph.cli.text import printable
from taskgraph.cli.width import width_of
from taskgraph.errors import OutputError
from taskgraph.evaluation import Evaluation, ServiceFor, Trial, evaluate, write_trials
from taskgraph.events import Event, NodeEnded, Warned
from taskgraph.llm.service import OpenService
from taskgraph.scoring import gold_of
from taskgraph.settings import RunSettings
from taskgraph.spec import Spec

_COLUMNS = ("model", "table", "precision", "recall", "f1", "passed", "cost", "turns", "time")
_NUMERIC = frozenset(_COLUMNS[2:])


@click.command("eval")
@click.argument("spec")
@click.option(
    "--gold",
    multiple=True,
    required=True,
    help="What should come out: TABLE.csv, TABLE=FILE (CSV, TSV, Parquet), or a .db.",
)
@click.option("--model", "-m", "models", multiple=True, help="A model to try; may be repeated.")
@click.option(
    "--epochs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs of each model."
)
@option("output", "-o", type=FILE, help="File to write.", show_default="runs/eval_<UTC>.db")
@settings_options_without("model")
@manner_options
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    gold: tuple[str, ...],
    models: tuple[str, ...],
    epochs: int,
    output: Path | None,
    **_others: Any,
) -> ExitCode:
    """Run SPEC with each model, several times, and score its tables against gold.

    Rows are found by the first columns of gold that tell all of its rows apart; the order of
    columns and further columns do not matter. --max-cost is for all runs together. The runs' own
    files stand in a folder beside the output.
    """
    project = read_project(Path.cwd())
    manner, given = Manner.of(ctx), stated(ctx)
    if manner.record or manner.junit:
        raise click.UsageError("--record and --junit are for single runs: use `taskgraph run`.")
    settings = run_settings(project.settings, given)
    said = {*given, "model"} if models else given
    loaded = overridden(load_project_spec(spec, project), said)
    output = output or DEFAULT_FOLDER / f"eval_{datetime.now(UTC):%Y%m%d_%H%M%S}.db"
    evaluation = Evaluation(
        spec=loaded,
        gold=gold_of(loaded, gold),
        models=models or (settings.model,),
        epochs=epochs,
        folder=_folder(output),
        settings=replace(settings, overrides=overrides(said)),
    )
    return _conduct(evaluation, output, partial(_service, loaded, manner), manner)


def _conduct(
    evaluation: Evaluation, output: Path, service_for: ServiceFor, manner: Manner
) -> ExitCode:
    trials: list[Trial] = []
    count = len(evaluation.models) * evaluation.epochs

    def tried(trial: Trial) -> None:
        trials.append(trial)
        write_line(f"{len(trials)} of {count}  {_trial_text(trial)}", sys.stderr)

    try:
        ended = run_interruptibly(_evaluated(evaluation, service_for, tried))
    finally:
        if trials:
            write_trials(output, trials)
            _show(trials, output, manner)
    return ExitCode.PASSED if ended else ExitCode.INTERRUPTED


async def _evaluated(
    evaluation: Evaluation, service_for: ServiceFor, tried: Callable[[Trial], None]
) -> bool:
    await evaluate(evaluation, service_for=service_for, emit=_tell, tried=tried)
    return True


def _service(spec: Spec, manner: Manner, settings: RunSettings) -> OpenService:
    return service(spec, settings, manner, recorded_model(manner))


def _folder(output: Path) -> Path:
    folder = output.with_suffix("")
    for taken in (output, folder):
        if taken.exists():
            raise OutputError(f"{str(taken)!r} exists", hint="Choose another with --output.")
    folder.mkdir(parents=True)
    return folder


def _tell(event: Event) -> None:
    match event:
        case Warned(message=message):
            write_line(f"Warning: {printable(message)}", sys.stderr)
        case NodeEnded(outcome=outcome) if outcome.error and outcome.status != "skipped":
            write_line(
                f"    {outcome.status} {outcome.node}: {printable(outcome.error)}", sys.stderr
            )
        case _:
            return


def _trial_text(trial: Trial) -> str:
    scores = ", ".join(f"{one.gold.relation} F1 {one.f1:.1%}" for one in trial.scores)
    return (
        f"{trial.model} #{trial.epoch} {trial.status}  {scores}  {trial.turns} turns  "
        f"{_dollars(trial.cost_usd)}  {trial.seconds:.1f}s"
    )


def _show(trials: Sequence[Trial], output: Path, manner: Manner) -> None:
    if not manner.quiet:
        rows = [
            row
            for model in dict.fromkeys(one.model for one in trials)
            for row in _rows(model, trials)
        ]
        for line in table_lines(_COLUMNS, rows, width_of(sys.stderr), _NUMERIC):
            write_line(line, sys.stderr)
    write_line(str(output), sys.stdout)


def _rows(model: str, trials: Sequence[Trial]) -> Iterator[list[str]]:
    own = [one for one in trials if one.model == model]
    passed = sum(one.status == "passed" for one in own)
    costs = [one.cost_usd for one in own if one.cost_usd is not None]
    of_model = [
        f"{passed}/{len(own)}",
        _dollars(_mean(costs) if costs else None),
        f"{_mean([one.turns for one in own]):.1f}",
        f"{_mean([one.seconds for one in own]):.1f}s",
    ]
    for at, first in enumerate(own[0].scores):
        scores = [one.scores[at] for one in own]
        parts = (
            [one.precision for one in scores],
            [one.recall for one in scores],
            [one.f1 for one in scores],
        )
        yield [model, first.gold.relation, *(f"{_mean(part):.1%}" for part in parts), *of_model]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _dollars(usd: float | None) -> str:
    return "?" if usd is None else f"${usd:.4f}"
