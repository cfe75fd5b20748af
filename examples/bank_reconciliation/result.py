"""The result that each strategy leaves, in the same views, and the checks on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checks import at_most, each_once, groups, none, of_alone, of_matches

EVERYTHING = """
    SELECT kind FROM result_unmatched
    UNION ALL SELECT 'matched' FROM (SELECT DISTINCT bank_id FROM result_matches)
    UNION ALL SELECT 'matched' FROM result_matches
"""


def result(
    nodes: Sequence[str], matched: Sequence[str], alone: Sequence[str], open_share: float
) -> dict[str, Any]:
    """The last node.

    Args:
        nodes: that it depends on.
        matched: nodes with a view {node}_matches: bank_id, ledger_id, reason.
        alone: nodes with {node}_lines (bank_id, kind) and {node}_entries (ledger_id, kind).
        open_share: of all lines and entries that may stay open, 0 to 1.
    """
    matches = " UNION ALL ".join(
        f"SELECT bank_id, ledger_id, reason FROM {node}_matches" for node in matched
    )
    lines = " UNION ALL ".join(f"SELECT bank_id, kind FROM {node}_lines" for node in alone)
    entries = " UNION ALL ".join(f"SELECT ledger_id, kind FROM {node}_entries" for node in alone)
    return {
        "name": "result",
        "depends_on": list(nodes),
        "description": "Every line and entry: matched, explained, or open",
        "sql": f"""
            CREATE VIEW result_matches AS {matches};

            CREATE VIEW result_lines AS
            WITH alone AS ({lines})
            SELECT bank_id, coalesce(kind, 'open') AS kind, booked_on, text, amount, currency
            FROM prepare_bank LEFT JOIN alone USING (bank_id)
            WHERE kind IS NOT NULL OR bank_id NOT IN (SELECT bank_id FROM result_matches);

            CREATE VIEW result_entries AS
            WITH alone AS ({entries})
            SELECT ledger_id, coalesce(kind, 'open') AS kind, entered_on, name, reference,
                amount, currency
            FROM prepare_ledger LEFT JOIN alone USING (ledger_id)
            WHERE kind IS NOT NULL OR ledger_id NOT IN (SELECT ledger_id FROM result_matches);

            CREATE VIEW result_unmatched AS
            SELECT bank_id, NULL::VARCHAR AS ledger_id, kind FROM result_lines
            UNION ALL SELECT NULL, ledger_id, kind FROM result_entries;

            CREATE VIEW result_balance AS
            WITH kinds AS (
                SELECT currency, 'matched' AS kind, bank_amount AS bank, ledger_amount AS ledger
                FROM {groups("result_matches")} JOIN prepare_bank USING (bank_id)
                UNION ALL SELECT currency, kind, amount, 0 FROM result_lines
                UNION ALL SELECT currency, kind, 0, amount FROM result_entries
            )
            SELECT currency, kind, sum(bank) AS bank, sum(ledger) AS ledger
            FROM kinds GROUP BY currency, kind;
        """,
        "output_columns": {
            "result_matches": {"bank_id": "BIGINT", "ledger_id": "VARCHAR", "reason": "VARCHAR"},
            "result_lines": {"bank_id": "BIGINT", "kind": "VARCHAR"},
            "result_entries": {"ledger_id": "VARCHAR", "kind": "VARCHAR"},
            "result_unmatched": {"bank_id": "BIGINT", "ledger_id": "VARCHAR", "kind": "VARCHAR"},
            "result_balance": ["currency", "kind", "bank", "ledger"],
        },
        "validate": {
            **of_matches("result_matches"),
            **of_alone("result_lines", "result_entries"),
            **each_once(
                "SELECT DISTINCT bank_id FROM result_matches UNION ALL SELECT bank_id FROM result_lines",
                "SELECT ledger_id FROM result_matches UNION ALL SELECT ledger_id FROM result_entries",
                "prepare_bank",
                "prepare_ledger",
            ),
            "balance": BALANCE,
            "open_items": at_most(open_share, ("open", "open"), EVERYTHING),
            "parties_known": PARTIES_KNOWN,
            "texts_known": TEXTS_KNOWN,
        },
    }


BALANCE = none(
    "fail",
    "currencies in which the parts do not add up to statement or ledger",
    "currency",
    """(SELECT currency, sum(bank) AS bank, sum(ledger) AS ledger FROM result_balance GROUP BY 1)
        FULL JOIN (SELECT currency, sum(amount) AS all_bank FROM prepare_bank GROUP BY 1)
            USING (currency)
        FULL JOIN (SELECT currency, sum(amount) AS all_ledger FROM prepare_ledger GROUP BY 1)
            USING (currency)
    WHERE bank IS DISTINCT FROM coalesce(all_bank, 0)
        OR ledger IS DISTINCT FROM coalesce(all_ledger, 0)""",
)

# The next two tell that the rules have grown old: somebody writes in a new way.
PARTIES_KNOWN = none(
    "fail",
    "counterparties with over 15 entries, and over two thirds of them open",
    "format('{} ({} of {})', name, opened, entries)",
    """(
        SELECT name, count(*) AS entries, count_if(kind = 'open') AS opened
        FROM prepare_ledger LEFT JOIN result_entries USING (ledger_id, name) GROUP BY name
    ) WHERE entries > 15 AND opened * 3 > entries * 2""",
)
TEXTS_KNOWN = none(
    "warn",
    "kinds of bank line with over 5 lines, and over four fifths of them open",
    "format('{} ({} of {})', words, opened, lines)",
    r"""(
        SELECT regexp_extract(bank.text, '^[^0-9 ]+ [^0-9 ]+') AS words,
            count(*) AS lines, count_if(kind = 'open') AS opened
        FROM prepare_bank AS bank LEFT JOIN result_lines USING (bank_id) GROUP BY words
    ) WHERE words <> '' AND lines > 5 AND opened > lines * 0.8""",
)
