"""The adversarial corpus, line by line: what must be refused changes nothing, the rest runs."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from guard_workspace import Case, Workspace, changed, corpus, definitions, files, quick_state, state
from taskgraph.errors import Refused

ALLOWED = [case for case in corpus() if case.allow]
DENIED = [case for case in corpus() if not case.allow]
READS = [case for case in ALLOWED if not case.defines]
DEFINITIONS = [case for case in ALLOWED if case.defines]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Generator[Workspace]:
    """One database for all lines, put back whenever a line has defined something."""
    folder = tmp_path_factory.mktemp("corpus")
    workspace = Workspace(folder)
    there = files(folder)
    yield workspace
    assert state(workspace.cursor) == workspace.clean
    assert files(folder) == there
    workspace.close()


@pytest.mark.parametrize("case", DENIED, ids=[case.id for case in DENIED])
def test_denied_line_is_refused_and_changes_nothing(workspace: Workspace, case: Case) -> None:
    guard = workspace.guard(case.node, case.mode)
    with pytest.raises(Refused) as refusal:
        workspace.run_all(guard, case.sql)
    after = quick_state(workspace.cursor)
    if after != workspace.clean_quick:  # several statements, of which the first may run
        assert changed(workspace.clean_quick, after) <= {("view", case.node)}
        workspace.restore()
    assert refusal.value.code
    assert len(str(refusal.value)) < 1_000


@pytest.mark.parametrize("case", READS, ids=[case.id for case in READS])
def test_allowed_read_runs_and_changes_nothing(workspace: Workspace, case: Case) -> None:
    guard = workspace.guard(case.node, case.mode)
    results = workspace.run_all(guard, case.sql)
    assert all(one.result is not None and one.name is None for one in results)
    assert {one.kind for one in results} <= {"select", "explain"}
    assert quick_state(workspace.cursor) == workspace.clean_quick


@pytest.mark.parametrize("case", DEFINITIONS, ids=[case.id for case in DEFINITIONS])
def test_allowed_definition_changes_only_its_own_node(workspace: Workspace, case: Case) -> None:
    guard = workspace.guard(case.node, case.mode)
    results = workspace.run_all(guard, case.sql)
    after = quick_state(workspace.cursor) | definitions(workspace.cursor)
    workspace.restore()
    assert all(one.result is None and one.name is not None for one in results)
    before = workspace.clean_quick | workspace.objects
    assert changed(before, after) <= {("view", case.node), ("macro", case.node)}
