"""Just enough HTTP/1.1 to be wrong in every way that matters: raw sockets, byte by byte."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from taskgraph.testing.steps import TICK, RawBytes, Reply, Wire

_REASONS = {200: "OK", 301: "Moved Permanently", 400: "Bad Request", 404: "Not Found"}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    """With lower-case names."""
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Reads one request; None where the client has gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = start.split(" ", 2)
        pairs = (line.split(":", 1) for line in lines if ":" in line)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Request(method, path, headers, body)


async def send(writer: asyncio.StreamWriter, reply: Reply | RawBytes, wire: Wire) -> None:
    """Sends a reply with the faults of its wire; what becomes of the connection is not done."""
    if wire.latency_s:
        await asyncio.sleep(wire.latency_s)
    if isinstance(reply, RawBytes):
        writer.write(reply.data)
        await writer.drain()
        return
    head = _head(reply, wire)
    writer.write(head if wire.cut_head is None else head[: wire.cut_head])
    if wire.cut_head is None:
        await _send_body(writer, reply.body, wire)
    await writer.drain()


async def _send_body(writer: asyncio.StreamWriter, body: bytes, wire: Wire) -> None:
    for _ in range(wire.ticks):
        if wire.tick_s:
            await asyncio.sleep(wire.tick_s)
        writer.write(_framed(TICK, wire))
        await writer.drain()
    writer.write(_framed(body if wire.cut_body is None else body[: wire.cut_body], wire))
    if wire.framing == "chunked" and wire.cut_body is None:
        writer.write(b"0\r\n\r\n")


def _head(reply: Reply, wire: Wire) -> bytes:
    fields = [("Content-Type", reply.content_type), *reply.headers]
    if wire.framing == "length":
        length = len(TICK) * wire.ticks + len(reply.body) + wire.length_error
        fields.append(("Content-Length", str(length)))
    elif wire.framing == "chunked":
        fields.append(("Transfer-Encoding", "chunked"))
    else:
        fields.append(("Connection", "close"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'x')}\r\n{lines}\r\n".encode()


def _framed(data: bytes, wire: Wire) -> bytes:
    if wire.framing != "chunked":
        return data
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection with a TCP reset instead of a goodbye."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
