"""Checks that hold without knowing the right answer, whatever strategy found it."""

from __future__ import annotations

REASONS = ("full", "discount", "partial", "short_pay", "credit")
"""Why an item gets what it gets."""

ACCOUNT_KINDS = ("overpayment", "duplicate", "prepayment", "stranger", "open")
"""Why money stays on account; `open` is for a person to look at."""


def none(status: str, what: str, item: str, found: str) -> str:
    """A check that gives `status` if anything is found; names the first five."""
    return f"""
        WITH found AS (SELECT {item} AS item FROM {found})
        SELECT if(count(*) = 0, 'pass', '{status}') AS status,
            concat_ws(': ', count(*) || ' {what}',
                array_to_string(list(item ORDER BY item)[:5], ', ')) AS message
        FROM found
    """


FITS = """CASE applied.reason
    WHEN 'full' THEN item.amount > 0 AND applied.amount = item.amount
    WHEN 'credit' THEN item.amount < 0 AND applied.amount = item.amount
    WHEN 'discount' THEN percent > 0 AND booked_on - dated_on <= discount_days
        AND applied.amount = item.amount - discount
    WHEN 'partial' THEN applied.amount > 0 AND applied.amount < item.amount
    WHEN 'short_pay' THEN applied.amount > 0 AND applied.amount < item.amount
    ELSE false END"""
"""What each reason allows."""


def of_applied(applied: str) -> dict[str, str]:
    """The checks on a view of what is applied: payment_id, invoice_id, amount, reason."""
    pairs = f"""{applied} AS applied
        JOIN prepare_payments AS payment USING (payment_id)
        JOIN prepare_items AS item USING (invoice_id)"""
    pair = "format('{} to {}', payment_id, invoice_id)"
    return {
        "pairs_once": none(
            "fail",
            "pairs of payment and item that are there twice",
            pair,
            f"{applied} GROUP BY payment_id, invoice_id HAVING count(*) > 1",
        ),
        "both_exist": none(
            "fail",
            "rows about a payment or item that does not exist, or without an amount",
            pair,
            f"""{applied} WHERE payment_id IS NULL OR invoice_id IS NULL OR amount IS NULL
                OR payment_id NOT IN (SELECT payment_id FROM prepare_payments)
                OR invoice_id NOT IN (SELECT invoice_id FROM prepare_items)""",
        ),
        "currencies_agree": none(
            "fail",
            "pairs across currencies",
            pair,
            f"{pairs} WHERE payment.currency <> item.currency",
        ),
        "not_over_applied": none(
            "fail",
            "invoices that get more than their amount",
            "format('{} by {}', invoice_id, sum(applied.amount) - any_value(item.amount))",
            f"""{pairs} WHERE item.amount > 0 GROUP BY invoice_id
                HAVING sum(applied.amount) > any_value(item.amount)""",
        ),
        "credit_notes_once": none(
            "fail",
            "credit notes used by more than one payment",
            "invoice_id",
            f"{pairs} WHERE item.amount < 0 GROUP BY invoice_id HAVING count(*) > 1",
        ),
        "reasons_fit": none(
            "fail",
            "amounts that their reason does not allow (a discount: of the terms, within its days)",
            "format('{} to {} {} {} of {}', payment_id, invoice_id, applied.reason, "
            "applied.amount, item.amount)",
            f"{pairs} WHERE coalesce(NOT {FITS}, true)",
        ),
        "dates_fit": none(
            "fail",
            "payments before the date of their item",
            pair,
            f"{pairs} WHERE dated_on > booked_on",
        ),
    }


def of_account(account: str) -> dict[str, str]:
    """The checks on a view of what stays on account: payment_id, amount, kind."""
    return {
        "account_known": none(
            "fail",
            "rows on account that are double, about no payment, not positive, or of no known kind",
            "payment_id",
            f"""(SELECT *, count(*) OVER (PARTITION BY payment_id) AS times FROM {account})
                WHERE times > 1 OR coalesce(amount <= 0, true)
                    OR coalesce(kind NOT IN {ACCOUNT_KINDS}, true)
                    OR payment_id NOT IN (SELECT payment_id FROM prepare_payments)""",
        ),
        "duplicates_repeat": none(
            "fail",
            "duplicates without a payment of the same payer and amount in the month before",
            "payment_id",
            f"""(SELECT payment_id FROM {account} WHERE kind = 'duplicate')
                JOIN prepare_payments AS again USING (payment_id)
                WHERE NOT EXISTS (
                    FROM prepare_payments AS made
                    WHERE made.payer = again.payer AND made.amount = again.amount
                        AND made.currency = again.currency
                        AND made.payment_id <> again.payment_id
                        AND again.booked_on - made.booked_on BETWEEN 0 AND 31
                )""",
        ),
    }


def each_cent_once(applied: str, account: str, payments: str) -> str:
    """A check that what is applied and what stays on account is the payment, for each.

    Args:
        applied: a view of payment_id, amount.
        account: a view of payment_id, amount.
        payments: table of the payments that are to be placed, and no others.
    """
    return none(
        "fail",
        f"payments of which applied and on account do not add up to the amount in {payments}",
        "format('{} by {}', payment_id, difference)",
        f"""(
            SELECT payment_id, sum(amount) AS difference, count_if(wanted) AS times FROM (
                SELECT payment_id, amount, false AS wanted FROM {applied}
                UNION ALL SELECT payment_id, amount, false FROM {account}
                UNION ALL SELECT payment_id, -amount, true FROM {payments}
            ) GROUP BY payment_id
        ) WHERE difference <> 0 OR times <> 1""",
    )


def at_most(share: float, kinds: tuple[str, ...], account: str, payments: str) -> str:
    """A check that warns where any payment is on account as some kinds, and fails above a share.

    Up to five are always accepted.

    Args:
        share: of the payments, 0 to 1.
        kinds: two or more, or one twice.
        account: a view of payment_id, kind.
        payments: table of the payments.
    """
    what = " or ".join(dict.fromkeys(kinds))
    return f"""
        SELECT CASE WHEN found > greatest(5, {share} * payments) THEN 'fail'
                WHEN found > 0 THEN 'warn' ELSE 'pass' END AS status,
            format('{{}} of {{}} payments are {what}; up to {share:.0%} are accepted',
                found, payments) AS message
        FROM (SELECT count_if(kind IN {kinds}) AS found FROM {account})
            CROSS JOIN (SELECT count(*) AS payments FROM {payments})
    """


def overpaid(applied: str, account: str) -> str:
    """A check that only who has paid an invoice in full, or with discount, overpays."""
    return none(
        "fail",
        "overpayments by payments that settle no invoice, or one of them in part",
        "payment_id",
        f"""(SELECT payment_id FROM {account} WHERE kind = 'overpayment')
            LEFT JOIN (
                SELECT payment_id, bool_and(reason IN ('full', 'discount', 'credit')) AS settled
                FROM {applied} GROUP BY payment_id
            ) USING (payment_id)
            WHERE NOT coalesce(settled, false)""",
    )


def short_paid(share: float, applied: str, payments: str) -> str:
    """A check on how many payments leave something of an invoice; up to five are always accepted.

    Args:
        share: of the payments that may, 0 to 1.
        applied: a view of payment_id, reason.
        payments: table of the payments.
    """
    return f"""
        SELECT if(found > greatest(5, {share} * payments), 'fail', 'pass') AS status,
            format('{{}} of {{}} payments pay an invoice partial or short_pay; '
                || 'up to {share:.0%} are accepted', found, payments) AS message
        FROM (
            SELECT count(DISTINCT payment_id) AS found FROM {applied}
            WHERE reason IN ('partial', 'short_pay')
        ) CROSS JOIN (SELECT count(*) AS payments FROM {payments})
    """


def overlooked(applied: str, account: str, items: str, most: int) -> str:
    """A check for payments, set aside or short, that would settle an untouched item to the cent.

    Args:
        applied: a view of payment_id, invoice_id, reason.
        account: a view of payment_id, kind.
        items: table of the items there are.
        most: how many such payments are accepted; list prices agree by accident.
    """
    return f"""
        WITH fitting AS (
            SELECT DISTINCT payment_id
            FROM (
                SELECT payment_id FROM {account}
                WHERE kind IN ('prepayment', 'stranger', 'open')
                UNION ALL
                SELECT payment_id FROM {applied} WHERE reason IN ('partial', 'short_pay')
            )
            JOIN prepare_payments AS payment USING (payment_id)
            JOIN (FROM {items} ANTI JOIN {applied} USING (invoice_id)) AS item
            ON payment.currency = item.currency
                AND booked_on - dated_on BETWEEN 0 AND 90
                AND (payment.amount = item.amount OR (
                    payment.amount = item.amount - discount
                    AND booked_on - dated_on <= discount_days
                ))
        )
        SELECT CASE WHEN count(*) > {most} THEN 'fail' WHEN count(*) > 0 THEN 'warn' ELSE 'pass' END
                AS status,
            concat_ws(': ', format('{{}} payments are set aside or short, and exactly what an '
                || 'untouched item would take; up to {most} are accepted', count(*)),
                array_to_string(list(payment_id ORDER BY payment_id)[:5], ', ')) AS message
        FROM fitting
    """
