from __future__ import annotations

from dataclasses import replace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from builders import prompt, source, spec_of, sql
from taskgraph.cli.settings import SETTINGS, overridden, run_settings, run_settings_options, stated
from taskgraph.settings import RunSettings


@click.command()
@run_settings_options
@click.pass_context
def probe(ctx: click.Context, **_: Any) -> None:
    click.echo(repr(dict(stated(ctx))))


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(probe, arguments, env=environment)


def test_nothing_stated_leaves_the_defaults() -> None:
    assert invoke().output == "{}\n"
    assert run_settings({}, {}) == RunSettings()


FLAGS = {
    "model": (["-m", "a/b"], {"model": "a/b"}),
    "effort": (["--reasoning-effort", "high"], {"reasoning_effort": "high"}),
    "iterations": (["--max-iterations", "5"], {"max_iterations": 5}),
    "concurrency": (["--max-concurrency", "2"], {"max_concurrency": 2}),
    "cost": (["--max-cost", "1.5"], {"max_cost": 1.5}),
    "tokens": (["--max-tokens", "1000"], {"max_tokens": 1000}),
    "timeout": (["--query-timeout", "0.5"], {"query_timeout_s": 0.5}),
    "memory": (["--memory-limit", "4GB"], {"memory_limit": "4GB"}),
}


@pytest.mark.parametrize(("arguments", "expected"), FLAGS.values(), ids=FLAGS)
def test_flag_states_a_field_of_the_run_settings(
    arguments: list[str], expected: dict[str, object]
) -> None:
    assert invoke(*arguments).output == f"{expected}\n"
    assert run_settings({}, expected) == replace(RunSettings(), **expected)


@pytest.mark.parametrize("setting", SETTINGS, ids=[setting.option for setting in SETTINGS])
def test_every_setting_has_a_flag_a_variable_and_its_default_in_the_help(setting: Any) -> None:
    help_text = " ".join(invoke("--help").output.split())
    assert f"--{setting.option}" in help_text
    assert f"TASKGRAPH_{setting.key.upper()}" in help_text
    assert f"default: {getattr(RunSettings(), setting.field)}" in help_text or setting.without


def test_flag_goes_before_the_environment() -> None:
    assert invoke("-m", "flag", TASKGRAPH_MODEL="variable").output == "{'model': 'flag'}\n"
    assert invoke(TASKGRAPH_MODEL="variable").output == "{'model': 'variable'}\n"


def test_what_is_stated_goes_before_the_project() -> None:
    settings = run_settings({"model": "project", "max_cost": 2.0}, {"model": "flag"})
    assert (settings.model, settings.max_cost) == ("flag", 2.0)


WRONG = {
    "effort": (["--reasoning-effort", "max"], "'max' is not one of"),
    "none at once": (["--max-concurrency", "0"], "0 is not in the range x>=1"),
    "no number": (["--max-cost", "much"], "'much' is not a valid float"),
    "nothing to spend": (["--max-cost", "0"], "0.0 is not in the range x>0"),
    "nan": (["--max-cost", "nan"], "'nan' is not a finite number"),
    "endless": (["--query-timeout", "inf"], "'inf' is not a finite number"),
    "no unit": (["--memory-limit", "400"], "'400' is not a size such as 4GB"),
    "no memory": (["--memory-limit", "0GB"], "'0GB' is not a size such as 4GB"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_value_is_a_usage_error(arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert arguments[0] in result.stderr


def test_wrong_variable_is_named() -> None:
    assert "TASKGRAPH_MAX_TOKENS" in invoke(TASKGRAPH_MAX_TOKENS="x").stderr


def test_stated_setting_silences_what_prompt_nodes_say_of_it() -> None:
    spec = spec_of(
        source("items"), sql("a", depends_on=["items"]), prompt("b", model="own", max_cost=1.0)
    )
    items, a, b = overridden(spec, {"model": "flag", "max_cost": 5.0}).nodes
    assert (items, a) == spec.nodes[:2]
    assert b == prompt("b", model=None, max_cost=1.0)


def test_unstated_setting_leaves_nodes_their_own() -> None:
    spec = spec_of(prompt("b", model="own"))
    assert overridden(spec, {"max_cost": 5.0}) is spec
