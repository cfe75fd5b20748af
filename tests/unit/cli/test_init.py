from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from taskgraph.cli import group

FILES = {
    ".env",
    ".gitignore",
    "SPEC_GUIDE.md",
    "data/orders.csv",
    "data/payments.csv",
    "pyproject.toml",
    "specs/main.py",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["init", *arguments])


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_project_is_written_with_the_next_command(folder: Path) -> None:
    result = init()
    assert result.exit_code == 0
    assert files_in(folder) == FILES
    assert result.stdout.count("wrote") == len(FILES)
    assert result.stdout.endswith("\nNext:  taskgraph run\n")
    assert result.stderr == ""


def test_project_in_another_folder_starts_with_going_there(folder: Path) -> None:
    result = init("new project")
    assert files_in(folder / "new project") == FILES
    assert result.stdout.endswith("\nNext:  cd 'new project' && taskgraph run\n")


def test_existing_files_are_kept(folder: Path) -> None:
    (folder / "specs").mkdir()
    (folder / "specs" / "main.py").write_text("mine")
    assert "kept   specs/main.py" in init().stdout
    assert (folder / "specs" / "main.py").read_text() == "mine"


@pytest.mark.parametrize("name", sorted(FILES))
def test_force_replaces_all_but_what_a_person_has_put_in(folder: Path, name: str) -> None:
    init()
    (folder / name).write_text("mine\n.env\n")
    init("--force")
    is_kept = (folder / name).read_text() == "mine\n.env\n"
    assert is_kept == (name in {"pyproject.toml", ".env"})


def test_gitignore_that_lets_the_key_through_is_told(folder: Path) -> None:
    (folder / ".gitignore").write_text("*.db\n")
    assert "Add a line `.env`" in init().stderr


def test_key_is_only_a_comment(folder: Path) -> None:
    init()
    lines = (folder / ".env").read_text().splitlines()
    assert any("OPENROUTER_API_KEY" in line for line in lines)
    assert all(line.startswith("#") for line in lines)


def test_guide_is_the_one_of_this_repository(folder: Path) -> None:
    init()
    original = Path(__file__).parents[3] / "SPEC_GUIDE.md"
    assert (folder / "SPEC_GUIDE.md").read_text() == original.read_text()


def test_place_that_cannot_be_written_is_an_error(folder: Path) -> None:
    (folder / "specs").write_text("a file")
    result = init()
    assert result.exit_code == 2
    assert "Error: cannot write specs/main.py" in result.stderr


def test_an_example_is_copied_with_what_it_imports_and_the_next_command(folder: Path) -> None:
    result = init("--example", "reconciliation")
    assert result.exit_code == 0
    last = result.stdout.splitlines()[-1]
    assert last.startswith("Next:  taskgraph run --spec examples/bank_reconciliation/")
    assert (folder / "examples" / "scoring.py").is_file()
    spec = last.partition("--spec ")[2].partition(" ")[0]
    assert CliRunner().invoke(group, ["show", spec]).exit_code == 0
    assert "__pycache__" not in result.stdout


@pytest.mark.parametrize("name", ["expenses", "flights"])
def test_every_example_says_how_it_is_run(folder: Path, name: str) -> None:
    assert f"Next:  taskgraph run --spec examples/{name}/spec.py" in init("--example", name).stdout


def test_files_of_an_example_are_kept_unless_replaced(folder: Path) -> None:
    spec = folder / "examples" / "flights" / "spec.py"
    init("--example", "flights")
    spec.write_text("mine")
    assert "kept   examples/flights/spec.py" in init("--example", "flights").stdout
    assert spec.read_text() == "mine"
    init("--example", "flights", "--force")
    assert spec.read_text() != "mine"


def test_unknown_example_is_answered_with_those_there_are(folder: Path) -> None:
    result = init("--example", "payroll")
    assert result.exit_code == 2
    assert "There are bank_reconciliation, " in result.stderr
