"""What people would use instead: dbt-core with dbt-duckdb, SQLMesh, and dbt's Rust preview.

Each is installed from the package index into an environment of its own in the user's cache folder,
once. What cannot be installed is told, and left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Contender
from benchmarks.models import Model, Models, named

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "taskgraph-benchmarks"
_THREADS = 4
_QUIET = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "true",
    "MAX_FORK_WORKERS": "1",
}


@dataclass(frozen=True)
class Peer:
    """A tool that builds graphs of SQL models."""

    name: str
    packages: tuple[str, ...]
    write: Callable[[Models, Path], None]
    """Writes a graph as the tool's project."""
    command: tuple[str, ...]
    """Builds the project in the working directory; the program is in the environment."""
    prepare: Callable[[Path], Mapping[str, str]] = lambda _: {}
    """Does what is left to do in its folder, and returns what it needs in the environment."""

    @property
    def environment(self) -> Path:
        return CACHE / self.name.replace(" ", "-")


def installed(peer: Peer) -> str | None:
    """Installs a peer where it is not there yet; returns why that cannot be, None if it is there."""
    mark = peer.environment / "complete"
    if mark.exists():
        return None
    if not shutil.which("uv"):
        return "uv is not there to install it"
    shutil.rmtree(peer.environment, ignore_errors=True)
    python = peer.environment / "bin" / "python"
    # Wheels only: some versions are stubs that fetch a program from elsewhere when they are built.
    install = ("uv", "pip", "install", "--python", str(python), "--only-binary", ":all:")
    for command in (
        ("uv", "venv", "--python", "3.11", str(peer.environment)),
        (*install, "--prerelease", "if-necessary-or-explicit", *peer.packages),
    ):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            return f"it cannot be installed: {done.stderr.strip()[-300:]}"
    mark.touch()
    return None


def version(peer: Peer) -> str:
    """Returns what is installed: the tool and its DuckDB."""
    listed = subprocess.run(
        ("uv", "pip", "freeze", "--python", str(peer.environment / "bin" / "python")),
        check=False,
        capture_output=True,
        text=True,
    ).stdout.split()
    wanted = {package.partition("=")[0].partition("<")[0] for package in peer.packages} | {"duckdb"}
    return ", ".join(one for one in listed if one.partition("==")[0] in wanted)


def contender(peer: Peer, graph: str, folder: Path, environment: Mapping[str, str]) -> Contender:
    """Writes the graph as a project, and returns what builds it, each time from nothing."""
    project = folder / f"{peer.name.replace(' ', '-')}-{graph}"
    if not project.exists():
        peer.write(named(graph), project)
    program, *arguments = peer.command
    bin_folder = peer.environment / "bin"
    script = f'cp -r "{project}/." . && exec "{bin_folder / program}" {" ".join(arguments)}'
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    needed = {**_QUIET, **environment, **peer.prepare(peer.environment), "PATH": path}
    return Contender(peer.name, ("sh", "-c", script), environment=needed)


def _write_dbt(graph: Models, project: Path) -> None:
    for folder in ("models", "tests"):
        (project / folder).mkdir(parents=True)
    (project / "dbt_project.yml").write_text(
        "name: bench\nversion: '1.0'\nprofile: bench\nmodel-paths: [models]\ntest-paths: [tests]\n"
        "models:\n  bench:\n    +materialized: table\n"
    )
    (project / "profiles.yml").write_text(
        "bench:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n"
        f"      path: bench.duckdb\n      threads: {_THREADS}\n"
    )
    for one in graph.inputs:
        (project / "models" / f"{one.name}.sql").write_text(one.query)
    for model in graph.models:
        query = graph.query(model, _dbt_reference)
        (project / "models" / f"{model.name}.sql").write_text(query)
        (project / "tests" / f"{model.name}_main.sql").write_text(
            f"{_misfits(model)} FROM {_dbt_reference(model.name)} HAVING NOT ({model.holds})"
        )


def _misfits(model: Model) -> str:
    return f"SELECT '{model.name}' AS fault"


def _dbt_reference(name: str) -> str:
    return "{{ ref('" + name + "') }}"


def _write_sqlmesh(graph: Models, project: Path) -> None:
    for folder in ("models", "audits"):
        (project / folder).mkdir(parents=True)
    (project / "config.yaml").write_text(
        "gateways:\n  local:\n    connection:\n      type: duckdb\n      database: bench.duckdb\n"
        f"      concurrent_tasks: {_THREADS}\n"
        "default_gateway: local\nmodel_defaults:\n  dialect: duckdb\n  start: 2024-01-01\n"
    )
    for one in graph.inputs:
        (project / "models" / f"{one.name}.sql").write_text(
            f"MODEL (name g.{one.name}, kind FULL);\n{one.query}\n"
        )
    for holds in {model.holds for model in graph.models}:
        (project / "audits" / f"{_audit(holds)}.sql").write_text(
            f"AUDIT (name {_audit(holds)});\n"
            f"SELECT 1 AS fault FROM @this_model HAVING NOT ({holds})\n"
        )
    for model in graph.models:
        (project / "models" / f"{model.name}.sql").write_text(
            f"MODEL (name g.{model.name}, kind FULL, audits ({_audit(model.holds)}));\n"
            f"{graph.query(model, lambda name: f'g.{name}')}\n"
        )


def _audit(holds: str) -> str:
    return "holds_" + "".join(sign if sign.isalnum() else "_" for sign in holds)


def _with_driver(folder: Path) -> Mapping[str, str]:
    """Gives the preview the DuckDB of a wheel: it would fetch its own from elsewhere otherwise."""
    [library] = folder.glob("lib/python*/site-packages/_duckdb*.so")
    (folder / "duckdb.toml").write_text(
        'manifest_version = 1\nname = "DuckDB"\n[Driver]\nentrypoint = "duckdb_adbc_init"\n'
        f'[Driver.shared]\nlinux_amd64 = "{library}"\n'
    )
    tell = "import sysconfig as s; print(s.get_config_var('LIBDIR'), s.get_config_var('LDLIBRARY'))"
    told = subprocess.run(
        (folder / "bin" / "python", "-c", tell), check=False, capture_output=True, text=True
    )
    python = "/".join(told.stdout.split())
    return {
        "ADBC_DRIVER_PATH": str(folder),
        # The wheel's library is one of Python's, and looks for Python's own.
        **({"LD_PRELOAD": python} if python.endswith(".so") else {}),
    }


_BUILD = ("build", "--profiles-dir", ".", "--threads", str(_THREADS))
PEERS = (
    Peer("dbt-core", ("dbt-core==1.12.0", "dbt-duckdb==1.11.1"), _write_dbt, ("dbt", *_BUILD)),
    Peer(
        "SQLMesh",
        ("sqlmesh==0.236.4",),
        _write_sqlmesh,
        ("sqlmesh", "plan", "--auto-apply", "--no-prompts"),
    ),
    Peer(
        "dbt preview",
        ("dbt==2.0.0rc196", "duckdb==1.5.6"),
        _write_dbt,
        ("dbt", *_BUILD),
        _with_driver,
    ),
)
