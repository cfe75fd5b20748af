"""How words, numbers and foreign text are written for a person."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from textwrap import indent
from typing import IO

import click

from taskgraph.wording import counted

_COLORS = {
    "PASS": "green",
    "WARN": "yellow",
    "FAIL": "red",
    "SKIP": "bright_black",
    "REUSE": "cyan",
    "REPAIR": "yellow",
    "REVIEW": "yellow",
    "STOP": "magenta",
    "CANCEL": "magenta",
}
HEADING = "HEAD"
"""What is no verdict, but stands over others."""
_LONGEST_ERROR = 100
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def wants_color(stream: IO[str]) -> bool:
    """Says whether a person looks at the stream who has not asked for plain text.

    NO_COLOR as https://no-color.org has it: any text but the empty one.
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def styled(word: str, text: str | None = None, *, columns: int = 5) -> str:
    """Returns the word, padded to some columns, or a text instead, in the word's colour."""
    text = f"{word:<{columns}}" if text is None else text
    if word == HEADING:
        return click.style(text, bold=True)
    return click.style(text, fg=_COLORS[word]) if word in _COLORS else text


def painted(lines: Iterable[str], word: str, text: str) -> Iterator[str]:
    """Gives a text in the first of some lines a word's colour; done last, for colours have width."""
    for number, line in enumerate(lines):
        yield line if number else line.replace(text, styled(word, text), 1)


def printable(text: str) -> str:
    """Returns a text from data or a model so that it cannot steer the terminal."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def short(text: str) -> str:
    """Returns the first line of a text, cut where it is too long for a line of progress."""
    line = printable(text).partition("\n")[0]
    return line if len(line) <= _LONGEST_ERROR else f"{line[: _LONGEST_ERROR - 3]}..."


def indented(text: str) -> str:
    """Returns a text whose further lines stand under its first one, six characters in."""
    return indent(printable(text).rstrip(), " " * 6).lstrip()


def more_lines(count: int) -> str:
    """Says how many lines were left out."""
    return f"... {counted(count, 'more line')}"
