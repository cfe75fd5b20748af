"""What the fake server can be told to send: answers, errors, raw bytes, and how they travel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from taskgraph.llm.loose_json import Json, as_list, as_object

TICK = b"\n" + b" " * 9 + b"\n"
"""One beat of OpenRouter's keep-alive: eleven bytes with two line ends."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How a reply travels; the default is without fault. The parts can be combined."""

    ticks: int = 0
    """Keep-alive beats before the body."""
    tick_s: float = 0.0
    """Seconds before each beat; real ones."""
    latency_s: float = 0.0
    """Seconds before the first byte; real ones."""
    framing: Literal["length", "chunked", "close"] = "length"
    """How the body's end is known; `close` means by the connection's end."""
    length_error: int = 0
    """Added to Content-Length."""
    cut_head: int | None = None
    """Bytes of the head that are sent, and nothing after them."""
    cut_body: int | None = None
    """Bytes of the body that are sent, and nothing after them."""
    ending: Literal["keep", "fin", "rst", "hang", "stale"] = "keep"
    """What becomes of the connection: kept; closed; reset; silent for ever; or closed at the very
    moment at which the next request arrives on it."""

    @property
    def delivers(self) -> bool:
        """Whether the whole reply reaches the client."""
        whole = self.cut_head is None and self.cut_body is None and self.length_error <= 0
        return whole and self.ending in {"keep", "fin", "stale"}


PERFECT = Wire()


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply as it stands."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RawBytes:
    """Bytes that are no HTTP."""

    data: bytes


Call: TypeAlias = tuple[str, object]
"""A tool's name and its arguments: an object to be written as JSON text, or the text itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer; the server makes a chat completion of it."""

    text: str | None = None
    tools: tuple[Call, ...] = ()
    reasoning: str | None = None
    reasoning_details: str | None = None
    """JSON text, sent as it stands."""
    usage: Literal["auto"] | Mapping[str, Any] | None = "auto"
    """`auto` counts bytes and prices them; None leaves it out."""
    arguments_as_text: bool = True
    """False sends the arguments as an object, as some local servers do."""
    ids: tuple[str | None, ...] | None = None
    """The calls' ids; numbered when None."""
    choice: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the choice that replace the usual ones, such as `finish_reason`."""
    top: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the body that replace the usual ones."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it reached the server."""

    lane: str
    number: int
    """Of the lane's requests, from 1; each try counts."""
    headers: Mapping[str, str]
    """With lower-case names."""
    raw: bytes
    body: Json

    @property
    def model(self) -> str:
        """The model asked for."""
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[Json]:
        """The conversation."""
        return [as_object(message) for message in as_list(self.body.get("messages"))]

    @property
    def last_tool_result(self) -> str:
        """What the last tool message says; empty where there is none."""
        results = [message for message in self.messages if message.get("role") == "tool"]
        return str(results[-1].get("content")) if results else ""


Content: TypeAlias = Answer | Reply | RawBytes
Responder: TypeAlias = Callable[[Seen], Content]


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a lane's script: it serves one request."""

    content: Content | Responder
    wire: Wire = PERFECT
    gate: str | None = None
    """Holds the reply back until the gate of this name is released."""


def text(words: str, **fields: Any) -> Answer:
    """Returns an answer in words."""
    return Answer(text=words, **fields)


def calls(*tools: Call, **fields: Any) -> Answer:
    """Returns an answer that calls tools, each given as name and arguments."""
    return Answer(tools=tools, **fields)


def error(
    status: int,
    message: str,
    *,
    inside: int | None = None,
    headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> Reply:
    """Returns an error in OpenRouter's envelope.

    Args:
        status: the HTTP status; also the error's code where `fields` has no other.
        message: what it says.
        inside: sends the error inside a reply of this other status.
        headers: of the reply.
        fields: further members of the error, such as `metadata` or `availability`.
    """
    envelope = {"error": {"message": message, "code": status, **fields}}
    return Reply(
        inside or status, json.dumps(envelope).encode(), headers=tuple((headers or {}).items())
    )


def body(content: object, *, status: int = 200, content_type: str = "application/json") -> Reply:
    """Returns a reply with any body: bytes and text as they stand, all else as JSON."""
    if isinstance(content, bytes):
        return Reply(status, content, content_type)
    written = content if isinstance(content, str) else json.dumps(content)
    return Reply(status, written.encode(), content_type)


def page(status: int, html: str) -> Reply:
    """Returns a web page, as a proxy or a captive portal sends it."""
    return Reply(status, html.encode(), "text/html; charset=utf-8")


def with_header(reply: Reply, name: str, value: str) -> Reply:
    """Returns the reply with one more header."""
    return replace(reply, headers=(*reply.headers, (name, value)))


def step_from_json(entry: Json) -> Step:
    """Reads one entry of a JSON script.

    Keys: `text` or `tools` (pairs of name and arguments) for an answer; `error` (a status) with
    `message` and `headers`; `body` with `status`; each with an optional `wire` and `gate`.

    Raises:
        ValueError: it is none of them.
    """
    wire = Wire(**as_object(entry.get("wire")))
    return Step(_content_from_json(entry), wire, entry.get("gate"))


def _content_from_json(entry: Json) -> Content:
    if "error" in entry:
        message = str(entry.get("message", "scripted error"))
        return error(int(entry["error"]), message, headers=as_object(entry.get("headers")))
    if "body" in entry:
        return body(entry["body"], status=int(entry.get("status", 200)))
    if "text" in entry or "tools" in entry:
        return Answer(text=entry.get("text"), tools=_calls_from_json(entry.get("tools", ())))
    raise ValueError(f"no step of a script: {json.dumps(entry)}")


def _calls_from_json(pairs: Sequence[Sequence[Any]]) -> tuple[Call, ...]:
    return tuple((str(name), arguments) for name, arguments in pairs)
