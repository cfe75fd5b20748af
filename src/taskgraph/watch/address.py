"""Where a run listens: a socket in a folder of its user, outside of the output's folder.

Not beside the file: a killed run would leave it there, a path of more than 107 bytes cannot be bound,
and not every disk that holds files holds sockets.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

_FOLDERS = Path("/tmp")
"""Not TMPDIR, which may differ from one terminal to the next."""


def socket_of(partial: Path) -> Path:
    """Returns the socket of whoever writes this unfinished file."""
    name = hashlib.sha256(os.fsencode(partial.resolve())).hexdigest()[:32]
    return _folder() / f"{name}.sock"


def is_private(socket: Path) -> bool:
    """Says whether the socket's folder is there, and nobody else can put or reach anything in it."""
    try:
        status = socket.parent.lstat()
    except OSError:
        return False
    mine = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return mine and not status.st_mode & 0o077


def make_room(socket: Path) -> bool:
    """Makes the folder and removes what a killed run has left; says if the socket can be bound."""
    try:
        socket.parent.mkdir(mode=0o700, exist_ok=True)
        if not is_private(socket):
            return False
        socket.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _folder() -> Path:
    return _FOLDERS / f"taskgraph-{os.getuid()}"
