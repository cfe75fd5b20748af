"""The import rows of DESIGN section 6: a module imports only from a smaller row."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "taskgraph"
ROWS: tuple[tuple[str, ...], ...] = (
    ("errors", "frames", "identifiers", "scheduler", "wording"),
    ("duckdb_errors", "redaction", "engine", "held_names", "worker", "result"),
    ("spec", "graph", "database", "llm.messages"),
    ("sql_text", "sql_tree", "schema", "transfer"),
    ("sql", "settings", "events", "llm.model", "namespace"),
    ("guard_policy", "llm"),
    ("catalog", "evidence", "ingest", "guard", "trace", "output", "agent.prompts", "provenance"),
    ("parts", "report"),
    (
        "loader",
        "literals",
        "validate",
        "materialise",
        "export",
        "agent",
        "recorded",
        "meta",
        "testing",
        "watch",
    ),
    ("earlier", "selection", "compatibility"),
    ("plan", "playback", "embedded", "diff", "page", "scoring"),
    ("definitions", "rerun"),
    ("resume",),
    ("tally",),
    ("finish",),
    ("workshop",),
    ("reuse",),
    ("agent_node",),
    ("nodes",),
    ("progress",),
    ("runner",),
    ("evaluation",),
    ("answering",),
    ("api",),
    ("cli", "__init__"),
    ("__main__",),
)


def _row(module: str) -> int:
    """The row of a module, or of the nearest package above it that has one."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        for number, row in enumerate(ROWS):
            if name in row:
                return number
    raise AssertionError(f"module {module!r} stands in no row: give it one")


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _imported(path: Path) -> set[str]:
    """Our own modules that a file imports at run time."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.update(_imported_from(node.module, {alias.name for alias in node.names}))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {
        name.removeprefix("taskgraph.") if name != "taskgraph" else "__init__"
        for name in found
        if name.split(".")[0] == "taskgraph"
    }


def _imported_from(module: str, names: set[str]) -> set[str]:
    """`from package import sibling` is an import of the sibling, not of the package."""
    folder = PACKAGE.joinpath(*module.split(".")[1:])
    siblings = {name for name in names if (folder / f"{name}.py").exists()}
    whole = {module} if names - siblings else set[str]()
    return whole | {f"{module}.{name}" for name in siblings}


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=[_module(path) for path in MODULES])
def test_module_imports_only_from_smaller_rows(path: Path) -> None:
    module = _module(path)
    family = module.split(".")[0]
    wrong = {
        other
        for other in _imported(path)
        if other.split(".")[0] != family and _row(other) >= _row(module)
    }
    assert not wrong, f"{module} (row {_row(module)}) imports {wrong}"


def test_no_import_cycle() -> None:
    edges = {_module(path): _imported(path) for path in MODULES}
    visiting: list[str] = []
    done: set[str] = set()

    def visit(module: str) -> None:
        assert module not in visiting, f"cycle: {' -> '.join([*visiting, module])}"
        if module in done:
            return
        visiting.append(module)
        for other in edges.get(module, set()):
            visit(other)
        done.add(visiting.pop())

    for module in edges:
        visit(module)


FOREIGN = {
    "duckdb": {
        "duckdb_errors",
        "engine",
        "result",
        "database",
        "transfer",
        "sql",
        "sql_text",
        "ingest",
    },
    "httpx": {"llm.openrouter"},
    "click": {"cli"},
    "rich": {"cli"},
    "jinja2": {"page"},
    "sqlglot": {"page"},
}


@pytest.mark.parametrize("library", FOREIGN)
def test_foreign_library_has_one_home(library: str) -> None:
    homes = FOREIGN[library]
    users = {
        _module(path)
        for path in MODULES
        if any(
            alias == library or alias.startswith(f"{library}.")
            for node in ast.walk(ast.parse(path.read_text()))
            for alias in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [one.name for one in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        )
    }
    strangers = {
        user for user in users if not any(user == h or user.startswith(f"{h}.") for h in homes)
    }
    assert not strangers
