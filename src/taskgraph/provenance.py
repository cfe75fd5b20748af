"""Where a run came from: versions, the spec's text and its place in version control.

Nothing in here is an absolute path or a value of the environment: the `.db` is handed on.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from io import BytesIO
from pathlib import Path
from tokenize import detect_encoding
from typing import Any

from taskgraph.spec import Node, PromptNode, SourceNode, Spec

LOOSE_MODULE = "taskgraph_spec_"
"""Begins the module name of a spec that is a file in no package: a name that no other module has."""
_GIT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Commit:
    """The state of version control around a spec."""

    commit: str
    branch: str
    dirty: bool
    """Whether the spec's folder has changes that are not committed."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Hashes of the texts that a spec is made of."""

    source_sha256: str | None
    """The spec's own; None for one that was built in memory."""
    neighbours: Mapping[str, str]
    """By module, those that it had imported when it was loaded. Their texts are kept only if that
    is asked for: a helper is where a password would stand, and the `.db` is handed on."""


def spec_json(spec: Spec) -> str:
    """Returns the value of `_workspace_meta.spec`."""
    origin = spec.origin
    folder = origin.loaded_from or origin.directory
    commit = _commit(Path(folder)) if folder else None
    return json.dumps(
        {
            "module": origin.module,
            "file": origin.file,
            "import_path": _import_path(spec),
            **asdict(texts_of(spec)),
            "git": asdict(commit) if commit else None,
        }
    )


def texts_of(spec: Spec) -> Texts:
    """Hashes what the spec's files say."""
    source = spec.origin.source
    return Texts(
        source_sha256=None if source is None else sha256(source),
        neighbours={
            name: hashlib.sha256(file.read_bytes()).hexdigest()
            for name, file in _neighbours(spec).items()
        },
    )


def imports_json(spec: Spec) -> str:
    """Returns the texts of what the spec has imported from beside it, by path, as JSON."""
    return json.dumps(
        {_path_of(name, file): read_source(file) for name, file in _neighbours(spec).items()},
        ensure_ascii=False,
    )


def read_source(file: Path) -> str:
    """Returns the text of a Python file as it stands: line ends and byte order mark stay."""
    with file.open("rb") as stream:
        encoding, _ = detect_encoding(stream.readline)
    return file.read_bytes().decode("utf-8" if encoding == "utf-8-sig" else encoding)


def source_bytes(text: str) -> bytes:
    """Returns the bytes of the Python file that a text was read from."""
    encoding, _ = detect_encoding(BytesIO(text.encode()).readline)
    return text.encode("utf-8" if encoding == "utf-8-sig" else encoding)


def _neighbours(spec: Spec) -> dict[str, Path]:
    own = spec.module and spec.module.__name__
    files = {
        name: Path(module.__file__)
        for name, module in sorted(spec.neighbours.modules.items())
        if name != own and module.__file__ and module.__file__.endswith(".py")
    }
    return {name: file for name, file in files.items() if file.is_file()}


def _import_path(spec: Spec) -> str | None:
    """Where the spec's file stands below the folder from which it was imported."""
    if not (spec.module and spec.origin.file):
        return None
    name, file = spec.module.__name__, Path(spec.origin.file)
    return file.name if name.startswith(LOOSE_MODULE) else _path_of(name, file)


def _path_of(module: str, file: Path) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if file.name == "__init__.py" else f"{path}.py"


def texts_from_json(text: str) -> Texts:
    """Reads them back from `_workspace_meta.spec`."""
    spec: dict[str, Any] = json.loads(text)
    return Texts(spec["source_sha256"], spec["neighbours"])


def fingerprint(spec: Spec) -> str:
    """Hashes a spec's structure: what a later run must share to take this one's results over.

    Names, dependencies, columns and outputs count; prompts, SQL, checks and data do not.
    """
    return "v1:" + sha256(json.dumps(structure(spec), sort_keys=True))


def structure(spec: Spec) -> list[dict[str, Any]]:
    """Returns what `fingerprint` hashes, node by node, so that a difference can be told."""
    return [_structure(node) for node in spec.nodes]


def definitions(spec: Spec) -> dict[str, str]:
    """Hashes what each node is declared to do, by name: whether its earlier work still counts.

    What it may take (model, effort, limits) does not count. Of data, only paths do: what a
    callable returns, or a frame holds, is not looked at.
    """
    return {
        node.name: sha256(json.dumps(_definition(node), sort_keys=True, default=str))
        for node in spec.nodes
    }


def packages_json() -> str:
    """Returns the versions of the packages that Taskgraph builds on, as JSON."""
    found: dict[str, str] = {}
    for requirement in requires("taskgraph-duckdb") or ():
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        with suppress(PackageNotFoundError):  # of an extra that is not installed
            found[name] = version(name)
    return json.dumps(found)


def platform_text() -> str:
    """Returns the operating system and processor, without the machine's name."""
    return f"{platform.system()} {platform.machine()}"


def node_prompts(spec: Spec) -> str:
    """Returns each prompt node's prompt, as JSON."""
    prompts = {node.name: node.prompt for node in spec.nodes if isinstance(node, PromptNode)}
    return json.dumps(prompts, ensure_ascii=False)


def sha256(text: str) -> str:
    """Returns the hash of the text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _structure(node: Node) -> dict[str, Any]:
    shared: dict[str, Any] = {
        "name": node.name,
        "kind": "source" if isinstance(node, SourceNode) else "transform",
        "depends_on": sorted(node.depends_on),
    }
    if isinstance(node, SourceNode):
        return shared | {"columns": list(node.columns)}
    views = {view.name: dict(view.columns) for view in node.required_views}
    return shared | {"outputs": views}


def _definition(node: Node) -> dict[str, object]:
    shared: dict[str, object] = {
        "kind": node.kind,
        "depends_on": list(node.depends_on),
        "checks": [asdict(check) for check in node.checks],
    }
    if isinstance(node, SourceNode):
        return shared | {"columns": list(node.columns), "path": declared_path(node)}
    work = node.prompt if isinstance(node, PromptNode) else node.sql
    views = [asdict(view) for view in node.required_views]
    return shared | {"outputs": views, "work": work}


def declared_path(node: SourceNode) -> object:
    """Returns the file that a source names, as it is written; None for other data."""
    source: object = node.source
    is_path = isinstance(source, str | Path) or (isinstance(source, dict) and "path" in source)
    return node.source if is_path else None


def _commit(folder: Path) -> Commit | None:
    commit = git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    return Commit(
        commit=commit,
        branch=git(folder, "rev-parse", "--abbrev-ref", "HEAD") or "HEAD",
        dirty=bool(git(folder, "status", "--porcelain", "--", ".")),
    )


def git(folder: Path, *arguments: str) -> str | None:
    """Returns what git says in a folder, None where it fails or there is none."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # no git, or a folder it cannot serve: provenance without it
    return done.stdout.strip() if done.returncode == 0 else None
