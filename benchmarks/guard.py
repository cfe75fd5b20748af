"""What judging costs: the same statements with 10, 1,000 and 10,000 objects in the file.

    python -m benchmarks.guard

Prints milliseconds per statement: the guard's whole work, what of it the bare statement costs, and
the difference. Judging must not grow with the number of objects.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from taskgraph.database import Cursor, Database
from taskgraph.errors import Refused
from taskgraph.guard import Guard
from taskgraph.namespace import Names, Scope
from taskgraph.spec import PromptNode, SourceNode

OBJECTS = (10, 1_000, 10_000)
REPEATS = 200
ORDERS = """
CREATE TABLE orders AS
SELECT range AS id, range % 7 AS customer_id, range * 1.5 AS amount, DATE '2026-01-01' + range::INT AS day
FROM range(10)
"""
_SELECT = """
SELECT customer_id, count(*) AS orders, sum(amount) AS total
FROM orders
WHERE day >= DATE '2026-01-01' AND amount > 2
GROUP BY customer_id
ORDER BY total DESC
"""
_VIEW = """
CREATE OR REPLACE VIEW match_pairs AS
WITH ranked AS (
    SELECT a.id, b.id AS other_id, abs(a.amount - b.amount) AS distance,
        row_number() OVER (PARTITION BY a.id ORDER BY abs(a.amount - b.amount), b.id) AS place
    FROM orders a JOIN orders b ON a.customer_id = b.customer_id AND a.id < b.id
)
SELECT id, other_id, distance FROM ranked WHERE place = 1
"""
STATEMENTS = {
    "select": _SELECT,
    "create view": _VIEW,
    "create macro": "CREATE OR REPLACE MACRO match_net(x, rate := 0.2) AS round(x / (1 + rate), 2)",
    "drop view": "DROP VIEW IF EXISTS match_nothing",
    "refused read": "SELECT * FROM _trace",
    "refused view": "CREATE VIEW other_x AS SELECT 1 AS a",
}


def main() -> None:
    """Measures and prints one table."""
    print(f"{'statement':14} {'objects':>8} {'guard ms':>9} {'bare ms':>8} {'judging ms':>11}")
    for objects in OBJECTS:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder) / "workspace.db", objects)


def _measure(path: Path, objects: int) -> None:
    database = Database.create(path)
    cursor = database.cursor()
    cursor.execute(ORDERS)
    with cursor.transaction():
        for number in range(objects // 2):
            cursor.execute(f"CREATE VIEW filler_{number} AS SELECT {number} AS a")
            cursor.execute(f"CREATE MACRO filler_{number}(x) AS x + {number}")
    guard = Guard(cursor, Scope(_names(), "match"), "agent")
    for name, sql in STATEMENTS.items():
        guarded = _typical_ms(lambda sql=sql: _tried(guard, sql))
        bare = 0.0 if name.startswith("refused") else _typical_ms(lambda sql=sql: _run(cursor, sql))
        print(f"{name:14} {objects:>8,} {guarded:>9.2f} {bare:>8.2f} {guarded - bare:>11.2f}")
    database.close()


def _names() -> Names:
    return Names.of(
        [
            SourceNode(name="orders", source=[]),
            PromptNode(name="other", prompt="-", depends_on=["orders"]),
            PromptNode(name="match", prompt="-", depends_on=["orders"]),
        ]
    )


_fresh = itertools.count()


def _tried(guard: Guard, sql: str) -> None:
    # What a text uses is remembered: each is one that nobody has seen.
    with suppress(Refused):
        for statement in guard.split(f"{sql.rstrip()} /* {next(_fresh)} */"):
            guard.run(statement, max_rows=100)


def _run(cursor: Cursor, sql: str) -> None:
    cursor.fetch(sql, 100)


def _typical_ms(work: Callable[[], None]) -> float:
    times: list[float] = []
    for _ in range(REPEATS):
        started = perf_counter()
        work()
        times.append(perf_counter() - started)
    # The lower decile: what the work costs where nothing else wants the processor.
    return statistics.quantiles(times, n=10)[0] * 1000


if __name__ == "__main__":
    main()
