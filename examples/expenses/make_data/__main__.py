"""Makes the inputs of this example and, apart from them, the truth; always the same.

    python examples/expenses/make_data [FOLDER]

Writes data/ (what the spec reads) and truth/ (what only a test may read) into FOLDER, or into the
example. The company, its people and every purchase are invented; the ways in which a card
statement and expense claims disagree are not.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from claims import month_of_claims
from policy import write_policy
from purchases import month_of_purchases
from statement import write_claims, write_statement, write_truth

MONTHS = ((2026, 3), (2026, 4))


def main(folder: Path) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    write_policy(folder / "data" / "policy.xlsx")
    for year, month in MONTHS:
        chance = random.Random(f"expenses {year}-{month}")
        purchases = month_of_purchases(chance, year, month)
        claims = month_of_claims(chance, purchases)
        data, truth = (folder / kind / f"{year}-{month:02}" for kind in ("data", "truth"))
        write_statement(data / "card.csv", purchases)
        write_claims(data / "claims.json", claims)
        write_truth(truth, purchases, claims)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
