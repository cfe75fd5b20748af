"""What a source may say about a file: `{"path": ..., option: value}`, checked before anything runs.

Knows no file and no database, so that a spec's problems are found without touching either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from os import PathLike
from pathlib import PurePath
from typing import Any, Literal, TypeAlias, TypeGuard, cast

from taskgraph.errors import IngestError

Format: TypeAlias = Literal["csv", "tsv", "parquet", "json", "xlsx", "xls"]
Header: TypeAlias = int | Literal["first", "none"]

ENDINGS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xls": "xls",
}
TEXT: frozenset[Format] = frozenset({"csv", "tsv"})
WORKBOOKS: frozenset[Format] = frozenset({"xlsx", "xls"})
_EVERY: frozenset[Format] = frozenset(ENDINGS.values())
_JSON: frozenset[Format] = frozenset({"json"})
_PARQUET: frozenset[Format] = frozenset({"parquet"})
_TABULAR = TEXT | WORKBOOKS


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """A file, or several, and how to read them."""

    path: str
    """As the spec's author wrote it, without `#Sheet`."""
    format: Format
    delimiter: str | None = None
    """One character; None to find out."""
    encoding: str | None = None
    """Python's name of the codec; None for UTF-8, or UTF-16 where the file says so."""
    header: Header = "first"
    """Row of the file that holds the column names, from 1; `first`: the first row with anything
    in it; `none`: there are no names, and the columns are called column_1, column_2, ..."""
    skip_rows: int = 0
    """Rows at the top to leave out, before the header is looked for."""
    quote: str = '"'
    """The character around text; empty for none."""
    escape: str | None = None
    """The character before a quote inside of quotes; None for the quote itself, doubled."""
    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None
    """As `strptime` writes it; None to find out."""
    null_text: tuple[str, ...] = ()
    """Texts that stand for no value, beside the empty one."""
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    """Column to DuckDB type."""
    all_text: bool = False
    """Every column as VARCHAR, as it stands in the file."""
    null_padding: bool = False
    """A row with too few fields gets NULLs, instead of being an error."""
    union_by_name: bool = False
    """Files of one pattern may lack columns that others have, instead of that being an error."""
    sheet: str | None = None
    """None for the first."""
    range: str | None = None
    """As in `B3:F20`; its first row is the header."""


@dataclass(frozen=True, slots=True)
class _Option:
    check: Callable[[Any], str | None]
    """Says what a value must be where it is not."""
    formats: frozenset[Format]


def source_problems(source: object) -> list[str]:
    """Says what is wrong with a `source` as far as it shows without reading anything.

    Args:
        source: what a spec holds; a callable is taken as it is, since it runs at ingest time.

    Returns:
        One sentence per problem, with the nearest valid name; empty when nothing is wrong.
    """
    if is_path(source):
        return _path_problems(str(source), None)
    if is_file_request(source):
        return _request_problems(source)
    if isinstance(source, dict):
        return _columns_problems(cast("dict[object, object]", source))
    if source is None or isinstance(source, (bool, int, float, bytes)):
        return [f"source is of type {type(source).__name__}; {ACCEPTED}"]
    return []


ACCEPTED = (
    "it must be a path, {'path': ..., options}, a list of dicts, a dict of lists, "
    "a polars, pandas or Arrow table, or a function that returns one of these"
)


def is_path(source: object) -> TypeGuard[str | PathLike[str]]:
    """Says whether a source is a bare path."""
    return isinstance(source, (str, PathLike))


def is_file_request(source: object) -> TypeGuard[Mapping[str, Any]]:
    """Says whether a source is `{"path": ...}`, and not a dict of columns one of which is `path`."""
    return isinstance(source, dict) and is_path(cast("dict[str, object]", source).get("path"))


def file_request(source: str | PathLike[str] | Mapping[str, Any]) -> FileRequest:
    """Returns the request that a path or `{"path": ..., options}` stands for.

    Raises:
        IngestError: an option is unknown or has a bad value, or the ending tells nothing.
    """
    problems = source_problems(source)
    if problems:
        raise IngestError("; ".join(problems))
    given = {"path": source} if is_path(source) else dict(cast("Mapping[str, Any]", source))
    path, sheet = split_sheet(str(given.pop("path")))
    options = {name: _normal(name, value) for name, value in given.items()}
    options.setdefault("format", _format_of(path))
    if sheet is not None:
        options["sheet"] = sheet
    return FileRequest(path=path, **options)


def split_sheet(path: str) -> tuple[str, str | None]:
    """Splits `book.xlsx#Sheet` into the file and the sheet; None where no sheet is named."""
    file, mark, sheet = path.partition("#")
    if mark and _format_of(file) in WORKBOOKS:
        return file, sheet
    return path, None


def nearest(name: str, names: tuple[str, ...]) -> str:
    """Returns `, did you mean 'x'?` for the valid name that is most like it, or nothing."""
    by_folded = {valid.lower(): valid for valid in names}
    close = get_close_matches(name.lower(), by_folded, n=1)
    return f", did you mean {by_folded[close[0]]!r}?" if close else ""


def _request_problems(source: Mapping[str, Any]) -> list[str]:
    declared = source.get("format")
    told = declared is not None and _format(declared) is None
    format_ = declared if told else _format_of(split_sheet(str(source["path"]))[0])
    problems = _path_problems(str(source["path"]), declared)
    for name, value in source.items():
        if name == "path":
            continue
        option = _OPTIONS.get(name)
        if option is None:
            problems.append(f"unknown option {name!r}{nearest(str(name), tuple(_OPTIONS))}")
        elif wrong := option.check(value):
            problems.append(f"option {name!r} is {value!r}; it must be {wrong}")
        elif format_ is not None and format_ not in option.formats:
            problems.append(f"option {name!r} is not for {format_} files")
    return problems


def _path_problems(path: str, declared: object) -> list[str]:
    file, sheet = split_sheet(path)
    if not file:
        return ["the path is empty"]
    if sheet == "":
        return [f"{path!r} names no sheet after '#'"]
    if declared is not None or _format_of(file):
        return []
    ending = PurePath(file).suffix
    known = ", ".join(ENDINGS)
    problem = f"{path!r} ends in {ending!r}, which names no format"
    advice = f"known: {known}; or say {{'path': ..., 'format': ...}}"
    return [f"{problem}{nearest(ending, tuple(ENDINGS))} ({advice})"]


_NO_COLUMN: tuple[type, ...] = (str, bytes, dict, int, float)


def _columns_problems(columns: dict[object, object]) -> list[str]:
    wrong = [
        f"{key!r} is of type {type(value).__name__}"
        for key, value in columns.items()
        if value is None or isinstance(value, _NO_COLUMN)
    ]
    if not wrong:
        return []
    return [f"a dict must hold 'path' and options, or one list per column; {', '.join(wrong)}"]


def _format_of(path: str) -> Format | None:
    return ENDINGS.get(PurePath(path).suffix.lower())


def _normal(name: str, value: Any) -> Any:
    if name == "header":
        return "first" if value is True else value or "none"
    if name == "null_text":
        return (value,) if isinstance(value, str) else tuple(value)
    return value


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "a text"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "True or False"


def _count(value: Any) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return None if whole and value >= 0 else "a number of rows, 0 or more"


def _header(value: Any) -> str | None:
    if value is None or isinstance(value, bool) or (isinstance(value, int) and value >= 1):
        return None
    return "the number of a row, from 1, or None for no header"


def _one_character(value: Any) -> str | None:
    return None if isinstance(value, str) and len(value) == 1 else "one character"


def _at_most_one_character(value: Any) -> str | None:
    return None if isinstance(value, str) and len(value) <= 1 else "one character, or '' for none"


def _encoding(value: Any) -> str | None:
    try:
        "".encode(value)
    except (LookupError, TypeError):
        return "the name of an encoding, such as 'utf-8', 'utf-16' or 'cp1252'"
    return None


def _format(value: Any) -> str | None:
    known = isinstance(value, str) and value in _EVERY
    return None if known else f"one of {', '.join(sorted(_EVERY))}"


def _date_format(value: Any) -> str | None:
    return None if isinstance(value, str) and "%" in value else "a format such as '%d.%m.%Y'"


def _null_text(value: Any) -> str | None:
    texts = [value] if isinstance(value, str) else value
    fine = isinstance(texts, (list, tuple)) and all(
        isinstance(text, str) for text in cast("list[object]", texts)
    )
    return None if fine else "a text, or a list of texts"


def _types(value: Any) -> str | None:
    fine = isinstance(value, dict) and all(
        isinstance(part, str) and part
        for item in cast("dict[Any, Any]", value).items()
        for part in item
    )
    return None if fine else "a dict of column to DuckDB type"


_OPTIONS: Mapping[str, _Option] = {
    "format": _Option(_format, _EVERY),
    "delimiter": _Option(_one_character, TEXT),
    "encoding": _Option(_encoding, TEXT | _JSON),
    "header": _Option(_header, _TABULAR),
    "skip_rows": _Option(_count, _TABULAR),
    "quote": _Option(_at_most_one_character, TEXT),
    "escape": _Option(_one_character, TEXT),
    "decimal": _Option(_one_character, TEXT),
    "thousands": _Option(_one_character, TEXT),
    "date_format": _Option(_date_format, TEXT),
    "null_text": _Option(_null_text, _TABULAR),
    "types": _Option(_types, _EVERY),
    "all_text": _Option(_flag, _TABULAR),
    "null_padding": _Option(_flag, TEXT),
    "union_by_name": _Option(_flag, TEXT | _PARQUET),
    "sheet": _Option(_text, WORKBOOKS),
    "range": _Option(_text, WORKBOOKS),
}
