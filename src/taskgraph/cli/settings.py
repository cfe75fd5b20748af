"""The run's settings as options: flag > environment > spec > `[tool.taskgraph]` > default.

click reads flags and the environment, `project` reads `pyproject.toml`, `RunSettings` has the
defaults, and a spec speaks through its prompt nodes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

import click
from click.core import ParameterSource

from taskgraph.settings import LEAST_THREADS, RunSettings
from taskgraph.spec import PromptNode, ReasoningEffort, Spec

Function = TypeVar("Function", bound=Callable[..., Any])


class _Positive(click.FloatRange):
    """A finite number above zero."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):  # `nan` passes every comparison of a range
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class _Memory(click.types.StringParamType):
    """An amount of memory as DuckDB reads it."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not re.fullmatch(r"\d*[1-9]\d*(\.\d+)?\s*([KMGT]i?B|%)", value, re.IGNORECASE):
            self.fail(f"{value!r} is not a size such as 4GB, 512MiB or 50%.", param, ctx)
        return value


@dataclass(frozen=True, slots=True)
class Setting:
    """One of the run's settings, wherever it is stated."""

    option: str
    field: str
    """Name in `RunSettings`."""
    type: click.ParamType[Any]
    help: str
    short: str | None = None
    without: str | None = None
    """What holds where nothing is stated and the default does not say."""

    @property
    def key(self) -> str:
        """Name among a command's parameters and in `[tool.taskgraph]`."""
        return self.option.replace("-", "_")


_EFFORTS = click.Choice(get_args(ReasoningEffort))
_COUNT = click.IntRange(min=1)
_THREADS = click.IntRange(min=LEAST_THREADS)
_NO_LIMIT = "no limit"
SETTINGS = (
    Setting("model", "model", click.STRING, "Model that answers prompt nodes.", short="-m"),
    Setting("base-url", "base_url", click.STRING, "Any server of chat completions."),
    Setting("reasoning-effort", "reasoning_effort", _EFFORTS, "How hard the model thinks."),
    Setting("max-iterations", "max_iterations", _COUNT, "Model calls per prompt node."),
    Setting("max-concurrency", "max_concurrency", _COUNT, "Nodes that run at once."),
    Setting("max-cost", "max_cost", _Positive(), "US dollars for the run.", without=_NO_LIMIT),
    Setting("max-tokens", "max_tokens", _COUNT, "Tokens for the run.", without=_NO_LIMIT),
    Setting("query-timeout", "query_timeout_s", _Positive(), "Seconds per agent's statement."),
    Setting("memory-limit", "memory_limit", _Memory(), "Memory for DuckDB.", without="60%"),
    Setting("threads", "threads", _THREADS, "Threads for DuckDB.", without="one per core"),
    Setting(
        "embed-imports",
        "embed_imports",
        click.BOOL,
        "Keep in the .db what the spec imports from beside it, for extract-spec.",
        without="no",
    ),
)
_OF_A_NODE = frozenset({"model", "reasoning_effort", "max_iterations"})
"""What a prompt node may say for itself. Its budgets are not among them: they are other limits
than the run's, and hold beside them."""


def option(name: str, *short: str, **attributes: Any) -> Callable[[Function], Function]:
    """Declares `--name` with its environment variable; the help shows that and the default."""
    variable = f"TASKGRAPH_{name.upper().replace('-', '_')}"
    attributes = {"show_default": True, **attributes}
    return click.option(*short, f"--{name}", envvar=variable, show_envvar=True, **attributes)


def spec_option(function: Function) -> Function:
    """Gives a command the option that names a spec."""
    discovered = "[tool.taskgraph].spec or specs.main"
    return option("spec", "-s", help="Module or file.", show_default=discovered)(function)


def run_settings_options(function: Function) -> Function:
    """Gives a command an option for each of the run's settings."""
    return settings_options_without()(function)


def settings_options_without(*names: str) -> Callable[[Function], Function]:
    """Gives a command the options of `run`, but for those that it has in a form of its own."""

    def add(function: Function) -> Function:
        for setting in reversed(SETTINGS):
            if setting.option not in names:
                function = _setting_option(setting, setting.without or True)(function)
        return function

    return add


def resume_settings_options(function: Function) -> Function:
    """Gives a command the same options, each with what the run had as its default."""
    for setting in reversed(SETTINGS):
        function = _setting_option(setting, "as the run had it")(function)
    return function


def _setting_option(setting: Setting, shown: str | bool) -> Callable[[Function], Function]:
    return option(
        setting.option,
        *([setting.short] if setting.short else []),
        type=setting.type,
        is_flag=setting.type is click.BOOL,
        default=getattr(RunSettings(), setting.field),
        show_default=shown,
        help=setting.help,
    )


def stated(ctx: click.Context) -> Mapping[str, Any]:
    """Returns the settings that flags and the environment state, as fields of `RunSettings`."""
    sources = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}
    return {
        setting.field: ctx.params[setting.key]
        for setting in SETTINGS
        if ctx.get_parameter_source(setting.key) in sources
    }


def run_settings(project: Mapping[str, Any], stated: Mapping[str, Any]) -> RunSettings:
    """Lays what is stated over what the project says, over the defaults."""
    return replace(RunSettings(), **{**project, **stated})


def overrides(stated: Collection[str]) -> tuple[str, ...]:
    """Returns which of the stated fields go before what a prompt node says for itself."""
    return tuple(sorted(_OF_A_NODE.intersection(stated)))


def overridden(spec: Spec, stated: Collection[str]) -> Spec:
    """Returns the spec without its nodes' own word on what a flag or the environment states."""
    silenced: dict[str, Any] = dict.fromkeys(overrides(stated))
    if not silenced:
        return spec
    return replace(
        spec,
        nodes=tuple(
            replace(node, **silenced) if isinstance(node, PromptNode) else node
            for node in spec.nodes
        ),
    )
