"""Makes a month of an invented company's payments, open items and advice, and apart the truth.

    python examples/cash_application/make_data [--seed 1 --month 2026-01 --payments 400
        --difficulty hard] [FOLDER]

Without options it makes what is committed: January, hard, 400 payments. The same options give
the same bytes on every machine. Writes FOLDER/data/MONTH and FOLDER/truth.
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
from customers import customers_of  # noqa: E402
from difficulty import DIFFICULTIES  # noqa: E402
from files import write_month  # noqa: E402
from scene import Scene  # noqa: E402

FIRST_YEAR = 2026
PAYMENTS = range(30, 100_001)


def main() -> None:
    options = _options()
    for month in options.month or [date(FIRST_YEAR, 1, 1)]:
        scene = _scene(options, month)
        facts = _facts(scene)
        truth = options.folder / "truth" / f"{month:%Y-%m}.csv"
        write_month(options.folder / "data" / f"{month:%Y-%m}", truth, scene, facts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=HERE)
    parser.add_argument("--seed", type=int, default=1, help="of the company")
    parser.add_argument("--month", action="append", type=_month, help="2026-01; may be repeated")
    parser.add_argument("--payments", type=int, default=400, help="of the month")
    parser.add_argument("--difficulty", choices=DIFFICULTIES, default="hard")
    options = parser.parse_args()
    if options.payments not in PAYMENTS:
        parser.error(
            f"--payments is {options.payments}; it must be {PAYMENTS[0]} to {PAYMENTS[-1]}"
        )
    return options


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _scene(options: argparse.Namespace, month: date) -> Scene:
    difficulty = DIFFICULTIES[options.difficulty]
    size = min(8_000, max(24, options.payments // 5))
    since_first = (month.year - FIRST_YEAR) * 12 + month.month - 1
    return Scene(
        chance=Random(f"{options.seed} {month:%Y-%m} {options.difficulty} {options.payments}"),
        year=month.year,
        month=month.month,
        since_first=since_first,
        customers=customers_of(options.seed, size, difficulty.hidden, since_first),
        difficulty=difficulty,
        payments=options.payments,
    )


def _facts(scene: Scene) -> list[Fact]:
    """Draws cases until there is the number of payments."""
    kinds, weights = zip(*scene.difficulty.cases.items(), strict=True)
    facts: list[Fact] = []
    left = scene.payments
    while left > 0:
        case = CASES[scene.chance.choices(kinds, weights)[0]](scene)
        made = len({fact.payment for fact in case})
        if made > left:  # the items stay open, as if paid next month
            case, made = single(scene), 1
        facts += case
        left -= made
    return facts


if __name__ == "__main__":
    main()
