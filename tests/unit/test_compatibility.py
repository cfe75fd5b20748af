from __future__ import annotations

import json
from dataclasses import replace

import pytest

from builders import prompt, source, spec_of, sql
from taskgraph.compatibility import differences
from taskgraph.provenance import structure
from taskgraph.spec import Node, Spec

NODES: dict[str, Node] = {
    "orders": source("orders", columns=["id"]),
    "rates": source("rates"),
    "match": prompt("match", depends_on=["orders"], output_columns={"match_all": ["id"]}),
}
THEN = {"structure": json.dumps(structure(spec_of(*NODES.values())))}


def now(**changed: Node | None) -> Spec:
    return spec_of(*(node for node in (NODES | changed).values() if node))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (now(), []),
        (now(match=prompt("match", "Other.", ["orders"], output_columns={"match_all": ["id"]}, validate={"c": "SELECT 1"})), []),
        (now(match=sql("match", depends_on=["orders"], output_columns={"match_all": ["id"]})), []),
        (now(orders=source("orders", "other.csv", columns=["id"])), []),
        (now(orders=source("orders", columns=["id", "x"])), ["node 'orders', columns: is id, x and was id"]),
        (now(rates=None), ["node 'rates': is gone"]),
        (now(more=sql("more")), ["node 'more': is new"]),
        (now(rates=sql("rates")), ["node 'rates', kind: is transform and was source"]),
        (
            now(match=prompt("match", depends_on=["orders", "rates"], output_columns={"match_all": {"id": "BIGINT"}, "match_n": []})),
            [
                "node 'match', depends_on: is orders, rates and was orders",
                "node 'match', output_columns: is match_all (id BIGINT), match_n and was match_all (id)",
            ],
        ),
        (now(match=prompt("match", depends_on=["orders"], outputs=["m"])), ["node 'match', output_columns: is m and was match_all (id)"]),
    ],
    ids=["same", "evolved", "sql", "data", "columns", "gone", "new", "kind", "dependencies", "outputs"],
)  # fmt: skip
def test_difference_is_told_with_what_to_do(spec: Spec, expected: list[str]) -> None:
    found = [problem for problems in differences(spec, THEN).values() for problem in problems]
    assert [str(replace(problem, suggestion=None)) for problem in found] == expected
    assert all((problem.suggestion or "").startswith("--allow-changes ") for problem in found)
