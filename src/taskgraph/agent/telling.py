"""What a model is told of one statement: its rows, what it defined, or why it did not run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from taskgraph.agent.rendering import columns_text, cut, preview_text, result_text, rows_text
from taskgraph.agent.session import MISTAKES, Session
from taskgraph.database import Result, fold
from taskgraph.errors import QueryTimeout, Refused, StatementError
from taskgraph.guard import StatementResult

FIRST_ROWS = 200
"""Rows fetched at first: where they fit, and there are more, all that could fit are fetched."""
_FEWEST_CHARACTERS_PER_ROW = 2
_COLUMNS_CHARACTERS = 3_000
_CANDIDATES_CHARACTERS = 1_000
_RELATIONS_DESCRIBED = 5
_UNKNOWN_TABLE = re.compile(r"Table with name .* does not exist|Referenced table .* not found")
_UNKNOWN_COLUMN = re.compile(
    r"not found in FROM clause|does not have a column named|does not exist on \w+ side of join"
)
_WORD = re.compile(r'"((?:[^"]|"")+)"|(\w+)')


@dataclass(frozen=True, slots=True)
class Told:
    """The text for the model, and how many rows a read gave."""

    text: str
    row_count: int | None = None


async def tell(session: Session, done: StatementResult, max_characters: int) -> Told:
    """Says what a statement gave or did.

    Args:
        session: where it ran.
        done: what it gave, at most `FIRST_ROWS` rows of it.
        max_characters: characters a result may take; a larger one is counted and previewed.
    """
    if done.result is not None:
        return await _tell_rows(session, done.sql, done.result, max_characters)
    if done.kind == "create_view":
        return Told(f"view {done.name} created: {await _view_text(session, done.name or '')}")
    action, what = done.kind.split("_")
    return Told(f"{what} {done.name} {'created' if action == 'create' else 'dropped'}")


async def explain(
    session: Session, statement: str, error: StatementError, readable: Sequence[str]
) -> str:
    """Says why a statement did not run, and what exists where it named something that does not.

    Args:
        session: where it did not run.
        statement: what the model wrote.
        error: why not.
        readable: tables and views that the agent may read.
    """
    match error:
        case Refused():
            return f"Refused: {error}"
        case QueryTimeout():
            return f"Too slow: {error}"
        case _:
            return f"{error}{await _candidates(session, statement, str(error), readable)}"


async def _tell_rows(session: Session, statement: str, first: Result, max_characters: int) -> Told:
    result, text = first, result_text(first, max_characters)
    if text is not None and not first.complete:
        everything = max_characters // _FEWEST_CHARACTERS_PER_ROW
        result = (await session.run(statement, everything)).result or first
        text = result_text(result, max_characters) if result.complete else None
    if text is not None:
        return Told(text, len(result.rows))
    count = len(result.rows) if result.complete else await _count(session, statement)
    return Told(_too_large(result, count, max_characters), count)


async def _count(session: Session, statement: str) -> int | None:
    try:
        return await session.count(statement.rstrip().rstrip(";"))
    except MISTAKES:
        return None


def _too_large(result: Result, count: int | None, max_characters: int) -> str:
    rows = f"more than {rows_text(len(result.rows))}" if count is None else rows_text(count)
    return (
        f"Too large to show in full: {rows}; there is room for {max_characters:,} characters. "
        f"Aggregate, filter, choose columns or LIMIT.\nThe first rows:\n"
        f"{_columns(result, '|', max_characters)}\n{preview_text(result, max_characters)}"
    )


async def _view_text(session: Session, name: str) -> str:
    try:
        shape = await session.shape(name)
        return f"{await _fill_text(session, name, shape)}, columns {_columns(shape, ', ')}"
    except MISTAKES as error:
        return f"but reading it fails: {error}"


async def _fill_text(session: Session, name: str, shape: Result) -> str:
    try:
        rows, values = await session.fill(name)
    except QueryTimeout:
        return "rows not counted, because that takes long"
    empty = [
        column for column, count in zip(shape.columns, values, strict=True) if rows and not count
    ]
    nulls = f" ({', '.join(empty)} NULL in every row)" if empty else ""
    return f"{rows_text(rows)}{cut(nulls, _CANDIDATES_CHARACTERS)}"


def _columns(result: Result, separator: str, max_characters: int = _COLUMNS_CHARACTERS) -> str:
    text = columns_text(result.columns, result.types, separator)
    return cut(text, min(max_characters, _COLUMNS_CHARACTERS))


async def _candidates(
    session: Session, statement: str, message: str, readable: Sequence[str]
) -> str:
    if _UNKNOWN_TABLE.search(message):
        return cut(f"\nYou can read: {', '.join(readable)}", _CANDIDATES_CHARACTERS)
    if _UNKNOWN_COLUMN.search(message):
        words = {
            fold(quoted.replace('""', '"') or word) for quoted, word in _WORD.findall(statement)
        }
        named = [name for name in readable if fold(name) in words][:_RELATIONS_DESCRIBED]
        return "".join([await _columns_line(session, name) for name in named])
    return ""


async def _columns_line(session: Session, name: str) -> str:
    try:
        shape = await session.shape(name)
    except MISTAKES:
        return ""
    return f"\n{name} has: {cut(', '.join(shape.columns), _CANDIDATES_CHARACTERS)}"
