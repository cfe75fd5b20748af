"""How names and texts are written in SQL, and when two names are one."""

from __future__ import annotations


def quote(identifier: str) -> str:
    """Returns the identifier as SQL text; any string is a legal name once quoted."""
    return '"' + identifier.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Returns the text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def fold(name: str) -> str:
    """Returns the name as DuckDB compares it: ASCII letters lowered, nothing else.

    `str.lower` and `str.casefold` do not agree with DuckDB on other scripts.
    """
    return name.lower() if name.isascii() else name.translate(_ASCII_LOWER)


_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
