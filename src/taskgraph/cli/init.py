"""`taskgraph init`: a project that runs at once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from taskgraph.cli.settings import option
from taskgraph.errors import OutputError

_SCAFFOLD: Mapping[str, str] = {
    "pyproject.toml": "pyproject.toml",
    "specs/main.py": "specs/main.py",
    "data/orders.csv": "data/orders.csv",
    "data/payments.csv": "data/payments.csv",
    # Under other names in the package: there, git would take these two at their word.
    ".env": "env",
    ".gitignore": "gitignore",
    "SPEC_GUIDE.md": "SPEC_GUIDE.md",
}
"""File of the project to file of the package."""
_NEVER_REPLACED = ("pyproject.toml", ".env")
"""What a person has put into these stands nowhere else."""


@click.command("init")
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@option("force", "-f", is_flag=True, help="Replace files, but no pyproject.toml and no .env.")
def command(directory: Path, *, force: bool) -> None:
    """Start a project in DIRECTORY: a spec that runs at once, its data, and the guide.

    Existing files are kept.
    """
    for name, origin in _SCAFFOLD.items():
        path = directory / name
        if path.exists() and (name in _NEVER_REPLACED or not force):
            click.echo(f"kept   {path}")
        else:
            _write(path, origin)
            click.echo(f"wrote  {path}")
    if ".env" not in (directory / ".gitignore").read_text(encoding="utf-8").splitlines():
        click.echo("Add a line `.env` to .gitignore: the file is for keys.", err=True)
    elsewhere = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    click.echo(f"\nNext:  {elsewhere}taskgraph run")


def _write(path: Path, origin: str) -> None:
    content = files("taskgraph.cli").joinpath("scaffold", *origin.split("/")).read_bytes()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
