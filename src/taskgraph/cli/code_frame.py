"""SQL with the line marked that an error is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent

from taskgraph.cli.text import more_lines, printable, styled
from taskgraph.cli.width import clipped

_AROUND = 4
"""Lines shown before and after the marked one."""
_MOST_UNMARKED = 12
_PLACE = re.compile(r"^LINE (\d+): (.*)\n(\s*)(\^+)", re.MULTILINE)
_NAMED = re.compile(r'"([^"]+)"|\'([^\']+)\'|source column (\w+)')


@dataclass(frozen=True, slots=True)
class _Mark:
    line: int
    """From 0."""
    start: int
    length: int


def frame_lines(sql: str, error: str, width: int) -> Iterator[str]:
    """Shows the SQL around an error, with the line and, where it is known, the place marked.

    Args:
        sql: the statement that did not run.
        error: what was said about it; DuckDB's place (`LINE 2: ...`) is looked for in it.
        width: columns of the terminal.
    """
    lines = dedented(printable(sql).expandtabs(4).strip()).splitlines()
    mark = _mark(lines, error)
    first = max(0, mark.line - _AROUND) if mark else 0
    last = min(len(lines), mark.line + _AROUND + 1 if mark else _MOST_UNMARKED)
    digits = len(str(last))
    room = width - digits - len("  >  | ")
    for number in range(first, last):
        if mark and number == mark.line:
            line, start, length = _window(lines[number], mark, room)
            yield f"  {styled('FAIL', '>')} {number + 1:>{digits}} | {line}"
            yield f"    {' ' * digits} | {' ' * start}{styled('FAIL', '^' * length)}"
        else:
            yield f"    {number + 1:>{digits}} | {clipped(lines[number], room)}".rstrip()
    if last < len(lines):
        yield f"    {' ' * digits} | {more_lines(len(lines) - last)}"


def _window(line: str, mark: _Mark, room: int) -> tuple[str, int, int]:
    """Returns the part of a line that has the mark, and where in it the mark begins and how long."""
    length = min(mark.length, room // 2)
    if mark.start + length < room:
        return clipped(line, room), mark.start, length
    cut = mark.start - room // 2
    return clipped(f"…{line[cut + 1 :]}", room), mark.start - cut, length


def without_place(error: str) -> str:
    """Returns an error without DuckDB's own drawing of its place."""
    return re.sub(r"\s*^LINE \d+: .*\n[ ^]*\^.*$", "", error, flags=re.MULTILINE).rstrip()


def dedented(text: str) -> str:
    """Takes off the indentation that lines below the first one have in a spec."""
    first, _, rest = text.partition("\n")
    return f"{first}\n{dedent(rest)}" if rest else first


def _mark(lines: list[str], error: str) -> _Mark | None:
    return _placed(lines, error) or _first_named(lines, without_place(error))


def _placed(lines: list[str], error: str) -> _Mark | None:
    """Finds the place that DuckDB drew: it cuts long lines, and the indentation here differs."""
    found = _PLACE.search(error)
    if not found or int(found[1]) > len(lines):
        return None
    number, excerpt = int(found[1]) - 1, found[2]
    caret = len(found[3]) - len(f"LINE {found[1]}: ")
    pointed = excerpt[caret : caret + len(found[4])]
    before = excerpt[:caret].lstrip().removeprefix("...")
    at = lines[number].find(before + pointed)
    if not pointed or at < 0:
        return None
    # DuckDB points at a whole name, or only at where it begins.
    start = at + len(before)
    word = re.match(r"\w+", lines[number][start:])
    return _Mark(number, start, max(len(pointed), len(word[0]) if word else 0))


def _first_named(lines: list[str], error: str) -> _Mark | None:
    """Finds the first thing that the error names and that stands in the text."""
    for named in _NAMED.finditer(error):
        name = named[named.lastindex or 0]
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        for number, line in enumerate(lines):
            if found := word.search(line):
                return _Mark(number, found.start(), len(found[0]))
    return None
