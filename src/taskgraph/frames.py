"""Where in a spec's own code an exception came from, as a person looks for it."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_NOT_OWN = tuple(
    Path(folder).resolve()
    for folder in (Path(__file__).parent, *map(sysconfig.get_path, ("stdlib", "platstdlib")))
)
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_MOST = 4


def own_frames(error: BaseException) -> tuple[str, ...]:
    """Returns the last frames that are neither Taskgraph's nor a library's, the innermost last.

    Each is `spec.py line 7, in payments: raise KeyError("amount")`. Files by their names: no path
    of the machine may get into a record.
    """
    frames = [one for one in traceback.extract_tb(error.__traceback__) if _is_own(one.filename)]
    return tuple(
        f"{Path(frame.filename).name} line {frame.lineno}, in {frame.name}: {frame.line}"
        for frame in frames[-_MOST:]
    )


def _is_own(filename: str) -> bool:
    file = Path(filename)
    if not file.is_file() or _INSTALLED.intersection(file.parts):
        return False
    return not any(file.resolve().is_relative_to(folder) for folder in _NOT_OWN)
