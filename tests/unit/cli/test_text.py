from __future__ import annotations

import pytest

from taskgraph.cli.text import indented, printable, short, wants_color
from taskgraph.wording import dollars, duration, tokens


def test_foreign_text_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\rc\x9bd\te\nf") == "a\\x1b[2Jb\\rc\\x9bd\te\nf"


def test_short_text_is_a_first_line_that_fits() -> None:
    assert short("one\ntwo") == "one"
    assert short("x" * 200) == "x" * 97 + "..."


def test_further_lines_are_indented_and_blank_ones_stay_blank() -> None:
    assert indented("one\n\ntwo\n") == "one\n\n      two"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1_000, "1k"), (160_900, "161k"), (999_600, "1.0M")],
)
def test_tokens(count: int, text: str) -> None:
    assert tokens(count) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "$0.00"),
        (0.00001, "<$0.0001"),
        (0.0034, "$0.0034"),
        (0.256, "$0.26"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars(amount: float, text: str) -> None:
    assert dollars(amount) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0.0s"),
        (9_940, "9.9s"),
        (9_960, "10s"),
        (59_400, "59s"),
        (59_600, "1m00s"),
        (192_000, "3m12s"),
        (3_599_600, "1h00m"),
        (3_900_000, "1h05m"),
    ],
)
def test_duration(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text


class Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "CI": "true"}, False),
        ({"TERM": "dumb"}, False),
    ],
    ids=["terminal", "NO_COLOR is empty", "NO_COLOR", "CI", "dumb"],
)
def test_colour_is_for_terminals_that_want_it(
    environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_color(Terminal()) is expected  # type: ignore[arg-type]
