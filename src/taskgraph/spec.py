"""What a person declares: sources, SQL nodes, prompt nodes and exports, as frozen values.

A spec module may hold these objects, or dicts with the same keys, or both. Nothing in here
touches a database, a file or the network; `loader` checks what these classes cannot express.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal, TypeAlias

ReasoningEffort: TypeAlias = Literal["low", "medium", "high"]
Kind: TypeAlias = Literal["source", "sql", "prompt"]
Literals: TypeAlias = Literal["warn", "fail", "allow"]
"""What follows where an agent's SQL holds keys of the data, see `taskgraph.literals`."""

SourceData: TypeAlias = Any
"""What `source` may hold: a callable, a polars, pandas or Arrow frame, `list[dict]`,
`dict[str, list]`, a path, or `{"path": ..., options}`. Typed loosely on purpose: frames come from
libraries that Taskgraph does not import; `ingest` tells them apart and refuses the rest."""

OutputColumns: TypeAlias = Mapping[str, Sequence[str] | Mapping[str, str]]
"""`{view: [columns]}` or `{view: {column: type}}`."""

Export: TypeAlias = Callable[[Any, Any], object]
"""`fn(connection, path)`, called after all nodes have passed."""


@dataclass(frozen=True, slots=True)
class Check:
    """One declared check of a node."""

    name: str
    query: str
    style: Literal["status", "rows"]
    """`status`: rows of (status, message). `rows`: each row returned is an error (the older form)."""


@dataclass(frozen=True, slots=True)
class OutputView:
    """A view that a node must leave behind."""

    name: str
    columns: Mapping[str, str | None]
    """Column to required DuckDB type; None where any type will do."""


@dataclass(frozen=True, kw_only=True)
class _Node:
    name: str
    """Identifier `[A-Za-z][A-Za-z0-9_]*` without `__`, unique ignoring case."""
    depends_on: Sequence[str] = ()
    """Names of nodes that must have passed first."""
    validate: Mapping[str, str] = field(default_factory=dict[str, str])
    """`{check: query}`; the query returns `status` (pass, warn, fail) and `message`."""
    validate_sql: Sequence[str] = ()
    """The older form: queries that must return no row."""
    description: str | None = None
    """Text for people."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks, in the order declared; the older form is numbered `sql_1`, `sql_2`, ..."""
        named = (Check(name, query, "status") for name, query in self.validate.items())
        older = (
            Check(f"sql_{number}", query, "rows")
            for number, query in enumerate(self.validate_sql, start=1)
        )
        return (*named, *older)


@dataclass(frozen=True, kw_only=True)
class SourceNode(_Node):
    """Data that comes in: becomes the table `{name}` with `_row_id` 1..n in source order."""

    source: SourceData
    columns: Sequence[str] = ()
    """Columns that must be there after ingest."""

    @property
    def kind(self) -> Kind:
        """`source`."""
        return "source"


@dataclass(frozen=True, kw_only=True)
class _Transform(_Node):
    output_columns: OutputColumns = field(default_factory=dict[str, "Sequence[str]"])
    """Views that must exist, with at least these columns (and types)."""
    outputs: Sequence[str] = ()
    """Names the node owns beside its prefix: the older format's `outputs`."""

    @property
    def required_views(self) -> tuple[OutputView, ...]:
        """The views that must exist, in the order declared, `outputs` last."""
        declared = [
            OutputView(view, _columns_with_types(columns))
            for view, columns in self.output_columns.items()
        ]
        known = {view.name for view in declared}
        bare = [OutputView(name, {}) for name in self.outputs if name not in known]
        return (*declared, *bare)


@dataclass(frozen=True, kw_only=True)
class SqlNode(_Transform):
    """Deterministic SQL: `CREATE/DROP VIEW|MACRO` statements, run as they stand."""

    sql: str

    @property
    def kind(self) -> Kind:
        """`sql`."""
        return "sql"


@dataclass(frozen=True, kw_only=True)
class PromptNode(_Transform):
    """A task for an agent, which may create views and macros under the node's name."""

    prompt: str
    model: str | None = None
    """Overrides the run's model."""
    fallback: Sequence[str] = ()
    """Models to try, in order, when the model fails this node for good."""
    reasoning_effort: ReasoningEffort | None = None
    max_iterations: int | None = None
    """Model calls allowed for this node."""
    max_cost: float | None = None
    """US dollars allowed for this node."""
    max_tokens: int | None = None
    """Prompt and completion tokens, added over all calls, allowed for this node."""
    max_seconds: float | None = None
    """Wall-clock seconds allowed for this node."""
    literals: Literals = "warn"
    """What follows where its SQL holds keys of the data, which next month's data does not have."""

    @property
    def kind(self) -> Kind:
        """`prompt`."""
        return "prompt"


Node: TypeAlias = SourceNode | SqlNode | PromptNode
Transform: TypeAlias = SqlNode | PromptNode


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task of the older format, for specs that are written with it; new specs use nodes."""

    name: str
    prompt: str = ""
    sql: str = ""
    inputs: Sequence[str] = ()
    """Sources, and views of other tasks, that it reads."""
    outputs: Sequence[str] = ()
    """Views that it must make."""
    output_columns: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])
    validate_sql: Sequence[str] = ()
    """Queries that must return no row."""


@dataclass(frozen=True, slots=True)
class SpecOrigin:
    """Where a spec came from: what provenance needs to find or to rebuild it."""

    module: str | None
    """Dotted module name, if the spec was named that way."""
    file: str | None
    """Path as a person would write it: relative to the working directory where possible."""
    source: str | None
    """The text of the spec's file; None for a spec built in memory."""
    directory: str | None
    """Absolute folder that relative source paths start from. Never written to the `.db`."""
    loaded_from: str | None = None
    """Absolute folder that its text is from, where that is another one: a worktree of git, say."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a spec may import beside installed packages; `loader.importable` makes it so."""

    folders: tuple[str, ...] = ()
    """Absolute folders, the nearest first."""
    modules: dict[str, ModuleType] = field(default_factory=dict[str, ModuleType])
    """What was imported from there; kept out of `sys.modules`, so that specs do not share it."""


@dataclass(frozen=True, slots=True)
class Spec:
    """Everything a run needs to know: the nodes in declared order, and the exports."""

    nodes: tuple[Node, ...]
    exports: Mapping[str, Export] = field(default_factory=dict[str, Export])
    origin: SpecOrigin = SpecOrigin(None, None, None, None)
    module: ModuleType | None = field(default=None, compare=False)
    """The imported module, kept so that its callables' own state stays alive."""
    neighbours: Neighbours = field(default_factory=Neighbours, compare=False, repr=False)

    def node(self, name: str) -> Node:
        """Returns the node called `name`, exactly as declared.

        Raises:
            KeyError: no node has that name.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)


def _columns_with_types(columns: Sequence[str] | Mapping[str, str]) -> Mapping[str, str | None]:
    if isinstance(columns, Mapping):
        return dict(columns)
    return dict.fromkeys(columns)
