"""What is asked of a live run and what it answers: one line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

from taskgraph.result import Result, Value

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """SQL that reads."""

    sql: str
    max_rows: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Order:
    """How does the run stand; or, end it."""

    what: Literal["standing", "stop"]


Request: TypeAlias = Question | Order


@dataclass(frozen=True, slots=True)
class RunningNode:
    """A node that runs."""

    node: str
    kind: str
    started_at: datetime
    turns: int = 0
    """Model calls in this part of the run."""
    tokens: int = 0
    cost_usd: float | None = None
    statement: str | None = None
    """The last one that it ran."""
    thinks: bool = False
    """A model is asked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a live run does now."""

    process: int
    running: tuple[RunningNode, ...]
    waiting: tuple[str, ...]
    """Nodes that have not begun, in declared order."""

    def without(self, nodes: Iterable[str]) -> Standing:
        """Leaves out nodes that have ended meanwhile."""
        ended = set(nodes)
        return Standing(
            self.process,
            tuple(one for one in self.running if one.node not in ended),
            tuple(name for name in self.waiting if name not in ended),
        )


def request_line(request: Request) -> bytes:
    """Writes a request."""
    kind = "sql" if isinstance(request, Question) else "order"
    return _line({"kind": kind, **asdict(request)})


def read_request(line: bytes) -> Request:
    """Reads a request.

    Raises:
        ValueError: it is none.
    """
    try:
        request = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    match request:
        case {
            "kind": "sql",
            "sql": str(sql),
            "max_rows": int(rows),
            "timeout_s": int() | float() as s,
        }:
            return Question(sql, max(0, rows), float(s))
        case {"kind": "order", "what": "standing" | "stop" as what}:
            return Order(what)
        case _:
            raise ValueError("no request that this version knows")


def result_line(result: Result) -> bytes:
    """Writes what a question gave."""
    return _line({**asdict(result), "rows": [[plain(one) for one in row] for row in result.rows]})


def standing_line(standing: Standing) -> bytes:
    """Writes how the run stands."""
    running = [
        {**asdict(one), "started_at": one.started_at.isoformat()} for one in standing.running
    ]
    return _line({"process": standing.process, "running": running, "waiting": standing.waiting})


def error_line(message: str) -> bytes:
    """Writes why there is no answer."""
    return _line({"error": message})


def read_result(answer: Json) -> Result:
    """Reads what a question gave; moments are moments again, for the record holds them."""
    types: list[str] = answer["types"]
    return Result(
        columns=tuple(answer["columns"]),
        types=tuple(types),
        rows=tuple(tuple(map(_typed, row, types)) for row in answer["rows"]),
        complete=answer["complete"],
    )


def read_standing(answer: Json) -> Standing:
    """Reads how the run stands."""
    nodes: list[Json] = answer["running"]
    running = (
        RunningNode(started_at=datetime.fromisoformat(one.pop("started_at")), **one)
        for one in nodes
    )
    return Standing(answer["process"], tuple(running), tuple(answer["waiting"]))


def plain(value: Value) -> Value:
    """Returns a value as JSON has it; what JSON has no word for, as DuckDB's text for it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, list | tuple):
        return [plain(one) for one in cast("list[Value]", value)]
    if isinstance(value, dict):
        named = cast("Mapping[Value, Value]", value)
        return {str(key): plain(one) for key, one in named.items()}
    return value.hex() if isinstance(value, bytes) else str(value)


def _typed(value: Value, kind: str) -> Value:
    return datetime.fromisoformat(value) if kind == "TIMESTAMP" and value else value


def _line(values: Json) -> bytes:
    return json.dumps(values).encode() + b"\n"
