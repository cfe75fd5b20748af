"""The tool `run_sql` on a real database, behind the real guard."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from agent_workspace import Workplace, workplace, workspace
from taskgraph.agent.tools import RUN_SQL
from taskgraph.database import Database
from taskgraph.errors import QueryTimeout
from taskgraph.events import CheckResult

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with workspace(tmp_path_factory.mktemp("tools") / "w.db") as opened:
        yield opened


@pytest.fixture
def place(database: Database) -> Iterator[Workplace]:
    with workplace(database) as made:
        yield made


async def test_a_query_gives_its_rows(place: Workplace) -> None:
    outcome = await place.tool().run("SELECT id, amount FROM bank WHERE id < 3")

    assert not outcome.failed
    assert outcome.content == "2 rows\nid BIGINT|amount DECIMAL(18,2)\n1|1.50\n2|3.00"
    (statement,) = place.statements
    assert (statement.kind, statement.source, statement.row_count) == ("select", "agent", 2)
    assert (statement.content, statement.error) == (outcome.content, None)


async def test_a_definition_is_answered_with_what_happened(place: Workplace) -> None:
    outcome = await place.tool().run("CREATE VIEW match_x AS SELECT id, note FROM bank")

    assert outcome.content == "view match_x created: 4 rows, columns id BIGINT, note VARCHAR"
    (statement,) = place.statements
    assert (statement.kind, statement.name) == ("create_view", "match_x")


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("CREATE MACRO match_m(x) AS x + 1", "macro match_m created"),
        ("CREATE MACRO match_m(x) AS TABLE SELECT x", "macro match_m created"),
        ("DROP VIEW match_old", "view match_old dropped"),
    ],
    ids=["macro", "table macro", "drop"],
)
async def test_other_definitions_are_named(place: Workplace, sql: str, text: str) -> None:
    place.cursor.execute("CREATE VIEW match_old AS SELECT 1 AS a")

    assert (await place.tool().run(sql)).content == text


async def test_a_view_that_cannot_be_read_says_so_at_once(place: Workplace) -> None:
    outcome = await place.tool().run("CREATE VIEW match_x AS SELECT note::INTEGER AS n FROM bank")

    assert "view match_x created: but reading it fails: Conversion Error" in outcome.content


async def test_a_column_without_any_value_is_noticed(place: Workplace) -> None:
    outcome = await place.tool().run(
        "CREATE VIEW match_x AS SELECT id, NULL::DATE AS day FROM bank"
    )

    assert outcome.content == (
        "view match_x created: 4 rows (day NULL in every row), columns id BIGINT, day DATE"
    )


async def test_a_view_that_is_slow_to_count_is_created_all_the_same(place: Workplace) -> None:
    place.timeout_s = 0.3
    outcome = await place.tool().run(
        "CREATE VIEW match_x AS SELECT sum(a.range) AS s FROM range(1000000) a, range(1000000) b"
    )

    assert outcome.content == (
        "view match_x created: rows not counted, because that takes long, columns s HUGEINT"
    )


async def test_several_statements_each_say_which_they_answer(place: Workplace) -> None:
    outcome = await place.tool().run("SELECT 1 AS a; CREATE VIEW match_x AS FROM bank;")

    assert outcome.content == (
        "[1 of 2] SELECT 1 AS a\n1 row\na INTEGER\n1\n"
        "[2 of 2] CREATE VIEW match_x AS FROM bank\n"
        "view match_x created: 4 rows, columns id BIGINT, note VARCHAR, amount DECIMAL(18,2)"
    )
    assert len(place.statements) == 2


async def test_comments_before_a_definition_are_kept_and_not_repeated_to_the_model(
    place: Workplace,
) -> None:
    outcome = await place.tool().run(
        "-- One row per payment.\nCREATE VIEW match_x AS FROM bank; -- here\nSELECT nope"
    )

    assert outcome.content.startswith("[1 of 2] CREATE VIEW match_x AS FROM bank\n")
    assert [(one.kind, one.query) for one in place.statements] == [
        ("create_view", "-- One row per payment.\nCREATE VIEW match_x AS FROM bank;"),
        ("select", "SELECT nope"),
    ]


async def test_a_definition_that_fails_shows_the_place(place: Workplace) -> None:
    wide = ", ".join(f"'ü{number}'" for number in range(30))
    short = await place.tool().run("CREATE VIEW match_x AS\nSELECT 'ü', amout FROM bank")
    long = await place.tool().run(f"CREATE MACRO match_x() AS TABLE SELECT {wide}, amout FROM bank")

    assert "\n\nLINE 2: SELECT 'ü', amout FROM bank\n                    ^\n" in short.content
    line, mark, *_ = long.content.partition("\n\n")[2].split("\n")
    assert line.startswith("LINE 1: ...")
    assert line[mark.index("^") :].startswith("amout")


async def test_the_first_failure_ends_the_call_and_says_what_ran(place: Workplace) -> None:
    outcome = await place.tool().run(
        "CREATE VIEW match_x AS FROM bank; SELECT nope; SELECT 1; SELECT 2"
    )

    assert outcome.failed
    assert outcome.content.endswith("[2 of 4 failed, 3 to 4 not run; what ran before it stands]")
    assert [statement.error is None for statement in place.statements] == [True, False]


async def test_one_unparsable_statement_stops_all(place: Workplace) -> None:
    outcome = await place.tool().run("SELECT 1; SELEC 2")

    assert outcome.failed
    assert "SELEC" in outcome.content
    (statement,) = place.statements
    assert (statement.kind, statement.query) == ("refused", "SELECT 1; SELEC 2")


REFUSED = {
    "another node's table": ("SELECT * FROM secret", "depends_on"),
    "a foreign name": ("CREATE VIEW other_x AS SELECT 1", "match_<something>"),
    "a table": ("CREATE TABLE match_t AS SELECT 1 AS a", "allowed: "),
    "a write": ("DELETE FROM bank", "not allowed"),
    "a file": ("SELECT * FROM '/etc/passwd'", "files cannot be read"),
}


@pytest.mark.parametrize(("sql", "text"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_says_what_to_do_instead(place: Workplace, sql: str, text: str) -> None:
    outcome = await place.tool().run(sql)

    assert outcome.failed
    assert outcome.content.startswith("Refused: ")
    assert text in outcome.content
    (statement,) = place.statements
    assert (statement.kind, statement.content) == ("refused", outcome.content)
    assert statement.error is not None


FAILED = {
    "a column": ("SELECT amout FROM bank", "\nbank has: id, note, amount"),
    "a column of an alias": ("SELECT b.amout FROM bank b", "\nbank has: id, note, amount"),
    "a join column": ("SELECT * FROM bank JOIN bank b USING (nr)", "\nbank has: id, note, amount"),
    "a table of its own": ("SELECT * FROM match_y", "\nYou can read: bank, match_x"),
    "an alias": ("SELECT c.id FROM bank b", "\nYou can read: bank, match_x"),
}


@pytest.mark.parametrize(("sql", "candidates"), FAILED.values(), ids=FAILED)
async def test_an_unknown_name_is_answered_with_candidates(
    place: Workplace, sql: str, candidates: str
) -> None:
    tool = place.tool()
    await tool.run("CREATE VIEW match_x AS SELECT 1 AS a")

    outcome = await tool.run(sql)

    assert outcome.failed
    assert outcome.content.endswith(candidates)
    assert place.statements[-1].kind == "select"


async def test_other_errors_stand_as_duckdb_says_them(place: Workplace) -> None:
    outcome = await place.tool().run("SELECT note::INTEGER FROM bank")

    assert outcome.content.startswith("Conversion Error: ")
    assert "You can read" not in outcome.content


async def test_a_slow_statement_is_stopped_and_the_next_one_runs(place: Workplace) -> None:
    place.timeout_s = 0.3
    tool = place.tool()

    slow = await tool.run("SELECT sum(a.range) FROM range(1000000) a, range(1000000) b")

    assert slow.failed
    assert slow.content.startswith("Too slow: stopped after 0.3 s")
    assert (await tool.run("SELECT 1 AS a")).content == "1 row\na INTEGER\n1"


async def test_a_result_just_within_the_limit_is_shown(place: Workplace) -> None:
    place.max_characters = 30_000
    sql = "SELECT range AS n FROM range(5000)"

    outcome = await place.tool().run(sql)

    assert outcome.content.startswith("5,000 rows\nn BIGINT\n0\n1\n")
    assert outcome.content.endswith("\n4999")


async def test_a_result_over_the_limit_is_counted_described_and_previewed(place: Workplace) -> None:
    outcome = await place.tool().run("SELECT range AS n, 'x' AS t FROM range(12345); -- all")

    assert outcome.content == (
        "Too large to show in full: 12,345 rows; there is room for 30,000 characters. "
        "Aggregate, filter, choose columns or LIMIT.\n"
        "The first rows:\nn BIGINT|t VARCHAR\n0|x\n1|x\n2|x\n3|x\n4|x"
    )
    assert not outcome.failed
    assert place.statements[0].row_count == 12_345


async def test_few_but_wide_rows_are_over_the_limit_too(place: Workplace) -> None:
    outcome = await place.tool().run("SELECT repeat('x', 500) AS t FROM range(100)")

    assert "100 rows; there is room for" in outcome.content
    assert len(outcome.content) < 3_000


async def test_an_endless_result_is_not_counted_to_its_end(place: Workplace) -> None:
    place.timeout_s = 2.0
    outcome = await place.tool().run("SELECT a.range FROM range(10000000) a, range(10000000) b")

    assert "Too large to show in full: more than 15,000 rows" in outcome.content
    assert place.statements[0].row_count is None


async def test_the_results_of_one_call_share_the_limit(place: Workplace) -> None:
    place.max_characters = 5_000
    one = "SELECT range AS n FROM range(800)"

    outcome = await place.tool().run(f"{one}; {one}; SELECT 1 AS a")

    assert outcome.content.count("Too large") == 1
    assert outcome.content.endswith("1 row\na INTEGER\n1")


async def test_the_checks_follow_a_definition_once_per_call(place: Workplace) -> None:
    place.verdicts = (
        CheckResult("totals", "pass", ""),
        *(CheckResult("rest", "fail", f"row {number}") for number in range(5)),
        CheckResult("rest", "pass", ""),
    )
    tool = place.tool()

    outcome = await tool.run(
        "CREATE VIEW match_x AS FROM bank; CREATE VIEW match_y AS FROM match_x"
    )

    assert outcome.content.endswith(
        "\nchecks: 1 pass, 1 fail\n"
        "- fail rest: row 0\n- fail rest: row 1\n- fail rest: row 2\n- fail rest: and 2 more rows"
    )
    await tool.run("SELECT 1")
    assert place.checked == 1


async def test_the_checks_run_also_when_a_later_statement_failed(place: Workplace) -> None:
    await place.tool().run("CREATE VIEW match_x AS FROM bank; SELECT nope")

    assert place.checked == 1


async def test_checks_that_take_too_long_do_not_spoil_the_definition(place: Workplace) -> None:
    place.check_error = QueryTimeout("stopped after 30 s")

    outcome = await place.tool().run("CREATE VIEW match_x AS FROM bank")

    assert outcome.content.endswith("\nchecks: they take too long; make your views cheaper")
    assert not outcome.failed


async def test_the_results_of_many_statements_stay_bounded(place: Workplace) -> None:
    wide = "SELECT " + ", ".join(f"repeat('x', 900) AS column_{number}" for number in range(60))

    outcome = await place.tool().run("; ".join([wide] * 20))

    assert len(outcome.content) < 60_000


async def test_the_state_changes_with_definitions_only(place: Workplace) -> None:
    tool = place.tool()
    states = [
        (await tool.run(sql)).state
        for sql in (
            "SELECT 1",
            "SELECT 2",
            "CREATE VIEW match_x AS SELECT 1 AS a",
            "SELECT nope",
            "CREATE OR REPLACE VIEW match_x AS SELECT 2 AS a",
            "CREATE OR REPLACE VIEW match_x AS SELECT 1 AS a",
            "DROP VIEW match_x",
        )
    ]

    assert states[0] == states[1]
    assert states[2] == states[3]
    assert len(set(states)) == 5


def test_the_tool_is_described_in_the_same_bytes_always() -> None:
    assert json.dumps(RUN_SQL.parameters) == (
        '{"type": "object", "properties": {"sql": {"type": "string", "description": '
        '"One or more DuckDB SQL statements."}}, "required": ["sql"], '
        '"additionalProperties": false}'
    )
