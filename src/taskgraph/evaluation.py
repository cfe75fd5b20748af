"""Runs a spec with several models, several times each, and scores what comes out against gold.

Each trial is a whole run into a file of its own, which stays: it cost money, and shows why it
scored as it did. All scores go into one `.db`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from taskgraph.database import quote_text, scratch
from taskgraph.errors import RunLimit
from taskgraph.events import Emit, RunEnded, RunStatus
from taskgraph.llm.service import OpenService
from taskgraph.output import partial_path
from taskgraph.runner import run
from taskgraph.scoring import Gold, Score, scores_of
from taskgraph.settings import RunSettings
from taskgraph.spec import Spec


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the spec."""

    model: str
    epoch: int
    """From 1, for each model."""
    file: Path
    status: RunStatus
    seconds: float
    turns: int
    """Model calls of all its nodes."""
    tokens: int
    """Prompt and completion tokens."""
    cost_usd: float | None
    """None where nobody told what it cost."""
    scores: tuple[Score, ...]


ServiceFor: TypeAlias = Callable[[RunSettings], OpenService]
"""Opens what answers the prompt nodes of one trial."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is tried.

    Attributes:
        spec: what runs; a node that still names a model of its own asks that one in each trial.
        gold: the tables that should come out.
        models: each runs the spec `epochs` times.
        epochs: trials of each model.
        folder: where the trials' files go; must exist.
        settings: of every trial; only `max_cost` is for all of them together.
    """

    spec: Spec
    gold: Sequence[Gold]
    models: Sequence[str]
    epochs: int
    folder: Path
    settings: RunSettings

    def planned(self) -> Iterator[tuple[str, int, Path]]:
        """Yields each trial's model, epoch and file: every model once, then every model again."""
        for epoch in range(1, self.epochs + 1):
            for model in self.models:
                yield model, epoch, self.folder / f"{_file_name(model)}_{epoch}.db"


async def evaluate(
    evaluation: Evaluation,
    *,
    service_for: ServiceFor,
    emit: Emit,
    tried: Callable[[Trial], None],
) -> None:
    """Runs all trials, one after the other.

    Args:
        evaluation: what is tried.
        service_for: who answers a trial.
        emit: told of everything in each run.
        tried: told of each trial when it is scored.

    Raises:
        RunLimit: the dollars are spent before all trials have run, or a trial its tokens.
        UserError: a file cannot be written, or a model is missing.
        RunError: the model's server says that a run cannot work.
    """
    left = evaluation.settings.max_cost
    for model, epoch, file in evaluation.planned():
        settings = replace(evaluation.settings, model=model, max_cost=left)
        service = service_for(settings)
        ended = await run(
            evaluation.spec,
            file,
            settings,
            open_service=service,
            emit=emit,
            export_folder=evaluation.folder,
        )
        if _stopped_by_budget(ended):
            # Not scored: what it did not get to is not the model's fault.
            raise _spent(evaluation, f"in the middle of {file.name}")
        trial = _trial(model, epoch, file, ended, evaluation.gold)
        tried(trial)
        if left is not None:
            left -= trial.cost_usd or 0.0
            if left <= 0:
                raise _spent(evaluation, f"after {file.name}")


def _stopped_by_budget(ended: RunEnded) -> bool:
    return any(one.error_type == RunLimit.__name__ for one in ended.outcomes)


def _spent(evaluation: Evaluation, when: str) -> RunLimit:
    return RunLimit(
        f"a limit is reached {when}: max_cost {evaluation.settings.max_cost} for all runs, "
        f"max_tokens {evaluation.settings.max_tokens} for each",
        hint="What was scored until here is kept. Raise the limit to try all.",
    )


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Writes `trials` and `scores`, and a view `summary` of both, into a new `.db`.

    Args:
        path: a file that does not exist.
        trials: all that ran.
    """
    with scratch() as connection:
        connection.execute(
            f"ATTACH {quote_text(str(path))} AS evaluation (STORAGE_VERSION 'v1.4.0')"
        )
        connection.execute("USE evaluation")
        connection.execute(_SCHEMA)
        for trial in trials:
            connection.execute(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _trial_row(trial)
            )
            for score in trial.scores:
                connection.execute(
                    "INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [trial.model, trial.epoch, *_score_row(score)],
                )
        connection.execute("USE memory")
        connection.execute("DETACH evaluation")


_SCHEMA = """
CREATE TABLE trials (model VARCHAR, epoch INTEGER, file VARCHAR, status VARCHAR, seconds DOUBLE,
    turns INTEGER, tokens BIGINT, cost_usd DOUBLE);
CREATE TABLE scores (model VARCHAR, epoch INTEGER, node VARCHAR, relation VARCHAR, expected BIGINT,
    found BIGINT, "right" BIGINT, "precision" DOUBLE, recall DOUBLE, f1 DOUBLE);
CREATE VIEW summary AS
WITH of_model AS (
    SELECT model, count(*) AS trials, avg((status = 'passed')::INTEGER) AS pass_rate,
        avg(cost_usd) AS cost_usd, avg(turns) AS turns, avg(seconds) AS seconds
    FROM trials GROUP BY model
), of_relation AS (
    SELECT model, node, relation, avg("precision") AS "precision", avg(recall) AS recall,
        avg(f1) AS f1, min(f1) AS worst_f1
    FROM scores GROUP BY model, node, relation
)
SELECT model, node, relation, "precision", recall, f1, worst_f1, trials, pass_rate, cost_usd, turns,
    seconds
FROM of_model JOIN of_relation USING (model) ORDER BY node, relation, f1 DESC, model;
"""


def _trial(model: str, epoch: int, file: Path, ended: RunEnded, gold: Sequence[Gold]) -> Trial:
    costs = [one.usage.cost_usd for one in ended.outcomes if one.usage.cost_usd is not None]
    written = file if file.exists() else partial_path(file)
    return Trial(
        model=model,
        epoch=epoch,
        file=written,
        status=ended.status,
        seconds=ended.elapsed_ms / 1000,
        turns=sum(one.iterations for one in ended.outcomes),
        tokens=sum(one.usage.total_tokens for one in ended.outcomes),
        cost_usd=sum(costs) if costs else None,
        scores=scores_of(written, gold, _passed(ended)),
    )


def _passed(ended: RunEnded) -> Mapping[str, bool]:
    return {one.node: one.status == "passed" for one in ended.outcomes}


def _file_name(model: str) -> str:
    return "".join(one if one.isalnum() or one in ".-" else "_" for one in model)


def _trial_row(trial: Trial) -> list[object]:
    return [
        trial.model,
        trial.epoch,
        trial.file.name,
        trial.status,
        trial.seconds,
        trial.turns,
        trial.tokens,
        trial.cost_usd,
    ]


def _score_row(score: Score) -> list[object]:
    return [
        score.gold.node,
        score.gold.relation,
        score.expected,
        score.found,
        score.right,
        score.precision,
        score.recall,
        score.f1,
    ]
