"""SQL as text: DuckDB's own tokens, limits that are checked before its parser, and two cuts.

Nothing in here decides what a statement may do. The cuts (`definition`, `static_pivot`) give the
parser queries that it can show the tree of, where it cannot show the tree of the whole statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import duckdb

from taskgraph.database import fold
from taskgraph.errors import Refused

MAX_BRACKET_DEPTH = 100
MAX_LAMBDA_DEPTH = 6
MAX_NAME_PARTS = 100
MAX_DYNAMIC_PIVOTS = 20
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True, slots=True)
class TextLimits:
    """How much text the parser is given at once: it holds Python's lock while it works."""

    max_bytes: int
    max_tokens: int


AGENT_TEXT = TextLimits(max_bytes=64 * 1024, max_tokens=20_000)
SPEC_TEXT = TextLimits(max_bytes=1024 * 1024, max_tokens=320_000)
"""A spec is trusted code, and one text of it holds many statements."""


class Token(NamedTuple):
    """One token of a text; comments are left out."""

    kind: str
    """`identifier`, `keyword`, `operator`, `string_const` or `numeric_const`."""
    text: str
    start: int
    """Where it begins, in bytes of the text's UTF-8."""

    @property
    def word(self) -> str:
        """The text of a keyword or bare identifier, folded."""
        return fold(self.text)


@dataclass(frozen=True, slots=True)
class Definition:
    """The parts of a CREATE or DROP of a view or macro, cut at its tokens."""

    kind: str
    """`create_view`, `create_macro`, `drop_view` or `drop_macro`."""
    path: tuple[str, ...]
    """The object's name as written, its schema before it."""
    header: tuple[Token, ...]
    """Every token that is in none of the bodies."""
    bodies: tuple[str, ...]
    """What a view selects, or each overload of a macro computes, as queries."""


def tokens(text: str) -> list[Token]:
    """Returns DuckDB's tokens of a text, without comments; never fails."""
    raw = text.encode()
    marks = duckdb.tokenize(text)
    ends = [*(start for start, _ in marks[1:]), len(raw)]
    return [
        Token(kind.name, raw[start:end].strip(b" \t\n\r\v\f").decode("utf-8", "replace"), start)
        for (start, kind), end in zip(marks, ends, strict=False)
        if kind is not duckdb.token_type.comment
    ]


def without_comments_before(text: str) -> str:
    """Returns a text from its first token on."""
    if not text.lstrip().startswith(("--", "/*")):
        return text.lstrip()
    found = tokens(text)
    return text.encode()[found[0].start :].decode() if found else ""


def unquote(name: str) -> str:
    """Returns the name that the text of an identifier stands for; DuckDB takes strings as names."""
    if name.startswith(("E'", "e'")):
        name = name[1:]  # DuckDB decodes no escape in a name
    if name.startswith(('"', "'", "`")):
        return name[1:-1].replace(name[0] * 2, name[0])
    if name.startswith("$"):
        tag = name[: name.index("$", 1) + 1]
        return name[len(tag) : -len(tag)]
    return name


def called_names(found: Sequence[Token]) -> Iterator[str]:
    """Yields the folded name of every `name (`: no function is called without one."""
    for name, bracket in pairwise(found):
        if bracket.text == "(" and name.kind in {"identifier", "keyword"}:
            yield fold(unquote(name.text))


def check_text(text: str, limits: TextLimits) -> None:
    """Refuses what would keep the parser busy, or what no honest statement holds; linear.

    5,000 unclosed brackets keep DuckDB's parser busy for more than 25 seconds, a name of 10,000
    parts or 24 nested lambdas its binder for longer; none of it can be interrupted.

    Raises:
        Refused: with code `text`, `too_long`, `too_deep` or `syntax`.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Refused("text", "the SQL is not valid unicode") from None
    if size > limits.max_bytes:
        raise Refused(
            "too_long", f"the SQL has {size:,} bytes, the limit is {limits.max_bytes:,}: split it"
        )
    if _CONTROL.search(text):
        raise Refused("text", "the SQL holds control characters: leave them out, or use chr()")
    found = tokens(text)
    if len(found) > limits.max_tokens:
        raise Refused(
            "too_long",
            f"the SQL has {len(found):,} tokens, the limit is {limits.max_tokens:,}: split it",
        )
    _check_nesting(found)
    _check_names(found)


def _check_names(found: Sequence[Token]) -> None:
    parts = 0
    for before, token in pairwise(found):
        if token.text == ".":
            parts += 1
        elif before.text != ".":
            parts = 0
        if parts > MAX_NAME_PARTS:
            raise Refused("too_deep", f"a name has more than {MAX_NAME_PARTS} parts: use brackets")


def _check_nesting(found: Sequence[Token]) -> None:
    lambdas: list[int] = []  # for each open bracket, whether a lambda began in it
    for token in found:
        if _is_bracket(token, _OPEN):
            lambdas.append(0)
            if len(lambdas) > MAX_BRACKET_DEPTH:
                raise Refused(
                    "too_deep", f"brackets are nested deeper than {MAX_BRACKET_DEPTH}: use CTEs"
                )
        elif _is_bracket(token, _CLOSE):
            if not lambdas:
                raise Refused("syntax", f"the bracket {token.text!r} was never opened")
            lambdas.pop()
        elif lambdas and _begins_lambda(token):
            lambdas[-1] = 1
            if sum(lambdas) > MAX_LAMBDA_DEPTH:
                raise Refused("too_deep", f"lambdas are nested deeper than {MAX_LAMBDA_DEPTH}")
    if lambdas:
        raise Refused("syntax", "a bracket is not closed")


@lru_cache(maxsize=64)  # each step of judging a statement cuts it again
def definition(text: str) -> Definition | None:
    """Cuts a CREATE or DROP of a view or macro into its parts; None for anything else."""
    found = tokens(text)
    action = found[0].word
    kind_at = _skip(found, 1, _BEFORE_THE_KIND)
    what = _KINDS.get("".join(_words(found, kind_at, 1)))
    name_at = _skip(found, kind_at + 1, _BEFORE_THE_NAME)
    if action not in {"create", "drop"} or what is None or name_at >= len(found):
        return None
    path = [unquote(found[name_at].text)]
    while _words(found, name_at + 1, 1) == (".",) and name_at + 2 < len(found):
        name_at += 2
        path.append(unquote(found[name_at].text))
    cuts: list[_Cut] = []
    if action == "create":
        cuts = _macro_cuts(found, name_at) if what == "macro" else _view_cuts(found, name_at)
    return _cut(f"{action}_{what}", tuple(path), text, found, cuts)


def is_plain_view(cut: Definition) -> bool:
    """Says whether it is `CREATE [OR REPLACE] VIEW name AS query` and nothing more."""
    *before, name, last = cut.header
    words = [token.word for token in before]
    return (
        words in (["create", "view"], ["create", "or", "replace", "view"])
        and name.kind == "identifier"
        and last.word == "as"
        and len(cut.bodies) == 1
    )


def _skip(found: Sequence[Token], at: int, words: frozenset[str]) -> int:
    while at < len(found) and found[at].word in words:
        at += 1
    return at


_BEFORE_THE_KIND = frozenset(
    {"or", "replace", "temp", "temporary", "persistent", "recursive", "secure"}
)
_BEFORE_THE_NAME = frozenset({"if", "not", "exists", "table"})
_KINDS = {"view": "view", "macro": "macro", "function": "macro"}


_Cut: TypeAlias = tuple[int, int]
"""Where a body begins and ends, as positions of tokens."""


def _view_cuts(found: Sequence[Token], start: int) -> list[_Cut]:
    as_at = _find(found, start, {"as"})
    return [] if as_at is None else [(as_at + 1, len(found))]


def _macro_cuts(found: Sequence[Token], start: int) -> list[_Cut]:
    """Returns the cut of each overload; between them stand parameters."""
    cuts: list[_Cut] = []
    as_at = _find(found, start, {"as"})
    while as_at is not None:
        begin = as_at + 1
        is_table = begin < len(found) and found[begin].word == "table"
        end, as_at = _next_overload(found, begin, is_table=is_table)
        cuts.append((begin + is_table, end))
    return cuts


def _next_overload(found: Sequence[Token], start: int, *, is_table: bool) -> tuple[int, int | None]:
    """Returns where a body ends, and the AS of the overload after it."""
    comma = _find(found, start, {","})
    while comma is not None:
        close = _find(found, comma + 2, {")"}) if _words(found, comma + 1, 1) == ("(",) else None
        # A table macro's `SELECT a, (b) AS c` looks like an overload, but for TABLE.
        after = ("as", "table") if is_table else ("as",)
        if close is not None and after == _words(found, close + 1, len(after)):
            return comma, close + 1
        comma = _find(found, comma + 1, {","})
    return len(found), None


def _cut(
    kind: str, path: tuple[str, ...], text: str, found: Sequence[Token], cuts: Sequence[_Cut]
) -> Definition:
    raw = text.encode()
    inside = {position for begin, end in cuts for position in range(begin, end)}
    header = tuple(token for position, token in enumerate(found) if position not in inside)
    bodies = (_slice(raw, found, *cut) for cut in cuts)
    if kind == "create_macro" and all(found[begin - 1].word == "as" for begin, _ in cuts):
        bodies = (f"SELECT {body}" for body in bodies)
    return Definition(kind, path, header, tuple(bodies))


def explained(text: str) -> str:
    """Returns the statement that an EXPLAIN is about."""
    found = tokens(text)
    at = _skip(found, 1, frozenset({"analyze", "analyse"}))
    # A bracket may hold options or open a query, which begins with another word.
    if _words(found, at, 1) == ("(",) and _words(found, at + 1, 1) in _OPTIONS:
        at = _end(found, at + 1, {")"}) + 1
    return _slice(text.encode(), found, at, len(found))


_OPTIONS = {("format",), ("analyze",), ("analyse",)}


def static_pivots(text: str) -> tuple[str, ...]:
    """Replaces what each PIVOT finds its columns by, so that DuckDB shows the rest of the tree.

    DuckDB has no tree of a PIVOT without an IN list. With `ON status` replaced by a constant list
    it has, and `status` by itself is a query again: every token stands in one of the queries.

    Returns:
        The query with constant lists, then each list of expressions as a query of its own.
    """
    lists: list[str] = []
    found = tokens(text)
    # From the last to the first, so that what is replaced stands behind what is still to be read.
    for at in reversed(range(len(found))):
        if found[at].kind == "keyword" and found[at].word in {"pivot", "pivot_wider"}:
            on = _last_on(found, at + 1)
            if len(lists) == MAX_DYNAMIC_PIVOTS:
                raise Refused(
                    "too_long", f"more than {MAX_DYNAMIC_PIVOTS} PIVOTs: give each an IN list"
                )
            if on is not None:
                text, expressions = _with_constant_list(text, found, on)
                lists.append(f"SELECT {expressions}")
                found = tokens(text)
    return (text, *lists)


def _last_on(found: Sequence[Token], start: int) -> int | None:
    """Returns the ON of a PIVOT; the ones before it belong to joins."""
    last = at = _find(found, start, {"on"})
    while at is not None:
        last, at = at, _find(found, at + 1, {"on"})
    return last


def _with_constant_list(text: str, found: Sequence[Token], on: int) -> tuple[str, str]:
    """Returns the text with a constant list for what stands behind ON, and what stood there."""
    raw = text.encode()
    end = _end(found, on + 1, {"using", "group", "order", "limit", ";"})
    before, after = raw[: found[on].start].decode(), _slice(raw, found, end, len(found))
    return f"{before}ON x IN (1) {after}", _slice(raw, found, on + 1, end)


def _slice(raw: bytes, found: Sequence[Token], begin: int, end: int) -> str:
    start = found[begin].start if begin < len(found) else len(raw)
    stop = found[end].start if end < len(found) else len(raw)
    return raw[start:stop].decode()


def _find(found: Sequence[Token], start: int, words: set[str]) -> int | None:
    """Returns the first of the words at the depth of `start`; None if its bracket ends first."""
    at = _end(found, start, words)
    return at if at < len(found) and found[at].word in words else None


def _end(found: Sequence[Token], start: int, words: set[str]) -> int:
    """Returns the first of the words at the depth of `start`, or where its bracket ends."""
    depth = 0
    for at in range(start, len(found)):
        if depth == 0 and (found[at].word in words or _is_bracket(found[at], _CLOSE)):
            return at
        depth += _is_bracket(found[at], _OPEN) - _is_bracket(found[at], _CLOSE)
    return len(found)


def _words(found: Sequence[Token], start: int, count: int) -> tuple[str, ...]:
    return tuple(token.word for token in found[start : start + count])


def _is_bracket(token: Token, kinds: frozenset[str]) -> bool:
    return token.kind == "operator" and token.text in kinds


def _begins_lambda(token: Token) -> bool:
    return token.text == "->" or (token.kind == "keyword" and token.word in {"lambda", "for"})
