"""The first user message of an agent: its task, and everything that it needs to know for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import cleandoc

from taskgraph.agent.earlier_work import EarlierWork, earlier_text
from taskgraph.agent.inputs import Upstream, inputs_text
from taskgraph.agent.rendering import cut
from taskgraph.database import fold
from taskgraph.llm.limits_told import calls_allowed
from taskgraph.spec import Check, OutputView

INPUTS_CHARACTERS = 40_000
"""Characters that the description of everything readable may take, about 11,000 tokens."""
_CHECK_CHARACTERS = 6_000


@dataclass(frozen=True, slots=True)
class AgentBrief:
    """Everything that the first message says."""

    node: str
    prompt: str
    required: tuple[OutputView, ...]
    checks: tuple[Check, ...]
    upstream: tuple[Upstream, ...]
    """Nearest first."""
    max_iterations: int
    not_owned: tuple[str, ...] = ()
    """Nodes whose names start with this node's name and `_`: their prefixes are theirs."""
    earlier: EarlierWork | None = None


def brief_text(brief: AgentBrief, inputs_characters: int = INPUTS_CHARACTERS) -> str:
    """Returns the first user message.

    Args:
        brief: what it says.
        inputs_characters: what the description of everything readable may take; where it is not
            enough, samples, then SQL, then columns are cut, and it says how to see them.
    """
    sections = [
        _section(f"Your task: node `{brief.node}`", cleandoc(brief.prompt)),
        _section("What you may create", _may_create(brief)),
        _section("What must stand at the end", _required(brief)),
        _section("What you can read", inputs_text(brief.upstream, inputs_characters)),
    ]
    if brief.earlier:
        sections.append(
            _section("What an earlier run made of this task", earlier_text(brief.earlier))
        )
    return "\n\n".join(sections)


def _section(title: str, text: str) -> str:
    return f"# {title}\n{text}"


def _may_create(brief: AgentBrief) -> str:
    prefix = f"{brief.node}_"
    names = [view.name for view in brief.required]
    others = [name for name in names if not fold(name).startswith(fold(prefix))]
    lines = [f"Views and macros whose names start with `{prefix}`{_or_one_of(others)}."]
    reserved = [f"`{node}_`" for node in brief.not_owned]
    if reserved:
        lines.append(f"Names that start with {', '.join(reserved)} belong to other nodes.")
    lines.append(calls_allowed(brief.max_iterations))
    return "\n".join(lines)


def _or_one_of(names: Sequence[str]) -> str:
    return f", or a view named {', '.join(f'`{name}`' for name in names)}" if names else ""


def _required(brief: AgentBrief) -> str:
    views = [_required_view(view) for view in brief.required]
    checks = [_check(check) for check in brief.checks]
    if not views and not checks:
        return "Nothing is required by name: leave what the task asks for."
    return "\n".join([*views, *checks])


def _required_view(view: OutputView) -> str:
    columns = [
        f"{name} {kind}" if kind else f"{name} (any type)" for name, kind in view.columns.items()
    ]
    with_columns = f" with at least the columns {', '.join(columns)}" if columns else ""
    return f"- view `{view.name}`{with_columns}"


def _check(check: Check) -> str:
    rule = "no row may have the status fail" if check.style == "status" else "no row may come back"
    return f"- check `{check.name}`, {rule}:\n{_sql(check.query, _CHECK_CHARACTERS)}"


def _sql(text: str, max_characters: int) -> str:
    return f"```sql\n{cut(cleandoc(text), max_characters)}\n```"
