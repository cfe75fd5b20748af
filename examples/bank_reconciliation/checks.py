"""Checks that hold without knowing the right answer, whatever strategy found it."""

from __future__ import annotations

LINE_KINDS = ("fee", "return", "correction", "unbooked", "open")
"""What a bank line without an entry can be; `open` is for a person to look at."""

ENTRY_KINDS = ("void", "outstanding", "open")
"""What an entry without a bank line can be."""


def none(status: str, what: str, item: str, found: str) -> str:
    """A check that gives `status` if anything is found; names the first five."""
    return f"""
        WITH found AS (SELECT {item} AS item FROM {found})
        SELECT if(count(*) = 0, 'pass', '{status}') AS status,
            concat_ws(': ', count(*) || ' {what}',
                array_to_string(list(item ORDER BY item)[:5], ', ')) AS message
        FROM found
    """


def groups(matches: str) -> str:
    """A query of what each bank line was matched with: a row per line, with the difference."""
    return f"""(
        SELECT bank_id, bank.amount AS bank_amount, sum(ledger.amount) AS ledger_amount,
            count(*) AS entries, bank.amount - sum(ledger.amount) AS difference,
            list(DISTINCT matched.reason ORDER BY matched.reason) AS reasons
        FROM {matches} AS matched
        JOIN prepare_bank AS bank USING (bank_id)
        JOIN prepare_ledger AS ledger USING (ledger_id)
        GROUP BY bank_id, bank.amount
    )"""


MISTYPED = """(entries = 1 AND reasons = ['transposed']
    AND list_sort(string_split((abs(bank_amount) * 100)::BIGINT::VARCHAR, ''))
      = list_sort(string_split((abs(ledger_amount) * 100)::BIGINT::VARCHAR, '')))"""
"""The same digits in another order, and said to be so."""

CHARGED = """(entries = 1 AND reasons = ['net_of_fee']
    AND bank_amount > 0 AND -difference BETWEEN 0.01 AND 50)"""
"""A receipt from which a charge of up to 50 was kept, and said to be so."""


def of_matches(matches: str) -> dict[str, str]:
    """The checks on a view of matches: bank_id, ledger_id, reason."""
    pairs = f"""{matches}
        JOIN prepare_bank AS bank USING (bank_id)
        JOIN prepare_ledger AS ledger USING (ledger_id)"""
    return {
        "entries_once": none(
            "fail",
            "ledger entries matched more than once",
            "ledger_id",
            f"{matches} GROUP BY ledger_id HAVING count(*) > 1",
        ),
        "items_exist": none(
            "fail",
            "matches of a line or entry that does not exist",
            "format('{} with {}', bank_id, ledger_id)",
            f"""{matches} WHERE bank_id IS NULL OR ledger_id IS NULL
                OR bank_id NOT IN (SELECT bank_id FROM prepare_bank)
                OR ledger_id NOT IN (SELECT ledger_id FROM prepare_ledger)""",
        ),
        "currencies_agree": none(
            "fail",
            "matches across currencies",
            "format('{} with {}', bank_id, ledger_id)",
            f"{pairs} WHERE bank.currency <> ledger.currency",
        ),
        "sums_agree": none(
            "fail",
            "bank lines differ from their entries without a reason that allows it",
            "format('{} by {}', bank_id, difference)",
            f"{groups(matches)} WHERE difference <> 0 AND NOT {MISTYPED} AND NOT {CHARGED}",
        ),
        "dates_fit": none(
            "fail",
            "matches with the entry over 10 days before or 5 after the bank",
            "format('{} with {}', bank_id, ledger_id)",
            f"{pairs} WHERE booked_on - entered_on NOT BETWEEN -5 AND 10",
        ),
    }


def of_alone(lines: str, entries: str) -> dict[str, str]:
    """The checks on what has no other side.

    Args:
        lines: a view of bank_id, kind.
        entries: a view of ledger_id, kind.
    """
    alone_entries = f"(SELECT ledger_id, kind FROM {entries}) JOIN prepare_ledger USING (ledger_id)"
    alone_lines = f"(SELECT bank_id, kind FROM {lines}) JOIN prepare_bank AS back USING (bank_id)"
    return {
        "lines_known": _known(lines, "bank_id", "prepare_bank", LINE_KINDS),
        "entries_known": _known(entries, "ledger_id", "prepare_ledger", ENTRY_KINDS),
        "voids_cancel": none(
            "fail",
            "references whose voided entries do not cancel out",
            "format('{} by {}', reference, sum(amount))",
            f"""{alone_entries} WHERE kind = 'void'
                GROUP BY currency, reference HAVING sum(amount) <> 0""",
        ),
        "corrections_cancel": none(
            "fail",
            "currencies in which corrections of the bank do not cancel out",
            "format('{} by {}', currency, sum(amount))",
            f"""{alone_lines} WHERE kind = 'correction'
                GROUP BY currency HAVING sum(amount) <> 0""",
        ),
        "returns_came_back": none(
            "fail",
            "returns of a payment that was not made in the two weeks before",
            "bank_id",
            f"""{alone_lines}
                WHERE kind = 'return' AND NOT EXISTS (
                    FROM prepare_bank AS paid
                    WHERE paid.amount = -back.amount AND paid.currency = back.currency
                        AND back.booked_on - paid.booked_on BETWEEN 0 AND 14
                )""",
        ),
    }


def _known(view: str, key: str, items: str, kinds: tuple[str, ...]) -> str:
    return none(
        "fail",
        f"rows of {view} that are double, about nothing in {items}, or not one of {kinds}".replace(
            "'", ""
        ),
        key,
        f"""(SELECT {key}, kind, count(*) OVER (PARTITION BY {key}) AS times FROM {view})
            WHERE times > 1 OR coalesce(kind NOT IN {kinds}, true)
                OR {key} NOT IN (SELECT {key} FROM {items})""",
    )


def each_once(lines: str, entries: str, bank: str, ledger: str) -> dict[str, str]:
    """Checks that every line and entry is in exactly one place.

    Args:
        lines: query of the places of lines, a row each: bank_id.
        entries: query of the places of entries, a row each: ledger_id.
        bank: table of the lines that should have one.
        ledger: table of the entries that should have one.
    """
    return {
        "every_line_once": _each_once("lines", "bank_id", lines, bank),
        "every_entry_once": _each_once("entries", "ledger_id", entries, ledger),
    }


def _each_once(what: str, key: str, places: str, items: str) -> str:
    return none(
        "fail",
        f"{what} in no place or in two, or not in {items}",
        key,
        f"""(SELECT {key}, 1 AS here, 0 AS wanted FROM ({places})
                UNION ALL SELECT {key}, 0, 1 FROM {items})
            GROUP BY {key} HAVING sum(here) <> 1 OR sum(wanted) <> 1""",
    )


def at_most(share: float, kinds: tuple[str, ...], items: str) -> str:
    """A check that warns where any item is of some kinds, and fails above a share.

    Args:
        share: of all items, 0 to 1.
        kinds: two or more, or one twice.
        items: query of all of them, with a column kind.
    """
    what = " or ".join(dict.fromkeys(kinds))
    return f"""
        SELECT CASE WHEN found > {share} * items THEN 'fail'
                WHEN found > 0 THEN 'warn' ELSE 'pass' END AS status,
            format('{{}} of {{}} items are {what}; up to {share:.0%} are accepted', found, items)
                AS message
        FROM (SELECT count_if(kind IN {kinds}) AS found, count(*) AS items FROM ({items}))
    """


def overlooked(lines: str, entries: str, most: int) -> str:
    """A check for lines and entries left alone that would fit by amount, currency and date.

    Args:
        lines: a view of bank_id, kind.
        entries: a view of ledger_id, kind.
        most: how many such lines are accepted; list prices agree by accident.
    """
    return f"""
        WITH fitting AS (
            SELECT DISTINCT bank_id
            FROM (SELECT bank_id FROM {lines} WHERE kind IN ('unbooked', 'open'))
            JOIN prepare_bank AS bank USING (bank_id)
            JOIN (
                SELECT prepare_ledger.* FROM {entries} AS entry JOIN prepare_ledger USING (ledger_id)
                WHERE entry.kind IN ('outstanding', 'open')
            ) AS ledger
            ON bank.amount = ledger.amount AND bank.currency = ledger.currency
                AND booked_on - entered_on BETWEEN -5 AND 10
        )
        SELECT CASE WHEN count(*) > {most} THEN 'fail' WHEN count(*) > 0 THEN 'warn' ELSE 'pass' END
                AS status,
            concat_ws(': ', format('{{}} lines left alone have an entry left alone that would fit by '
                || 'amount and date; up to {most} are accepted', count(*)),
                array_to_string(list(bank_id ORDER BY bank_id)[:5], ', ')) AS message
        FROM fitting
    """
