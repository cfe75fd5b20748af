"""DuckDB's exceptions in Taskgraph's words: the one boundary where they are translated."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

import duckdb

from taskgraph.errors import OutOfMemory, OutputError, QueryFailed, QueryTimeout, RunError

_MARKED_BEFORE, _MARKED_AFTER = 60, 40
"""Characters of a line that are shown around a place."""


@contextmanager
def translated() -> Generator[None]:
    """Translates what DuckDB raises in the block, for whoever has to repair the SQL.

    Raises:
        QueryFailed: DuckDB refused it or it failed; the message has DuckDB's own candidates.
        OutOfMemory: the memory was used up.
        QueryTimeout: it was interrupted.
        OutputError: the disk does not take what is written.
        RunError: DuckDB does nothing more with this file.
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryTimeout("the statement was interrupted") from error
    except duckdb.FatalException as error:
        raise RunError(
            f"DuckDB gave the file up: {first_line(error)}", hint="Resume the run."
        ) from error
    except duckdb.InternalException as error:
        # The message goes on with a stack trace, and with paths of this machine.
        raise QueryFailed(f"{first_line(error)} (a bug in DuckDB: write it another way)") from error
    except duckdb.IOException as error:
        # Nothing but its own file is within a statement's reach.
        raise OutputError(
            f"the file cannot be written: {_of_disk(error)}",
            hint="Free some disk space, then resume the run.",
        ) from error
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise OutOfMemory(
            f"{first_line(error).rstrip('.')}. Use less at once: filter or aggregate earlier, join on"
            " equality, and make no huge strings or lists."
        ) from error
    except duckdb.Error as error:
        raise QueryFailed(without_advice(_without_prefix(str(error)))) from error
    except (OverflowError, ValueError) as error:
        raise QueryFailed(
            f"a value of the result is beyond what can be shown ({error}): cast it to VARCHAR"
        ) from error


def conflicting_process(error: duckdb.Error) -> int | None:
    """Returns the process that has the file open, where that is why it cannot be opened."""
    found = re.search(r"Conflicting lock is held in .*\(PID (\d+)\)", str(error))
    return int(found[1]) if found else None


def first_line(error: Exception) -> str:
    """Returns the error's first line: what happened, without the place and advice below it."""
    return _without_prefix(str(error) or "out of memory").splitlines()[0]


def marked(text: str, position: int) -> str:
    """Draws the line that holds a place, and a mark below the place, as DuckDB does.

    Args:
        text: an SQL text.
        position: the place, in bytes of the text's UTF-8.
    """
    before = text.encode()[:position].decode("utf-8", "ignore")
    start = before.rfind("\n") + 1
    line, column = text[start:].partition("\n")[0], len(before) - start
    cut = max(0, column - _MARKED_BEFORE)
    shown = f"{'...' if cut else ''}{line[cut : column + _MARKED_AFTER]}"
    label = f"LINE {before.count(chr(10)) + 1}: "
    return f"{label}{shown}\n{' ' * (len(label) + column - cut + (3 if cut else 0))}^"


def without_place(message: str) -> str:
    """Returns what DuckDB says without the line of SQL that it draws below."""
    return re.sub(r"\n+LINE \d+: .*", "", message, flags=re.DOTALL)


def without_advice(message: str) -> str:
    """Returns what DuckDB says without advice that nobody here can take.

    No setting can be changed and no extension loaded; the guard refuses both.
    """
    message = re.sub(r"\n+Please try installing .*", _NO_EXTENSIONS, message, flags=re.DOTALL)
    return re.sub(r"(?:,? or|\s*(?:\*|Use)) \"?SET \w+[^.\n]*\.?", "", message)


_NO_EXTENSIONS = " Extensions are not loaded here: use what DuckDB has without them."


def _of_disk(error: Exception) -> str:
    """Returns what the system said, without the path that DuckDB names."""
    return re.sub(r'^.*"[^"]*": ', "", first_line(error))


def _without_prefix(message: str) -> str:
    # "Binder Error: Referenced column ..." says the class twice for a reader of the message.
    return re.sub(r"^(\w+) Error: \1 Error: ", r"\1 Error: ", message)
