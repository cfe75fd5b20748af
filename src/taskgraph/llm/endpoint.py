"""Where the model is and with which key: checked before anything runs, never shown."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from taskgraph.errors import SettingsError
from taskgraph.llm.wire import Dialect
from taskgraph.redaction import without_keys

_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that speaks chat completions; make it with `endpoint`, which checks the parts."""

    base_url: str
    """Ends before `/chat/completions`, without a slash."""
    host: str
    """Name and port, as a person knows the server."""
    is_loopback: bool
    dialect: Dialect
    api_key: str | None = field(repr=False)
    """None where the server needs none."""

    @property
    def warning(self) -> str | None:
        """What a person should know before the first call."""
        if self.api_key and not self.is_loopback and self.base_url.startswith("http://"):
            return f"the API key goes to {self.host} unencrypted: use https:// if it can"
        return None

    def without_key(self, text: str) -> str:
        """Returns the text without the key."""
        # A shorter key is a placeholder, as local servers take it; "x" stands in every word.
        if self.api_key and len(self.api_key) >= _SHORTEST_SECRET:
            return text.replace(self.api_key, "[key]")
        return text

    def redact(self, text: str) -> str:
        """Returns an error's text without the key, and without anything that looks like one.

        Not for answers: signed reasoning may look like a key anywhere, and must stay as it is.
        """
        return without_keys(self.without_key(text))


def endpoint(base_url: str, api_key: str | None, dialect: Dialect | None = None) -> Endpoint:
    """Checks an address and a key.

    Args:
        base_url: such as `https://openrouter.ai/api/v1`; a trailing `/chat/completions` is
            taken off.
        api_key: not needed for a server on this machine. White space around it is taken off: a
            line end in it would make the HTTP library put the whole key into its error text.
        dialect: which fields the server understands; by its host when None.

    Raises:
        SettingsError: the address is no http address, or the key is missing or cannot be sent.
    """
    address = base_url.strip().rstrip("/").removesuffix("/chat/completions")
    parts = _checked_address(address)
    hostname = parts.hostname or ""
    is_loopback = _is_loopback(hostname)
    at_openrouter = hostname == "openrouter.ai" or hostname.endswith(".openrouter.ai")
    return Endpoint(
        base_url=address,
        host=parts.netloc,
        is_loopback=is_loopback,
        dialect=dialect or ("openrouter" if at_openrouter else "openai"),
        api_key=_checked_key((api_key or "").strip(), parts.netloc, required=not is_loopback),
    )


def _checked_address(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        raise SettingsError(f"the base URL {address!r} is not an address") from None
    if "@" in parts.netloc:
        raise SettingsError(
            f"the base URL of {parts.hostname} holds a user or password",
            hint="Put the key into OPENROUTER_API_KEY instead.",
        )
    if not valid or parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", address):
        raise SettingsError(
            f"the base URL {address!r} is not an http address", hint=_suggestion(address)
        )
    return parts


def _suggestion(address: str) -> str:
    bare = re.sub(r"^[a-z]*:?//", "", address)
    if not re.match(r"[\w.-]+(:\d+)?(/[\w/.-]*)?$", bare):
        return "It looks like https://openrouter.ai/api/v1 or http://localhost:11434/v1."
    scheme = "http" if _is_loopback(bare.partition("/")[0].partition(":")[0]) else "https"
    return f"Did you mean {scheme}://{bare}?"


def _checked_key(key: str, host: str, *, required: bool) -> str | None:
    if not key:
        if required:
            raise SettingsError(
                f"there is no API key for {host}",
                hint="Set OPENROUTER_API_KEY in the environment or in .env.",
            )
        return None
    bad = re.search(r"[^\x21-\x7e]", key)
    if bad:
        raise SettingsError(
            f"the API key for {host} has a character at position {bad.start() + 1} of {len(key)} "
            "that no HTTP header can hold, such as a curly quote or a line end",
            hint="Copy the key again into OPENROUTER_API_KEY.",
        )
    return key


def _is_loopback(hostname: str) -> bool:
    if hostname == "localhost" or hostname.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
