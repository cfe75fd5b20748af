"""A drawn graph: everything has a place of its own, and lines go from left to right."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from taskgraph.graph import Graph
from taskgraph.page.drawing import BOX_HEIGHT, BOX_WIDTH, draw


@st.composite
def graphs(choose: st.DrawFn) -> Graph:
    size = choose(st.integers(0, 12))
    names = [f"n{number}" for number in range(size)]
    return Graph.of(
        {
            name: choose(st.lists(st.sampled_from(names[:number]), unique=True, max_size=3))
            if number
            else []
            for number, name in enumerate(names)
        }
    )


@given(graphs())
def test_boxes_stand_apart_and_inside_and_lines_go_to_the_right(graph: Graph) -> None:
    drawing = draw(graph)
    assert {box.name for box in drawing.boxes} == set(graph.dependencies)
    for box in drawing.boxes:
        assert 0 <= box.x <= drawing.width - BOX_WIDTH
        assert 0 <= box.y <= drawing.height - BOX_HEIGHT
        for other in drawing.boxes:
            apart = abs(box.x - other.x) >= BOX_WIDTH or abs(box.y - other.y) >= BOX_HEIGHT
            assert box is other or apart
    assert len(drawing.edges) == sum(map(len, graph.dependencies.values()))
    for path in drawing.edges:
        x1, _, *_, x2, _ = map(float, re.findall(r"-?[\d.]+", path))
        assert x1 < x2


def test_a_sweep_undoes_a_crossing() -> None:
    graph = Graph.of({"a": [], "b": [], "of_b": ["b"], "of_a": ["a"]})
    places = {box.name: box.y for box in draw(graph).boxes}
    assert (places["a"] < places["b"]) == (places["of_a"] < places["of_b"])
