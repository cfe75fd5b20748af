"""Files whose names are held, in this process, by a statement that was given up.

DuckDB knows the files that a process has open by name. A statement that nothing could stop keeps
its file open, and so its name, though another file stands there now (see `replace_by_copy`). That
file is reached by a second name for as long as it is open.
"""

from __future__ import annotations

from pathlib import Path

_held: list[Path] = []


def hold(path: Path) -> None:
    """Notes that the name is held until the process ends."""
    _held.append(path.absolute())


def free_name(path: Path) -> Path:
    """Returns a name of the file that nothing holds: its own, or a second one beside it."""
    if path.absolute() not in _held:
        return path
    # A number that grows: what was opened by a second name may be given up as well.
    second = path.with_name(f"{path.name}.{len(_held)}")
    second.unlink(missing_ok=True)
    second.hardlink_to(path)
    return second


def give_back(name: Path, path: Path) -> None:
    """Removes the second name, if `free_name` gave one."""
    if name != path:
        name.unlink(missing_ok=True)
