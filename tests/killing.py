"""Kills real runs at random moments, resumes them, and holds the end against an undisturbed run.

    PYTHONPATH=tests python -m killing 500 --seed 1

A run is a process of its own that asks a fake server, and goes on by `taskgraph run --resume`.
After each kill its file tells what is on record; from then on nothing of that may be asked again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from taskgraph.testing import Answer, FakeOpenRouter, Seen, ServerState, model_entry

MODEL = "test/model"
PRICE = 0.01
"""US dollars per model call."""
MOST_KILLS = 6
"""Per run; after them it goes on to its end."""
MOST_DELAY_S = 0.05
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "cost": PRICE}

SPEC = '''
from pathlib import Path

COUNT = "SELECT if(count(*) = {}, 'pass', 'fail') AS status, count(*) || ' rows' AS message FROM {}"
STEPS = 8

NODES = [
    {"name": "orders", "source": [{"id": n, "amount": n * 1.5, "day": n % 7} for n in range(500)]},
    {"name": "payments", "source": lambda: [{"id": n * 2, "paid": n * 3.0} for n in range(300)]},
    {"name": "days", "source": Path(__file__).with_name("days.csv")},
    {
        "name": "clean",
        "depends_on": ["orders", "payments"],
        "sql": """
            CREATE MACRO clean_cents(x) AS round(x * 100)::BIGINT;
            CREATE VIEW clean_orders AS SELECT id, day, clean_cents(amount) AS cents FROM orders;
            CREATE VIEW clean_payments AS SELECT id, clean_cents(paid) AS cents FROM payments;
        """,
        "validate": {"all": COUNT.format(500, "clean_orders")},
    },
    *(
        {
            "name": f"step{n}",
            "depends_on": [f"step{n - 1}" if n else "clean"],
            "sql": f"CREATE VIEW step{n}_t AS SELECT id, cents + {n} AS cents FROM "
            + (f"step{n - 1}_t" if n else "clean_orders"),
        }
        for n in range(STEPS)
    ),
    {
        "name": "match",
        "depends_on": ["clean"],
        "prompt": "Match the payments with the orders.",
        "output_columns": {"match_pairs": ["id", "cents"], "match_rest": ["id"]},
        "validate": {"pairs": COUNT.format(250, "match_pairs")},
    },
    {
        "name": "sums",
        "depends_on": ["days", "orders"],
        "prompt": "Sum the orders by day.",
        "output_columns": {"sums_all": ["name", "amount"]},
    },
    {
        "name": "review",
        "depends_on": ["match", f"step{STEPS - 1}"],
        "prompt": "Review the match.",
        "output_columns": {"review_all": ["id"]},
    },
    {
        "name": "report",
        "depends_on": ["review", "sums"],
        "sql": "CREATE VIEW report_all AS SELECT count(*) AS n FROM review_all, match_rest",
        "validate": {"any": "SELECT 'warn' AS status, 'n=' || n AS message FROM report_all"},
    },
]


def export(connection, path):
    connection.execute(f"COPY report_all TO '{path}'")


EXPORTS = {"report.csv": export}
'''
DAYS = "day,name\n" + "".join(f"{day},day {day}\n" for day in range(7))


def _turn(*calls: str) -> Answer:
    return Answer(tools=tuple(("run_sql", {"sql": sql}) for sql in calls), usage=USAGE)


def _words(text: str) -> Answer:
    return Answer(text=text, usage=USAGE)


_PAIRS = (
    "CREATE OR REPLACE VIEW match_pairs AS "
    "SELECT id, p.cents FROM clean_orders JOIN clean_payments p USING (id)"
)
_REST = "CREATE VIEW match_rest AS FROM clean_payments ANTI JOIN match_pairs USING (id)"
SCRIPT: Mapping[str, tuple[Answer, ...]] = {
    "match": (
        _turn("FROM clean_orders ORDER BY id LIMIT 3", "SUMMARIZE clean_payments"),
        _turn("CREATE VIEW match_pairs AS SELECT id FROM nowhere", "SELECT 1; SELECT 2"),
        _turn("CREATE MACRO match_is(a, b) AS a = b", f"{_PAIRS} LIMIT 9; FROM range(2)"),
        _turn(_REST, "CREATE VIEW match_tmp AS FROM match_rest; DROP VIEW match_tmp"),
        _words("All done."),  # but for 241 pairs
        _turn(_PAIRS, "DROP TABLE clean_orders"),
        _words("Now all is done."),
    ),
    "sums": (
        _turn("FROM days ORDER BY day"),
        _turn(
            "CREATE VIEW sums_base AS SELECT day, sum(amount) AS amount FROM orders GROUP BY day",
            "CREATE VIEW sums_all AS SELECT name, amount FROM sums_base JOIN days USING (day)",
        ),
        _words("Summed."),
    ),
    "review": (
        _turn("SELECT count(*) FROM match_pairs", "SELECT count(*) FROM step7_t"),
        _turn("CREATE VIEW review_all AS SELECT id FROM match_pairs WHERE cents > 40000"),
        _turn("SELECT count(*) AS n FROM review_all"),
        _words("Reviewed."),
    ),
}
CALLS = sum(map(len, SCRIPT.values()))
Call = tuple[str, int]
"""Node and step."""


def _answer(seen: Seen) -> Answer:
    return SCRIPT[seen.lane][_step(seen) - 1]


def _step(seen: Seen) -> int:
    return 1 + sum(message["role"] == "assistant" for message in seen.messages)


@contextlib.contextmanager
def serving() -> Generator[FakeOpenRouter]:
    """A server that answers by what was said before: the same question, the same answer."""
    with FakeOpenRouter(state=ServerState(models=[model_entry(MODEL)])) as server:
        server.default(_answer)
        yield server


@dataclass
class Run:
    """One run, in as many processes as it takes."""

    folder: Path
    server: FakeOpenRouter
    kills: Counter[str] = field(default_factory=Counter[str])
    """How often it was killed after which kind of event."""
    asked_again: int = 0
    """Calls that were in flight at a kill, and were made once more."""
    recorded: set[Call] = field(default_factory=set[Call])
    _counted: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        (self.folder / "spec.py").write_text(SPEC)
        (self.folder / "days.csv").write_text(DAYS)

    @property
    def file(self) -> Path:
        """The finished file."""
        return self.folder / "out.db"

    def go_on(self) -> int:
        """Lets the run come to its end; returns how many events that told."""
        process = self._start()
        told, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        self._check_calls()
        return told.count("\n")

    def kill(self, chance: random.Random, events: int) -> bool:
        """Starts or resumes the run and kills it; says if it was not faster.

        Args:
            chance: chooses after how many events, and how long after.
            events: of an undisturbed run.
        """
        process = self._start()
        assert process.stdout
        last = "nothing"
        for _ in range(chance.randrange(events)):
            if not (line := process.stdout.readline()):
                break
            last = json.loads(line)["event"]
        time.sleep(chance.random() * MOST_DELAY_S)
        process.kill()
        process.communicate()
        self._check_calls()
        if self.file.exists():
            return False
        self.kills[last] += 1
        self._read_record()
        return True

    def _start(self) -> subprocess.Popen[str]:
        flags = ("-s", "spec.py", "-o", "out.db", "-m", MODEL, "--json", "--resume")
        environment = {
            "PATH": os.environ["PATH"],
            "OPENROUTER_API_KEY": "sk-or-v1-test",
            "TASKGRAPH_BASE_URL": self.server.base_url,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "taskgraph", "run", *flags],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _check_calls(self) -> None:
        """Nothing that is on record is asked again, and no question follows an unrecorded one."""
        for node in SCRIPT:
            new = self.server.agent(node).seen[self._counted[node] :]
            self._counted[node] += len(new)
            steps = [_step(seen) for seen in new]
            again = {(node, step) for step in steps} & self.recorded
            assert not again, f"paid twice: {sorted(again)}"
            assert len(steps) == len(set(steps)), "one process asks the same twice"

    def _read_record(self) -> None:
        before = len(self.recorded)
        self.recorded = set(_on_record(self.file.with_name("out.db.partial")))
        assert len(self.recorded) >= before, "what was on record is lost"
        asked = {(node, _step(seen)) for node in SCRIPT for seen in self.server.agent(node).seen}
        assert self.recorded <= asked
        in_flight = asked - self.recorded
        assert len({node for node, _ in in_flight}) == len(in_flight), "an answer was built on"
        self.asked_again += len(in_flight)


def _on_record(partial: Path) -> list[Call]:
    with contextlib.suppress(duckdb.Error), duckdb.connect(partial, read_only=True) as connection:
        return connection.execute("SELECT node, step FROM _llm_calls").fetchall()
    return []  # killed before its file was one


def contents(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in a finished file that has to be the same however often its run was killed."""
    with duckdb.connect(file, read_only=True) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
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
    "messages": "SELECT node, conversation, position, role, content, "
    "regexp_replace(tool_calls, '\"id\": \"[^\"]*\"', '', 'g') FROM _messages ORDER BY ALL",
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


def survive(kills: int, seed: int) -> Figures:
    """Kills runs until there are enough kills, and compares each with an undisturbed one.

    Raises:
        AssertionError: something was lost, differs, or was paid twice.
    """
    chance, figures = random.Random(seed), Figures()
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        reference = Run(Path(folder), server)
        events = reference.go_on()
        expected = contents(reference.file)
    while figures.kills.total() < kills:
        with tempfile.TemporaryDirectory() as folder, serving() as server:
            run = Run(Path(folder), server)
            _kill_often(run, chance, min(MOST_KILLS, kills - figures.kills.total()), events)
            _compare(contents(run.file), expected)
            asked = sum(server.attempts(node) for node in SCRIPT)
            assert asked == CALLS + run.asked_again, "a call was made once too often"
        figures.runs += 1
        figures.kills += run.kills
        figures.asked_again += run.asked_again
    return figures


def _kill_often(run: Run, chance: random.Random, most: int, events: int) -> None:
    for _ in range(most):
        if not run.kill(chance, events):
            return
    run.go_on()


def _compare(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert found[name] == rows, f"{name} differ"


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="killing", description=__doc__)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures = survive(options.kills, options.seed)
    sys.stdout.write(
        f"{figures.kills.total()} kills in {figures.runs} runs (seed {options.seed}): nothing lost; "
        f"{figures.runs * CALLS} model calls on record, {figures.asked_again} of them in flight at "
        f"a kill and asked again; killed after: {dict(figures.kills.most_common())}\n"
    )


if __name__ == "__main__":
    main()
