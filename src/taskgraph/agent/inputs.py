"""What an agent may read, described as richly as the room allows; what is cut says how to see it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Literal

from taskgraph.agent.rendering import columns_text, cut, row_line, rows_text
from taskgraph.database import Result
from taskgraph.events import CheckResult, Definition
from taskgraph.spec import Kind

SAMPLE_ROWS = 3
"""Rows of each large relation that are worth fetching for a brief."""
SMALL_TABLE_ROWS = 20
"""Rows up to which a relation is shown in full: policies, rates and lists of codes are read so."""
_CELL_CHARACTERS = 80
_SMALL_TABLE_CELL_CHARACTERS = 300
_MESSAGE_CHARACTERS = 200
_LAST_WORDS_CHARACTERS = 2_000
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
_LARGEST_PART = 4
_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view that the agent may read."""

    name: str
    kind: Literal["table", "view"]
    row_count: int | None
    """None where counting took too long."""
    sample: Result
    """Its columns and types, and the first few rows."""
    sql: str | None = None
    """The statement that made it; None for a source."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A node that the agent's node depends on, directly or through others."""

    node: str
    kind: Kind
    relations: tuple[Relation, ...]
    description: str | None = None
    macros: tuple[Definition, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    """What its checks said when it passed."""
    helpers: tuple[str, ...] = ()
    """What else it left behind beside its declared outputs: named, not described."""
    last_words: str | None = None
    """What its agent said of its rules and assumptions."""


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of a relation is shown."""

    rows: int
    """Rows of a large relation; a small one is shown in full, or not at all where this is 0."""
    sql_characters: int
    columns_characters: int


_DETAILS = (
    _Detail(SAMPLE_ROWS, _ALL, _ALL),
    _Detail(SAMPLE_ROWS, 1_500, _ALL),
    _Detail(1, 500, 20_000),
    _Detail(0, 0, 3_000),
    _Detail(0, 0, 300),
    _Detail(0, 0, 0),
)


def inputs_text(upstream: Sequence[Upstream], max_characters: int) -> str:
    """Describes all nodes that an agent's node depends on.

    All relations get the same detail, the richest that fits; one that would take more than a
    quarter of the room gets less, so that a huge table does not cost the others their samples.

    Args:
        upstream: the nodes, nearest first.
        max_characters: characters the description may take.
    """
    if not upstream:
        return "Nothing but what you create: this node depends on no other."
    text = ""
    for richest in range(len(_DETAILS)):
        text = "\n\n".join(_node_text(node, richest, max_characters) for node in upstream)
        if len(text) <= max_characters:
            return text
    return f"{text[:max_characters]}…\n(The list is cut: {len(upstream)} nodes can be read.)"


def _node_text(node: Upstream, richest: int, max_characters: int) -> str:
    part = max_characters // _LARGEST_PART
    lines = [f"## {node.node} ({_KINDS[node.kind]})"]
    if node.description:
        lines.append(cut(node.description, _DETAILS[richest].columns_characters))
    if node.checks:
        lines.append(_checks_text(node.checks))
    lines += [_fitting(relation, richest, part) for relation in node.relations]
    lines += [_macro_text(macro, _DETAILS[richest]) for macro in node.macros]
    if node.helpers:
        lines.append(f"It also left: {', '.join(node.helpers)} (DESCRIBE shows their columns)")
    if node.last_words and _DETAILS[richest].rows:
        lines.append(f"Its agent said: {_whole_sentences(node.last_words)}")
    return "\n".join(lines)


def _whole_sentences(words: str) -> str:
    if len(words) <= _LAST_WORDS_CHARACTERS:
        return words
    ends = [found.end() for found in _SENTENCE_END.finditer(words, 0, _LAST_WORDS_CHARACTERS)]
    # A text without sentences, such as one long list, is cut where there is no more room.
    end = max((at for at in ends if at > _LAST_WORDS_CHARACTERS // 2), default=0)
    kept = words[: end or _LAST_WORDS_CHARACTERS].rstrip()
    rest = len(words) - len(kept)
    return f"{kept}\n(Its message goes on for {rest:,} characters that are left out here.)"


_KINDS = {"source": "source", "sql": "made by SQL", "prompt": "made by SQL that a model wrote"}


def _checks_text(results: Sequence[CheckResult]) -> str:
    statuses: dict[str, str] = {}
    for result in results:
        if result.status != "pass":
            statuses[result.check] = f"{result.status} ({cut(result.message, _MESSAGE_CHARACTERS)})"
        statuses.setdefault(result.check, "pass")
    return f"checks on it: {', '.join(f'{name} {status}' for name, status in statuses.items())}"


def _fitting(relation: Relation, richest: int, max_characters: int) -> str:
    text = ""
    for detail in _DETAILS[richest:]:
        text = "\n".join(_relation_lines(relation, detail))
        if len(text) <= max_characters:
            break
    return text


def _relation_lines(relation: Relation, detail: _Detail) -> Iterator[str]:
    sample = relation.sample
    count = "rows not counted" if relation.row_count is None else rows_text(relation.row_count)
    yield f"{relation.kind} {relation.name}, {count}, {len(sample.columns)} columns"
    if detail.columns_characters:
        columns = columns_text(sample.columns, sample.types)
        yield cut(columns, detail.columns_characters)
        if len(columns) > detail.columns_characters:
            yield f"(for all columns: DESCRIBE {relation.name})"
    if detail.rows:
        yield from _sample_lines(relation, detail.rows)
    if relation.sql and detail.sql_characters:
        yield _sql(relation.sql, detail)
    elif relation.sql:
        yield "(the SQL that made it is left out)"


def _sample_lines(relation: Relation, rows: int) -> Iterator[str]:
    if relation.row_count is not None and relation.row_count <= SMALL_TABLE_ROWS:
        return (row_line(row, _SMALL_TABLE_CELL_CHARACTERS) for row in relation.sample.rows)
    return (row_line(row, _CELL_CHARACTERS) for row in relation.sample.rows[:rows])


def _macro_text(macro: Definition, detail: _Detail) -> str:
    return _sql(macro.sql, detail) if detail.sql_characters else f"macro {macro.name}"


def _sql(text: str, detail: _Detail) -> str:
    return f"```sql\n{cut(cleandoc(text), detail.sql_characters)}\n```"
