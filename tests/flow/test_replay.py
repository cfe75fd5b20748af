"""A run is played back from its own `.db`, and from the text that `record` makes of it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_wire import KEY
from replaying import differences
from running import rows_of
from served import arguments_of, sql_call
from taskgraph.cli import group
from taskgraph.testing import Answer, FakeOpenRouter, Seen, text

SPEC = """
NODES = [
    {"name": "orders", "source": "orders.csv"},
    {
        "name": "match",
        "depends_on": ["orders"],
        "prompt": "Take the large orders.",
        "output_columns": {"match_result": ["id", "amount"]},
    },
    {
        "name": "after",
        "depends_on": ["match"],
        "sql": "CREATE VIEW after_n AS SELECT count(*) AS n FROM match_result",
    },
]
"""
LOOK = "SELECT count(*) AS n FROM orders"
VIEW = "CREATE VIEW match_result AS SELECT id, amount FROM orders WHERE amount > 5"
NO_NETWORK = """
import sys

def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        # A run answers `show` in a file of this machine: that is no network.
        if getattr(arguments[0], "family", None) != 1:
            raise AssertionError(f"the network was used: {event} {arguments}")

sys.addaudithook(forbid)
"""


def worker(seen: Seen) -> Answer:
    """A model that looks, makes its view, and closes, wherever its conversation stands."""
    done = [arguments["sql"] for arguments in arguments_of(seen.messages)]
    left = [statement for statement in (LOOK, VIEW) if statement not in done]
    is_last = not left or seen.body["tool_choice"] == "none"
    return text("That is all.") if is_last else sql_call(left[0])


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where a run has left `jan.db` and, while it ran, `live.jsonl`."""
    folder = tmp_path_factory.mktemp("january")
    (folder / "spec.py").write_text(SPEC)
    (folder / "orders.csv").write_text("id,amount\n1,5.0\n2,7.5\n3,9.0\n")
    with contextlib.chdir(folder), FakeOpenRouter() as fake:
        fake.default(worker)
        made = ("-o", "jan.db", "--record", "live.jsonl", "--max-iterations", "3")
        done = command("run", *made, "--base-url", fake.base_url)
        assert done.exit_code == 0, done.stderr
    return folder


@pytest.fixture
def folder(january: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, to work in."""
    shutil.copytree(january, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments: str, **environment: str) -> Result:
    words = [*arguments, *(["-s", "spec.py"] if arguments[0] == "run" else [])]
    return CliRunner().invoke(group, words, env={"OPENROUTER_API_KEY": KEY, **environment})


def test_process_without_key_and_network_makes_the_same_tables(folder: Path) -> None:
    (folder / "python").mkdir()
    (folder / "python" / "sitecustomize.py").write_text(NO_NETWORK)
    words = "-m taskgraph run -s spec.py -o again.db --replay jan.db"

    done = subprocess.run(
        [sys.executable, *words.split()],
        env={"PYTHONPATH": str(folder / "python"), "TASKGRAPH_NO_LLM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert differences(folder / "jan.db", folder / "again.db") == []
    assert rows_of(folder / "again.db", "SELECT sum(cost_usd) FROM _llm_calls") == [(0.0,)]


def test_audit_hook_would_have_seen_a_connection() -> None:
    connects = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK + connects], capture_output=True, text=True, check=False
    )
    assert "the network was used" in done.stderr


def test_record_writes_what_was_written_while_the_run_went_on(folder: Path) -> None:
    done = command("record", "jan.db", "recording.jsonl")

    assert done.stdout == "recording.jsonl: 3 answers of 1 node\n"
    written = (folder / "recording.jsonl").read_text()
    assert written == (folder / "live.jsonl").read_text()
    for secret in (KEY, str(folder), "127.0.0.1", "7.5"):
        assert secret not in written
    again = command("record", "jan.db", "recording.jsonl")
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)
    assert command("record", "jan.db", "recording.jsonl", "--force").exit_code == 0


def test_rerun_without_a_model_differs_in_nothing(folder: Path) -> None:
    done = command("rerun", "jan.db", "-o", "again.db", "--no-llm")
    assert done.exit_code == 0, done.stderr
    found = command("diff", "jan.db", "again.db", "--exit-code")
    assert found.exit_code == 0, found.stdout


def test_rerun_that_an_agent_had_to_repair_is_played_back(
    folder: Path, fake: FakeOpenRouter
) -> None:
    view = "CREATE OR REPLACE VIEW match_result AS SELECT id, paid AS amount FROM orders"
    (folder / "orders.csv").write_text("id,paid\n1,5.0\n2,7.5\n")
    fake.agent("match").reply(sql_call(view)).reply("The column has another name.")
    again = ("rerun", "jan.db", "--reingest")
    repaired = command(*again, "-o", "feb.db", "--base-url", fake.base_url)
    assert "REPAIR prompt match" in repaired.stderr

    played = command(*again, "-o", "again.db", "--replay", "feb.db", "--no-llm")

    assert played.exit_code == 0, played.stderr
    assert differences(folder / "feb.db", folder / "again.db") == []


def test_other_data_stops_at_the_first_difference_and_shows_its_lines(folder: Path) -> None:
    (folder / "orders.csv").write_text("id,amount\n1,5.0\n2,7.5\n3,9.5\n")

    done = command("run", "-o", "feb.db", "--replay", "jan.db")

    assert done.exit_code == 1
    [(error,)] = rows_of(folder / "feb.db", "SELECT error FROM _node_meta WHERE node = 'match'")
    first, *lines = error.splitlines()
    assert first.endswith(
        "jan.db does not fit node 'match', step 1: message 1, the task, is another one"
    )
    assert lines == ["  - 3|3|9.0", "  + 3|3|9.5"]


def test_other_data_goes_on_with_a_real_model_if_that_is_wanted(
    folder: Path, fake: FakeOpenRouter
) -> None:
    fake.default(worker)
    (folder / "orders.csv").write_text("id,amount\n1,5.0\n2,7.5\n3,9.0\n4,11.0\n")

    live = ("--on-divergence", "live", "--base-url", fake.base_url)
    done = command("run", "-o", "feb.db", "--replay", "jan.db", *live)

    assert done.exit_code == 0, done.stderr
    assert "a real model answers from here on: the recording jan.db does not fit" in done.stderr
    assert fake.attempts("match") == 3
    assert rows_of(folder / "feb.db", "SELECT n FROM after_n") == [(3,)]


NO_LLM: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "flag": (("--no-llm",), {}),
    "environment": ((), {"TASKGRAPH_NO_LLM": "1"}),
    "divergence": (("--no-llm", "--replay", "jan.db", "--on-divergence", "live"), {}),
}


@pytest.mark.parametrize(("flags", "environment"), NO_LLM.values(), ids=NO_LLM)
def test_no_llm_names_the_nodes_that_need_one_before_any_data_is_read(
    folder: Path, flags: tuple[str, ...], environment: dict[str, str]
) -> None:
    (folder / "orders.csv").unlink()

    done = command("run", "-o", "feb.db", *flags, **environment)

    assert done.exit_code == 2
    assert "a prompt node needs one: match" in done.stderr
    assert not list(folder.glob("feb.db*"))


def test_run_that_stopped_and_went_on_is_recorded_as_if_it_had_not(
    folder: Path, fake: FakeOpenRouter
) -> None:
    fake.default(worker)
    flags = ("-o", "stopped.db", "--base-url", fake.base_url)
    assert command("run", *flags, "--max-iterations", "1").exit_code == 3
    assert command("run", *flags, "--resume", "--max-iterations", "9").exit_code == 0
    calls = rows_of(folder / "stopped.db", "SELECT count(*) FROM _llm_calls")

    command("record", "stopped.db", "stopped.jsonl")

    steps = [
        json.loads(line).get("step") for line in (folder / "stopped.jsonl").read_text().splitlines()
    ]
    assert (calls, steps) == ([(4,)], [None, 1, 2, 3])
    assert command("run", "-o", "again.db", "--replay", "stopped.jsonl").exit_code == 0
    assert differences(folder / "stopped.db", folder / "again.db") == []
