"""Any acyclic graph finishes, in order, whatever fails; any cycle is found."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraph.graph import Cycle, Graph
from taskgraph.scheduler import Blocked, Passed, Raised, run_graph

Dependencies = dict[str, list[str]]


@st.composite
def acyclic(draw: st.DrawFn) -> Dependencies:
    """Graphs in which each name depends only on names drawn before it, declared in any order."""
    size = draw(st.integers(0, 12))
    edges = {
        str(number): draw(st.lists(st.integers(0, number - 1).map(str), unique=True, max_size=4))
        if number
        else []
        for number in range(size)
    }
    return {name: edges[name] for name in draw(st.permutations(list(edges)))}


@settings(max_examples=60, deadline=None)
@given(acyclic(), st.sets(st.integers(0, 11).map(str)), st.integers(1, 5))
def test_every_name_ends_and_none_runs_before_its_dependencies_passed(
    dependencies: Dependencies, failing: set[str], limit: int
) -> None:
    passed: set[str] = set()

    async def execute(name: str) -> None:
        assert passed.issuperset(dependencies[name])
        await asyncio.sleep(0)
        if name in failing:
            raise ValueError(name)
        passed.add(name)

    endings = asyncio.run(run_graph(dependencies, execute, limit=limit))
    graph = Graph.of(dependencies)
    for name in dependencies:
        ending = endings[name]
        if failing.intersection(graph.ancestors(name)):
            assert isinstance(ending, Blocked)
            assert ending.by in graph.ancestors(name)
            assert isinstance(endings[ending.by], Raised)
        else:
            assert isinstance(ending, Raised if name in failing else Passed)


@settings(max_examples=60, deadline=None)
@given(acyclic())
def test_order_ancestors_descendants_and_depends_agree(dependencies: Dependencies) -> None:
    graph = Graph.of(dependencies)
    order = list(graph.order)
    assert sorted(order) == sorted(dependencies)
    for name in dependencies:
        assert all(order.index(one) < order.index(name) for one in graph.ancestors(name))
        for other in dependencies:
            above = other in graph.ancestors(name)
            assert graph.depends(name, other) == above
            assert (name in graph.descendants(other)) == above


@settings(max_examples=60, deadline=None)
@given(acyclic().filter(lambda one: len(one) > 1), st.data())
def test_closing_a_path_gives_a_cycle_along_real_dependencies(
    dependencies: Dependencies, data: st.DataObject
) -> None:
    order = list(Graph.of(dependencies).order)
    start = data.draw(st.sampled_from(order))
    below = [start, *Graph.of(dependencies).descendants(start)]
    dependencies[start] = [*dependencies[start], data.draw(st.sampled_from(below))]
    with pytest.raises(Cycle) as caught:
        Graph.of(dependencies)
    assert all(after in dependencies[name] for name, after in pairwise(caught.value.path))
