"""What an agent is told of the job, and the checks that it has to meet.

The texts stand in the prompts of hybrid.py and prompt_only.py, indented as these are.
"""

from __future__ import annotations

from checks import (
    at_most,
    each_cent_once,
    none,
    of_account,
    of_applied,
    overlooked,
    overpaid,
    short_paid,
)

DOMAIN = """A payment settles one invoice, or several, less credit notes (GS, negative). What it
            gives to an item is in cents of the payment: together with what stays on account it is
            the payment's amount, to the cent. An invoice may get instalments from several
            payments, never more than its amount; a credit note is used once, and whole.

            What stands between payments and items:
            - Payers. The bank cuts names off or drops the vowels. A parent pays for several
              customers, some pay under a brand that resembles nothing: for whom shows in payments
              whose documents or amounts leave no doubt. KD 10023 is a customer's number.
            - Numbers in a payment's text: with or without RE and GS, shortened to the last three
              digits after the first (28342/371/402), with a digit lost, wrong or swapped, broken
              by a blank, cut off where the text ends; or none.
            - Advice: what a payer writes about a payment of that amount, some days around it, in
              one of a few layouts; each names documents, some give what is paid for each and what
              is kept back and why. The payment may name the number of the advice (AVIS 4471), or
              not. Now and then an advice is ahead of a payment that has not come.
            - Discounts: percent, when paid within discount_days of dated_on; discount has the
              amount. Who takes it does so for each invoice that is in time (reason discount).
              Taken too late it is a short payment (reason short_pay).
            - Deductions: less than the invoice, for goods or freight, said or not said (reason
              short_pay). Instalments: PART, RATE, INSTALMENT, A CONTO; the next one may come in
              the same month (reason partial).
            - Credit notes that are taken off, said or not said.
            - Several invoices and nothing named. Some customers pay all that is open up to a day.
            - Two invoices of a customer over one amount, paid without a number: the older first.
            - On account: more than the invoice, rounded up or mistyped (overpayment; only the
              part above, the invoice itself is paid in full); the same payment twice, whose
              invoice the first one has paid (duplicate); money for an order that has no invoice
              yet (prepayment); money not meant for us: no customer, no document, private words
              (stranger)."""

RULE = """A wrong application hides what a customer owes, an open payment is looked at by a
            person: apply what is clearly more likely right than wrong, and leave the rest open.

            Next month brings other payments and items, the same customers and some new ones. So
            find rules, and learn from the data by SQL whom a payer pays for; no lists of ids,
            amounts, or pairs of names."""


def outputs(node: str) -> dict[str, dict[str, str]]:
    return {
        f"{node}_applied": {
            "payment_id": "VARCHAR",
            "invoice_id": "VARCHAR",
            "amount": "DECIMAL(14,2)",
            "reason": "VARCHAR",
            "rule": "VARCHAR",
        },
        f"{node}_account": {
            "payment_id": "VARCHAR",
            "amount": "DECIMAL(14,2)",
            "kind": "VARCHAR",
        },
    }


def views(node: str, payments: str, items: str) -> str:
    """The part of a prompt that says what has which rows."""
    return f"""- {node}_applied: a row per payment of {payments} and item of
              {items} that it settles, wholly or in part. amount: what the item gets,
              negative for a credit note. reason: full (also of an invoice paid at its amount
              among others), discount, partial, short_pay, or credit for a credit note.
              rule: what has decided, in a word or two
            - {node}_account: a row per payment with anything left, and how much. kind:
              overpayment, duplicate, prepayment, stranger, or open"""


def checks(node: str, payments: str, items: str, odd: float, short: float) -> dict[str, str]:
    """The checks on an agent that was given the payments and items of two tables.

    Args:
        node: its name.
        payments: the table of payments.
        items: the table of items.
        odd: share of the payments that may be prepayments or from strangers, 0 to 1.
        short: share of the payments that may pay an invoice short or in part, 0 to 1.
    """
    applied, account = f"{node}_applied", f"{node}_account"
    return {
        **of_applied(applied),
        **of_account(account),
        "items_given": none(
            "fail",
            f"items that are not in {items}",
            "invoice_id",
            f"{applied} WHERE invoice_id NOT IN (SELECT invoice_id FROM {items})",
        ),
        "each_cent_once": each_cent_once(applied, account, payments),
        "overpaid": overpaid(applied, account),
        "open_payments": at_most(0.1, ("open", "open"), account, payments),
        # Without these, an answer that applies nothing, or anything to anything, would pass.
        "odd_payments": at_most(odd, ("prepayment", "stranger"), account, payments),
        "short_payments": short_paid(short, applied, payments),
        "overlooked": overlooked(applied, account, items, most=3),
    }
