"""The spec of an earlier file: as it is, as git has it, or as the file itself has it."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from taskgraph.cli.ending import write_line
from taskgraph.cli.project import Project
from taskgraph.embedded import files_of, read_embedded, write_files
from taskgraph.errors import SettingsError, UserError, WorkspaceError
from taskgraph.loader import load_spec
from taskgraph.provenance import git, texts_from_json, texts_of
from taskgraph.spec import Spec


class Kept(Protocol):
    """A file of a run, finished or not, which keeps the spec that it was made from."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    @property
    def meta(self) -> Mapping[str, str]:
        """Its `_workspace_meta`."""
        ...


@contextmanager
def spec_of(earlier: Kept, named: str | None, project: Project) -> Generator[Spec]:
    """Gives the spec that a rerun or a resume runs, and says where it is from.

    Args:
        earlier: the earlier file.
        named: the module or file that a person names; None for the spec of the earlier file.
        project: its folder is looked in after the working directory.

    Raises:
        SettingsError: there is no such spec.
        SpecError: it has problems.
        WorkspaceError: the spec of the earlier file cannot be had as it was.
    """
    if named:
        yield load_spec(named, directory=Path.cwd())
        return
    recorded: Mapping[str, Any] = json.loads(earlier.meta["spec"])
    target: str | None = recorded["module"] or recorded["file"]
    if target is None:
        raise WorkspaceError(
            f"the spec of {str(earlier.path)!r} was built in memory",
            hint="Name the one to run: --spec.",
        )
    spec, why = _as_it_is(target, earlier, project)
    if spec:
        _say(f"Spec: {target}, as it was.")
        yield spec
        return
    with TemporaryDirectory(prefix="taskgraph-spec-") as folder:
        with _from_git(target, earlier, Path(folder) / "tree") as spec:
            if spec:
                commit = recorded["git"]["commit"][:10]
                _say(f"Spec: {target} {why}, so it is taken from its git commit {commit}.")
                yield _put_back(spec, recorded)
                return
        spec = _embedded(earlier, Path(folder))
        _say(f"Spec: {target} {why}, so it is taken from {earlier.path.name}.")
        yield _put_back(spec, recorded)


def _say(text: str) -> None:
    write_line(text, sys.stderr)


def _is_recorded(spec: Spec, earlier: Kept) -> bool:
    return texts_of(spec) == texts_from_json(earlier.meta["spec"])


def _as_it_is(target: str, earlier: Kept, project: Project) -> tuple[Spec | None, str]:
    """Returns the spec if it is the recorded one, and otherwise what has become of it."""
    why = "is not there"
    for directory in dict.fromkeys((Path.cwd(), project.directory)):
        try:
            spec = load_spec(target, directory=directory)
        except SettingsError:
            continue
        except UserError:
            why = "no longer loads"
            continue
        if _is_recorded(spec, earlier):
            return spec, ""
        why = f"has changed since {earlier.path.name}"
    return None, why


@contextmanager
def _from_git(target: str, earlier: Kept, tree: Path) -> Generator[Spec | None]:
    """Gives the spec from a worktree at the recorded commit, None where that has it not."""
    recorded: Mapping[str, Any] = json.loads(earlier.meta["spec"])
    here = Path.cwd()
    prefix = git(here, "rev-parse", "--show-prefix")
    commit = recorded["git"] and recorded["git"]["commit"]
    if prefix is None or not commit:
        yield None
        return
    if git(here, "worktree", "add", "--detach", str(tree), commit) is None:
        yield None
        return
    try:
        spec = _loaded(target, tree / prefix)
        yield spec if spec and _is_recorded(spec, earlier) else None
    finally:
        git(here, "worktree", "remove", "--force", str(tree))


def _loaded(target: str, directory: Path) -> Spec | None:
    try:
        return load_spec(target, directory=directory)
    except UserError:
        return None


def _embedded(earlier: Kept, folder: Path) -> Spec:
    embedded = read_embedded(earlier.path)
    file = folder / embedded.path
    write_files(files_of(embedded, file), replace=True)
    try:
        spec = load_spec(str(file), directory=Path.cwd())
    except UserError as error:
        raise _not_as_it_was(earlier, str(error)) from error
    if not _is_recorded(spec, earlier):
        raise _not_as_it_was(earlier, "what it imports from beside it has changed since")
    return spec


def _not_as_it_was(earlier: Kept, why: str) -> WorkspaceError:
    return WorkspaceError(
        f"the spec of {str(earlier.path)!r} cannot be had as it was: {why}",
        hint="Name the spec to run: --spec. Runs with --embed-imports keep what it imports.",
    )


def _put_back(spec: Spec, recorded: Mapping[str, Any]) -> Spec:
    """Lets a spec that was loaded from elsewhere find its data where they are."""
    file: str = recorded["file"]
    origin = replace(
        spec.origin,
        module=recorded["module"],
        file=file,
        directory=str(Path.cwd().joinpath(file).parent),
        loaded_from=spec.origin.directory,
    )
    return replace(spec, origin=origin)
