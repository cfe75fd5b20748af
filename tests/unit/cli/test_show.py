from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from taskgraph.cli import group

SPEC = '''
NODES = [
    {"name": "orders", "source": "orders.csv", "columns": ["id", "amount"]},
    {"name": "rates", "source": [{"rate": 2.0}], "description": "Of the day"},
    {
        "name": "sums",
        "depends_on": ["orders", "rates"],
        "sql": """
            CREATE VIEW sums_all AS SELECT sum(amount * rate) AS total FROM orders, rates
        """,
        "output_columns": {"sums_all": {"total": "DOUBLE"}},
        "validate": {"some": "SELECT 'warn' AS status, 'only a few' AS message"},
    },
    {
        "name": "story",
        "depends_on": ["sums"],
        "prompt": "Tell it.",
        "output_columns": {"story_text": ["line"]},
        "model": "a/b",
        "max_cost": 1.5,
    },
]
EXPORTS = {"out.csv": print}
'''
DRAWN = """\
spec.py: 4 nodes in 3 layers, 1 export

1  orders       source  orders.csv
2  └─ sums      sql     <- orders, rates  checks: some
3     └─ story  prompt
1  rates        source  data in the spec (list)

exports: out.csv
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.py").write_text(SPEC)
    (tmp_path / "orders.csv").write_text("id,amount\n1,5.5\n2,7\n")
    return tmp_path


def show(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["show", *arguments])


@pytest.fixture
def database(folder: Path) -> str:
    """A finished run of the spec without its agent."""
    text = SPEC.replace('"prompt": "Tell it."', '"sql": "CREATE VIEW story_text AS SELECT 1 AS x"')
    text = text.replace('"model": "a/b",', "").replace('"max_cost": 1.5,', "")
    (folder / "run_me.py").write_text(text)
    CliRunner().invoke(group, ["run", "-s", "run_me.py", "-o", "out.db"])
    return "out.db"


@pytest.mark.parametrize("arguments", [("spec.py",), ("-s", "spec.py")], ids=["target", "option"])
def test_spec_is_drawn_as_a_tree(arguments: tuple[str, ...]) -> None:
    assert show(*arguments).stdout == DRAWN


def test_spec_is_found_as_for_a_run(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.taskgraph]\nspec = 'spec'\n")
    assert show().stdout.startswith("spec.py: 4 nodes")


@pytest.mark.parametrize("option", ["--node", "-S"])
def test_node_of_a_spec_is_shown_in_full(option: str) -> None:
    assert show("spec.py", option, "sums").stdout.splitlines() == [
        "sql  sums  <- orders, rates",
        "  makes    sums_all (total DOUBLE)",
        "  checks   some",
        "",
        "CREATE VIEW sums_all AS SELECT sum(amount * rate) AS total FROM orders, rates",
        "",
        "check some",
        "SELECT 'warn' AS status, 'only a few' AS message",
    ]


def test_spec_is_told_as_json() -> None:
    told = json.loads(show("spec.py", "--json").stdout)
    assert told["layers"] == [["orders", "rates"], ["sums"], ["story"]]
    assert told["exports"] == ["out.csv"]
    orders, rates, sums, story = told["nodes"]
    assert (orders["kind"], orders["source"]) == ("source", "orders.csv")
    assert rates["description"] == "Of the day"
    assert sums["views"] == {"sums_all": {"total": "DOUBLE"}}
    assert list(sums["checks"]) == ["some"]
    assert (story["prompt"], story["model"], story["max_cost"]) == ("Tell it.", "a/b", 1.5)


@pytest.mark.parametrize("option", ["--node", "-S"])
@pytest.mark.parametrize("target", ["spec.py", "out.db"])
def test_unknown_node_is_an_error_with_the_nearest(target: str, option: str, database: str) -> None:
    result = show(target, option, "sum")
    assert result.exit_code == 2
    assert result.stderr == "Error: there is no node 'sum'\nHint: did you mean 'sums'?\n"


def test_run_is_told_from_its_file(database: str) -> None:
    text = show(database).stdout
    assert "file      out.db\nspec      run_me.py\n" in text
    assert "PASS  source  orders     2  " in text
    assert "WARN  sql     sums       1  1 warn  " in text
    assert "    warn some: only a few\n" in text
    assert "\n── FAIL sql story ──" in text
    assert "lacks the column line" in text
    assert "\nmodel" not in text  # no node asks one
    assert "failed. PASS=2 WARN=1 FAIL=1 SKIP=0 REUSE=0 TOTAL=4  " in text


def test_only_some_nodes_are_shown(database: str) -> None:
    assert "spec.py: 4 nodes" in show("spec.py", "-S", "s*").stdout
    assert "orders" not in show("spec.py", "-S", "st*", "-S", "kind:prompt").stdout
    text = show(database, "-S", "status:failed").stdout
    assert "sql   story" in text
    assert "sums" not in text
    assert "story" not in show(database, "-S", "+sums").stdout


def test_every_statement_is_told(database: str) -> None:
    told = json.loads(show(database, "--trace", "--json").stdout)["statements"]
    assert {one["node"] for one in told} == {"orders", "rates", "sums", "story"}
    only = show(database, "--trace", "-S", "sums").stdout
    assert "sums  node_validation  select" in only
    assert "orders  ingest" not in only


def test_graph_is_drawn_for_other_programs() -> None:
    assert show("spec.py", "--mermaid").stdout.splitlines() == [
        "flowchart LR",
        '  n_orders[("orders")]',
        '  n_rates[("rates")]',
        '  n_sums["sums"]',
        '  n_story{{"story"}}',
        "  n_orders --> n_sums",
        "  n_rates --> n_sums",
        "  n_sums --> n_story",
    ]
    assert show("spec.py", "--dot", "-S", "s*").stdout.splitlines() == [
        "digraph taskgraph {",
        "  rankdir=LR;",
        '  "sums" [shape=box];',
        '  "story" [shape=hexagon];',
        '  "sums" -> "story";',
        "}",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("out.db", "--node", "s*"), "'s*' means 2 nodes"),
        (("spec.py", "--trace"), "--trace is about a run"),
    ],
)
def test_view_that_a_target_does_not_have_is_an_error(
    arguments: tuple[str, ...], message: str, database: str
) -> None:
    result = show(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_node_of_a_run_is_told_with_its_sql(database: str) -> None:
    text = show(database, "--node", "sums").stdout
    assert text.startswith("WARN  sql    sums  1 row  ")
    assert "  table: sums_all, 1 row\n" in text
    assert "    warn some: only a few\n" in text
    assert "-- sums_all\n" in text
    assert "sum(amount * rate)" in text


def test_run_is_told_as_json(database: str) -> None:
    told = json.loads(show(database, "--json").stdout)
    assert told["status"] == "failed"
    assert told["meta"]["status"] == "failed"
    statuses = {node["node"]: node["status"] for node in told["nodes"]}
    assert statuses == {"orders": "passed", "rates": "passed", "sums": "passed", "story": "failed"}
    sums = json.loads(show(database, "--node", "sums", "--json").stdout)
    assert [one["name"] for one in sums["definitions"]] == ["sums_all"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.db", None, "there is no file 'none.db'"),
        ("text.db", "hello", "cannot read 'text.db'"),
        ("bank.csv", "hello", "'bank.csv' is no .db file"),
    ],
)
def test_file_that_no_run_wrote_is_an_error(
    name: str, content: str | None, message: str, folder: Path
) -> None:
    if content:
        (folder / name).write_text(content)
    result = show(name)
    assert result.exit_code == 2
    assert message in result.stderr
