"""What `_workspace_meta` says of a run: at each start, at each end, and after the exports."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version

from taskgraph.catalog import columns
from taskgraph.database import Cursor
from taskgraph.events import ExportEnded, Outcome, RunStatus, utc_now
from taskgraph.llm.preflight import ModelFacts
from taskgraph.llm.recording import facts_json
from taskgraph.parts import Identity
from taskgraph.provenance import (
    definitions,
    fingerprint,
    imports_json,
    node_prompts,
    packages_json,
    platform_text,
    spec_json,
    structure,
)
from taskgraph.schema import META_VERSION
from taskgraph.spec import Spec


def opening_meta(
    spec: Spec, identity: Identity, threads: int, models: Mapping[str, ModelFacts]
) -> Mapping[str, str | None]:
    """Returns what is known before the first node of a run, or of a resumed one, runs.

    Args:
        spec: what runs.
        identity: the run's, with its settings.
        threads: how many DuckDB has.
        models: what is known of each model that may be asked.
    """
    settings = identity.settings
    return {
        "meta_version": META_VERSION,
        "created_at_utc": identity.parts[0].started_at.isoformat(timespec="seconds"),
        "finished_at_utc": None,
        "status": "running",
        "taskgraph_version": version("taskgraph-duckdb"),
        "duckdb_version": version("duckdb"),
        "python_version": platform.python_version(),
        "packages": packages_json(),
        "platform": platform_text(),
        "spec": spec_json(spec),
        "spec_source": spec.origin.source or "",
        "spec_imports": imports_json(spec) if settings.embed_imports else "{}",
        "fingerprint": fingerprint(spec),
        "structure": json.dumps(structure(spec)),
        "node_definitions": json.dumps(definitions(spec)),
        "node_prompts": node_prompts(spec),
        "duckdb_threads": str(threads),
        **models_meta(models),
        "llm_model": settings.model,
        "llm_reasoning_effort": settings.reasoning_effort,
        "llm_max_iterations": str(settings.max_iterations),
        "node_max_concurrency": str(settings.max_concurrency),
        "run": identity.to_json(),
    }


def models_meta(models: Mapping[str, ModelFacts]) -> Mapping[str, str]:
    """Returns what is known of each model that may be asked."""
    return {"llm_models": json.dumps(facts_json(models))}


def closing_meta(
    cursor: Cursor, outcomes: Sequence[Outcome], status: RunStatus, identity: Identity
) -> Mapping[str, str]:
    """Returns what is known once every node has its outcome."""
    there = ("passed", "reused")
    sources = [one for one in outcomes if one.kind == "source" and one.status in there]
    counts = {name: count for one in sources for name, count in one.tables if name == one.node}
    schemas = {
        name: {column.name: column.type for column in columns(cursor, name) or ()}
        for name in counts
    }
    return {
        "finished_at_utc": utc_now().isoformat(timespec="seconds"),
        "status": status,
        "inputs_row_counts": json.dumps(counts),
        "inputs_schema": json.dumps(schemas, ensure_ascii=False),
        "inputs_files": json.dumps(
            {one.node: [asdict(file) for file in one.files] for one in sources if one.files},
            ensure_ascii=False,
        ),
        "exports": "{}",
        "run": identity.to_json(),
    }


def export_meta(exports: Sequence[ExportEnded], status: RunStatus) -> Mapping[str, str]:
    """Returns how the exports ended, and how the run ends with them."""
    return {
        "exports": json.dumps({export.name: {"error": export.error} for export in exports}),
        "finished_at_utc": utc_now().isoformat(timespec="seconds"),
        "status": status,
    }
