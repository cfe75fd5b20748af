"""From a command's options to a plan, and the plan in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from taskgraph.cli.settings import option
from taskgraph.cli.text import short, styled
from taskgraph.earlier import Action, Earlier, read_earlier
from taskgraph.events import Status
from taskgraph.namespace import Names
from taskgraph.plan import Plan, plan_run
from taskgraph.rerun import Wishes, plan_part, plan_rerun
from taskgraph.selection import Selector
from taskgraph.spec import Spec

Function = TypeVar("Function", bound=Callable[..., Any])

_WORDS: Mapping[Action, str] = {
    "run": "RUN",
    "reuse": "REUSE",
    "review": "REVIEW",
    "keep": "KEEP",
    "leave": "LEAVE",
}
_SELECTION = (
    option("select", "-S", multiple=True, help="Only these nodes: match, +match, kind:prompt."),
    option("exclude", multiple=True, help="All but these nodes."),
)
_RERUN = (
    option(
        "mode",
        type=click.Choice(["validate", "review"]),
        default="validate",
        help="When agents see their earlier SQL: if it no longer holds, or always.",
    ),
    option("reingest", is_flag=True, help="Read the sources again."),
    option("allow-changes", is_flag=True, help="Run nodes afresh that are built otherwise."),
)


def selection_options(function: Function) -> Function:
    """Gives a command the options that select nodes."""
    for add in reversed(_SELECTION):
        function = add(function)
    return function


def rerun_options(function: Function) -> Function:
    """Gives a command the options that say how an earlier file is taken over."""
    for add in reversed(_RERUN):
        function = add(function)
    return function


@dataclass(frozen=True, slots=True)
class Choice:
    """Which nodes a person means, as written."""

    select: Sequence[str]
    exclude: Sequence[str]

    def of(self, spec: Spec, earlier: Earlier | None) -> frozenset[str] | None:
        """Returns the nodes that are meant; None where nothing was said.

        Raises:
            SettingsError: what was said means nothing.
        """
        if not self.select and not self.exclude:
            return None
        statuses: dict[str, Status] = {}
        if earlier:
            statuses = {name: outcome.status for name, outcome in earlier.outcomes.items()}
        graph = Names.of(spec.nodes).graph
        return Selector.of(spec, graph, statuses).chosen(self.select, self.exclude)


def planned_run(spec: Spec, choice: Choice, origin: Path | None) -> Plan:
    """Plans what `run` does.

    Raises:
        click.UsageError: a file is given to take nodes from, and all nodes are to run.
        SettingsError: the selection means nothing, or needs what it does not select.
    """
    earlier = read_earlier(origin) if origin else None
    chosen = choice.of(spec, earlier)
    if chosen is not None:
        return plan_part(spec, earlier, chosen)
    if earlier:
        raise click.UsageError("--from takes over what is not selected: say what is, by --select.")
    return plan_run(spec)


def planned_rerun(
    spec: Spec,
    earlier: Earlier,
    choice: Choice,
    mode: Literal["validate", "review"],
    *,
    reingest: bool,
    allow_changes: bool,
) -> Plan:
    """Plans what `rerun` does; raises what `plan_rerun` does."""
    wishes = Wishes(
        chosen=choice.of(spec, earlier),
        review=mode == "review",
        reingest=reingest,
        allow_changes=allow_changes,
    )
    return plan_rerun(spec, earlier, wishes)


def plan_lines(spec: Spec, plan: Plan) -> Iterator[str]:
    """Tells what happens to each node and why, in the order in which they can run."""
    width = max((len(node.name) for node in spec.nodes), default=0)
    for name in plan.names.graph.order:
        step = plan.steps[name]
        why = f"  ({short(step.why)})" if step.why else ""
        word = f"{styled(_WORDS[step.action], f'{_WORDS[step.action]:<6}')}"
        yield f"{word} {spec.node(name).kind:<6} {name:<{width}}{why}".rstrip()
    found = Counter(step.action for step in plan.steps.values())
    counts = " ".join(f"{word}={found[action]}" for action, word in _WORDS.items() if found[action])
    yield ""
    yield f"{counts} TOTAL={len(plan.steps)}   {_who_is_asked(plan)}"


def _who_is_asked(plan: Plan) -> str:
    if plan.needs_model:
        return "A model will be asked."
    if any(plan.work(name) for name in plan.nodes):
        return "A model is asked only where earlier SQL no longer holds."
    return "No model is asked."


def plan_json(spec: Spec, plan: Plan) -> Mapping[str, Any]:
    """Returns the plan as JSON values."""
    return {
        "earlier": plan.takeover.file if plan.takeover else None,
        "needs_model": plan.needs_model,
        "nodes": [
            {"name": name, "kind": spec.node(name).kind, "action": step.action, "why": step.why}
            for name, step in plan.steps.items()
        ],
    }
