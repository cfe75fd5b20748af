"""Dependencies, layers, ancestry and cycles of a graph of names."""

from __future__ import annotations

from itertools import pairwise

import pytest

from taskgraph.graph import Cycle, Graph

# orders -> clean -> match -> report, rates -> match, loose
SHOP = {
    "report": ["match"],
    "match": ["clean", "rates"],
    "orders": [],
    "rates": [],
    "clean": ["orders"],
    "loose": [],
}


def test_keeps_dependencies_in_declared_order() -> None:
    assert Graph.of(SHOP).dependencies["match"] == ("clean", "rates")


def test_layers_follow_the_longest_chain_and_keep_declared_order() -> None:
    assert Graph.of(SHOP).layers == (
        ("orders", "rates", "loose"),
        ("clean",),
        ("match",),
        ("report",),
    )


def test_order_lists_each_name_after_its_dependencies() -> None:
    assert list(Graph.of(SHOP).order) == ["orders", "rates", "loose", "clean", "match", "report"]


def test_empty_graph_has_no_layers() -> None:
    assert Graph.of({}).layers == ()


def test_dependents_are_the_names_that_wait_directly() -> None:
    dependents = Graph.of(SHOP).dependents
    assert dependents["orders"] == ("clean",)
    assert dependents["report"] == ()


@pytest.mark.parametrize(
    ("name", "ancestors"),
    [
        pytest.param("report", ("match", "clean", "rates", "orders"), id="nearest_first"),
        pytest.param("clean", ("orders",), id="one"),
        pytest.param("loose", (), id="none"),
    ],
)
def test_ancestors_reach_through_others(name: str, ancestors: tuple[str, ...]) -> None:
    assert Graph.of(SHOP).ancestors(name) == ancestors


@pytest.mark.parametrize(
    ("name", "descendants"),
    [
        pytest.param("orders", ("clean", "match", "report"), id="nearest_first"),
        pytest.param("rates", ("match", "report"), id="two"),
        pytest.param("report", (), id="none"),
    ],
)
def test_descendants_reach_through_others(name: str, descendants: tuple[str, ...]) -> None:
    assert Graph.of(SHOP).descendants(name) == descendants


@pytest.mark.parametrize(
    ("name", "ancestor", "answer"),
    [
        pytest.param("match", "clean", True, id="direct"),
        pytest.param("report", "orders", True, id="through_others"),
        pytest.param("orders", "report", False, id="the_other_way"),
        pytest.param("report", "loose", False, id="unrelated"),
        pytest.param("rates", "orders", False, id="same_layer"),
        pytest.param("match", "match", False, id="itself"),
    ],
)
def test_depends_asks_for_an_ancestor(name: str, ancestor: str, answer: bool) -> None:
    assert Graph.of(SHOP).depends(name, ancestor) is answer


def test_depends_asks_each_name_once_where_paths_meet() -> None:
    graph = Graph.of(_lattice(layers=40, width=3))
    assert graph.depends("39_0", "0_2")
    assert not graph.depends("39_0", "39_1")


def test_ancestors_of_a_lattice_are_found_without_walking_every_path() -> None:
    # 3^40 paths lead from the last layer to the first.
    graph = Graph.of(_lattice(layers=40, width=3))
    assert len(graph.ancestors("39_0")) == 39 * 3
    assert len(graph.descendants("0_0")) == 39 * 3


def _lattice(layers: int, width: int) -> dict[str, list[str]]:
    return {
        f"{layer}_{place}": [f"{layer - 1}_{other}" for other in range(width) if layer]
        for layer in range(layers)
        for place in range(width)
    }


def test_long_chain_is_no_trouble() -> None:
    chain = {str(n): [str(n - 1)] if n else [] for n in range(3_000)}
    graph = Graph.of(chain)
    assert len(graph.layers) == 3_000
    assert graph.depends("2999", "0")


def test_only_keeps_the_given_names_and_the_edges_between_them() -> None:
    kept = Graph.of(SHOP).only({"report", "match", "orders"})
    assert kept.dependencies == {"report": ("match",), "match": (), "orders": ()}


@pytest.mark.parametrize(
    ("dependencies", "path"),
    [
        pytest.param({"a": ["a"]}, ("a", "a"), id="itself"),
        pytest.param({"a": ["b"], "b": ["c"], "c": ["a"]}, "abca", id="three"),
        pytest.param({"x": [], "a": ["x", "b"], "b": ["a"]}, "aba", id="beside_a_source"),
    ],
)
def test_cycle_is_shown_as_a_path_of_dependencies(
    dependencies: dict[str, list[str]], path: str | tuple[str, ...]
) -> None:
    with pytest.raises(Cycle) as caught:
        Graph.of(dependencies)
    found = caught.value.path
    assert found[0] == found[-1]
    assert set(found) == set(path)
    assert all(after in dependencies[name] for name, after in pairwise(found))
    assert str(caught.value) == " -> ".join(found)
