"""What calamine does not tell of a sheet: where it begins, merged cells, uncalculated formulas.

Looks at the XML of an `.xlsx` file as bytes, since parsing it would take longer than reading the
workbook does. Source: ECMA-376 part 1, 18.3.1 (`row`, `c`, `f`, `v`, `is`, `mergeCell`).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

_CHUNK = 1 << 18
_UNCALCULATED = re.compile(
    rb'<c\b[^>]*?\br="([A-Z]+\d+)"[^>]*>\s*<f(?:\s[^>]*)?>[^<]*</f>'
    rb"\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"
)
_MERGED = re.compile(rb'<mergeCell\b[^>]*?\bref="([A-Z]+\d+:[A-Z]+(\d+))"')
_ROW_WITH_VALUE = re.compile(rb'<row\b[^>]*?\br="(\d+)"(?:(?!<row\b).)*?<(?:v|is)\b', re.DOTALL)


@dataclass(frozen=True, slots=True)
class SheetXml:
    """Facts about a sheet, with cells named as in `B7`."""

    uncalculated: tuple[str, ...] = ()
    """Cells with a formula and no saved value."""
    merged: tuple[tuple[str, int], ...] = ()
    """Ranges of merged cells, each with its last row."""


def scan_sheet(path: Path, sheet: str) -> SheetXml:
    """Looks through one sheet of an `.xlsx` file; knows nothing where the file is unusual."""
    uncalculated: list[str] = []
    text = b""
    for text in _pieces(path, sheet):
        if b"</f>" in text:
            uncalculated += [cell.decode() for cell in _UNCALCULATED.findall(text)]
    # Merged cells stand below the last row.
    merged = [(cells.decode(), int(row)) for cells, row in _MERGED.findall(text)]
    return SheetXml(tuple(uncalculated), tuple(merged))


def first_row(path: Path, sheet: str, skipped: int) -> int | None:
    """Finds the first row with a value in it, after those skipped.

    Returns:
        The row, counted from 0 over the whole sheet; None where the sheet is empty or unusual.
    """
    for text in _pieces(path, sheet):
        for row in _ROW_WITH_VALUE.finditer(text):
            if int(row[1]) > skipped:
                return int(row[1]) - 1
    return None


def _pieces(path: Path, sheet: str) -> Iterator[bytes]:
    """The sheet's bytes, in pieces that end where a row ends."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_part_of(archive, sheet)) as stream:
            rest = b""
            while chunk := stream.read(_CHUNK):
                rows, end, rest = (rest + chunk).rpartition(b"</row>")
                yield rows + end
            yield rest
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError):
        return


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str:
    """The name of the part that holds a sheet.

    Raises:
        KeyError: the workbook does not tell.
    """
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    identifiers = {
        element.get("name"): next((v for k, v in element.items() if k.endswith("}id")), None)
        for element in book.iter()
        if element.tag.endswith("}sheet")
    }
    targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
    target = targets[identifiers[sheet]]
    return target[1:] if target.startswith("/") else str(PurePosixPath("xl") / target)
