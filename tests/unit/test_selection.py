from __future__ import annotations

import pytest

from builders import prompt, source, spec_of, sql
from taskgraph.errors import SettingsError
from taskgraph.namespace import Names
from taskgraph.selection import Selector

#  a -> b -> c -> d      x -> d
SPEC = spec_of(
    source("a"), sql("b", depends_on=["a"]), prompt("c", depends_on=["b"]),
    source("x"), sql("d", depends_on=["c", "x"]),
)  # fmt: skip
SELECTOR = Selector.of(
    SPEC, Names.of(SPEC.nodes).graph, {"a": "passed", "b": "passed", "c": "failed", "d": "skipped"}
)


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ((), "abcdx"),
        (("c",), "c"),
        (("C",), "c"),
        (("?",), "abcdx"),
        (("+c",), "abc"),
        (("1+c",), "bc"),
        (("0+c",), "c"),
        (("b+",), "bcd"),
        (("b+1",), "bc"),
        (("+b+1",), "abc"),
        (("a c",), "ac"),
        (("a", "x"), "ax"),
        (("+d,kind:sql",), "bd"),
        (("kind:prompt+",), "cd"),
        (("kind:source", "status:failed"), "acx"),
        (("status:PASSED",), "ab"),
    ],
    ids=str,
)
def test_selection_means(select: tuple[str, ...], expected: str) -> None:
    assert "".join(sorted(SELECTOR.chosen(select, ()))) == expected


def test_what_is_excluded_is_left_out() -> None:
    assert SELECTOR.chosen(["+d"], ["x", "+b"]) == {"c", "d"}
    assert SELECTOR.chosen([], ["kind:source"]) == {"b", "c", "d"}


@pytest.mark.parametrize(
    ("select", "exclude", "message", "hint"),
    [
        (["mtach"], [], "there is no node 'mtach'", "there are a, b, c, x, d"),
        (["kind:promt"], [], "there is no kind 'promt'", "did you mean 'prompt'?"),
        (["status:fail"], [], "there is no status 'fail'", "did you mean 'failed'?"),
        (["tag:x"], [], "there is no method of selection 'tag'", "there are kind, status"),
        (["+"], [], "'+' selects nothing", "Write a node's name"),
        (["a"], ["a"], "nothing is selected by --select 'a' --exclude 'a'", "there are a, b"),
        (["a,b"], [], "nothing is selected by --select 'a,b'", "there are a, b"),
        ([" "], [], "nothing is selected by --select ' '", "there are a, b"),
    ],
)
def test_what_means_nothing_is_told(
    select: list[str], exclude: list[str], message: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        SELECTOR.chosen(select, exclude)
    assert str(refused.value) == message
    assert (refused.value.hint or "").startswith(hint)


def test_a_status_needs_an_earlier_file() -> None:
    selector = Selector(SELECTOR.graph, SELECTOR.kinds, {})
    with pytest.raises(SettingsError, match="no earlier file is given"):
        selector.chosen(["status:failed"], [])
