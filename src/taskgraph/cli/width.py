"""How much room a terminal has, and fitting text into it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from textwrap import TextWrapper
from typing import IO

_DEFAULT = 80
_LEAST = 40


def width_of(stream: IO[str]) -> int:
    """Returns how many columns a stream has: as COLUMNS says, as the terminal is, or 80."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given) > 0:
        return max(_LEAST, int(given))
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # no terminal, or no file at all
        return _DEFAULT
    return max(_LEAST, columns or _DEFAULT)


def columns_of(text: str) -> int:
    """Returns how many columns a text takes: two for East Asian and for most pictures."""
    if text.isascii():
        return len(text)
    return sum(map(_columns_of_character, text))


def _columns_of_character(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def clipped(text: str, columns: int) -> str:
    """Returns a text that takes at most so many columns, with `…` where it was cut."""
    if columns_of(text) <= columns:
        return text
    kept, room = "", max(0, columns - 1)
    for character in text:
        room -= _columns_of_character(character)
        if room < 0:
            break
        kept += character
    return f"{kept}…"


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Returns a text with blanks up to a width, before it where it is to stand at the right."""
    blanks = " " * (columns - columns_of(text))
    return f"{blanks}{text}" if right else f"{text}{blanks}"


def wrapped(text: str, width: int, indent: str = "", hanging: str | None = None) -> Iterator[str]:
    """Breaks each line of a text so that it fits.

    Args:
        text: any; its own line breaks stay.
        width: columns of a line, indentation included.
        indent: what stands before the first line.
        hanging: what stands before the others; `indent` if None.
    """
    hanging = indent if hanging is None else hanging
    wrapper = TextWrapper(
        width, subsequent_indent=hanging, break_on_hyphens=False, drop_whitespace=True
    )
    for number, line in enumerate(text.splitlines()):
        wrapper.initial_indent = hanging if number else indent
        yield from wrapper.wrap(line) or [""]
