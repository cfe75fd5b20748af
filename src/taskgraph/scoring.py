"""Holds the tables of a finished run against gold: which rows are there, and which are right.

Rows are found by key, the fewest first columns of gold that tell all of its rows apart. The order
of columns, and columns that gold does not have, do not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskgraph.database import Connection, fold, quote, quote_text, read_only, scratch
from taskgraph.duckdb_errors import translated
from taskgraph.errors import QueryFailed, SettingsError
from taskgraph.loader.fields import nearest
from taskgraph.namespace import Names
from taskgraph.spec import SourceNode, Spec

_READERS = {
    ".csv": "read_csv({}, all_varchar = true)",
    ".tsv": "read_csv({}, all_varchar = true)",
    ".parquet": "read_parquet({})",
}
_INEXACT = ("DOUBLE", "FLOAT")
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Gold:
    """A table as it should come out."""

    node: str
    """Whose it is."""
    relation: str
    file: Path
    in_database: bool = False
    """The file is a `.db` that has a table of this name."""


@dataclass(frozen=True, slots=True)
class Score:
    """How near one table of a run came to gold."""

    gold: Gold
    expected: int
    """Rows of gold."""
    found: int
    """Rows of the run's table."""
    right: int
    """Rows of gold that the run has, with all of their values."""

    @property
    def precision(self) -> float:
        """Part of the rows found that are right; 1 where nothing was to be found, nor was."""
        return self.right / self.found if self.found else float(self.expected == 0)

    @property
    def recall(self) -> float:
        """Part of the rows expected that were found right."""
        return self.right / self.expected if self.expected else float(self.found == 0)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def gold_of(spec: Spec, files: Sequence[str]) -> tuple[Gold, ...]:
    """Finds out which tables the gold files are about.

    Args:
        spec: whose nodes make the tables.
        files: `table.csv`, `table=any.parquet`, or a `.db` with tables of the same names.

    Raises:
        SettingsError: a file cannot be read, or no node makes such a table.
    """
    names = Names.of(spec.nodes)
    makers = {node.name for node in spec.nodes if not isinstance(node, SourceNode)}
    found = [one for file in files for one in _gold_in(file, names, makers)]
    if not found:
        raise SettingsError(
            f"the gold files hold no table that a node of the spec makes: {', '.join(files)}"
        )
    return tuple(found)


def scores_of(
    database: Path, gold: Sequence[Gold], passed: Mapping[str, bool]
) -> tuple[Score, ...]:
    """Scores the tables of a finished run; a node that did not pass has found nothing.

    Args:
        database: the run's file.
        gold: what should be there.
        passed: node to whether it passed.
    """
    with scratch() as connection:
        connection.execute(f"ATTACH {quote_text(str(database))} AS run (READ_ONLY)")
        return tuple(_score(connection, one, passed.get(one.node, False)) for one in gold)


def _gold_in(text: str, names: Names, makers: set[str]) -> Iterator[Gold]:
    named, _, rest = ("", "", "") if Path(text).is_file() else text.partition("=")
    file = Path(rest or text)
    if not file.is_file():
        raise SettingsError(f"there is no gold file {str(file)!r}")
    if not rest and file.suffix not in _READERS:
        yield from _gold_in_database(file, names, makers)
        return
    relation = named if rest else file.stem
    if file.suffix not in _READERS:
        raise SettingsError(f"{str(file)!r} is no CSV, TSV or Parquet file")
    owner = names.owner(relation)
    if owner not in makers:
        outputs = [name for node in makers for name in names.declared_by(node)]
        raise SettingsError(
            f"no node of the spec makes {relation!r}, which {str(file)!r} is named after",
            nearest(relation, outputs) or f"Name it: --gold TABLE={file}",
        )
    yield Gold(owner, relation, file)


def _gold_in_database(file: Path, names: Names, makers: set[str]) -> Iterator[Gold]:
    with read_only(file) as connection:
        rows = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    for (relation,) in sorted(rows):
        owner = names.owner(relation)
        if owner in makers and names.reserved_for_checks(relation) is None:
            yield Gold(owner, relation, file, in_database=True)


def _score(connection: Connection, gold: Gold, has_passed: bool) -> Score:
    _load(connection, gold)
    expected = _count(connection, "gold")
    found = _columns(connection, f"run.main.{quote(gold.relation)}") if has_passed else {}
    if not found:
        return Score(gold, expected, 0, 0)
    rows = _count(connection, f"run.main.{quote(gold.relation)}")
    wanted = _columns(connection, "gold")
    if not wanted.keys() <= found.keys():
        return Score(gold, expected, rows, 0)
    return Score(gold, expected, rows, _right(connection, gold, wanted, found))


def _load(connection: Connection, gold: Gold) -> None:
    connection.execute("DROP TABLE IF EXISTS gold")
    if not gold.in_database:
        reader = _READERS[gold.file.suffix].format(quote_text(str(gold.file)))
        try:
            with translated():
                connection.execute(f"CREATE TABLE gold AS FROM {reader}")
        except QueryFailed as error:
            raise SettingsError(f"cannot read the gold file {str(gold.file)!r}: {error}") from error
        return
    connection.execute(f"ATTACH {quote_text(str(gold.file))} AS gold_file (READ_ONLY)")
    relation = f"gold_file.main.{quote(gold.relation)}"
    connection.execute(
        f"CREATE TABLE gold AS SELECT COLUMNS(lambda c: c <> '_row_id') FROM {relation}"
    )
    connection.execute("DETACH gold_file")


def _columns(connection: Connection, relation: str) -> dict[str, tuple[str, str]]:
    """Folded name to the name as it is and its type; none where there is no such table."""
    try:
        with translated():
            rows = connection.execute(f"DESCRIBE {relation}").fetchall()
    except QueryFailed:
        return {}
    return {fold(name): (name, kind) for name, kind, *_ in rows}


def _right(
    connection: Connection,
    gold: Gold,
    wanted: Mapping[str, tuple[str, str]],
    found: Mapping[str, tuple[str, str]],
) -> int:
    key = _key(connection, [name for name, _ in wanted.values()])
    pairs = {name: found[folded] for folded, (name, _) in wanted.items()}
    same_key = " AND ".join(
        f"TRY_CAST(gold.{quote(name)} AS {pairs[name][1]}) IS NOT DISTINCT FROM "
        f"made.{quote(pairs[name][0])}"
        for name in key
    )
    same = " AND ".join(_same(name, *pairs[name]) for name in pairs if name not in key) or "true"
    [(count,)] = connection.execute(
        f"SELECT count(DISTINCT gold.rowid) FROM gold JOIN run.main.{quote(gold.relation)} AS made "
        f"ON {same_key} WHERE {same}"
    ).fetchall()
    return count


def _same(wanted: str, made: str, kind: str) -> str:
    left, right = f"gold.{quote(wanted)}", f"made.{quote(made)}"
    equal = f"TRY_CAST({left} AS {kind}) = {right}"
    if kind in _INEXACT:
        difference = f"abs(TRY_CAST({left} AS DOUBLE) - {right})"
        equal = f"{difference} <= {_TOLERANCE} * greatest(1, abs({right}))"
    return f"(({left} IS NULL AND {right} IS NULL) OR coalesce({equal}, false))"


def _key(connection: Connection, columns: Sequence[str]) -> Sequence[str]:
    rows = _count(connection, "gold")
    for length in range(1, len(columns)):
        shown = ", ".join(map(quote, columns[:length]))
        if _count(connection, f"(SELECT DISTINCT {shown} FROM gold)") == rows:
            return columns[:length]
    return columns


def _count(connection: Connection, relation: str) -> int:
    [(count,)] = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
    return count
