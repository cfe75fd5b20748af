"""Finds the types of columns of text, over every value of them and without losing one.

A column gets a type only if each of its values is written the way that type writes it: `007`,
`+49` and twenty digits stay text, since a number would not give them back. DuckDB's own sniffer
looks at a sample, reads `007` as 7, and takes 01/02/2024 for one of its two meanings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import duckdb

from taskgraph.database import quote
from taskgraph.errors import IngestError
from taskgraph.ingest.names import match_columns
from taskgraph.ingest.options import FileRequest
from taskgraph.ingest.reading import STAGED, plain
from taskgraph.ingest.rules import Rule, rules_for, typed_rule

_SAMPLE_ROWS = 2_000
_COLUMNS_PER_QUERY = 200
_NEARLY_ALL = 0.9


@dataclass(frozen=True, slots=True)
class ReadColumns:
    """How to read the staged columns."""

    expressions: Mapping[str, str]
    """Name to the SQL expression that gives the column's value, in order."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Inferred:
    """What the values of some columns are."""

    rules: Mapping[str, Rule]
    """Column to the rule that all of its values keep; no entry for a column that stays text."""
    remarks: Mapping[str, str]
    """Column to what a person should know of it."""


@dataclass(frozen=True, slots=True)
class _Tally:
    """How many values of a column keep each of the rules."""

    count: int
    fitting: tuple[int, ...]

    def kept(self, rules: Sequence[Rule]) -> list[Rule]:
        """The rules that every value keeps; none where there is no value."""
        pairs = zip(rules, self.fitting, strict=True)
        return [rule for rule, fitting in pairs if fitting == self.count > 0]

    def nearly_kept(self, rules: Sequence[Rule]) -> Rule | None:
        """The rule that most values keep, if those are nearly all."""
        best = max(range(len(rules)), key=self.fitting.__getitem__)
        return rules[best] if self.fitting[best] >= self.count * _NEARLY_ALL > 0 else None


def guess_rules(
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], request: FileRequest
) -> dict[str, Rule]:
    """Guesses from what is staged the rules of columns for which a guess is quickly checked.

    Args:
        connection: holds the table `staged`.
        columns: columns of that table, all VARCHAR, to the names that they are to have.
        request: which types are asked for, and how numbers and dates are written.
    """
    given = match_columns(request.types, tuple(columns.values()))
    open_columns = [column for column, name in columns.items() if name not in given]
    rules = () if request.all_text else rules_for(request)
    tallies = _tallies(connection, open_columns, rules, _SAMPLE_ROWS) if rules else ()
    kept = {column: tally.kept(rules) for column, tally in tallies}
    return {column: found[0] for column, found in kept.items() if found and found[0].quick}


def typed_rows(columns: Iterable[str], rules: Mapping[str, Rule], source: str, kept: str) -> str:
    """Returns a query that gives some columns of text their types, and checks every value.

    Args:
        columns: the columns of `source`, all VARCHAR.
        rules: those to be typed, with rules that have a `quick` predicate.
        source: what stands in its FROM.
        kept: name of the column that says whether the values of a row keep their rules.
    """
    # In two steps: DuckDB computes a value that stands in a condition as well twice otherwise.
    values = [f"{rule.value.format(c=one)} AS {_value(one)}" for one, rule in rules.items()]
    checks = [_keeps(one, rule) for one, rule in rules.items()]
    chosen = [f"{_value(one)} AS {one}" if one in rules else one for one in columns]
    return (
        f"SELECT {', '.join(chosen)}, {' AND '.join(checks) or 'true'} AS {kept} "
        f"FROM (SELECT {', '.join(['*', *values])} FROM {source})"
    )


def _value(column: str) -> str:
    return f"{column}_value"


def _keeps(column: str, rule: Rule) -> str:
    quick = (rule.quick or "false").format(c=column, v=_value(column))
    slow = f"coalesce({rule.fits.format(c=column)}, false)"
    return f"CASE WHEN {column} IS NULL OR {quick} THEN true ELSE {slow} END"


def read_columns(
    connection: duckdb.DuckDBPyConnection,
    columns: Mapping[str, str],
    request: FileRequest,
    typed: Mapping[str, Rule] = MappingProxyType({}),
) -> ReadColumns:
    """Finds out how to read every column: by the type asked for, or by what its values are.

    Args:
        connection: holds the table `staged`.
        columns: columns of that table to the names that they are to have.
        request: which types are asked for, and how numbers and dates are written.
        typed: those columns that have been given the type of a rule; all others are VARCHAR.

    Raises:
        IngestError: a value is not of the type asked for; names its row.
    """
    wanted = match_columns(request.types, tuple(columns.values()))
    given = {column: wanted[name] for column, name in columns.items() if name in wanted}
    rules = {column: typed_rule(type_, request) for column, type_ in given.items()}
    for column, type_ in given.items():
        _require_type(connection, column, columns[column], type_, rules[column])
    known = given.keys() | typed.keys()
    rest = [] if request.all_text else [column for column in columns if column not in known]
    inferred = _infer(connection, rest, rules_for(request))
    rules |= inferred.rules
    return ReadColumns(
        {
            name: rules[column].value.format(c=quote(column)) if column in rules else quote(column)
            for column, name in columns.items()
        },
        tuple(f"column {columns[c]!r} {remark}" for c, remark in inferred.remarks.items()),
    )


def _require_type(
    connection: duckdb.DuckDBPyConnection, column: str, name: str, type_: str, rule: Rule
) -> None:
    try:
        odd = misfit(connection, column, rule)
    except duckdb.Error as error:
        raise IngestError(f"types: {type_!r} of column {name!r}: {plain(error)}") from error
    if odd:
        raise IngestError(f"column {name!r} cannot be {type_}: {odd}")


def _infer(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], rules: Sequence[Rule]
) -> _Inferred:
    """Finds the first rule that every value of a column keeps.

    A sample tells which rule to try; the whole column decides.

    Args:
        connection: holds the table `staged`.
        columns: columns of that table, all VARCHAR.
        rules: the narrowest first.
    """
    guesses: dict[str, Rule] = {}
    doubtful: list[str] = []
    [(rows,)] = connection.execute(f"SELECT count(*) FROM {STAGED}").fetchall()
    sample_is_all = rows <= _SAMPLE_ROWS
    for column, tally in _tallies(connection, columns, rules, _SAMPLE_ROWS):
        kept = tally.kept(rules)
        if kept and not _ambiguous(kept):
            guesses[column] = kept[0]
        elif tally.nearly_kept(rules) or (tally.count == 0 and not sample_is_all):
            doubtful.append(column)
    broken = [] if sample_is_all else _broken(connection, guesses)
    kept_guesses = {column: rule for column, rule in guesses.items() if column not in broken}
    decided = _decide(connection, [*doubtful, *broken], rules)
    all_rules = {**kept_guesses, **decided.rules}
    notes = {column: rule.note for column, rule in all_rules.items() if rule.note}
    return _Inferred(all_rules, {**notes, **decided.remarks})


def _decide(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], rules: Sequence[Rule]
) -> _Inferred:
    """Tries every rule on every value."""
    decided: dict[str, Rule] = {}
    remarks: dict[str, str] = {}
    for column, tally in _tallies(connection, columns, rules):
        kept = tally.kept(rules)
        if kept and not _ambiguous(kept):
            decided[column] = kept[0]
        elif kept:
            remarks[column] = (
                "is kept as text: its dates could be day or month first; "
                "say which with the option date_format, such as '%d/%m/%Y'"
            )
        elif nearest := tally.nearly_kept(rules):
            odd = misfit(connection, column, nearest)
            if odd and not odd.digits:
                remarks[column] = f"is kept as text: {odd}, where nearly all are {nearest.kind}"
    return _Inferred(decided, remarks)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that breaks a rule."""

    row: int
    """From 1, in source order."""
    text: str

    @property
    def digits(self) -> bool:
        """Whether it is a code, such as one with leading zeros, and not an accident."""
        return self.text.strip().isdigit()

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 60 else f"{self.text[:60]}..."
        return f"row {self.row} has {shown!r}"


def misfit(connection: duckdb.DuckDBPyConnection, column: str, rule: Rule) -> Misfit | None:
    """Finds the first value of a staged column that breaks a rule."""
    found = connection.execute(
        f"SELECT rowid + 1, {quote(column)} FROM {STAGED} "
        f"WHERE {_breaks(column, rule)} ORDER BY rowid LIMIT 1"
    ).fetchall()
    return next((Misfit(row, str(text)) for row, text in found), None)


def _ambiguous(kept: Iterable[Rule]) -> bool:
    orders = {rule.order for rule in kept}
    return {"day first", "month first"} <= orders


def _tallies(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[str],
    rules: Sequence[Rule],
    rows: int | None = None,
) -> Iterator[tuple[str, _Tally]]:
    """Counts, in the first rows or in all, the values that keep each rule."""
    fitting = (rule.fits.format(c="c") for rule in rules)
    counts = ", ".join(f"coalesce(sum(n) FILTER ({fits}), 0)::BIGINT" for fits in fitting)
    limit = f"WHERE rowid < {rows}" if rows is not None else ""
    for batch in _batches(columns):
        # One query for all columns: an aggregate for each pair of column and rule would take
        # DuckDB longer to plan than to run. UNPIVOT leaves NULLs out. Each text is tried once,
        # however often it stands in its column: to find it again costs less than to try one rule.
        names = ", ".join(map(quote, batch))
        found = connection.execute(
            f"SELECT name, sum(n)::BIGINT, {counts} FROM (SELECT name, c, count(*) AS n FROM "
            f"(UNPIVOT (SELECT {names} FROM {STAGED} {limit}) ON {names} INTO NAME name VALUE c) "
            "GROUP BY name, c) GROUP BY name"
        ).fetchall()
        tallies = {name: _Tally(count, tuple(fitting)) for name, count, *fitting in found}
        nothing = _Tally(0, (0,) * len(rules))
        yield from ((column, tallies.get(column, nothing)) for column in batch)


def _broken(connection: duckdb.DuckDBPyConnection, guesses: Mapping[str, Rule]) -> list[str]:
    """The columns that hold, anywhere, a value that breaks the rule guessed for them."""
    broken: list[str] = []
    for batch in _batches(list(guesses)):
        counts = ", ".join(f"count(*) FILTER ({_breaks(one, guesses[one])})" for one in batch)
        [found] = connection.execute(f"SELECT {counts} FROM {STAGED}").fetchall()
        broken += [column for column, count in zip(batch, found, strict=True) if count]
    return broken


def _breaks(column: str, rule: Rule) -> str:
    name = quote(column)
    return f"{name} IS NOT NULL AND NOT coalesce({rule.fits.format(c=name)}, false)"


def _batches(columns: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(columns), _COLUMNS_PER_QUERY):
        yield columns[start : start + _COLUMNS_PER_QUERY]
