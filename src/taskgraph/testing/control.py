"""The fake server's remote control, for tests that run the program as another process."""

from __future__ import annotations

import json
from typing import Protocol

from taskgraph.llm.loose_json import Json, as_list, as_object, parsed_json
from taskgraph.testing.http1 import Request
from taskgraph.testing.lanes import Lane
from taskgraph.testing.steps import Content, Reply, Responder, Wire, body, error, step_from_json

PATH = "/__fake__/"


class Controlled(Protocol):
    """What of the server can be controlled."""

    lanes: dict[str, Lane]

    def agent(self, key: str) -> Lane:
        """Returns the lane of an agent."""
        ...

    def default(self, content: Content | Responder, wire: Wire) -> None:
        """Answers whoever has no script."""
        ...

    def reset(self) -> None:
        """Forgets everything."""
        ...

    def release(self, gate: str) -> None:
        """Opens a gate."""
        ...


def respond(server: Controlled, request: Request) -> Reply:
    """Obeys a request to the control pages: `script`, `requests`, `reset`, `release/GATE`."""
    command, _, argument = request.path.removeprefix(PATH).partition("/")
    match command:
        case "script":
            load_script(server, as_object(parsed_json(request.body.decode())))
        case "requests":
            return body({key: _bodies(server, key) for key in server.lanes})
        case "reset":
            server.reset()
        case "release":
            server.release(argument)
        case _:
            return error(404, f"no control page {command!r}")
    return body({"ok": True})


def load_script(server: Controlled, script: Json) -> None:
    """Adds the steps of a JSON script: `{"lanes": {name: [step, ...]}, "default": step}`.

    Raises:
        ValueError: an entry is no step, see `steps.step_from_json`.
    """
    for key, entries in as_object(script.get("lanes")).items():
        steps = (step_from_json(as_object(entry)) for entry in as_list(entries))
        server.agent(key).steps.extend(steps)
    if "default" in script:
        step = step_from_json(as_object(script["default"]))
        server.default(step.content, step.wire)


def _bodies(server: Controlled, key: str) -> list[object]:
    return [json.loads(seen.raw) for seen in server.agent(key).seen]
