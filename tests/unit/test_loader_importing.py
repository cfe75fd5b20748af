"""Finding a spec by name, path or default; importing it; leaving the interpreter as it was."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from spec_modules import table, write
from taskgraph.errors import SettingsError, SpecError
from taskgraph.loader import importable, load_spec
from taskgraph.spec import Node, SourceNode, Spec

SPEC = "NODES = [{'name': 'a', 'source': []}]\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with specs of every kind of place."""
    return write(
        tmp_path / "project",
        {
            "specs/main.py": SPEC,
            "specs/jan.py": SPEC,
            "specs/notes.txt": "",
            "package/__init__.py": "",
            "package/spec.py": SPEC,
            "package/inner/__init__.py": SPEC,
            "other.py": SPEC,
            "2024.01.py": SPEC,
        },
    )


def names(spec: Spec) -> list[str]:
    return [node.name for node in spec.nodes]


def imported() -> set[str]:
    """What is imported, without the standard library, which imports its own when it likes."""
    return {name for name in sys.modules if name.partition(".")[0] not in sys.stdlib_module_names}


def data(node: Node) -> Any:
    assert isinstance(node, SourceNode)
    return node.source() if callable(node.source) else node.source


FOUND = table({
    "module": ("specs.jan", None, "specs.jan", "specs/jan.py"),
    "module_at_the_top": ("other", None, "other", "other.py"),
    "package": ("package.inner", None, "package.inner", "package/inner/__init__.py"),
    "file": ("specs/jan.py", None, None, "specs/jan.py"),
    "file_with_dots": ("./specs/../specs/jan.py", None, None, "specs/jan.py"),
    "file_at_the_top": ("other.py", None, None, "other.py"),
    "file_in_a_package": ("package/spec.py", None, None, "package/spec.py"),
    "file_of_a_package": ("package/inner/__init__.py", None, None, "package/inner/__init__.py"),
    "file_that_is_no_identifier": ("2024.01.py", None, None, "2024.01.py"),
    "configured_module": (None, "specs.jan", "specs.jan", "specs/jan.py"),
    "configured_file": (None, "other.py", None, "other.py"),
    "named_goes_before_configured": ("other.py", "specs.jan", None, "other.py"),
    "default": (None, None, "specs.main", "specs/main.py"),
})  # fmt: skip


@pytest.mark.parametrize(("target", "configured", "module", "file"), FOUND)
def test_spec_is_found(
    project: Path, target: str | None, configured: str | None, module: str | None, file: str
) -> None:
    spec = load_spec(target, directory=project, configured=configured)
    assert names(spec) == ["a"]
    assert spec.origin.module == module
    assert spec.origin.file == file
    assert spec.origin.source == SPEC
    assert spec.origin.directory == str((project / file).parent)


def test_absolute_path_below_the_working_directory_is_shown_relative(project: Path) -> None:
    spec = load_spec(str(project / "specs" / "jan.py"), directory=project)
    assert spec.origin.file == "specs/jan.py"


def test_absolute_path_elsewhere_never_shows_the_machines_folders(project: Path) -> None:
    spec = load_spec(str(project / "specs" / "jan.py"), directory=project / "package")
    assert spec.origin.file == "jan.py"


def test_relative_path_elsewhere_is_shown_as_it_was_written(project: Path) -> None:
    spec = load_spec("../specs/jan.py", directory=project / "package")
    assert spec.origin.file == "../specs/jan.py"


NOT_FOUND = table({
    "no_file": ("specs/jam.py", "there is no spec 'specs/jam.py'", "did you mean 'specs/jan.py'?"),
    "no_file_unlike_any": ("specs/x.py", "there is no spec 'specs/x.py'", "Python files in specs: jan.py, main.py"),
    "no_file_and_none_beside": ("empty/x.py", "there is no spec 'empty/x.py'", "no Python file is in empty"),
    "no_folder": ("spec/jan.py", "there is no spec 'spec/jan.py'", "there is no folder 'spec' either"),
    "folder": ("specs/", "the spec 'specs/' is a folder", "Python files in specs/: jan.py, main.py"),
    "no_python_file": ("specs/notes.txt", "the spec 'specs/notes.txt' is no Python file: its name must end in .py", None),
    "no_module": ("specs.jam", "there is no module 'specs.jam'", "did you mean 'specs.jan'?"),
    "no_package": ("spec.main", "there is no module 'spec.main'", "did you mean 'specs.main'?"),
    "no_module_unlike_any": ("specs.zzz", "there is no module 'specs.zzz'", "in specs are jan, main"),
    "no_module_and_none_beside": ("empty.x", "there is no module 'empty.x'", "nothing to import is in empty"),
    "no_module_at_the_top": ("zzz", "there is no module 'zzz'", "in the working directory are empty, other, package, specs"),
    "module_in_a_module": ("other.x", "there is no module 'other.x'", "in the working directory are empty, package, specs"),
    "folder_of_modules": ("specs", "the spec 'specs' is no Python file", "write the name of a module in it, as in specs.main"),
    "builtin": ("builtins", "the spec 'builtins' is no Python file", "write the name of a module in it, as in specs.main"),
    "no_name": ("a spec", "'a spec' names no spec", "write a module, as in specs.main, or a file, as in a/b.py"),
    "relative_name": (".main", "'.main' names no spec", "write a module, as in specs.main, or a file, as in a/b.py"),
})  # fmt: skip


@pytest.mark.parametrize(("target", "message", "hint"), NOT_FOUND)
def test_spec_that_is_not_there(project: Path, target: str, message: str, hint: str | None) -> None:
    project.joinpath("empty").mkdir()
    with pytest.raises(SettingsError) as caught:
        load_spec(target, directory=project)
    assert (str(caught.value), caught.value.hint) == (message, hint)


def test_no_spec_at_all_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no spec is named, and there is no specs/main\.py"):
        load_spec(None, directory=tmp_path)


def test_source_is_recorded_byte_for_byte(tmp_path: Path) -> None:
    written = b"\xef\xbb\xbf# Gr\xc3\xb6\xc3\x9fe\r\n" + SPEC.encode()
    (tmp_path / "spec.py").write_bytes(written)
    source = load_spec("spec.py", directory=tmp_path).origin.source
    assert source is not None
    assert source.encode() == written


def test_source_in_another_encoding_is_recorded_as_text(tmp_path: Path) -> None:
    text = f"# -*- coding: latin-1 -*-\n# Größe\n{SPEC}"
    (tmp_path / "spec.py").write_bytes(text.encode("latin-1"))
    assert load_spec("spec.py", directory=tmp_path).origin.source == text


NEIGHBOURS = table({
    "beside_a_file": ("specs/jan.py", "specs/helper.py", "import helper"),
    "beside_a_module": ("specs.jan", "specs/helper.py", "from specs import helper"),
    "relative_to_a_module": ("specs.jan", "specs/helper.py", "from . import helper"),
    "relative_in_a_package": ("package/spec.py", "package/helper.py", "from . import helper"),
    "relative_in_the_package_above": ("package/deep/spec.py", "package/helper.py", "from .. import helper"),
    "package_by_its_name": ("package/spec.py", "package/helper.py", "from package import helper"),
    "beside_a_file_in_a_package": ("package/spec.py", "package/helper.py", "import helper"),
    "in_the_working_directory": ("specs/jan.py", "helper.py", "import helper"),
    "folder_in_the_working_directory": ("specs/jan.py", "lib/helper.py", "from lib import helper"),
})  # fmt: skip


@pytest.mark.parametrize(("target", "neighbour", "line"), NEIGHBOURS)
def test_spec_imports_its_neighbours(project: Path, target: str, neighbour: str, line: str) -> None:
    file = target if target.endswith(".py") else f"{target.replace('.', '/')}.py"
    spec = f"{line}\nNODES = [{{'name': 'a', 'source': helper.ROWS}}]\n"
    write(project, {"package/deep/__init__.py": "", neighbour: "ROWS = [1]\n", file: spec})
    path, modules = list(sys.path), imported()
    assert data(load_spec(target, directory=project).nodes[0]) == [1]
    assert sys.path == path
    assert imported() == modules


def test_specs_of_the_same_name_do_not_share_modules(tmp_path: Path) -> None:
    spec = "import helper\nNODES = [{'name': 'a', 'source': helper.ROWS}]\n"
    for folder in ("jan", "feb"):
        write(tmp_path / folder, {"spec.py": spec, "helper.py": f"ROWS = ['{folder}']\n"})
    loaded = [load_spec(f"{folder}/spec.py", directory=tmp_path) for folder in ("jan", "feb")]
    assert [data(spec.nodes[0]) for spec in loaded] == [["jan"], ["feb"]]


@pytest.mark.parametrize("target", ["specs.main", "specs/main.py"])
def test_spec_and_its_neighbours_are_read_anew_each_time(project: Path, target: str) -> None:
    for rows in ("[1]", "[2]"):
        spec = "from specs.rows import ROWS\nNODES = [{'name': 'a', 'source': ROWS}]\n"
        write(project, {"specs/main.py": spec, "specs/rows.py": f"ROWS = {rows}#{rows * 9}\n"})
        assert data(load_spec(target, directory=project).nodes[0]) == eval(rows)
        write(project, {"specs/rows.py": ""})  # of another size: Python caches by second and size


def test_a_module_that_was_imported_before_is_neither_used_nor_lost(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, {"helper.py": "ROWS = ['new']\n"})
    write(
        project, {"specs/main.py": "import helper\nNODES = [{'name': 'a', 'source': helper.ROWS}]"}
    )
    monkeypatch.setattr(sys, "path", [str(project), *sys.path])
    before = __import__("helper")
    before.ROWS = ["old"]
    try:
        assert data(load_spec("specs.main", directory=project).nodes[0]) == ["new"]
        assert sys.modules["helper"] is before
    finally:
        del sys.modules["helper"]


def test_spec_may_be_in_an_installed_package(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = write(
        project / "site-packages",
        {"company/__init__.py": "", "company/spec.py": SPEC, "company/rows.py": "ROWS = [1]\n"},
    )
    monkeypatch.setattr(sys, "path", [str(installed), *sys.path])
    loaded = load_spec("company.spec", directory=project)
    assert loaded.origin.file == "site-packages/company/spec.py"
    kept = sys.modules["company.spec"]
    assert load_spec("company.spec", directory=project).module is not kept
    assert sys.modules.pop("company.spec") is kept
    assert load_spec("company/spec.py", directory=installed).origin.module is None
    assert sys.modules.pop("company")


def test_taskgraph_is_the_same_where_its_own_folder_is_the_project() -> None:
    package = Path(sys.modules["taskgraph"].__file__ or "").parent
    spec = "specs_that_are_not_there"
    with pytest.raises(SettingsError):
        load_spec(spec, directory=package.parent)
    assert sys.modules["taskgraph.spec"].SourceNode is SourceNode


LATE = """
    def load():
        from helper import counted
        return counted()

    NODES = [{"name": "a", "source": load}]
"""
COUNTED = """
    calls = []

    def counted():
        calls.append(1)
        return list(calls)
"""


def test_callables_import_neighbours_when_they_run(project: Path) -> None:
    write(project, {"specs/main.py": LATE, "specs/helper.py": COUNTED})
    spec = load_spec("specs/main.py", directory=project)
    with pytest.raises(ModuleNotFoundError):
        data(spec.nodes[0])
    path, modules = list(sys.path), imported()
    for expected in ([1], [1, 1]):  # one module, with its state, each time
        with importable(spec.neighbours):
            assert data(spec.nodes[0]) == expected
    assert sys.path == path
    assert imported() == modules


def test_dataclasses_with_text_annotations_work_in_a_spec(tmp_path: Path) -> None:
    text = """
        from __future__ import annotations
        from dataclasses import asdict, dataclass

        @dataclass
        class Row:
            id: int

        NODES = [{"name": "a", "source": [asdict(Row(1))]}]
    """
    write(tmp_path, {"types.py": text})
    assert data(load_spec("types.py", directory=tmp_path).nodes[0]) == [{"id": 1}]


def test_path_that_a_spec_adds_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    added = str(tmp_path / "added")
    write(tmp_path, {"spec.py": f"import sys\nsys.path.insert(0, {added!r})\n{SPEC}"})
    before = list(sys.path)
    load_spec("spec.py", directory=tmp_path)
    assert sys.path == [added, *before]


def test_modules_that_are_none_or_forgotten_are_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "blocked", None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(tmp_path, {"spec.py": f"import sys\nsys.path.remove({str(tmp_path)!r})\n{SPEC}"})
    before = list(sys.path)
    assert names(load_spec("spec.py", directory=tmp_path)) == ["a"]
    assert sys.path == before


RAISES = table({
    "error": (
        {"specs/main.py": "ROWS = []\nNODES = ROWS[1]\n"},
        ("specs/main.py line 2: IndexError: list index out of range\n"
        "      specs/main.py line 2, in <module>: NODES = ROWS[1]"),
    ),
    "error_in_a_neighbour": (
        {"specs/main.py": "import helper\n", "helper.py": "def f():\n    return 1 / 0\n\n\nf()\n"},
        ("helper.py line 2: ZeroDivisionError: division by zero\n"
        "      specs/main.py line 1, in <module>: import helper\n"
        "      helper.py line 5, in <module>: f()\n"
        "      helper.py line 2, in f: return 1 / 0"),
    ),
    "error_in_a_library": (
        {"specs/main.py": "import json\njson.loads('{')\n"},
        ("specs/main.py line 2: json.decoder.JSONDecodeError: Expecting property name enclosed in "
        "double quotes: line 1 column 2 (char 1)\n"
        "      specs/main.py line 2, in <module>: json.loads('{')"),
    ),
    "error_in_its_package": (
        {"specs/__init__.py": "raise ValueError\n"},
        ("specs/__init__.py line 1: ValueError\n"
        "      specs/__init__.py line 1, in <module>: raise ValueError"),
    ),
    "error_in_a_node": (
        {"specs/main.py": "from taskgraph import SqlNode\nNODES = [SqlNode(name='a')]\n"},
        ("specs/main.py line 2: TypeError: SqlNode.__init__() missing 1 required keyword-only "
        "argument: 'sql'\n"
        "      specs/main.py line 2, in <module>: NODES = [SqlNode(name='a')]"),
    ),
    "deep_recursion_is_cut": (
        {"specs/main.py": "def f(n):\n    return f(n - 1) if n else 1 / 0\n\n\nf(20)\n"},
        "specs/main.py line 2: ZeroDivisionError: division by zero"
        + "\n      specs/main.py line 2, in f: return f(n - 1) if n else 1 / 0" * 6,
    ),
    "missing_neighbour": (
        {"specs/main.py": "import othr\n"},
        ("specs/main.py line 1: ModuleNotFoundError: No module named 'othr'\n"
        "      specs/main.py line 1, in <module>: import othr (did you mean 'other'?)"),
    ),
    "missing_neighbour_of_its_package": (
        {"specs/__init__.py": "import othr\n"},
        ("specs/__init__.py line 1: ModuleNotFoundError: No module named 'othr'\n"
        "      specs/__init__.py line 1, in <module>: import othr (did you mean 'other'?)"),
    ),
    "missing_name": (
        {"specs/main.py": "from other import ROWS\n"},
        ("specs/main.py line 1: ImportError: cannot import name 'ROWS' from 'other' ({project}/other.py)\n"
        "      specs/main.py line 1, in <module>: from other import ROWS"),
    ),
    "nameless_module_error": (
        {"specs/main.py": "raise ModuleNotFoundError('install it')\n"},
        ("specs/main.py line 1: ModuleNotFoundError: install it\n"
        "      specs/main.py line 1, in <module>: raise ModuleNotFoundError('install it')"),
    ),
    "syntax": (
        {"specs/main.py": "ROWS = []\nNODES = = ROWS\n"},
        "specs/main.py line 2: SyntaxError: invalid syntax: NODES = = ROWS",
    ),
    "syntax_in_a_neighbour": (
        {"specs/main.py": "import helper\n", "helper.py": "x = = 1\n"},
        ("helper.py line 1: SyntaxError: invalid syntax: x = = 1\n"
        "      specs/main.py line 1, in <module>: import helper"),
    ),
    "syntax_without_a_place": (
        {"specs/main.py": "raise SyntaxError('odd')\n"},
        ("specs/main.py line 1: SyntaxError: odd\n"
        "      specs/main.py line 1, in <module>: raise SyntaxError('odd')"),
    ),
    "null_bytes": (
        {"specs/main.py": "NODES = []\0\n"},
        "{target}: SyntaxError: source code string cannot contain null bytes",
    ),
    "exit": (
        {"specs/main.py": "import sys\nsys.exit(3)\n"},
        ("specs/main.py line 2: SystemExit: 3\n"
        "      specs/main.py line 2, in <module>: sys.exit(3)"),
    ),
    "name_of_the_module_itself": (
        {"specs/main.py": "import specs.zzz\n"},
        ("specs/main.py line 1: ModuleNotFoundError: No module named 'specs.zzz'\n"
        "      specs/main.py line 1, in <module>: import specs.zzz"),
    ),
})  # fmt: skip


@pytest.mark.parametrize("target", ["specs.main", "specs/main.py"])
@pytest.mark.parametrize(("files", "message"), RAISES)
def test_module_that_raises(
    project: Path, files: dict[str, str], message: str, target: str
) -> None:
    write(project, files)
    path, modules = list(sys.path), imported()
    with pytest.raises(SpecError) as caught:
        load_spec(target, directory=project)
    told = message.replace("{project}", str(project)).replace("{target}", target)
    assert str(caught.value) == f"1 problem in spec {target}\n  - {told}"
    assert caught.value.__cause__ is not None
    assert sys.path == path
    assert imported() == modules


def test_interrupt_passes(project: Path) -> None:
    write(project, {"specs/main.py": "raise KeyboardInterrupt\n"})
    with pytest.raises(KeyboardInterrupt):
        load_spec(None, directory=project)
