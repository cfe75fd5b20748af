"""The result that each strategy leaves, in the same views, and the checks on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checks import at_most, each_cent_once, none, of_account, of_applied


def result(
    nodes: Sequence[str], applied: Sequence[str], account: Sequence[str], open_share: float
) -> dict[str, Any]:
    """The last node.

    Args:
        nodes: that it depends on.
        applied: nodes with a view {node}_applied: payment_id, invoice_id, amount, reason, rule.
        account: nodes with a view {node}_account: payment_id, amount, kind.
        open_share: of all payments that may stay open, 0 to 1.
    """
    parts = " UNION ALL ".join(
        f"SELECT payment_id, invoice_id, amount::DECIMAL(14, 2) AS amount, reason, rule "
        f"FROM {node}_applied"
        for node in applied
    )
    on_account = " UNION ALL ".join(
        f"SELECT payment_id, amount::DECIMAL(14, 2) AS amount, kind FROM {node}_account"
        for node in account
    )
    return {
        "name": "result",
        "depends_on": list(nodes),
        "description": "Every cent of every payment: applied to an item, or on account",
        "sql": f"""
            CREATE VIEW result_applied AS {parts};

            CREATE VIEW result_on_account AS
            WITH decided AS ({on_account}),
            placed AS (
                SELECT payment_id, amount FROM result_applied
                UNION ALL SELECT payment_id, amount FROM decided
            ),
            left_over AS (
                SELECT payment_id,
                    (payment.amount - coalesce(sum(placed.amount), 0))::DECIMAL(14, 2) AS amount
                FROM prepare_payments AS payment LEFT JOIN placed USING (payment_id)
                GROUP BY payment_id, payment.amount
            )
            FROM decided
            UNION ALL SELECT payment_id, amount, 'open' FROM left_over WHERE amount <> 0;

            CREATE VIEW result_items AS
            SELECT item.*, coalesce(given.applied, 0)::DECIMAL(14, 2) AS applied,
                if(settled, 0, item.amount - coalesce(given.applied, 0))::DECIMAL(14, 2) AS rest
            FROM prepare_items AS item
            LEFT JOIN (
                SELECT invoice_id, sum(amount) AS applied,
                    bool_or(reason IN ('full', 'discount', 'credit')) AS settled
                FROM result_applied GROUP BY invoice_id
            ) AS given USING (invoice_id);

            CREATE VIEW result_balance AS
            WITH kinds AS (
                SELECT currency, reason AS kind, part.amount
                FROM result_applied AS part JOIN prepare_payments USING (payment_id)
                UNION ALL
                SELECT currency, kind, part.amount
                FROM result_on_account AS part JOIN prepare_payments USING (payment_id)
            )
            SELECT currency, kind, sum(amount) AS amount FROM kinds GROUP BY currency, kind;
        """,
        "output_columns": {
            "result_applied": {
                "payment_id": "VARCHAR",
                "invoice_id": "VARCHAR",
                "amount": "DECIMAL(14,2)",
                "reason": "VARCHAR",
                "rule": "VARCHAR",
            },
            "result_on_account": {
                "payment_id": "VARCHAR",
                "amount": "DECIMAL(14,2)",
                "kind": "VARCHAR",
            },
            "result_items": ["invoice_id", "amount", "applied", "rest"],
            "result_balance": ["currency", "kind", "amount"],
        },
        "validate": {
            **of_applied("result_applied"),
            **of_account("result_on_account"),
            "each_cent_once": each_cent_once(
                "result_applied", "result_on_account", "prepare_payments"
            ),
            "open_payments": at_most(
                open_share, ("open", "open"), "result_on_account", "prepare_payments"
            ),
            "payers_known": PAYERS_KNOWN,
            "advice_used": ADVICE_USED,
        },
    }


# The next two tell that the rules have grown old: somebody pays or writes in a new way.
PAYERS_KNOWN = none(
    "warn",
    "payers with over 4 payments, and over four fifths of them open",
    "format('{} ({} of {})', payer, opened, payments)",
    """(
        SELECT payer, count(*) AS payments, count_if(kind = 'open') AS opened
        FROM prepare_payments LEFT JOIN result_on_account USING (payment_id) GROUP BY payer
    ) WHERE payments > 4 AND opened > payments * 0.8""",
)
ADVICE_USED = none(
    "fail",
    "openings of advice with over 9 texts, over four fifths of them without a named item paid",
    "format('{} ({} of {})', opening, unused, texts)",
    r"""(
        SELECT opening, count(*) AS texts, count_if(NOT used) AS unused FROM (
            SELECT regexp_extract(any_value(text), '^\w+( \w+)?') AS opening,
                count(invoice_id) > 0 AS used
            FROM (
                SELECT advice_id, text, unnest(
                    list_concat([NULL], regexp_extract_all(text, '[0-9]{5,}'))
                ) AS number
                FROM prepare_advice
            )
            LEFT JOIN (
                SELECT invoice_id, regexp_extract(invoice_id, '[0-9]+') AS number FROM result_applied
            ) USING (number)
            GROUP BY advice_id
        ) GROUP BY opening
    ) WHERE texts > 9 AND unused > texts * 0.8""",
)
