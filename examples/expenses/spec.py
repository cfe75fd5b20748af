"""A month of company-card lines: booked to accounts, matched with expense claims, followed up.

Runs on March, or on another month in data/ with EXPENSES_MONTH=2026-04.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from openpyxl import Workbook

MONTH = os.environ.get("EXPENSES_MONTH", "2026-03")


def none(status: str, what: str, item: str, found: str) -> str:
    """A check that gives `status` if anything is found; names the first five."""
    return f"""
        WITH found AS (SELECT {item} AS item FROM {found})
        SELECT if(count(*) = 0, 'pass', '{status}') AS status,
            concat_ws(': ', count(*) || ' {what}',
                array_to_string(list(item ORDER BY item)[:5], ', ')) AS message
        FROM found
    """


def at_most(share: float, what: str, condition: str, table: str) -> str:
    """A check that warns where the condition holds for any row, and fails above a share."""
    return f"""
        SELECT CASE WHEN count_if({condition}) > {share} * count(*) THEN 'fail'
                WHEN count_if({condition}) > 0 THEN 'warn' ELSE 'pass' END AS status,
            format('{{}} of {{}} {what}; up to {share:.0%} are accepted',
                count_if({condition}), count(*)) AS message
        FROM {table}
    """


def same_rows(left: str, right: str, key: str) -> str:
    """A check that fails unless both tables have every key exactly once."""
    return none(
        "fail",
        f"values of {key} missing or double in {left} or {right}",
        key,
        f"""(SELECT {key}, 1 AS lefts, 0 AS rights FROM {left}
                UNION ALL SELECT {key}, 0, 1 FROM {right})
            GROUP BY {key} HAVING sum(lefts) <> 1 OR sum(rights) <> 1""",
    )


NODES: list[dict[str, Any]] = [
    {
        "name": "card",
        "source": f"data/{MONTH}/card.csv",
        "columns": ["transaction_id", "booked_on", "card", "merchant", "amount_eur"],
        "description": "The bank's statement of all company cards",
    },
    {
        "name": "claims",
        "source": f"data/{MONTH}/claims.json",
        "columns": ["claim_id", "employee", "spent_on", "merchant", "amount", "currency"],
        "description": "Lines of expense reports, as employees typed them",
    },
    {
        "name": "accounts",
        "source": "data/policy.xlsx#Accounts",
        "columns": ["account", "name", "claim_needed", "what_belongs_here"],
    },
    {"name": "rules", "source": "data/policy.xlsx#Rules", "columns": ["rule", "eur"]},
    {"name": "cards", "source": "data/policy.xlsx#Cards", "columns": ["card", "employee"]},
    {
        "name": "prepare",
        "depends_on": ["card", "claims", "cards"],
        "description": "Right types, each card line once, with the card's holder",
        "sql": """
            CREATE VIEW prepare_card AS
            SELECT DISTINCT
                transaction_id,
                booked_on::DATE AS booked_on,
                cards.employee,
                card.merchant AS merchant_text,
                amount_eur::DECIMAL(12, 2) AS amount_eur,
                original_amount::DECIMAL(12, 2) AS original_amount,
                original_currency
            FROM card LEFT JOIN cards ON cards.card = right(card.card, 4)
            ORDER BY transaction_id;

            CREATE VIEW prepare_claims AS
            SELECT
                claim_id,
                employee,
                submitted_on::DATE AS submitted_on,
                spent_on::DATE AS spent_on,
                merchant,
                purpose,
                amount::DECIMAL(12, 2) AS amount,
                currency,
                receipt
            FROM claims;
        """,
        "output_columns": {
            "prepare_card": {
                "transaction_id": "VARCHAR",
                "booked_on": "DATE",
                "employee": "VARCHAR",
                "amount_eur": "DECIMAL(12,2)",
            },
            "prepare_claims": {
                "claim_id": "VARCHAR",
                "spent_on": "DATE",
                "amount": "DECIMAL(12,2)",
                "receipt": "BOOLEAN",
            },
        },
        "validate": {
            "one_line_per_transaction": none(
                "fail",
                "transactions come with different contents",
                "transaction_id",
                "prepare_card GROUP BY transaction_id HAVING count(*) > 1",
            ),
            "downloaded_twice": """
                SELECT if(lines = kept, 'pass', 'warn') AS status,
                    format('{} of {} lines were in the download twice', lines - kept, lines)
                        AS message
                FROM (SELECT count(*) AS lines FROM card),
                    (SELECT count(*) AS kept FROM prepare_card)
            """,
            "holders_known": none(
                "fail",
                "card lines of a card that nobody has",
                "transaction_id",
                "prepare_card WHERE employee IS NULL",
            ),
        },
    },
    {
        "name": "classify",
        "depends_on": ["prepare", "accounts"],
        "description": "Which account each card line belongs to",
        "prompt": """
            Book every line of the card statement to an account.

            The statement names merchants badly: payment services in front of the name, branch
            and ticket numbers behind it, words cut off, then a place or a web address. Work out
            who was paid and choose the account by what `accounts` says belongs there. A refund
            goes to the account of the purchase.

            Some lines do not say what was bought. Leave their account NULL for a person to
            decide: a wrong booking is worse than an open one.

            Next month brings the same kinds of merchants with other numbers, in other cities,
            and some that nobody has seen yet. So look for the words that tell, and do not list
            transactions.

            classify_lines has one row per transaction of prepare_card:
            - merchant_name: who was paid, readable, without numbers and places
            - account: from accounts, or NULL
            - reason: the word or rule that decided, in a few words
        """,
        "output_columns": {
            "classify_lines": {
                "transaction_id": "VARCHAR",
                "merchant_name": "VARCHAR",
                "account": "VARCHAR",
                "reason": "VARCHAR",
            }
        },
        "validate": {
            "every_line_once": same_rows("classify_lines", "prepare_card", "transaction_id"),
            "accounts_exist": none(
                "fail",
                "lines on accounts that do not exist",
                "format('{} on {}', transaction_id, account)",
                "classify_lines WHERE account NOT IN (SELECT account FROM accounts)",
            ),
            "open_lines": at_most(
                0.15, "lines have no account", "account IS NULL", "classify_lines"
            ),
            "readable_names": none(
                "warn",
                "merchant names with a number of three digits or more",
                "merchant_name",
                "classify_lines WHERE regexp_matches(merchant_name, '[0-9]{3}')",
            ),
        },
    },
    {
        "name": "match",
        "depends_on": ["prepare", "classify"],
        "description": "Which card line each expense claim is about",
        "prompt": """
            Find the card transaction that each expense claim is about.

            People claim what they paid with their own company card, and the bank books it one to
            five days after the day it was spent. But they type from memory: merchants by
            nickname and with typos, a date some days off or in the wrong month, two digits of an
            amount swapped, an amount rounded, a restaurant bill without the tip.

            Purchases abroad are claimed in the currency of the receipt, or in euros at a rate
            that the employee found somewhere, a few percent off; or the currency is forgotten.
            The statement gives the original amount, except where the shop billed in euros:
            then only amount_eur is known, a few percent above the usual rate.

            A hotel bill may be claimed in parts, room and breakfast: both belong to the one
            transaction. What is claimed a second time belongs to no transaction: the claim with
            the lower claim_id has it. When a shop charged twice, the claim belongs to the first
            charge. Small things are also paid in cash: they have no transaction.

            A wrong match hides a mistake, an open claim is looked at by a person: match only
            what is more likely right than wrong. No lists of claims or transactions: the same
            rules will run on next month's claims.

            match_claims has one row per claim of prepare_claims:
            - transaction_id: from prepare_card, or NULL
            - claimed_eur: the claim in euros. At the card line's own rate if it was claimed in
              that line's original currency or the currency was forgotten; at the month's usual
              rate if the line shows no original amount; as claimed if claimed in euros; NULL
              without a transaction
            - reason: the rule that decided, in a few words
        """,
        "output_columns": {
            "match_claims": {
                "claim_id": "VARCHAR",
                "transaction_id": "VARCHAR",
                "claimed_eur": "DECIMAL(12,2)",
                "reason": "VARCHAR",
            }
        },
        "validate": {
            "every_claim_once": same_rows("match_claims", "prepare_claims", "claim_id"),
            "transactions_exist": none(
                "fail",
                "claims matched with a transaction that does not exist",
                "claim_id",
                "match_claims WHERE transaction_id NOT IN (SELECT transaction_id FROM prepare_card)",
            ),
            "own_card": none(
                "fail",
                "claims matched with the card of somebody else",
                "claim_id",
                "match_claims JOIN prepare_claims USING (claim_id) "
                "JOIN prepare_card USING (transaction_id) "
                "WHERE prepare_claims.employee <> prepare_card.employee",
            ),
            "amounts_in_euros": none(
                "fail",
                "matched claims without claimed_eur, or open ones with it",
                "claim_id",
                "match_claims WHERE (transaction_id IS NULL) <> (claimed_eur IS NULL)",
            ),
            # A second claim for the same purchase, or a wrong match, shows up here.
            "amounts_fit": none(
                "fail",
                "transactions differ by over 25 % from what is claimed for them",
                "format('{} of {} EUR, claimed {} EUR', transaction_id, amount_eur, sum(claimed_eur))",
                "match_claims JOIN prepare_card USING (transaction_id) "
                "GROUP BY transaction_id, amount_eur "
                "HAVING abs(sum(claimed_eur) - amount_eur) > 0.25 * abs(amount_eur)",
            ),
            "dates_fit": none(
                "warn",
                "claims dated after the booking or over 10 days before it",
                "claim_id",
                "match_claims JOIN prepare_claims USING (claim_id) "
                "JOIN prepare_card USING (transaction_id) "
                "WHERE booked_on - spent_on NOT BETWEEN 0 AND 10",
            ),
            "open_claims": at_most(
                0.25, "claims have no transaction", "transaction_id IS NULL", "match_claims"
            ),
        },
    },
    {
        "name": "report",
        "depends_on": ["prepare", "classify", "match", "accounts", "rules"],
        "description": "Totals by account, and everything that somebody has to ask about",
        "sql": """
            CREATE VIEW report_lines AS
            WITH claimed AS (
                SELECT
                    transaction_id,
                    string_agg(claim_id, ', ' ORDER BY claim_id) AS claim_ids,
                    sum(claimed_eur) AS claimed_eur,
                    bool_and(receipt) AS receipt
                FROM match_claims JOIN prepare_claims USING (claim_id)
                GROUP BY transaction_id
            )
            SELECT
                prepare_card.* EXCLUDE (merchant_text),
                merchant_name,
                account,
                accounts.name AS account_name,
                -- Somebody has to explain what nobody could book.
                coalesce(claim_needed = 'yes', true) AS claim_needed,
                claim_ids,
                claimed_eur::DECIMAL(12, 2) AS claimed_eur,
                receipt
            FROM prepare_card
            JOIN classify_lines USING (transaction_id)
            LEFT JOIN accounts USING (account)
            LEFT JOIN claimed USING (transaction_id);

            CREATE VIEW report_by_account AS
            SELECT
                account,
                coalesce(account_name, 'not booked yet') AS account_name,
                count(*) AS lines,
                sum(amount_eur) AS amount_eur,
                coalesce(sum(amount_eur) FILTER (claim_needed AND claim_ids IS NULL), 0)
                    AS unclaimed_eur
            FROM report_lines
            GROUP BY account, account_name;

            CREATE MACRO report_limit(name) AS (SELECT eur FROM rules WHERE rule = name);

            CREATE VIEW report_questions AS
            SELECT employee, 'Which account?' AS question, transaction_id AS about,
                merchant_name AS merchant, amount_eur
            FROM report_lines WHERE account IS NULL
            UNION ALL
            SELECT employee, 'Where is the claim?', transaction_id, merchant_name, amount_eur
            FROM report_lines WHERE claim_needed AND claim_ids IS NULL
            UNION ALL
            SELECT employee, 'Where is the receipt?', claim_ids, merchant_name, amount_eur
            FROM report_lines WHERE NOT receipt AND amount_eur >= report_limit('receipt_from')
            UNION ALL
            SELECT employee, 'Why do card and claim differ?', claim_ids, merchant_name,
                amount_eur - claimed_eur
            FROM report_lines
            WHERE abs(amount_eur - claimed_eur) > report_limit('difference_up_to')
            UNION ALL
            SELECT employee, 'Paid how, or claimed before?', claim_id, merchant, amount
            FROM match_claims JOIN prepare_claims USING (claim_id)
            WHERE transaction_id IS NULL;
        """,
        "output_columns": {
            "report_lines": ["transaction_id", "account", "amount_eur", "claim_ids"],
            "report_by_account": ["account", "account_name", "lines", "amount_eur"],
            "report_questions": ["employee", "question", "about", "amount_eur"],
        },
        "validate": {
            "every_line_once": same_rows("report_lines", "prepare_card", "transaction_id"),
            "totals_agree": """
                SELECT if(booked = spent, 'pass', 'fail') AS status,
                    format('{:,.2f} EUR on accounts, {:,.2f} EUR on cards', booked::DOUBLE,
                        spent::DOUBLE) AS message
                FROM (SELECT sum(amount_eur) AS booked FROM report_by_account),
                    (SELECT sum(amount_eur) AS spent FROM prepare_card)
            """,
            "nothing_claimed_lost": """
                SELECT if(shown = matched, 'pass', 'fail') AS status,
                    format('{:,.2f} EUR of claims on lines, {:,.2f} EUR matched', shown::DOUBLE,
                        matched::DOUBLE) AS message
                FROM (SELECT sum(claimed_eur) AS shown FROM report_lines),
                    (SELECT sum(claimed_eur) AS matched FROM match_claims)
            """,
            "unclaimed_spending": """
                SELECT if(share > 0.1, 'warn', 'pass') AS status,
                    format('{:.1f} % of the spending that needs a claim has none', 100 * share)
                        AS message
                FROM (
                    SELECT sum(amount_eur) FILTER (claim_ids IS NULL) / sum(amount_eur) AS share
                    FROM report_lines WHERE claim_needed AND amount_eur > 0
                )
            """,
        },
    },
]

SHEETS = {
    "By account": "FROM report_by_account ORDER BY account NULLS LAST",
    "Questions": "FROM report_questions ORDER BY employee, question, about",
    "Lines": "FROM report_lines ORDER BY transaction_id",
}


def write_workbook(connection: Any, path: Path) -> None:
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, query in SHEETS.items():
        result = connection.execute(query)
        sheet = book.create_sheet(title)
        sheet.append([column[0] for column in result.description])
        for row in result.fetchall():
            sheet.append(row)
    book.save(path)


EXPORTS = {f"runs/expenses_{MONTH}.xlsx": write_workbook}
