"""Kills real runs at random moments, resumes them, and holds the end against an undisturbed run.

    PYTHONPATH=tests uv run python -m killing 500 --seed 1

A run is a process of its own that asks a fake server, and goes on by `taskgraph run --resume`. Half
of the kills come at any time, the others in the middle of what `dying` lists, so that the short
moments are met as well. After each kill the file tells what is on record; from then on nothing of
that may be asked again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from dying import EARLY, LATE, Moment
from killed_spec import CALLS, DAYS, MODEL, SCRIPT, SPEC, Call, call_of, serving
from replaying import differences, replay
from running import DEFAULTS, Made
from taskgraph.loader import load_spec
from taskgraph.testing import FakeOpenRouter

MOST_KILLS = 6
"""Per run; after them it goes on to its end."""
MOST_DELAY_S = 0.05
"""From an event, or from a moment of `dying`, to the kill."""
Row: TypeAlias = tuple[Any, ...]


@dataclass
class Part:
    """One process of a run."""

    key: str
    """That it shows the server, which tells its calls from those of others."""
    before: frozenset[Call]
    """On record when it began."""
    after: frozenset[Call] | None = None
    """On record when it was killed; None where it came to its end."""

    def asked_in_vain(self, asked: Sequence[Call]) -> int:
        """Returns how many of its calls came to no answer that is on record.

        Raises:
            AssertionError: it was paid for what was on record, or built on what was not.
        """
        assert not self.before.intersection(asked), f"paid twice: {self.before.intersection(asked)}"
        assert len(asked) == len(set(asked)), f"one process asks the same twice: {asked}"
        if self.after is None:
            return 0
        assert self.before <= self.after <= self.before.union(asked), "what was on record is lost"
        lost = set(asked) - self.after
        assert len({node for node, _ in lost}) == len(lost), f"an answer was built on: {lost}"
        return len(lost)


@dataclass
class Run:
    """One run, in as many processes as it takes."""

    folder: Path
    server: FakeOpenRouter
    kills: Counter[str] = field(default_factory=Counter[str])
    """How often it was killed, by what it did: in its first process, or going on."""
    parts: list[Part] = field(default_factory=list[Part])

    def __post_init__(self) -> None:
        (self.folder / "spec.py").write_text(SPEC)
        (self.folder / "days.csv").write_text(DAYS)

    @property
    def file(self) -> Path:
        """The finished file."""
        return self.folder / "out.db"

    def go_on(self) -> int:
        """Lets the run come to its end; returns how many events that told."""
        process = self._start("taskgraph")
        told, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        return told.count("\n")

    def kill(self, chance: random.Random, events: int, kills_left: int) -> bool:
        """Starts or resumes the run and kills it; says if it was not faster.

        Args:
            chance: chooses when.
            events: of an undisturbed run.
            kills_left: before the run may come to its end; 0 for one that comes late.
        """
        part = "going on" if self.file.with_name("out.db.partial").exists() else "first"
        if kills_left == 0:
            when, code = self._kill_at(chance.choice(LATE), chance)
        elif chance.random() < 0.5:
            when, code = self._kill_at(chance.choice(EARLY), chance)
        else:
            when, code = self._kill_after_events(chance, events // kills_left)
        if code == 0:
            return False
        self.kills[f"{part}, {when}"] += 1
        self.parts[-1].after = self._on_record()
        return True

    def asked_in_vain(self) -> int:
        """Returns how many calls were in flight at a kill and made again, once all is over."""
        asked: dict[str, list[Call]] = {part.key: [] for part in self.parts}
        for node in SCRIPT:
            for seen in self.server.agent(node).seen:
                asked[seen.headers["authorization"].removeprefix("Bearer ")].append(call_of(seen))
        lost = sum(part.asked_in_vain(asked[part.key]) for part in self.parts)
        assert sum(map(len, asked.values())) == CALLS + lost, "a call was made once too often"
        return lost

    def _kill_after_events(self, chance: random.Random, most: int) -> tuple[str, int]:
        process = self._start("taskgraph")
        assert process.stdout
        last = "nothing"
        for _ in range(chance.randrange(most)):
            if not (line := process.stdout.readline()):
                break
            last = json.loads(line)["event"]
        time.sleep(chance.random() * MOST_DELAY_S)
        process.kill()
        process.communicate()
        return f"after {last}", process.returncode

    def _kill_at(self, moment: Moment, chance: random.Random) -> tuple[str, int]:
        number = chance.randrange(1, 3) if moment in LATE else chance.randrange(1, 6)
        delay_s = chance.choice((0.0, chance.random() * 0.003, chance.random() * MOST_DELAY_S))
        process = self._start("dying", moment, str(number), str(delay_s))
        _, errors = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), errors
        return f"in {moment}", process.returncode

    def _start(self, *module: str) -> subprocess.Popen[str]:
        self.parts.append(Part(f"sk-or-v1-{len(self.parts)}", self._on_record()))
        flags = ("-s", "spec.py", "-o", "out.db", "-m", MODEL, "--json", "--resume")
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parent),
            "OPENROUTER_API_KEY": self.parts[-1].key,
            "TASKGRAPH_BASE_URL": self.server.base_url,
        }
        return subprocess.Popen(
            [sys.executable, "-m", *module, "run", *flags],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _on_record(self) -> frozenset[Call]:
        file = self.file if self.file.exists() else self.file.with_name("out.db.partial")
        if not file.exists():
            return frozenset()
        try:
            with duckdb.connect(file, read_only=True) as connection:
                return frozenset(connection.execute("SELECT node, step FROM _llm_calls").fetchall())
        except duckdb.Error:
            return frozenset()  # killed before its file was one


def contents(file: Path) -> dict[str, list[Row]]:
    """Everything in a finished file that has to be the same however often its run was killed."""
    with duckdb.connect(file, read_only=True) as connection:

        def rows(query: str) -> list[Row]:
            return connection.execute(query).fetchall()

        names = rows("SELECT table_name FROM duckdb_tables() WHERE table_name[1] <> '_'")
        tables = {name: rows(f"SELECT * FROM {name} ORDER BY ALL") for (name,) in sorted(names)}
        record = {name: rows(query) for name, query in _RECORD.items()}
        return tables | record


_RECORD = {
    "nodes": "SELECT node, kind, status, iterations, tool_calls, prompt_tokens, cost_usd, "
    "meta_json FROM _node_meta ORDER BY node",
    "checks": "FROM _checks ORDER BY ALL",
    "definitions": "FROM _view_definitions ORDER BY ALL",
    # That its work was accepted is said when the node is on record, and nobody answers to it.
    "messages": "SELECT node, conversation, position, role, content, "
    "regexp_replace(tool_calls, '\"id\": \"[^\"]*\"', '', 'g') FROM _messages "
    "WHERE NOT starts_with(coalesce(content, ''), 'Accepted:') ORDER BY ALL",
    "calls": "SELECT node, conversation, step, cost_usd FROM _llm_calls ORDER BY ALL",
    # What was in flight at a kill may be told twice, or not before it is done again.
    "statements": "SELECT DISTINCT node, source, kind, query, content, success, row_count "
    "FROM _trace ORDER BY ALL",
    "macros": "SELECT function_name FROM duckdb_functions() WHERE NOT internal ORDER BY ALL",
    "views": "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
    "status": "SELECT value FROM _workspace_meta WHERE key IN ('status', 'exports') ORDER BY key",
}


@dataclass
class Figures:
    """What a number of kills came to."""

    runs: int = 0
    kills: Counter[str] = field(default_factory=Counter[str])
    asked_again: int = 0
    failures: list[str] = field(default_factory=list[str])
    """What was lost, differs, or was paid twice."""


def survive(kills: int, seed: int) -> Figures:
    """Kills runs until there are enough kills, and compares each with an undisturbed one."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        reference = Run(Path(folder), server)
        events = reference.go_on()
        expected = contents(reference.file)
    while figures.kills.total() < kills:
        chance = random.Random(f"{seed}/{figures.runs}")
        most = min(MOST_KILLS, kills - figures.kills.total())
        with tempfile.TemporaryDirectory() as folder:
            server = serving()
            run = Run(Path(folder), server)
            try:
                _kill_often(run, chance, most, events)
                figures.asked_again += run.asked_in_vain()
                _compare(contents(run.file), expected)
                _play_back(run)
            except AssertionError as error:
                figures.failures.append(f"run {figures.runs} of seed {seed}: {error}")
        figures.runs += 1
        figures.kills += run.kills
    return figures


def _kill_often(run: Run, chance: random.Random, most: int, events: int) -> None:
    try:
        with run.server:
            for left in reversed(range(most)):
                if not run.kill(chance, events, left) or run.file.exists():
                    return
            run.go_on()
    except AssertionError as error:
        # A request of a killed process may arrive after its successor's, and be the shorter one.
        otherwise = list(_said_otherwise(run.server))
        if otherwise or "earlier messages differ" not in str(error):
            raise AssertionError("\n".join([str(error), *otherwise])) from error


def _said_otherwise(server: FakeOpenRouter) -> Iterator[str]:
    """Tells which messages of a question are not those of the question before."""
    for node in SCRIPT:
        for before, after in pairwise(server.agent(node).seen):
            for one, other in zip(before.messages, after.messages, strict=False):
                if one != other:
                    yield f"{node}: {one}\n -> {other}"


def _play_back(run: Run) -> None:
    """What was killed and went on plays as if it had not been."""
    spec = load_spec("spec.py", directory=run.folder)
    folder = run.folder / "played"
    folder.mkdir()
    played = asyncio.run(replay(Made(run.file, spec, DEFAULTS), folder))
    assert differences(run.file, played) == []


def _compare(found: Mapping[str, list[Row]], expected: Mapping[str, list[Row]]) -> None:
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        rows = found[name]
        differing = [row for row in (*rows, *wanted) if (row in rows) != (row in wanted)]
        assert rows == wanted, f"{name} differ: {differing}"


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="killing", description=__doc__)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures = survive(options.kills, options.seed)
    sys.stdout.write(
        f"{figures.kills.total()} kills in {figures.runs} runs (seed {options.seed}): "
        f"{len(figures.failures)} lost or changed anything. {figures.asked_again} of "
        f"{figures.runs * CALLS + figures.asked_again} model calls were in flight at a kill and made "
        f"again; no other was.\n"
    )
    for when, count in sorted(figures.kills.items()):
        sys.stdout.write(f"{count:>5}  {when}\n")
    sys.exit("\n".join(figures.failures) or None)


if __name__ == "__main__":
    main()
