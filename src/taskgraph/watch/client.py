"""In any process of the same user: asks the one that writes a file."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from taskgraph.errors import QueryFailed, WorkspaceError
from taskgraph.result import Result, Row
from taskgraph.watch.address import is_private, socket_of
from taskgraph.watch.wire import (
    Json,
    Order,
    Question,
    Request,
    Standing,
    read_result,
    read_standing,
    request_line,
)

_CONNECT_S = 2.0
_GRACE_S = 45.0
"""Seconds beyond a question's own: a statement gets half a minute to end when interrupted."""
_OWN_ROWS = 100_000
_OWN_S = 30.0


class LiveRun:
    """A connection to the process of a run."""

    def __init__(self, connection: socket.socket, answers: BinaryIO, partial: Path) -> None:
        self._connection = connection
        self._answers = answers
        self._partial = partial

    def read(self, sql: str, max_rows: int, timeout_s: float) -> Result:
        """Asks a question in SQL.

        Raises:
            QueryFailed: it may not run, or did not.
            WorkspaceError: the run ended meanwhile.
        """
        self._connection.settimeout(timeout_s + _GRACE_S)
        return read_result(self._request(Question(sql, max_rows, timeout_s)))

    def ask(self, sql: str) -> list[Row]:
        """Asks a question of Taskgraph's own; raises what `read` does."""
        return list(self.read(sql, _OWN_ROWS, _OWN_S).rows)

    def standing(self) -> Standing:
        """Asks what the run does now.

        Raises:
            WorkspaceError: it has ended meanwhile.
        """
        return read_standing(self._request(Order("standing")))

    def stop(self) -> int:
        """Ends the run as Ctrl-C does; returns the id of its process.

        Raises:
            WorkspaceError: it has ended meanwhile.
        """
        return read_standing(self._request(Order("stop"))).process

    def wait(self) -> None:
        """Waits until the run has ended: its end closes the connection."""
        self._connection.settimeout(None)
        self._answers.read()

    def _request(self, request: Request) -> Json:
        try:
            self._connection.sendall(request_line(request))
            line = self._answers.readline()
        except OSError as error:
            raise self._gone() from error
        if not line:
            raise self._gone()
        answer: Json = json.loads(line)
        if "error" in answer:
            raise QueryFailed(answer["error"])
        return answer

    def _gone(self) -> WorkspaceError:
        return WorkspaceError(
            f"the run that writes {str(self._partial)!r} does not answer: it has ended, or is busy",
            hint="Ask again.",
        )


@contextmanager
def live_run(partial: Path) -> Generator[LiveRun | None]:
    """Connects to the process that writes an unfinished file; None where none listens."""
    connection = _connected(socket_of(partial)) if sys.platform != "win32" else None
    if connection is None:
        yield None
        return
    with connection, connection.makefile("rb") as answers:
        yield LiveRun(connection, answers, partial)


def _connected(path: Path) -> socket.socket | None:
    if not is_private(path):
        return None
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_CONNECT_S)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection
