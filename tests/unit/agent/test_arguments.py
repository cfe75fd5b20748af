"""The ladder of a tool call's arguments."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraph.agent.arguments import Malformed, SqlArgument, sql_argument, wire_arguments

REPAIRED = ("the arguments were not clean JSON and were repaired",)

READABLE = {
    "an object": ('{"sql": "SELECT 1"}', ()),
    "blanks around": (' \n{"sql": "SELECT 1"} ', ()),
    "fenced": ('```json\n{"sql": "SELECT 1"}\n```', REPAIRED),
    "fenced without language": ('```\n{"sql": "SELECT 1"}```', REPAIRED),
    "encoded twice": (json.dumps('{"sql": "SELECT 1"}'), REPAIRED),
    "a quote too many": ('{"sql": "SELECT 1"}"', REPAIRED),
    "a bracket too many": ('{"sql": "SELECT 1"}}', REPAIRED),
    "encoded twice, a bracket too many": (json.dumps('{"sql": "SELECT 1"}}'), REPAIRED),
    "unknown keys": (
        '{"sql": "SELECT 1", "limit": 5}',
        ("unknown arguments were ignored: limit",),
    ),
}


@pytest.mark.parametrize(("written", "notes"), READABLE.values(), ids=READABLE)
def test_sql_is_found_in(written: str, notes: tuple[str, ...]) -> None:
    assert sql_argument(written) == SqlArgument("SELECT 1", notes)


def test_a_line_break_inside_a_string_is_no_mistake() -> None:
    assert sql_argument('{"sql": "SELECT\n1"}') == SqlArgument("SELECT\n1")


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    assert sql_argument('{"sql": "SELECT \'\\ud800\'"}') == SqlArgument("SELECT '\ufffd'")


MALFORMED = {
    "nothing": ("", "`sql` is missing"),
    "no sql": ("{}", "`sql` is missing"),
    "null": ('{"sql": null}', "`sql` is missing"),
    "a number": ('{"sql": 5}', "`sql` must be a text"),
    "an empty text": ('{"sql": "  "}', "`sql` must be a text"),
    "a list": ('["SELECT 1"]', "not a JSON object"),
    "bare SQL": ("SELECT 1", "not valid JSON at character 0"),
    "cut off": ('{"sql": "SELECT', "not valid JSON at character 8"),
    "not a number": ('{"sql": "SELECT 1", "n": NaN}', "NaN, which is not JSON"),
    "two objects": ('{"sql": "SELECT 1"} {"sql": "SELECT 2"}', "something after"),
    "nested too deeply": ("[" * 100_000, "nested too deeply"),
    "a text that is no object": ('"SELECT 1"', "not valid JSON"),
}


@pytest.mark.parametrize(("written", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_the_model_is_told_what_is_wrong_with(written: str, problem: str) -> None:
    found = sql_argument(written)

    assert isinstance(found, Malformed)
    assert problem in found.message
    assert '{"sql": "SELECT ..."}' in found.message
    assert len(found.message) < 800


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ('{"sql": "a"}', '{"sql":"a"}'),
        ('{ "x": 1 }', '{"x":1}'),
        ('{"sql": "ü"}}', '{"sql":"ü"}'),
        ('{"sql": "\n"}', '{"sql":"\\n"}'),
        ("", "{}"),
        ('{"sql": "cut', "{}"),
        ("null", "{}"),
    ],
    ids=["clean", "another tool's", "repaired", "line break", "empty", "cut off", "no object"],
)
def test_the_wire_gets_an_object(written: str, sent: str) -> None:
    assert wire_arguments(written) == sent


@given(st.text(max_size=40) | st.text('{}[]"\\:,` \n`jsonql1N', max_size=25))
def test_any_text_is_read_or_explained_and_the_wire_stays_valid(written: str) -> None:
    assert isinstance(sql_argument(written), SqlArgument | Malformed)
    assert isinstance(json.loads(wire_arguments(written)), dict)
