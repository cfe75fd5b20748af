"""What stands around a run: `[tool.taskgraph]` in `pyproject.toml`, `.env`, and the API key."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import click
import dotenv

from taskgraph.cli.settings import SETTINGS, Setting
from taskgraph.errors import SettingsError

KEY_VARIABLE = "OPENROUTER_API_KEY"
_TEXTS = ("spec",)
_SETTINGS = {setting.key: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Project:
    """What `[tool.taskgraph]` says."""

    directory: Path
    """Its `pyproject.toml`'s folder, from which its spec is looked for."""
    spec: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of `RunSettings` to values."""


def load_dotenv() -> None:
    """Adds to the environment what the nearest `.env` upward says and the environment does not.

    Raises:
        SettingsError: the file is not UTF-8 text.
    """
    path = dotenv.find_dotenv(usecwd=True)
    if not path:
        return
    try:
        dotenv.load_dotenv(path, override=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error


def api_key() -> str | None:
    """Returns the key, without the spaces and newlines that pasting brings; None if there is none."""
    return os.environ.get(KEY_VARIABLE, "").strip() or None


def read_project(start: Path) -> Project:
    """Reads the nearest `pyproject.toml` that has a `[tool.taskgraph]`, upward from a folder.

    Raises:
        SettingsError: a file cannot be read, or a key or a value is wrong.
    """
    for directory in (start, *start.parents):
        file = directory / "pyproject.toml"
        table = _table(file) if file.is_file() else None
        if table is not None:
            return _project(file, table)
    return Project(start)


def _table(file: Path) -> Mapping[str, Any] | None:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read {file}: {error}") from error
    table = content.get("tool", {}).get("taskgraph")
    if table is None or isinstance(table, dict):
        return cast("Mapping[str, Any] | None", table)
    raise SettingsError(f"tool.taskgraph in {file} is {table!r}: it must be a table")


def _project(file: Path, table: Mapping[str, Any]) -> Project:
    values = {key.replace("-", "_"): value for key, value in table.items()}
    for key in values:
        if key not in _SETTINGS and key not in _TEXTS:
            raise _unknown(file, key)
    return Project(
        directory=file.parent,
        spec=_text(file, values, "spec"),
        settings={
            setting.field: _value(file, setting, values[key])
            for key, setting in _SETTINGS.items()
            if key in values
        },
    )


def _unknown(file: Path, key: str) -> SettingsError:
    known = sorted([*_SETTINGS, *_TEXTS])
    nearest = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
    return SettingsError(f"unknown key {key!r} in [tool.taskgraph] of {file}", hint)


def _text(file: Path, values: Mapping[str, Any], key: str) -> str | None:
    value = values.get(key)
    if value is not None and not isinstance(value, str):
        raise _wrong(file, key, value, "it must be text")
    return value


def _value(file: Path, setting: Setting, value: object) -> object:
    # As text, so that TOML's `true` and `2.5` are no integers here, as they are none on a flag.
    try:
        return setting.type.convert(str(value), None, None)
    except click.BadParameter as error:
        raise _wrong(file, setting.key, value, error.message) from error


def _wrong(file: Path, key: str, value: object, why: str) -> SettingsError:
    return SettingsError(f"{key} = {value!r} in [tool.taskgraph] of {file}: {why}")
