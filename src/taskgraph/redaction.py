"""Keeps what looks like an API key out of texts that others wrote, before they are shown or stored."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from taskgraph.errors import TaskgraphError
from taskgraph.frames import own_frames

_KEY_SHAPE = re.compile(r"\bsk-[A-Za-z0-9_-]{12,}")
"""OpenRouter's keys, and those of most others."""


def without_keys(text: str) -> str:
    """Returns the text without anything that looks like a key."""
    return _KEY_SHAPE.sub("[key]", text)


def without_credentials(url: str) -> str:
    """Returns an address without user, password, query and fragment, and without keys.

    One that cannot be read as an address comes back empty: nobody can say what is in it.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return without_keys(parts._replace(netloc=host, query="", fragment="").geturl())


def described(error: BaseException) -> str:
    """Returns an error's own text; where Taskgraph did not write it, its class and its place too.

    A spec's own code may put the key that it read into the words of its exceptions.
    """
    if isinstance(error, TaskgraphError):
        return without_keys(str(error))
    return without_keys("\n".join([f"{type(error).__name__}: {error}", *own_frames(error)]))
