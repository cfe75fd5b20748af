"""Draws `docs/run.svg` for the README: a real run of the example, as a terminal leaves it.

uv run --with pyte python docs/make_picture.py
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pyte
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
COLUMNS, LINES = 96, 60
OUTPUT = "expenses.db"
EXAMPLE = "examples/expenses"
COMMAND = f"taskgraph run -s {EXAMPLE}/spec.py --replay {EXAMPLE}/recording.jsonl -o {OUTPUT}"
COLOURS = {"default": "", "brown": "yellow", "brightblack": "bright_black"}
"""Those that pyte and rich call by different names."""


def screen_after_run() -> pyte.Screen:
    """Runs the command below a terminal, and returns what stands there at its end."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": str(LINES), "TERM": "xterm"}
    for name in ("CI", "NO_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", *COMMAND.split()],
        cwd=ROOT,
        env=environment,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    while chunk := _read(leader):
        stream.feed(chunk)
    process.wait()
    (ROOT / OUTPUT).unlink()
    return screen


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 1 << 16)
    except OSError:  # Linux's word for the end of a terminal
        return b""


def lines_of(screen: pyte.Screen) -> list[Text]:
    """Returns the lines of a screen with their colours, without empty ones at its end."""
    lines = [_line(screen, row) for row in range(LINES)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    return lines


def _line(screen: pyte.Screen, row: int) -> Text:
    line = Text()
    for column in range(COLUMNS):
        cell = screen.buffer[row][column]
        colour = COLOURS.get(cell.fg, cell.fg)
        line.append(cell.data, f"{'bold ' if cell.bold else ''}{colour}".strip())
    line.rstrip()
    return line


def main() -> None:
    """Writes the picture."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text(f"$ {COMMAND}", style="bold"), overflow="fold")
        for line in lines_of(screen_after_run()):
            console.print(line)
        picture = console.export_svg(title="taskgraph", unique_id="run")
    # rich names a font to be fetched; a reader's own monospaced one does as well.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    (ROOT / "docs" / "run.svg").write_text(picture, encoding="utf-8")


main()
