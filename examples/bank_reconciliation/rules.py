"""What SQL decides for certain: a ladder of rules, each on what the ones before have left.

A rule says which line and entry could belong together; they do if neither has another choice.
"""

from __future__ import annotations

from typing import Any

from checks import of_alone, of_matches

SAME_MONEY = "bank.amount = ledger.amount AND bank.currency = ledger.currency"
LATE = "bank.booked_on - ledger.entered_on BETWEEN -4 AND 10"
SOON = "bank.booked_on - ledger.entered_on BETWEEN 0 AND 4"
NUMBERED = "list_contains(bank.numbers, ledger.number)"
NAMED = "len(ledger.bones) >= 4 AND contains(bank.bones, ' ' || ledger.bones)"
UNUSUAL = "bank.amount * 100 % 50 <> 0"
"""An amount that is not on a price list: an accident would be needed for it to come up twice."""


def rung(name: str, after: str, description: str, pairs: str) -> dict[str, Any]:
    """A node that matches what `pairs` leaves without another choice.

    Args:
        name: of the node.
        after: the node whose leftovers it works on.
        description: the rule, for people.
        pairs: query of bank_id and ledger_id, from {after}_bank and {after}_ledger.
    """
    return {
        "name": name,
        "depends_on": [after],
        "description": description,
        "sql": f"""
            CREATE VIEW {name}_matches AS
            SELECT bank_id, ledger_id, '{name}' AS reason FROM ({pairs})
            QUALIFY count(*) OVER (PARTITION BY bank_id) = 1
                AND count(*) OVER (PARTITION BY ledger_id) = 1;
            {left_over(name, after)}
        """,
        "output_columns": {f"{name}_matches": ["bank_id", "ledger_id", "reason"]},
    }


def left_over(name: str, after: str) -> str:
    return f"""
        CREATE VIEW {name}_bank AS FROM {after}_bank ANTI JOIN {name}_matches USING (bank_id);
        CREATE VIEW {name}_ledger AS FROM {after}_ledger ANTI JOIN {name}_matches USING (ledger_id);
    """


def one_to_one(after: str, *conditions: str) -> str:
    return f"""
        SELECT bank_id, ledger_id FROM {after}_bank AS bank JOIN {after}_ledger AS ledger
        ON {" AND ".join((SAME_MONEY, *conditions))}
    """


ALONE: dict[str, Any] = {
    "name": "alone",
    "depends_on": ["prepare"],
    "description": "What has no other side: charges, returns, corrections; voided entries",
    "sql": r"""
        CREATE VIEW alone_lines AS
        WITH charges AS (
            SELECT bank_id, 'fee' AS kind FROM prepare_bank
            WHERE amount < 0 AND regexp_matches(
                text, '^(ACCOUNT FEE|WIRE FEE|CARD CHARGES|COMMISSION|DEBIT INTEREST)\b'
            )
        ),
        returns AS (
            SELECT back.bank_id, 'return' AS kind
            FROM prepare_bank AS back
            WHERE regexp_matches(text, '^(RETURN|RETURNED|RETOURE|R-TRANSACTION)\b')
                AND EXISTS (
                    FROM prepare_bank AS paid
                    WHERE paid.amount = -back.amount AND paid.currency = back.currency
                        AND back.booked_on - paid.booked_on BETWEEN 0 AND 14
                )
        ),
        advices AS (
            SELECT *, regexp_extract(text, '\bADVICE ([0-9]+)', 1) AS number FROM prepare_bank
            WHERE contains(text, 'ADVICE')
        ),
        corrections AS (
            SELECT bank_id, 'correction' AS kind FROM advices
            WINDOW same AS (PARTITION BY number, abs(amount), currency)
            QUALIFY count(*) OVER same = 2 AND sum(amount) OVER same = 0
        )
        FROM charges UNION FROM returns UNION FROM corrections;

        CREATE VIEW alone_entries AS
        WITH reversals AS (
            SELECT back.ledger_id AS reversal, made.ledger_id AS original
            FROM prepare_ledger AS back JOIN prepare_ledger AS made
            ON made.amount = -back.amount AND made.currency = back.currency
                AND made.reference = back.reference AND made.type = back.type
                AND back.entered_on - made.entered_on BETWEEN 0 AND 7
            WHERE regexp_matches(back.text, '(?i)void|storno|reversal|cancelled')
            QUALIFY row_number() OVER (PARTITION BY reversal ORDER BY made.entered_on, original) = 1
        )
        SELECT unnest([reversal, original]) AS ledger_id, 'void' AS kind FROM reversals;

        CREATE VIEW alone_bank AS
        SELECT *,
            regexp_extract_all(text, '[0-9]{4,}') AS numbers,
            -- Without vowels, for the bank drops them now and then.
            ' ' || regexp_replace(text, '[AEIOU]', '', 'g') AS bones
        FROM prepare_bank ANTI JOIN alone_lines USING (bank_id);

        CREATE VIEW alone_ledger AS
        SELECT *,
            list_aggregate(regexp_extract_all(reference, '[0-9]{4,}'), 'max') AS number,
            regexp_replace(split_part(strip_accents(upper(name)), ' ', 1), '[AEIOU]', '', 'g')
                AS bones
        FROM prepare_ledger ANTI JOIN alone_entries USING (ledger_id);
    """,
    "output_columns": {
        "alone_lines": ["bank_id", "kind"],
        "alone_entries": ["ledger_id", "kind"],
    },
    "validate": of_alone("alone_lines", "alone_entries"),
}

SERIES = f"""
    WITH pairs AS ({one_to_one("weeks", NAMED, LATE)}),
    lines AS (
        SELECT bank_id, list(ledger_id ORDER BY entered_on, ledger_id) AS entries
        FROM pairs JOIN weeks_ledger USING (ledger_id)
        GROUP BY bank_id HAVING count(DISTINCT name) = 1
    ),
    numbered AS (
        SELECT *, row_number() OVER same AS place, count(*) OVER (PARTITION BY entries) AS size
        FROM lines JOIN weeks_bank USING (bank_id)
        WINDOW same AS (PARTITION BY entries ORDER BY booked_on, bank_id)
    )
    SELECT bank_id, unnest(entries[place:place]) AS ledger_id FROM numbered
    WHERE len(entries) = size
"""
"""As many lines as entries, all alike: the first is the first."""

TOGETHER: dict[str, Any] = {
    "name": "together",
    "depends_on": ["amounts"],
    "description": "One bank line for several entries: a payment run, all named in its text, or all of a customer",
    "sql": f"""
        CREATE VIEW together_groups AS
        WITH runs AS (
            SELECT *, regexp_extract(text, 'run (ZL-[0-9]+)', 1) AS run FROM amounts_ledger
            WHERE regexp_matches(text, 'run ZL-[0-9]+')
        ),
        totals AS (
            SELECT run, currency, sum(amount) AS amount, max(entered_on) AS entered_on,
                list(ledger_id ORDER BY ledger_id) AS entries
            FROM runs GROUP BY run, currency
        ),
        bulk AS (
            SELECT bank_id, entries FROM amounts_bank AS bank JOIN totals AS ledger
            ON {SAME_MONEY} AND {LATE} AND contains(bank.text, 'BULK')
        ),
        named AS (
            SELECT bank_id, list(ledger_id ORDER BY ledger_id) AS entries
            FROM amounts_bank AS bank JOIN amounts_ledger AS ledger
            ON bank.currency = ledger.currency AND {LATE} AND {NUMBERED}
            GROUP BY bank_id, bank.amount
            HAVING sum(ledger.amount) = bank.amount AND count(*) > 1
        ),
        -- A customer who pays everything that is open, whatever the text says.
        debtors AS (
            SELECT bank_id, list(ledger_id ORDER BY ledger_id) AS entries
            FROM amounts_bank AS bank JOIN amounts_ledger AS ledger
            ON bank.currency = ledger.currency AND {LATE} AND {NAMED} AND type = 'RC'
            GROUP BY bank_id, bank.amount
            HAVING sum(ledger.amount) = bank.amount AND count(*) > 1
                AND count(DISTINCT ledger.name) = 1
        )
        FROM bulk UNION FROM named UNION FROM debtors;

        CREATE VIEW together_matches AS
        SELECT bank_id, ledger_id, 'together' AS reason
        FROM (SELECT bank_id, unnest(entries) AS ledger_id, entries FROM together_groups)
        QUALIFY count(DISTINCT entries) OVER (PARTITION BY bank_id) = 1
            AND count(*) OVER (PARTITION BY ledger_id) = 1;
        {left_over("together", "amounts")}
    """,
    "output_columns": {"together_matches": ["bank_id", "ledger_id", "reason"]},
}

LADDER: list[dict[str, Any]] = [
    ALONE,
    rung("numbers", "alone", "Amount and invoice number", one_to_one("alone", NUMBERED, LATE)),
    rung("names", "numbers", "Amount and name", one_to_one("numbers", NAMED, LATE)),
    rung("weeks", "names", "Amount and name, days apart: weekly", one_to_one("names", NAMED, SOON)),
    rung("series", "weeks", "Amount and name, as many lines as entries", SERIES),
    rung(
        "amounts",
        "series",
        "An unusual amount that nothing else has",
        one_to_one("series", UNUSUAL, LATE),
    ),
    TOGETHER,
]
RUNGS = [node["name"] for node in LADDER[1:]]

CERTAIN: dict[str, Any] = {
    "name": "certain",
    "depends_on": [node["name"] for node in LADDER],
    "description": "What the ladder has matched, and what it leaves",
    "sql": f"""
        CREATE VIEW certain_matches AS
        {" UNION ALL ".join(f"FROM {name}_matches" for name in RUNGS)};

        CREATE VIEW certain_open_bank AS
        SELECT bank_id, booked_on, text, amount, currency FROM together_bank;

        CREATE VIEW certain_open_ledger AS
        SELECT ledger_id, entered_on, type, name, reference, text, amount, currency
        FROM together_ledger;
    """,
    "output_columns": {
        "certain_matches": ["bank_id", "ledger_id", "reason"],
        "certain_open_bank": ["bank_id", "booked_on", "text", "amount", "currency"],
        "certain_open_ledger": ["ledger_id", "entered_on", "name", "reference", "amount"],
    },
    "validate": of_matches("certain_matches"),
}

RULES = [*LADDER, CERTAIN]
