from __future__ import annotations

import os
from pathlib import Path

import pytest

from taskgraph.cli.project import Project, api_key, load_dotenv, read_project
from taskgraph.errors import SettingsError


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pyproject.toml"
    file.write_text(text)
    return file


def test_without_a_table_nothing_is_configured(tmp_path: Path) -> None:
    write(tmp_path, "[project]\nname = 'x'\n")
    assert read_project(tmp_path) == Project(tmp_path)


def test_table_gives_spec_address_and_settings(tmp_path: Path) -> None:
    write(
        tmp_path,
        "[tool.taskgraph]\nspec = 'specs.other'\nbase-url = 'http://localhost:1/v1'\n"
        "max-cost = 5\nquery_timeout = 2.5\nreasoning_effort = 'high'\n",
    )
    assert read_project(tmp_path) == Project(
        directory=tmp_path,
        spec="specs.other",
        settings={
            "base_url": "http://localhost:1/v1",
            "max_cost": 5.0,
            "query_timeout_s": 2.5,
            "reasoning_effort": "high",
        },
    )


def test_table_is_found_upward_past_files_that_have_none(tmp_path: Path) -> None:
    write(tmp_path, "[tool.taskgraph]\nmodel = 'a/b'\n")
    inner = write(tmp_path / "inner", "[project]\nname = 'x'\n").parent
    assert read_project(inner).settings == {"model": "a/b"}
    assert read_project(inner).directory == tmp_path


WRONG = {
    "unknown": ("max_costs = 5", "unknown key 'max_costs'", "did you mean 'max_cost'?"),
    "unlike any": (
        "zzz = 5",
        "unknown key 'zzz'",
        "known are base_url, embed_imports, max_concurrency",
    ),
    "no number": ("max_cost = 'much'", "max_cost = 'much'", None),
    "fraction": ("max_iterations = 2.5", "'2.5' is not a valid integer", None),
    "truth": ("max_iterations = true", "'True' is not a valid integer", None),
    "spec": ("spec = 5", "spec = 5", None),
    "not TOML": ("max_cost = ", "cannot read", None),
}


@pytest.mark.parametrize(("line", "message", "hint"), WRONG.values(), ids=WRONG)
def test_wrong_table_is_named_with_its_file(
    tmp_path: Path, line: str, message: str, hint: str | None
) -> None:
    file = write(tmp_path, f"[tool.taskgraph]\n{line}\n")
    with pytest.raises(SettingsError) as raised:
        read_project(tmp_path)
    assert message in str(raised.value)
    assert str(file) in str(raised.value)
    assert hint is None or (raised.value.hint or "").startswith(hint)


def test_key_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "[tool]\ntaskgraph = 'specs.main'\n")
    with pytest.raises(SettingsError, match="it must be a table"):
        read_project(tmp_path)


def test_dotenv_is_found_upward_and_gives_way_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("TASKGRAPH_MODEL=file\nTASKGRAPH_MAX_COST=5\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    monkeypatch.setenv("TASKGRAPH_MODEL", "environment")
    load_dotenv()
    assert os.environ["TASKGRAPH_MODEL"] == "environment"
    assert os.environ["TASKGRAPH_MAX_COST"] == "5"


def test_dotenv_that_is_no_text_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes(b"KEY=\xff\xfe\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"cannot read .*\.env"):
        load_dotenv()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(" sk-1\n", "sk-1"), ("", None), ("  ", None)],
    ids=["pasted with spaces", "empty", "blank"],
)
def test_key_is_stripped(value: str, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", value)
    assert api_key() == expected
