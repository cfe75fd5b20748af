from __future__ import annotations

import pytest

from taskgraph.ingest.names import column_names

NAMES: dict[str, tuple[list[str | None], list[str]]] = {
    "distinct": (["a", "b"], ["a", "b"]),
    "doubled": (["a", "a", "a"], ["a", "a_2", "a_3"]),
    "differing in case": (["Id", "ID", "id"], ["Id", "ID_2", "id_3"]),
    "differing in the case of other scripts": (["ä", "Ä"], ["ä", "Ä"]),
    "blank": (["a", "", None, "  "], ["a", "column_2", "column_3", "column_4"]),
    "spaces around": ([" a ", "a"], [" a ", "a"]),
    "number in use": (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
    "blank beside its own number": (["", "column_1"], ["column_1_2", "column_1"]),
    "the engine's": (["_row_id", "_ROW_ID"], ["_row_id_2", "_ROW_ID_3"]),
}


@pytest.mark.parametrize(("found", "names"), NAMES.values(), ids=NAMES)
def test_names_become_unique(found: list[str | None], names: list[str]) -> None:
    assert list(column_names(found).names) == names


def test_each_change_is_told() -> None:
    warnings = column_names(["a", "A", "", "_row_id"]).warnings
    assert list(warnings.values()) == [
        "column 2 is a second 'A': it is called 'A_2'",
        "column 3 has no name: it is called 'column_3'",
        "column '_row_id' is called '_row_id_2': the engine numbers the rows as '_row_id'",
    ]
