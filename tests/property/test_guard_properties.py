"""Statements from a hostile grammar: none that is accepted reads or changes what it must not.

`FUZZ_STATEMENTS=100000` sets how many are tried; few by default.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import prompt, source
from guard_workspace import files, state
from sql_grammar import statements
from taskgraph.database import Database, Row, quote
from taskgraph.engine import Limits
from taskgraph.errors import StatementError
from taskgraph.guard import Guard, Mode
from taskgraph.namespace import Names, Scope

AT_ONCE = 6
STATEMENTS = int(os.environ.get("FUZZ_STATEMENTS", "300"))
CANARY = "CANARY"
NAMES = Names.of(
    [
        source("orders"),
        source("hidden"),
        prompt("other", outputs=["other_view"], depends_on=["orders"]),
        prompt("hide", depends_on=["hidden"]),
        prompt("prep", outputs=["clean_orders"], depends_on=["other"]),
    ]
)
SCHEMA = f"""
CREATE SCHEMA vault;
CREATE TABLE vault.secret AS SELECT 1 AS id, '{CANARY}' AS x;
CREATE TABLE _trace AS SELECT 1 AS id, '{CANARY}' AS x;
CREATE TABLE hidden AS SELECT 1 AS id, '{CANARY}' AS x;
CREATE TABLE orders AS SELECT range AS id, chr(97 + range::INT) AS x FROM range(3);
CREATE SEQUENCE s;
CREATE VIEW hide_view AS FROM hidden;
CREATE MACRO hide_m(v) AS (SELECT max(x) FROM hidden);
CREATE MACRO hide_rows(v) AS TABLE FROM hidden;
CREATE VIEW other_view AS FROM orders;
CREATE MACRO other_m(v) AS v;
CREATE MACRO other_rows(v) AS TABLE FROM orders;
"""
OWN = """
CREATE OR REPLACE VIEW prep_a AS FROM orders;
CREATE OR REPLACE VIEW prep_b AS SELECT 1 AS id, 'b' AS x;
CREATE OR REPLACE MACRO prep_m(v) AS v;
CREATE OR REPLACE MACRO prep_rows(v) AS TABLE FROM other_view;
"""


class Yard:
    """A workspace, the node that is out to do harm, and what became of its statements."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        limits = Limits(memory="500MB", temp_directory_size="50MB")
        self.database = Database.create(folder / "taskgraph.db.partial", limits)
        self.cursor = self.database.cursor()
        self.cursor.raw.execute(SCHEMA + OWN)
        self.cursor.raw.execute(f"SET VARIABLE a = '{CANARY}'")
        self.guards = {mode: self._guard(mode) for mode in ("agent", "sql_node", "check")}
        self.before = state(self.cursor)
        self.there = files(folder)
        self.endings: Counter[str] = Counter()
        self._deadline = float("inf")
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()

    def _guard(self, mode: Mode) -> Guard:
        return Guard(self.cursor, Scope(NAMES, "prep"), mode)

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            if time.monotonic() > self._deadline:
                self.cursor.raw.interrupt()

    def close(self) -> None:
        """Ends the watch and closes the file."""
        self._ended.set()
        self._watcher.join()
        self.database.close()

    def run(self, text: str, mode: Mode) -> None:
        """Runs a text as far as it goes; what it returns must not hold the canary."""
        guard = self.guards[mode]
        self._deadline = time.monotonic() + 2
        try:
            for statement in guard.split(text):
                done = guard.run(statement, max_rows=50)
                self.endings[done.kind] += 1
                if done.result is not None:
                    assert CANARY not in repr(done.result.rows), text
        except StatementError as error:
            self.endings[getattr(error, "code", type(error).__name__)] += 1
        finally:
            self._deadline = float("inf")

    def check(self) -> None:
        """Nothing but the node's own views and macros has changed, and none of them leaks."""
        after = state(self.cursor)
        assert all(map(_is_own, after ^ self.before))
        assert files(self.folder) == self.there
        made = {(kind, name) for kind, _, _, name, _ in after - self.before}
        for kind, name in made:
            call = "" if kind == "view" else "()"
            for query in (f"FROM {quote(name)}{call}", f"SELECT {quote(name)}{call}"):
                self._look_into(query)
        for kind, name in made:
            self.cursor.execute(f"DROP {kind} IF EXISTS {quote(name)}")
        if after != self.before:
            self.cursor.raw.execute(OWN)

    def _look_into(self, query: str) -> None:
        self._deadline = time.monotonic() + 2
        try:
            rows = self.cursor.fetch(query, 50).rows
        except StatementError:
            return  # such as a view whose own macro was dropped, or a macro that wants arguments
        finally:
            self._deadline = float("inf")
        assert CANARY not in repr(rows), query


def _is_own(row: Row) -> bool:
    kind, database, schema, name, _ = row
    place = (database, schema, NAMES.owner(name))
    return kind in {"view", "macro"} and place == ("taskgraph", "main", "prep")


MODES = st.sampled_from(["agent", "agent", "agent", "sql_node", "check"])


def attempt_all(yard: Yard) -> None:
    @settings(
        max_examples=STATEMENTS // AT_ONCE,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(st.tuples(statements(), MODES), min_size=AT_ONCE, max_size=AT_ONCE))
    def attempt(attempts: list[tuple[str, Mode]]) -> None:
        for text, mode in attempts:
            yard.run(text, mode)
        yard.check()

    attempt()


@pytest.mark.slow
def test_no_accepted_statement_reads_or_changes_what_it_must_not(tmp_path: Path) -> None:
    with closing(Yard(tmp_path)) as yard:
        attempt_all(yard)
    # The grammar is neither harmless nor hopeless.
    seen = yard.endings
    # Of some hundred statements it may be that no definition gets through.
    defined = {"create_view", "create_macro"} if STATEMENTS >= 3_000 else set[str]()
    assert {"select", "relation", "function"} | defined <= set(seen)
    ran = sum(seen[kind] for kind in ("select", "explain", "create_view", "create_macro"))
    assert ran > sum(seen.values()) / 20, seen
    if "FUZZ_STATEMENTS" in os.environ:
        sys.stderr.write(f"\n{sum(seen.values()):,} endings: {seen.most_common()}\n")
