"""`taskgraph diff`: what differs between the files of two runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from taskgraph.cli.conduct import FILE
from taskgraph.cli.diff_lines import comparison_lines
from taskgraph.cli.diff_markdown import comparison_markdown
from taskgraph.cli.ending import ExitCode
from taskgraph.cli.json_lines import SCHEMA_VERSION
from taskgraph.cli.pager import write_paged
from taskgraph.cli.settings import option
from taskgraph.cli.width import width_of
from taskgraph.diff import Comparison, Keys, compare


@click.command("diff")
@click.argument("one", metavar="A", type=FILE)
@click.argument("other", metavar="B", type=FILE)
@option(
    "key",
    multiple=True,
    help="Match rows by these columns: `id`, `name,day`, or `orders:id` for one table.",
    show_default="compare whole rows",
)
@option("json", "as_json", is_flag=True, help="Write JSON.")
@option("md", is_flag=True, help="Write Markdown.")
@option("exit-code", is_flag=True, help="End with 1 if there is a difference.")
def command(
    one: Path, other: Path, key: tuple[str, ...], *, as_json: bool, md: bool, exit_code: bool
) -> ExitCode:
    """Show what differs between the .db files of two runs.

    Sources, tables and their rows, the SQL of views, prompts, checks, and what it cost. Another
    cost alone is no difference.
    """
    if as_json and md:
        raise click.UsageError("--json and --md exclude one another.")
    comparison = compare(one, other, _keys(key))
    write_paged(_lines(comparison, as_json=as_json, md=md))
    differs = exit_code and not comparison.is_equal
    return ExitCode.FAILED if differs else ExitCode.PASSED


def _lines(comparison: Comparison, *, as_json: bool, md: bool) -> Iterable[str]:
    if as_json:
        return [json.dumps(_json(comparison), indent=2)]
    if md:
        return comparison_markdown(comparison)
    return comparison_lines(comparison, width_of(sys.stdout))


def _keys(given: Iterable[str]) -> Keys:
    everywhere: tuple[str, ...] = ()
    tables: dict[str, tuple[str, ...]] = {}
    for text in given:
        table, colon, columns = text.rpartition(":")
        names = tuple(name.strip() for name in columns.split(",") if name.strip())
        if not names or (colon and not table) or (not colon and everywhere):
            raise click.UsageError(
                f"--key {text!r}: write columns, as in `id` or `name,day`, once; or a table with its "
                "columns, as in `orders:id`."
            )
        if colon:
            tables[table.strip()] = names
        else:
            everywhere = names
    return Keys(everywhere, tables)


def _json(comparison: Comparison) -> Mapping[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "equal": comparison.is_equal,
        **asdict(comparison),
        "tables": [{**asdict(table), "equal": table.is_equal} for table in comparison.tables],
    }
