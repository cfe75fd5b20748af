"""`python -m taskgraph.testing.fake_openrouter`: the fake server for another process.

    --script FILE       JSON: {"lanes": {"node": [step, ...]}, "default": step}
    --port N            0 for any free one
    --port-file FILE    where the port is written once the server listens
    --dialect NAME      openrouter, ollama, vllm, llamacpp or litellm

Ends with its standard input, or by a signal; exit code 1 where requests and script disagree.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import get_args

from taskgraph.testing.completions import DialectName
from taskgraph.testing.control import load_script
from taskgraph.testing.server import FakeOpenRouter


def main(arguments: list[str] | None = None) -> int:
    """Serves until standard input ends; returns the exit code."""
    options = _parser().parse_args(arguments)
    server = FakeOpenRouter(dialect=options.dialect, port=options.port)
    if options.script:
        load_script(server, json.loads(options.script.read_text()))
    try:
        with server:
            if options.port_file:
                options.port_file.write_text(str(server.port))
            sys.stdin.read()
    except AssertionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fake_openrouter", description=__doc__)
    parser.add_argument("--script", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    parser.add_argument("--dialect", choices=get_args(DialectName), default="openrouter")
    return parser


if __name__ == "__main__":
    sys.exit(main())
