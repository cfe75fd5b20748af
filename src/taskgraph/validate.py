"""Says whether a node's work holds: its required views and columns are there, its checks pass.

What is found is returned as data; only the caller decides what a failure means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeAlias

from taskgraph.catalog import Column, columns
from taskgraph.database import Cursor, Row, fold, quote
from taskgraph.errors import StatementError
from taskgraph.events import CheckResult, CheckStatus, Emit, StatementRun
from taskgraph.guard import Guard
from taskgraph.schema import check_table
from taskgraph.spec import Check, Node, OutputView, Transform

OUTPUTS = "outputs"
"""Name under which missing views, columns and wrong types are reported."""
MAX_RESULTS = 100
"""Rows of one check that are reported, failures first; the check's table keeps all."""

_STATUSES: tuple[CheckStatus, ...] = ("fail", "warn", "pass")
"""The worst first."""
_Read: TypeAlias = Callable[[Check], list[CheckResult]]
_SEVERITY = "CASE lower(CAST(status AS VARCHAR)) WHEN 'warn' THEN 1 WHEN 'pass' THEN 2 ELSE 0 END"


def any_failed(results: Iterable[CheckResult]) -> bool:
    """Says whether a result fails the node."""
    return any(result.status == "fail" for result in results)


def missing_outputs(cursor: Cursor, node: Transform) -> tuple[CheckResult, ...]:
    """Returns a failure for each required view, column or type that is not there."""
    return tuple(
        CheckResult(OUTPUTS, "fail", message)
        for view in node.required_views
        for message in _faults(view, columns(cursor, view.name))
    )


def _faults(view: OutputView, found: tuple[Column, ...] | None) -> list[str]:
    if found is None:
        return [f"the view {view.name} is missing: create it"]
    types = {fold(column.name): column.type for column in found}
    have = ", ".join(column.name for column in found)
    faults = [
        f"the view {view.name} lacks the column {name}; it has {have}"
        for name in view.columns
        if fold(name) not in types
    ]
    return faults + [
        f"the column {name} of {view.name} is {types[fold(name)]}, not {wanted}: cast it"
        for name, wanted in view.columns.items()
        if wanted and fold(name) in types and not _same_type(types[fold(name)], wanted)
    ]


def _same_type(found: str, wanted: str) -> bool:
    return _plain_type(found) == _plain_type(wanted)


_TYPE_ALIASES: Mapping[str, str] = {
    "INT": "INTEGER",
    "INT4": "INTEGER",
    "INT8": "BIGINT",
    "LONG": "BIGINT",
    "STRING": "VARCHAR",
    "TEXT": "VARCHAR",
    "FLOAT8": "DOUBLE",
    "BOOL": "BOOLEAN",
    "DATETIME": "TIMESTAMP",
    "DECIMAL": "DECIMAL(18,3)",
    "NUMERIC": "DECIMAL(18,3)",
}


def _plain_type(text: str) -> str:
    plain = "".join(text.upper().split())
    return _TYPE_ALIASES.get(plain, plain).replace("NUMERIC(", "DECIMAL(")


@dataclass(frozen=True, slots=True)
class Checker:
    """Runs the checks of one node.

    Attributes:
        cursor: the node's connection.
        guard: judges each query as a read of what the node may read.
        node: whose checks they are.
        emit: told of each query, from the thread that runs it.
        beside: what else is found out about the node's work, without a query of the spec.
    """

    cursor: Cursor
    guard: Guard
    node: Node
    emit: Emit
    beside: Callable[[], tuple[CheckResult, ...]] = tuple

    def preview(self) -> tuple[CheckResult, ...]:
        """Runs the checks and leaves nothing behind; for an agent that is still at work."""
        return self._all(lambda check: self._tried(check, self._read))

    def keep(self) -> tuple[CheckResult, ...]:
        """Runs the checks and keeps their rows as tables, inside the caller's transaction.

        Raises:
            StatementError: a check cannot run; the transaction is broken and must be rolled back.
        """
        return self._all(lambda check: self._run(check, self._keep))

    def diagnose(self) -> tuple[CheckResult, ...]:
        """Runs the checks like `keep`, each in a transaction of its own, so that none hides another."""
        return self._all(lambda check: self._tried(check, self._keep_alone))

    def _all(self, run: _Read) -> tuple[CheckResult, ...]:
        declared = (result for check in self.node.checks for result in run(check))
        return (*declared, *self.beside())

    def _tried(self, check: Check, read: _Read) -> list[CheckResult]:
        try:
            return self._run(check, read)
        except StatementError as error:
            return [CheckResult(check.name, "fail", f"the check could not run: {error}")]

    def _run(self, check: Check, read: _Read) -> list[CheckResult]:
        started = perf_counter()
        results: list[CheckResult] = []
        error: str | None = None
        try:
            query = self.guard.judge_read(check.query)
            results = read(replace(check, query=query)) or [
                CheckResult(check.name, "pass", "no rows")
            ]
        except StatementError as failure:
            error = str(failure)
            raise
        finally:
            self.emit(
                StatementRun(
                    node=self.node.name,
                    source="node_validation",
                    kind="select",
                    query=check.query,
                    error=error,
                    content=summary(results) or None,
                    elapsed_ms=(perf_counter() - started) * 1000,
                    name=check_table(self.node.name, check.name),
                )
            )
        return results

    def _read(self, check: Check) -> list[CheckResult]:
        with self.cursor.read_only():
            return self._results(check, f"({_without_semicolon(check.query)})")

    def _keep_alone(self, check: Check) -> list[CheckResult]:
        with self.cursor.transaction():
            return self._keep(check)

    def _keep(self, check: Check) -> list[CheckResult]:
        table = quote(check_table(self.node.name, check.name))
        self.cursor.execute(f"CREATE OR REPLACE TABLE {table} AS {check.query}")
        return self._results(check, table)

    def _results(self, check: Check, relation: str) -> list[CheckResult]:
        if check.style == "rows":
            return self._error_rows(check, relation)
        return self._status_rows(check, relation)

    def _status_rows(self, check: Check, relation: str) -> list[CheckResult]:
        query = f"SELECT CAST(status AS VARCHAR), CAST(message AS VARCHAR) FROM {relation}"
        # Rows are cut here, and sorted in DuckDB only where that decides which are told: LIMIT and
        # ORDER BY each double what it takes to read the single row of most checks.
        read = self.cursor.fetch(query, MAX_RESULTS + 1)
        if len(read.rows) > MAX_RESULTS:
            read = self.cursor.fetch(f"{query} ORDER BY {_SEVERITY}", MAX_RESULTS + 1)
        results = [_status_row(check.name, *row) for row in read.rows]
        return _cut(sorted(results, key=lambda result: _STATUSES.index(result.status)))

    def _error_rows(self, check: Check, relation: str) -> list[CheckResult]:
        result = self.cursor.fetch(f"SELECT * FROM {relation}", MAX_RESULTS + 1)
        return _cut(
            [CheckResult(check.name, "fail", _row_text(result.columns, row)) for row in result.rows]
        )


def summary(results: Iterable[CheckResult]) -> str:
    """Returns how many results each check has of each status: `main: 2 fail, 1 pass`."""
    counts: dict[str, dict[str, int]] = {}
    for result in results:
        of_check = counts.setdefault(result.check, {})
        of_check[result.status] = of_check.get(result.status, 0) + 1
    return "; ".join(
        f"{check}: {', '.join(f'{count} {status}' for status, count in by_status.items())}"
        for check, by_status in counts.items()
    )


def _status_row(check: str, status: str | None, message: str | None) -> CheckResult:
    for known in _STATUSES:
        if status is not None and fold(status) == known:
            return CheckResult(check, known, message or "")
    return CheckResult(
        check, "fail", f"status is {status!r}, not pass, warn or fail (message: {message})"
    )


def _row_text(names: tuple[str, ...], row: Row) -> str:
    if len(row) == 1:
        return str(row[0])
    return ", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True))


def _cut(results: list[CheckResult]) -> list[CheckResult]:
    if len(results) <= MAX_RESULTS:
        return results
    last = results[MAX_RESULTS - 1]
    more = CheckResult(
        last.check, last.status, f"more than {MAX_RESULTS} rows; the check's table has all"
    )
    return [*results[:MAX_RESULTS], more]


def _without_semicolon(query: str) -> str:
    # A trailing comment would swallow the closing bracket, hence the line break.
    return query.strip().rstrip(";") + "\n"
