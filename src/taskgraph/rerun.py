"""Plans over an earlier finished file: a rerun of its spec, and a run of some of its nodes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import cleandoc
from pathlib import Path

from taskgraph.compatibility import differences, incompatible
from taskgraph.database import fold
from taskgraph.earlier import Earlier, Step
from taskgraph.errors import SettingsError
from taskgraph.events import Outcome
from taskgraph.graph import Graph
from taskgraph.ingest.options import FileRequest, file_request, is_file_request, is_path
from taskgraph.ingest.paths import changed_since, told_missing
from taskgraph.llm.messages import NOTHING_USED
from taskgraph.namespace import Names
from taskgraph.plan import Plan, Seed, changed_nodes
from taskgraph.provenance import declared_path, texts_from_json, texts_of
from taskgraph.schema import check_table
from taskgraph.spec import Node, PromptNode, SourceNode, Spec, SqlNode


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants of a rerun, beside what follows from the spec and the file."""

    chosen: frozenset[str] | None = None
    """The nodes that are selected; None for all."""
    review: bool = False
    """Whether agents look at their earlier work even if it holds."""
    reingest: bool = False
    """Whether sources are read again."""
    allow_changes: bool = False
    """Whether nodes that are built otherwise run afresh, instead of refusing the spec."""


def plan_rerun(spec: Spec, earlier: Earlier, wishes: Wishes) -> Plan:
    """Plans to do again what an earlier run did, with models only where its SQL no longer holds.

    Args:
        spec: what is to run now.
        earlier: the earlier file.
        wishes: what a person wants.

    Raises:
        SpecError: the spec is built otherwise than that of the earlier file.
        SettingsError: what is selected needs a node that the earlier file has not.
    """
    scene = _Scene.of(spec, earlier, wishes)
    problems = {
        name: found
        for name, found in differences(spec, earlier.meta).items()
        if wishes.chosen is None or name in scene.in_scope
    }
    if problems and not wishes.allow_changes:
        told = [problem for found in problems.values() for problem in found]
        raise incompatible(spec, told, earlier.path.name)
    scene = replace(scene, rebuilt=frozenset(problems))
    return scene.plan({node.name: scene.rerun_step(node) for node in spec.nodes})


def plan_part(spec: Spec, earlier: Earlier | None, chosen: frozenset[str]) -> Plan:
    """Plans to run some nodes afresh, with all that they depend on taken from an earlier file.

    Raises:
        SettingsError: they need a node that is not selected and that the file has not, or has from
            another definition, or there is no file.
    """
    names = Names.of(spec.nodes)
    if earlier is None:
        needed = sorted(_with_all_above(names.graph, chosen) - chosen)
        if needed:
            raise SettingsError(
                f"what is selected needs {', '.join(needed)}, which is not selected",
                "Take that from an earlier run: --from FILE.db. Or select it as well: "
                f"{' '.join(f'--select +{name}' for name in sorted(chosen))}.",
            )
        steps = {node.name: _fresh(node, chosen) for node in spec.nodes}
        running = {node.name: node for node in spec.nodes if node.name in chosen}
        return Plan(running, names, steps)
    rebuilt = frozenset(differences(spec, earlier.meta))
    scene = replace(_Scene.of(spec, earlier, Wishes(chosen=chosen)), rebuilt=rebuilt)
    return scene.plan({node.name: scene.unselected(node.name) or _CHOSEN for node in spec.nodes})


_CHOSEN = Step("run", "selected")
_LEFT = Step("leave", "not selected")


def _fresh(node: Node, chosen: Collection[str]) -> Step:
    return _CHOSEN if node.name in chosen else _LEFT


@dataclass(frozen=True)
class _Scene:
    """What the steps follow from."""

    spec: Spec
    earlier: Earlier
    wishes: Wishes
    names: Names
    in_scope: frozenset[str]
    """The selected nodes and all that they depend on."""
    redefined: frozenset[str]
    """Nodes that are new, or defined otherwise than in the earlier file."""
    is_elsewhere: bool
    """Whether the spec is another file than the earlier one."""
    is_reworded: bool
    """Whether its text, or that of what it imports, is another one, or nobody can tell."""
    rebuilt: frozenset[str] = field(default=frozenset())
    """Nodes whose structure is another one."""

    @classmethod
    def of(cls, spec: Spec, earlier: Earlier, wishes: Wishes) -> _Scene:
        names = Names.of(spec.nodes)
        now, then = texts_of(spec), texts_from_json(earlier.meta["spec"])
        return cls(
            spec,
            earlier,
            wishes,
            names,
            in_scope=_with_all_above(names.graph, wishes.chosen),
            redefined=frozenset(changed_nodes(spec, earlier.meta)),
            is_elsewhere=spec.origin.file != json.loads(earlier.meta["spec"])["file"],
            is_reworded=now != then or now.source_sha256 is None,
        )

    @property
    def file(self) -> str:
        return self.earlier.path.name

    @property
    def directory(self) -> Path | None:
        """Where relative paths start; None for the working directory."""
        return Path(folder) if (folder := self.spec.origin.directory) else None

    def rerun_step(self, node: Node) -> Step:
        if step := self.unselected(node.name):
            return step
        match node:
            case SourceNode():
                return self._source_step(node)
            case SqlNode():
                return Step("run", self._missing(node) or self._sql(node))
            case PromptNode():
                return self._prompt_step(node)

    def unselected(self, name: str) -> Step | None:
        """Returns what happens to a node that is not selected; None for one that is."""
        if self.wishes.chosen is None or name in self.wishes.chosen:
            return None
        if name not in self.in_scope:
            return _LEFT
        return Step("keep", f"not selected, as in {self.file}")

    def _source_step(self, node: SourceNode) -> Step:
        request = _request(node)
        if why := self._why_read(node):
            missing = told_missing(request, self.directory) if request else None
            return Step("run", f"{why}; {missing}" if missing else why)
        recorded = self.earlier.outcomes[node.name].files
        changed = changed_since(request, self.directory, recorded) if request and recorded else ()
        return Step("reuse", f"data of {self.file}{_told_changed(changed)}")

    def _why_read(self, node: SourceNode) -> str | None:
        if why := self._missing(node):
            return why
        if self.wishes.reingest:
            return "--reingest"
        if node.name in self.redefined:
            return "source changed"
        return self._read_from_elsewhere(node)

    def _read_from_elsewhere(self, node: SourceNode) -> str | None:
        """Says why a source that is declared as it was may bring other data nevertheless."""
        if self.is_elsewhere:
            return "another spec"  # from whose folder relative paths start
        if self.is_reworded and declared_path(node) is None:
            return "spec changed"  # and so may have what its functions return
        return None

    def _prompt_step(self, node: PromptNode) -> Step:
        if why := self._missing(node):
            return Step("run", why)
        if self.wishes.review:
            return Step("review", "--mode review")
        then = self.earlier.prompts.get(node.name)
        if then is None:
            return Step("run", f"SQL in {self.file}")
        if cleandoc(then) != cleandoc(node.prompt):
            return Step("run", "prompt changed")
        return Step("reuse", "if its checks pass")

    def _missing(self, node: Node) -> str | None:
        outcome = self.earlier.outcomes.get(node.name)
        if outcome is None:
            return "new" if node.name in self.rebuilt else f"not in {self.file}"
        if not self.earlier.has(node.name):
            return f"{outcome.status} in {self.file}"
        return "built otherwise" if node.name in self.rebuilt else None

    def _sql(self, node: Node) -> str:
        return "changed" if node.name in self.redefined else "SQL"

    def plan(self, steps: Mapping[str, Step]) -> Plan:
        kept = {name: self._kept(name) for name, step in steps.items() if step.action == "keep"}
        running = [node for node in self.spec.nodes if steps[node.name].action not in _NOT_RUNNING]
        plan = Plan(
            nodes={node.name: node for node in running},
            names=self.names,
            steps=steps,
            kept=kept,
            takeover=self.earlier.takeover(steps),
        )
        return replace(plan, seed=Seed(self.earlier.path, (*plan.taken, *self._tables(kept))))

    def _kept(self, name: str) -> Outcome:
        if not self.earlier.has(name) or name in self.rebuilt:
            outcome = self.earlier.outcomes.get(name)
            how = f"is {outcome.status} there" if outcome else "is not there"
            what = "is built otherwise there" if name in self.rebuilt else how
            raise SettingsError(
                f"what is selected needs node {name!r}, which cannot be taken from {self.file}: "
                f"it {what}",
                f"Select it as well: --select {name}.",
            )
        outcome = self.earlier.outcomes[name]
        return replace(
            outcome,
            status="reused",
            started_at=None,
            elapsed_ms=0.0,
            usage=NOTHING_USED,
            model=None,
            iterations=0,
            tool_calls=0,
            why=f"not selected, as in {self.file}",
        )

    def _tables(self, kept: Mapping[str, Outcome]) -> list[str]:
        own = [name for outcome in kept.values() for name, _ in outcome.tables]
        marks = tuple(fold(check_table(node, "")) for node in kept)
        checks = [name for name in self.earlier.tables if fold(name).startswith(marks)]
        return [*own, *checks]


def _request(node: SourceNode) -> FileRequest | None:
    source = node.source
    return file_request(source) if is_path(source) or is_file_request(source) else None


def _told_changed(names: Sequence[str]) -> str:
    match names:
        case ():
            return ""
        case (one,):
            return f"; {one} has changed since: --reingest"
        case _:
            return f"; {names[0]} and {len(names) - 1} more have changed since: --reingest"


_NOT_RUNNING = frozenset({"keep", "leave"})


def _with_all_above(graph: Graph, chosen: frozenset[str] | None) -> frozenset[str]:
    if chosen is None:
        return frozenset(graph.dependencies)
    return chosen | {above for name in chosen for above in graph.ancestors(name)}
