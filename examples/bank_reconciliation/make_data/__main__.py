"""Makes a month of an invented company's bank statement and ledger, and apart from them the truth.

    python examples/bank_reconciliation/make_data [--seed 1 --month 2026-01 --lines 1000
        --difficulty hard] [FOLDER]

Without options it makes what is committed: January and February, hard, 1,000 lines. The same
options give the same bytes on every machine. Writes FOLDER/data/MONTH and FOLDER/truth.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent.parent
sys.path.append(str(HERE.parent))  # what the examples share

from cases import CASES, Fact, single  # noqa: E402
from company import company_of  # noqa: E402
from difficulty import DIFFICULTIES  # noqa: E402
from files import write_month  # noqa: E402
from scene import Scene  # noqa: E402

FIRST_YEAR = 2026
LINES = range(30, 100_001)


def main() -> None:
    options = _options()
    for month in options.month or [date(FIRST_YEAR, 1, 1), date(FIRST_YEAR, 2, 1)]:
        scene = _scene(options, month)
        facts = _facts(scene, options.lines)
        truth = options.folder / "truth" / f"{month:%Y-%m}.csv"
        write_month(options.folder / "data" / f"{month:%Y-%m}", truth, scene, facts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=HERE)
    parser.add_argument("--seed", type=int, default=1, help="of the company")
    parser.add_argument("--month", action="append", type=_month, help="2026-01; may be repeated")
    parser.add_argument("--lines", type=int, default=1000, help="of the statement")
    parser.add_argument("--difficulty", choices=DIFFICULTIES, default="hard")
    options = parser.parse_args()
    if options.lines not in LINES:
        parser.error(f"--lines is {options.lines}; it must be {LINES[0]} to {LINES[-1]}")
    return options


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _scene(options: argparse.Namespace, month: date) -> Scene:
    difficulty = DIFFICULTIES[options.difficulty]
    size = min(6_000, max(30, options.lines // 7))
    since_first = (month.year - FIRST_YEAR) * 12 + month.month - 1
    return Scene(
        chance=Random(f"{options.seed} {month:%Y-%m} {options.difficulty} {options.lines}"),
        year=month.year,
        month=month.month,
        company=company_of(options.seed, size, difficulty.opaque, since_first),
        difficulty=difficulty,
    )


def _facts(scene: Scene, lines: int) -> list[Fact]:
    """Draws cases until the statement has its number of lines."""
    kinds, weights = zip(*scene.difficulty.cases.items(), strict=True)
    facts: list[Fact] = []
    left = lines
    while left > 0:
        case = CASES[scene.chance.choices(kinds, weights)[0]](scene)
        wanted = len({fact.line for fact in case if fact.line})
        if wanted > left:
            case, wanted = single(scene), 1
        facts += case
        left -= wanted
    return facts


if __name__ == "__main__":
    main()
