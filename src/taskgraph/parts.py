"""A run's parts, from its start over every resume, as `_workspace_meta.run` keeps them."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from taskgraph.events import utc_now
from taskgraph.redaction import without_credentials
from taskgraph.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Part:
    """A run's time between a start or a resume and its end, its interruption or its death."""

    started_at: datetime
    elapsed_ms: float | None = None
    """None while it lasts, and where it did not come to note it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a run keeps over all of its parts."""

    run_id: str
    settings: RunSettings
    """Those of the last part."""
    parts: tuple[Part, ...]

    @classmethod
    def new(cls, settings: RunSettings) -> Identity:
        """Makes that of a run that begins now."""
        return cls(uuid.uuid4().hex, settings, (Part(utc_now()),))

    @classmethod
    def from_json(cls, text: str) -> Identity:
        """Reads it back; settings that this version does not know are left out."""
        run: dict[str, Any] = json.loads(text)
        known = {field.name for field in fields(RunSettings)}
        settings = {key: value for key, value in run["settings"].items() if key in known}
        settings["overrides"] = tuple(settings.get("overrides", ()))
        parts = (
            Part(datetime.fromisoformat(part["started_at"]), part["elapsed_ms"])
            for part in run["parts"]
        )
        return cls(run["id"], RunSettings(**settings), tuple(parts))

    @property
    def elapsed_ms(self) -> float:
        """How long all parts took that have ended."""
        return sum(part.elapsed_ms or 0.0 for part in self.parts)

    def resumed(self, settings: RunSettings) -> Identity:
        """Adds a part that begins now."""
        return replace(self, settings=settings, parts=(*self.parts, Part(utc_now())))

    def ended(self, elapsed_ms: float) -> Identity:
        """Notes how long the last part took."""
        *before, last = self.parts
        return replace(self, parts=(*before, replace(last, elapsed_ms=elapsed_ms)))

    def to_json(self) -> str:
        """Writes it as one text; of the server's address, what can be no secret."""
        address = without_credentials(self.settings.base_url)
        settings = asdict(replace(self.settings, base_url=address))
        parts = [
            {"started_at": part.started_at.isoformat(), "elapsed_ms": part.elapsed_ms}
            for part in self.parts
        ]
        return json.dumps({"id": self.run_id, "settings": settings, "parts": parts})
