"""Spec modules with and without a file, and the nodes that most of the loader's tests start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, TypeAlias

import pytest

from taskgraph.errors import SpecError
from taskgraph.loader import read_spec_module
from taskgraph.spec import Spec, SpecOrigin

Given: TypeAlias = dict[str, Any]

ORDERS: Given = {"name": "orders", "source": [{"id": 1, "amount": 2.5}]}
RATES: Given = {"name": "rates", "source": [{"currency": "EUR"}]}


def match(**fields: Any) -> Given:
    """A right SQL node on ORDERS, with these fields set or replaced."""
    sql = "CREATE VIEW match_all AS FROM orders"
    return {"name": "match", "depends_on": ["orders"], "sql": sql} | fields


def ask(**fields: Any) -> Given:
    """A right prompt node on ORDERS, with these fields set or replaced."""
    return {"name": "ask", "depends_on": ["orders"], "prompt": "Do it."} | fields


def read(**declared: Any) -> Spec:
    """Reads a module that declares this."""
    module = ModuleType("spec")
    vars(module).update(declared)
    origin = SpecOrigin(module=None, file="spec.py", source=None, directory=None)
    return read_spec_module(module, origin)


def problems(**declared: Any) -> list[str]:
    """Returns the problems of a module that declares this; none where it is right."""
    try:
        read(**declared)
    except SpecError as error:
        return [str(problem) for problem in error.problems]
    return []


def table(cases: Mapping[str, tuple[Any, ...]]) -> list[Any]:
    """Returns cases for `parametrize`, each with its name as id."""
    return [pytest.param(*case, id=name) for name, case in cases.items()]


def write(folder: Path, files: dict[str, str]) -> Path:
    """Writes files below a folder, and returns the folder."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
    return folder
