"""What a run takes over from an earlier file: its tables, and the SQL that agents wrote for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal, TypeAlias

from taskgraph.catalog import Shape
from taskgraph.database import Row
from taskgraph.errors import WorkspaceError
from taskgraph.events import Definition, Outcome, Saved, SourceFile
from taskgraph.report import asking, read_meta, read_outcomes

Action: TypeAlias = Literal["run", "reuse", "review", "keep", "leave"]
"""`run` it; `reuse` what an earlier run has of it, if that still holds; let an agent `review` that;
`keep` it as it is; `leave` it out."""


@dataclass(frozen=True, slots=True)
class Step:
    """What will happen to one node, and why."""

    action: Action
    why: str


@dataclass(frozen=True, slots=True)
class Work:
    """What an earlier run has of a transform node."""

    definitions: tuple[Definition, ...]
    prompt: str | None
    """What its agent was asked; None for SQL of the spec's own."""
    last_words: str | None
    tokens: int
    """Tokens that it took to write the SQL, in whichever run that was."""
    cost_usd: float
    """US dollars that this took."""
    elapsed_ms: float
    """Time that this took."""

    def other_prompt(self, prompt: str) -> str | None:
        """Returns what its agent was asked, unless that is this prompt but for its indentation."""
        same = self.prompt is None or cleandoc(self.prompt) == cleandoc(prompt)
        return None if same else self.prompt


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a run takes over, and what it does with it: `_workspace_meta.rerun`.

    It is all that a resume of the run needs, so that the earlier file may be gone by then.
    """

    file: str
    """Name of the earlier file, without its folder."""
    run_id: str
    steps: Mapping[str, Step]
    """By node."""
    works: Mapping[str, Work]
    """By node: those that passed."""
    shapes: Mapping[str, Shape]
    """By table."""
    files: Mapping[str, tuple[SourceFile, ...]]
    """By source, what it was read from."""

    def to_json(self) -> str:
        """Writes it as one text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Takeover:
        """Reads it back."""
        value: dict[str, Any] = json.loads(text)
        return cls(
            file=value["file"],
            run_id=value["run_id"],
            steps={node: Step(**step) for node, step in value["steps"].items()},
            works={node: _work_from(work) for node, work in value["works"].items()},
            shapes={table: Shape(**shape) for table, shape in value["shapes"].items()},
            files={
                node: tuple(SourceFile(**file) for file in files)
                for node, files in value["files"].items()
            },
        )

    def saved(self, outcomes: Iterable[Outcome]) -> Saved | None:
        """Returns what agents' nodes took less than when their SQL was written.

        Returns:
            None where no node that ran has such SQL.
        """
        pairs = [
            (self.works[outcome.node], outcome)
            for outcome in outcomes
            if outcome.kind == "prompt"
            and outcome.status in ("passed", "reused")
            and outcome.node in self.works
            and self.steps[outcome.node].action != "keep"
        ]
        if not pairs:
            return None
        return Saved(
            tokens=sum(work.tokens - now.usage.total_tokens for work, now in pairs),
            cost_usd=sum(work.cost_usd - (now.usage.cost_usd or 0.0) for work, now in pairs),
            elapsed_ms=sum(work.elapsed_ms - now.elapsed_ms for work, now in pairs),
        )


def _work_from(value: dict[str, Any]) -> Work:
    definitions = tuple(Definition(**one) for one in value.pop("definitions"))
    return Work(definitions, **value)


@dataclass(frozen=True)
class Earlier:
    """A finished file, as far as another run can take it over."""

    path: Path
    meta: Mapping[str, str]
    outcomes: Mapping[str, Outcome]
    """By node."""
    shapes: Mapping[str, Shape]
    """By table."""
    tables: tuple[str, ...]
    """All of them, those of the engine and of checks too."""

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """The prompt of each prompt node."""
        return json.loads(self.meta["node_prompts"])

    def has(self, node: str) -> bool:
        """Says whether the node has passed, in this run or in one that it took over."""
        outcome = self.outcomes.get(node)
        return outcome is not None and outcome.status in ("passed", "reused")

    def takeover(self, steps: Mapping[str, Step]) -> Takeover:
        """Returns what a run takes over that does this."""
        written = self._written()
        return Takeover(
            file=self.path.name,
            run_id=json.loads(self.meta["run"])["id"],
            steps=steps,
            works={
                node: _work(outcome, self.prompts.get(node), written.get(node))
                for node, outcome in self.outcomes.items()
                if outcome.kind != "source" and self.has(node)
            },
            shapes=self.shapes,
            files={node: outcome.files for node, outcome in self.outcomes.items() if outcome.files},
        )

    def _written(self) -> Mapping[str, Work]:
        text = self.meta.get("rerun")
        return Takeover.from_json(text).works if text else {}


def _work(outcome: Outcome, prompt: str | None, written: Work | None) -> Work:
    """Returns a node's work; what was reused cost what it had cost when it was written."""
    if written and outcome.status == "reused":
        return replace(written, definitions=outcome.definitions, prompt=prompt)
    usage = outcome.usage
    return Work(
        definitions=outcome.definitions,
        prompt=prompt,
        last_words=outcome.last_words,
        tokens=usage.total_tokens,
        cost_usd=usage.cost_usd or 0.0,
        elapsed_ms=outcome.elapsed_ms,
    )


def read_earlier(path: Path) -> Earlier:
    """Reads what there is to take over from a finished file, which is only read.

    Raises:
        WorkspaceError: there is no such file, it is in use, its run has not ended, or Taskgraph did
            not write it.
    """
    with asking(path) as ask:
        meta = read_meta(ask, path)
        if "structure" not in meta:
            raise WorkspaceError(
                f"{str(path)!r} does not say how its spec is built: an older Taskgraph wrote it",
                hint="Run its spec once more: taskgraph run.",
            )
        if meta["status"] not in ("passed", "failed"):
            raise WorkspaceError(
                f"the run of {str(path)!r} has not ended: {meta['status']}",
                hint="Go on with it first: taskgraph resume.",
            )
        outcomes = {outcome.node: outcome for outcome in read_outcomes(ask)}
        shapes = _shapes(ask(_COLUMNS), outcomes.values())
        return Earlier(path, meta, outcomes, shapes, tuple(name for (name,) in ask(_TABLES)))


_COLUMNS = """
    SELECT table_name, column_name, data_type FROM duckdb_columns()
    WHERE NOT internal ORDER BY table_name, column_index
"""
_TABLES = "SELECT table_name FROM duckdb_tables() WHERE NOT internal"


def _shapes(rows: Iterable[Row], outcomes: Iterable[Outcome]) -> Mapping[str, Shape]:
    columns: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        columns.setdefault(table, {})[column] = kind
    return {
        table: Shape(count, columns[table])
        for outcome in outcomes
        for table, count in outcome.tables
        if table in columns
    }
