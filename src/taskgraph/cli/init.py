"""`taskgraph init`: a project that runs at once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from taskgraph.cli.settings import option
from taskgraph.errors import OutputError, SettingsError
from taskgraph.wording import counted

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
_PACKAGE = files("taskgraph.cli")
_EXAMPLES = _PACKAGE.joinpath("examples")
_MADE = ("__pycache__", "runs")
"""Folders that running an example makes."""
_FIRST_COMMAND = re.compile(r"^(?:    |\$ )(?:uv run )?(taskgraph run .*)", re.MULTILINE)


@click.command("init")
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@option("example", help="Copy this example instead; a part of its name will do.")
@option("force", "-f", is_flag=True, help="Replace files, but no pyproject.toml and no .env.")
def command(directory: Path, example: str | None, *, force: bool) -> None:
    """Start a project in DIRECTORY: a spec that runs at once, its data, and the guide.

    Existing files are kept.
    """
    if example is not None:
        _copy_example(directory, _named(example), force=force)
        return
    for name, origin in _SCAFFOLD.items():
        path = directory / name
        if path.exists() and (name in _NEVER_REPLACED or not force):
            click.echo(f"kept   {path}")
        else:
            _write(path, _PACKAGE.joinpath("scaffold", *origin.split("/")))
            click.echo(f"wrote  {path}")
    if ".env" not in (directory / ".gitignore").read_text(encoding="utf-8").splitlines():
        click.echo("Add a line `.env` to .gitignore: the file is for keys.", err=True)
    _next(directory, "taskgraph run")


def _copy_example(directory: Path, name: str, *, force: bool) -> None:
    """Copies an example below `examples`, where its README's commands find it."""
    paths = list(_files(_EXAMPLES.joinpath(name), name))
    folder = directory / "examples"
    kept = [path for path in paths if (folder / path).exists() and not force]
    for path in paths:
        if path not in kept:
            _write(folder / path, _EXAMPLES.joinpath(*path.parts))
    for path in kept:
        click.echo(f"kept   {folder / path}")
    click.echo(f"wrote  {folder / name}: {counted(len(paths) - len(kept), 'file')}")
    readme = _EXAMPLES.joinpath(name, "README.md").read_text(encoding="utf-8")
    _next(directory, _FIRST_COMMAND.findall(readme)[0])


def _named(part: str) -> str:
    """Returns the example that a part of its name stands for.

    Raises:
        SettingsError: there is none, or more than one.
    """
    names = sorted(one.name for one in _EXAMPLES.iterdir() if one.joinpath("README.md").is_file())
    found = [name for name in names if part in name]
    if len(found) != 1:
        raise SettingsError(f"no one example is called {part!r}", f"There are {', '.join(names)}.")
    return found[0]


def _files(folder: Traversable, name: str) -> Iterator[Path]:
    """The files of an example, and the modules beside it that it imports; from `examples` on."""
    texts: list[str] = []
    for path in _walked(folder, Path(name)):
        yield path
        if path.suffix == ".py":
            texts.append(_EXAMPLES.joinpath(*path.parts).read_text(encoding="utf-8"))
    for module in _EXAMPLES.iterdir():
        stem = module.name.removesuffix(".py")
        if module.name.endswith(".py") and any(f"from {stem} import" in text for text in texts):
            yield Path(module.name)


def _walked(folder: Traversable, path: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_file():
            yield path / entry.name
        elif entry.name not in _MADE:
            yield from _walked(entry, path / entry.name)


def _next(directory: Path, command: str) -> None:
    elsewhere = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    click.echo(f"\nNext:  {elsewhere}{command}")


def _write(path: Path, origin: Traversable) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(origin.read_bytes())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
