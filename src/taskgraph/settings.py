"""A run's settings and their defaults: the one place where a default is written down."""

from __future__ import annotations

from dataclasses import dataclass

from taskgraph.spec import ReasoningEffort

DEFAULT_MODEL = "openai/gpt-5.2"
LEAST_THREADS = 2
"""With one thread, a query of DuckDB waits for Python's lock."""
DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a person may set for a run; a prompt node may override the model's part for itself."""

    model: str = DEFAULT_MODEL
    reasoning_effort: ReasoningEffort = "low"
    max_iterations: int = 200
    """Model calls per prompt node."""
    max_node_tokens: int = 20_000_000
    """Prompt and completion tokens per prompt node: a breaker, not a budget."""
    max_node_seconds: float | None = None
    """Wall-clock seconds per prompt node."""
    max_concurrency: int = 50
    """Nodes that run at once."""
    max_cost: float | None = None
    """US dollars for the whole run."""
    max_tokens: int | None = None
    """Prompt and completion tokens for the whole run."""
    query_timeout_s: float = 30.0
    """Seconds per statement of an agent; a spec's own SQL has no limit."""
    node_sql_timeout_s: float = 600.0
    """Seconds that all checks and tables of a prompt node may take; other nodes have no limit."""
    max_result_characters: int = 30_000
    """Characters of one result that an agent is shown."""
    memory_limit: str | None = None
    """Memory for DuckDB, such as `4GB`."""
    threads: int | None = None
    """Threads for DuckDB, at least `LEAST_THREADS`; None for one per core."""
    embed_imports: bool = False
    """Keep the texts of what the spec imports from beside it in the `.db`."""
    overrides: tuple[str, ...] = ()
    """Fields that a flag or the environment states: they go before what a prompt node says."""
    base_url: str = DEFAULT_BASE_URL
    """The server of chat completions."""
