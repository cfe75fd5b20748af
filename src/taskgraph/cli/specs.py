"""The spec that a command is about."""

from __future__ import annotations

from pathlib import Path

from taskgraph.cli.project import Project
from taskgraph.loader import load_spec
from taskgraph.spec import Spec


def load_project_spec(target: str | None, project: Project) -> Spec:
    """Loads the spec that a person names, or the project's.

    Args:
        target: a module or file, looked for from the working directory; None for the project's
            own, looked for from the project's folder.
        project: what `[tool.taskgraph]` says.

    Raises:
        SettingsError: there is no such spec.
        SpecError: it has problems.
    """
    directory = Path.cwd() if target else project.directory
    return load_spec(target, directory=directory, configured=project.spec)
