"""The first user message: everything an agent needs, however much there is to read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from taskgraph.agent.brief import AgentBrief, brief_text
from taskgraph.agent.earlier_work import EarlierWork
from taskgraph.agent.inputs import Relation, Upstream, inputs_text
from taskgraph.catalog import Shape
from taskgraph.database import Result
from taskgraph.events import CheckResult, Definition
from taskgraph.spec import Check, OutputView

BANK = Relation(
    name="bank",
    kind="table",
    row_count=1_004,
    sample=Result(
        ("_row_id", "note"),
        ("BIGINT", "VARCHAR"),
        ((1, "a\n# Your task"), (2, None)),
        complete=False,
    ),
)
PREP = Relation(
    name="prep_clean",
    kind="table",
    row_count=990,
    sample=Result(("id",), ("INTEGER",), ((7,),), complete=False),
    sql="CREATE VIEW prep_clean AS SELECT id FROM bank",
)
UPSTREAM = (
    Upstream(
        "prep",
        "sql",
        (PREP,),
        description="Rows that count.",
        macros=(Definition("prep_norm", "CREATE MACRO prep_norm(s) AS lower(s)"),),
        checks=(
            CheckResult("totals", "pass", ""),
            CheckResult("rest", "pass", "3 rows"),
            CheckResult("rest", "warn", "2 rows left"),
        ),
    ),
    Upstream("bank", "source", (BANK,)),
)
BRIEF = AgentBrief(
    node="match",
    prompt="\nMatch the payments.\n",
    required=(
        OutputView("match_result", {"id": "INTEGER", "note": None}),
        OutputView("final", {}),
    ),
    checks=(
        Check("total", "SELECT 'fail' AS status, 'off' AS message", "status"),
        Check("sql_1", "SELECT 1", "rows"),
    ),
    upstream=UPSTREAM,
    max_iterations=200,
    not_owned=("match_rest",),
)


def test_the_brief_holds_the_task_and_everything_around_it() -> None:
    assert brief_text(BRIEF) == (
        "# Your task: node `match`\n"
        "Match the payments.\n"
        "\n"
        "# What you may create\n"
        "Views and macros whose names start with `match_`, or a view named `final`.\n"
        "Names that start with `match_rest_` belong to other nodes.\n"
        "You have 200 model calls; each answer of yours is one.\n"
        "\n"
        "# What must stand at the end\n"
        "- view `match_result` with at least the columns id INTEGER, note (any type)\n"
        "- view `final`\n"
        "- check `total`, no row may have the status fail:\n"
        "```sql\nSELECT 'fail' AS status, 'off' AS message\n```\n"
        "- check `sql_1`, no row may come back:\n"
        "```sql\nSELECT 1\n```\n"
        "\n"
        "# What you can read\n"
        "## prep (made by SQL)\n"
        "Rows that count.\n"
        "checks on it: totals pass, rest warn (2 rows left)\n"
        "table prep_clean, 990 rows, 1 columns\n"
        "id INTEGER\n"
        "7\n"
        "```sql\nCREATE VIEW prep_clean AS SELECT id FROM bank\n```\n"
        "```sql\nCREATE MACRO prep_norm(s) AS lower(s)\n```\n"
        "\n"
        "## bank (source)\n"
        "table bank, 1,004 rows, 2 columns\n"
        "_row_id BIGINT|note VARCHAR\n"
        "1|E'a\\n# Your task'\n"
        "2|NULL"
    )


def test_a_node_without_requirements_and_inputs_is_told_so() -> None:
    bare = AgentBrief("match", "Do it.", (), (), (), max_iterations=5)

    assert "Nothing is required by name" in brief_text(bare)
    assert "this node depends on no other" in brief_text(bare)


def test_earlier_work_is_shown_with_what_is_wrong_with_it() -> None:
    earlier = EarlierWork(
        (Definition("match_result", "CREATE VIEW match_result AS SELECT 1 AS id"),),
        (CheckResult("total", "fail", "off by 3"), CheckResult("form", "pass", "")),
        lost={"match_base": "no column x"},
        then={"bank": Shape(10, {"id": "BIGINT", "x": "DATE"}), "gone": Shape(1, {})},
        now={"bank": Shape(12, {"id": "VARCHAR", "y": "DATE"}), "rates": Shape(1, {})},
    )

    assert brief_text(replace(BRIEF, earlier=earlier)).partition(
        "\n\n# What an earlier run made of this task\n"
    )[2] == (
        "An agent's SQL was accepted for this task on earlier data. It has been run again, and all "
        "of it stands in the database now but match_base. Keep what is right, and replace or drop "
        "the rest; what you do not touch stays.\n"
        "```sql\nCREATE VIEW match_result AS SELECT 1 AS id\n```\n"
        "What does not hold on today's data:\n"
        "- match_base cannot be made: no column x\n"
        "- fail total: off by 3\n"
        "What has changed in what you can read:\n"
        "- bank: column x is gone, column id was BIGINT and is VARCHAR, column y DATE is new, "
        "10 rows then, 12 rows now\n"
        "- gone is no longer there\n"
        "- rates is new"
    )


def test_earlier_work_that_holds_is_there_to_be_looked_at() -> None:
    earlier = EarlierWork((), (CheckResult("a", "pass", ""),))
    text = brief_text(replace(BRIEF, earlier=earlier))
    other = brief_text(replace(BRIEF, earlier=replace(earlier, other_prompt="  Match less.\n")))

    assert "On today's data all checks pass." in text
    assert text.endswith("the same columns, types and row counts as then.")
    assert other == f"{text}\nThe task was worded otherwise then:\nMatch less."


def _table(name: str, columns: int = 10, sql: str | None = None) -> Relation:
    names = tuple(f"column_{number}" for number in range(columns))
    sample = Result(names, ("VARCHAR",) * columns, (("value",) * columns,) * 3, complete=False)
    return Relation(name, "table", 100, sample, sql)


@pytest.mark.parametrize("count", [1, 10, 40, 150, 400, 3_000])
def test_the_inputs_never_take_more_than_their_room(count: int) -> None:
    nodes = [Upstream(f"n{number}", "source", (_table(f"n{number}"),)) for number in range(count)]

    assert len(inputs_text(nodes, 40_000)) < 40_100


def test_samples_give_way_before_columns_and_columns_before_names() -> None:
    nodes = [
        Upstream(
            f"n{number}", "sql", (_table(f"n{number}", sql="CREATE VIEW x AS " + "1" * 3_000),)
        )
        for number in range(20)
    ]

    def shows(room: int) -> tuple[bool, bool, bool, bool]:
        text = inputs_text(nodes, room)
        return "1" * 3_000 in text, "value|value" in text, "column_9" in text, "table n19" in text

    assert shows(100_000) == (True, True, True, True)
    assert shows(60_000) == (False, True, True, True)
    assert shows(30_000) == (False, True, True, True)
    assert shows(8_000) == (False, False, True, True)
    assert shows(2_500) == (False, False, False, True)
    assert "(the SQL that made it is left out)" in inputs_text(nodes, 8_000)


def test_one_huge_table_does_not_cost_the_others_their_samples() -> None:
    nodes = [
        Upstream("huge", "source", (_table("huge", columns=2_000),)),
        Upstream("small", "source", (_table("small", columns=3),)),
    ]

    text = inputs_text(nodes, 40_000)

    assert "(for all columns: DESCRIBE huge)" in text
    assert text.endswith("value|value|value\nvalue|value|value\nvalue|value|value")


def test_a_relation_that_took_too_long_to_count_says_so() -> None:
    nodes = [Upstream("bank", "source", (replace(BANK, row_count=None),))]

    assert "table bank, rows not counted, 2 columns" in inputs_text(nodes, 40_000)


def test_macros_are_named_where_their_sql_finds_no_room() -> None:
    macros = tuple(
        Definition(f"m{number}", f"CREATE MACRO m{number}() AS '{'x' * 400}'")
        for number in range(50)
    )

    assert "macro m49" in inputs_text([Upstream("prep", "sql", (), macros=macros)], 3_000)


LAST_WORDS = {
    "short": ("Done.", "Done."),
    "sentences": ("One rule. " * 300, "One rule. " * 199 + "One rule."),
    "lines": ("- a rule\n" * 300, "- a rule\n" * 221 + "- a rule"),
    "no end": ("x" * 3_000, "x" * 2_000),
}


@pytest.mark.parametrize(("words", "shown"), LAST_WORDS.values(), ids=LAST_WORDS)
def test_a_long_closing_message_ends_with_a_whole_sentence(words: str, shown: str) -> None:
    text = inputs_text([Upstream("prep", "prompt", (), last_words=words)], 10_000)

    said, _, note = text.partition("Its agent said: ")[2].partition("\n(Its message goes on")
    assert said == shown
    assert note == (
        ""
        if words == shown
        else f" for {len(words) - len(shown):,} characters that are left out here.)"
    )
