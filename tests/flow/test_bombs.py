"""Bombs: each ends its own query in bounded time; the process, the others and the file live on.

`ALL_BOMBS=1` sets off every bomb of the list, one after the other (a minute); otherwise a choice of
them, of every kind, all at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import spec_of, sql
from running import run_spec
from taskgraph.settings import RunSettings

if TYPE_CHECKING:
    from bomb_yard import Told

TESTS = Path(__file__).parent.parent
TIMEOUT_S = 1.0
STUCK_AFTER_S = 8.0
# All at once, they also use up one another's memory.
TOO_LARGE = ("OutOfMemory", "QueryTimeout")
EXPECTED = {
    "B_cross_join_count": TOO_LARGE,
    "B_range_1e12_orderby": TOO_LARGE,
    "B_range_1e12_rows": ("completes",),
    "B_recursive_cte_inf_count": TOO_LARGE,
    "B_list_transform_range": TOO_LARGE,
    "B_range_list_1e9": TOO_LARGE,
    "B_repeat_list": TOO_LARGE,
    "B_map": TOO_LARGE,
    "B_sleep_100s": ("Refused",),
    "B_json_structure": ("QueryFailed", "OutOfMemory"),
}


def set_off(folder: Path, at_once: int, ids: list[str], timeout_s: float = TIMEOUT_S) -> Told:
    numbers = [str(timeout_s), str(STUCK_AFTER_S), str(at_once)]
    done = subprocess.run(
        [sys.executable, str(TESTS / "bomb_yard.py"), str(folder), *numbers, *ids],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    told: Told = json.loads(done.stdout)
    return told


@pytest.mark.slow
def test_bombs_of_every_kind_at_once_end_only_their_own_queries(tmp_path: Path) -> None:
    told = set_off(tmp_path, len(EXPECTED), list(EXPECTED))
    endings = told["bombs"]
    assert endings.keys() == EXPECTED.keys()
    for name, ending in endings.items():
        assert ending["outcome"] in EXPECTED[name], (name, ending)
    assert max(ending["seconds"] for ending in endings.values()) < TIMEOUT_S + STUCK_AFTER_S
    assert told["beats"] > 5
    assert not told["stuck"]


@pytest.mark.skipif("ALL_BOMBS" not in os.environ, reason="takes a minute: set ALL_BOMBS=1")
def test_every_bomb_ends_in_bounded_time(tmp_path: Path) -> None:
    sys.path.append(str(TESTS))
    from bomb_yard import bombs

    told = set_off(tmp_path, 1, list(bombs()))
    assert set(told["bombs"]) == set(bombs())
    assert max(ending["seconds"] for ending in told["bombs"].values()) < 12
    stuck = {name for name, end in told["bombs"].items() if end["outcome"] == "QueryStuck"}
    assert stuck <= {"B_levenshtein"}
    assert told["close_s"] < 5
    assert told["beats"] > 500


@pytest.mark.anyio
async def test_run_gives_the_engine_the_memory_that_it_is_told_to(tmp_path: Path) -> None:
    spec = spec_of(
        sql("big", "CREATE VIEW big_n AS SELECT len(list(range)) AS n FROM range(20_000_000)")
    )
    ran = await run_spec(spec, tmp_path, settings=RunSettings(memory_limit="100MiB"))
    error = ran.outcomes["big"].error or ""
    assert "100.0 MiB used" in error
    assert "Use less at once" in error


STUCK = """
import asyncio, sys
from functools import partial
from pathlib import Path
from time import perf_counter

from builders import prompt, source
from taskgraph.database import Database, Limits, read_only
from taskgraph.errors import QueryStuck
from taskgraph.guard import Guard
from taskgraph.namespace import Names, Scope

BOMB = "levenshtein(repeat('ab', 200000), repeat('ba', 200000))"
partial_file, final_file, how = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
names = Names.of([source("orders"), prompt("match", depends_on=["orders"])])


def materialise(cursor):
    with cursor.transaction():
        cursor.execute("CREATE TABLE half AS FROM range(200000)")
        cursor.execute(f"CREATE TABLE never AS SELECT {BOMB} AS d")


async def main():
    database = Database.create(partial_file, Limits(stuck_after_s=0.5))
    other, cursor = database.cursor(), database.cursor()
    other.execute("CREATE TABLE orders AS SELECT range AS id FROM range(100000)")
    guard = Guard(cursor, Scope(names, "match"), "agent")
    work = {
        "read": partial(guard.run, f"SELECT {BOMB}", max_rows=1),
        "bind": partial(guard.run, f"CREATE VIEW match_v AS FROM range({BOMB})", max_rows=1),
        "write": partial(materialise, cursor),
    }[how]
    try:
        await cursor.run(work, timeout_s=0.3)
    except QueryStuck as error:
        print("stuck:", error)
    cursor.close()
    await other.run(lambda: other.execute("CREATE TABLE after AS SELECT 42 AS a"))
    other.close()
    started = perf_counter()
    database.close()
    print("closed:", perf_counter() - started < 3, database.stuck)
    with read_only(partial_file) as raw:
        print("read:", raw.execute("FROM after").fetchall())
    again = Database.reopen(partial_file)
    again.cursor().execute("CREATE TABLE exported AS SELECT 1 AS a")
    again.close()
    partial_file.rename(final_file)
    with read_only(final_file) as raw:
        print("kept:", sorted(name for (name,) in raw.execute("SHOW TABLES").fetchall()))
        print("rows:", raw.execute("SELECT count(*) FROM orders").fetchall())


asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["read", "bind", "write"])
def test_run_goes_on_and_ends_without_a_statement_that_nothing_can_stop(
    tmp_path: Path, how: str
) -> None:
    partial, final = tmp_path / "out.db.partial", tmp_path / "out.db"
    done = subprocess.run(
        [sys.executable, "-c", STUCK, str(partial), str(final), how],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    told, *rest = done.stdout.splitlines()
    assert told.startswith("stuck: it did not end 0.5 s after it was interrupted"), done.stderr
    assert rest == [
        "closed: True True",
        "read: [(42,)]",
        "kept: ['after', 'exported', 'orders']",
        "rows: [(100000,)]",
    ]
    assert done.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.db"]


WHOLE_RUN = """
import asyncio, sys
from functools import partial
from pathlib import Path

import taskgraph.runner as runner
from builders import prompt, source, spec_of, sql
from running import run_spec
from taskgraph.llm.scripted import ScriptedModel, run_sql
from taskgraph.settings import RunSettings

BOMB = "levenshtein(repeat('ab', 200000), repeat('ba', 200000))"
runner.Limits = partial(runner.Limits, stuck_after_s=0.5)  # the test has less patience
spec = spec_of(
    source("orders", [{"id": n} for n in range(5)]),
    prompt("bomb", depends_on=["orders"], output_columns={"bomb_count": ["n"]}),
    sql("after", "CREATE VIEW after_all AS FROM bomb_count", ["bomb"]),
)
model = ScriptedModel({
    "bomb": [
        run_sql(f"SELECT {BOMB}"),
        run_sql("CREATE VIEW bomb_count AS SELECT count(*) AS n FROM orders"),
        "There are five.",
    ]
})
settings = RunSettings(query_timeout_s=0.3)
ran = asyncio.run(run_spec(spec, Path(sys.argv[1]), model=model, settings=settings))
print(*ran.statuses.values(), ran.rows("FROM after_all"))
for success, error in ran.rows("SELECT success, error FROM _trace WHERE query LIKE 'SELECT leven%'"):
    print(success, error)
"""


@pytest.mark.slow
def test_whole_run_passes_beside_a_statement_that_nothing_can_stop(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_RUN, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert done.returncode == 0, done.stderr
    ended, refused = done.stdout.splitlines()
    assert ended == "passed passed passed [(5,)]"
    assert refused.startswith("False it did not end 0.5 s after it was interrupted, and goes on")
    assert [path.name for path in tmp_path.iterdir()] == ["out.db"]
