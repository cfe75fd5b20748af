"""What tests of Taskgraph, and of specs, need: a fake OpenRouter with every fault of the real one."""

from taskgraph.testing.account import Bucket, ServerState, model_entry
from taskgraph.testing.lanes import Lane
from taskgraph.testing.server import FakeOpenRouter
from taskgraph.testing.steps import (
    PERFECT,
    TICK,
    Answer,
    RawBytes,
    Reply,
    Seen,
    Wire,
    body,
    calls,
    error,
    page,
    text,
    with_header,
)

__all__ = [
    "PERFECT",
    "TICK",
    "Answer",
    "Bucket",
    "FakeOpenRouter",
    "Lane",
    "RawBytes",
    "Reply",
    "Seen",
    "ServerState",
    "Wire",
    "body",
    "calls",
    "error",
    "model_entry",
    "page",
    "text",
    "with_header",
]
