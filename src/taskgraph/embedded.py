"""The spec that a `.db` holds, with what it imported from beside it, as files that run again."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from taskgraph.errors import OutputError, WorkspaceError
from taskgraph.provenance import source_bytes, texts_from_json
from taskgraph.report import asking, read_meta


@dataclass(frozen=True, slots=True)
class EmbeddedSpec:
    """A spec as it was run."""

    source: str
    path: PurePosixPath
    """Where its file stood below the folder from which it was imported."""
    imports: Mapping[str, str]
    """What it had imported from beside it: path, below that folder as well, to text."""
    missing: tuple[str, ...]
    """Modules that it had imported and whose texts were not kept."""


def read_embedded(file: Path) -> EmbeddedSpec:
    """Reads the spec from a run's file.

    Raises:
        WorkspaceError: there is no such file, no run wrote it, or it holds no source.
    """
    with asking(file) as ask:
        meta = read_meta(ask, file)
    origin: dict[str, Any] = json.loads(meta["spec"])
    path = origin["import_path"]
    if not meta["spec_source"] or path is None:
        raise WorkspaceError(
            f"{str(file)!r} holds no spec: it was built in memory, from no file",
            hint="The program that built it has it. The SQL of the nodes is in _view_definitions.",
        )
    imports: dict[str, str] = json.loads(meta["spec_imports"])
    _demand_inside(file, imports)
    return EmbeddedSpec(
        source=meta["spec_source"],
        path=PurePosixPath(path),
        imports=imports,
        missing=() if imports else tuple(texts_from_json(meta["spec"]).neighbours),
    )


def files_of(spec: EmbeddedSpec, target: Path) -> Mapping[Path, bytes]:
    """Says what stands where once the spec is in `target`, so that it finds what it imports.

    Raises:
        OutputError: it imports relative to its package, and `target` is in no such package.
    """
    depth = len(spec.path.parts)
    fits = target.absolute().parts[-depth:] == spec.path.parts
    if not fits and _imports_relatively(spec.source):
        raise OutputError(
            f"the spec imports relative to its package, and {str(target)!r} is not in it",
            hint=f"Extract it to a path that ends in {spec.path}.",
        )
    folder = target.absolute().parents[depth - 1] if fits else target.parent
    return {
        **{folder / path: source_bytes(text) for path, text in spec.imports.items()},
        target: source_bytes(spec.source),
    }


def write_files(files: Mapping[Path, bytes], *, replace: bool) -> None:
    """Writes all files, or none where one is in the way.

    Raises:
        OutputError: a file exists with another content, or one cannot be written.
    """
    in_the_way = [
        str(path)
        for path, content in files.items()
        if path.exists() and (path.is_dir() or path.read_bytes() != content)
    ]
    if in_the_way and not replace:
        raise OutputError(
            f"{', '.join(map(repr, in_the_way))} exists, and is another text",
            hint="Choose another path, or replace what is there with --force.",
        )
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"cannot write {error.filename!r}: {error.strerror}") from error


def _demand_inside(file: Path, paths: Iterable[str]) -> None:
    """Makes sure that nothing is written elsewhere: the file may come from a stranger."""
    for path in map(PurePosixPath, paths):
        if path.is_absolute() or ".." in path.parts or path.suffix != ".py":
            raise WorkspaceError(
                f"{str(file)!r} has {str(path)!r} beside its spec: that is refused"
            )


def _imports_relatively(source: str) -> bool:
    tree = ast.parse(source.removeprefix("\ufeff"))
    return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
