"""Measures everything in one run: `just bench`, or `uv run python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine, peers
from benchmarks.measuring import Line
from benchmarks.rendering import markdown
from benchmarks.suites import SUITES, Extent


def main() -> None:
    """Reads the command line, measures, and writes the table and the JSON."""
    options = _options()
    facts = machine.facts()
    lines: list[Line] = []
    for suite in options.only:
        for line in _measured(suite, options):
            lines.append(line)
            print(_progress(line), file=sys.stderr, flush=True)
            if options.json:  # as far as it is: a run takes long
                _write(options.json, facts, lines)
    print(markdown({**facts, **_peers(lines)}, lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    known = ",".join(SUITES)
    parser.add_argument("--only", type=_suites, default=list(SUITES), help=f"some of {known}")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--largest", type=int, default=10_000, help="nodes of the largest graphs")
    parser.add_argument("--rounds", type=int, default=9, help="most rounds of a case")
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser.parse_args()


def _suites(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - SUITES.keys():
        raise argparse.ArgumentTypeError(f"no suite is called {', '.join(sorted(unknown))}")
    return names


def _measured(suite: str, options: argparse.Namespace) -> Iterator[Line]:
    """One suite's failure does not end the others."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            extent = Extent(options.quick, options.largest, options.rounds)
            yield from SUITES[suite](Path(folder), extent)
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            yield Line(suite, "-", "-", 0, failure=traceback.format_exc(limit=1)[-300:])


def _progress(line: Line) -> str:
    told = line.failure or (f"{line.cost.seconds:.4g} s" if line.cost else "")
    return f"{line.suite:8} {line.case:32} {line.contender:20} {told}"


def _peers(lines: list[Line]) -> dict[str, str]:
    measured = {line.contender for line in lines}
    return {one.name: peers.version(one) for one in peers.PEERS if one.name in measured}


def _write(path: Path, facts: dict[str, str], lines: list[Line]) -> None:
    document = {"machine": {**facts, **_peers(lines)}, "lines": [asdict(line) for line in lines]}
    path.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
