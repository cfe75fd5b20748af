"""What an agent is told of the job, and the checks that it has to meet.

The texts stand in the prompts of hybrid.py and prompt_only.py, indented as these are.
"""

from __future__ import annotations

from checks import at_most, each_once, of_alone, of_matches, overlooked

DOMAIN = """The bank's statement says what moved, the ledger what the company believes. A bank
            line belongs to the entry, or the entries, that it pays. One line may pay several
            entries; an entry is paid by one line.

            What stands between the two:
            - Names. The bank cuts them off, drops the vowels, has typos, or prints a brand or a
              code (MNDT48120093, LUMOBERG*PAY) that resembles nothing: whom it stands for shows
              in lines whose amount or number leaves no doubt. The ledger has typos too, and
              different companies with the same first word.
            - Numbers. The line may carry the digits of the reference, whole, cut off, broken by
              a blank or a sign, with a digit lost, wrong or swapped; or none.
            - Dates. The bank is 0 to 3 days after the entry, more over a weekend, 9 now and
              then; customers' receipts are entered up to 2 days after the bank.
            - Amounts that many invoices have (99.00, 1,190.00), and weekly services with the
              same amount each time, of which one week may be missing.
            - Batches. A customer pays several invoices at once and names some (30111 30115 +2:
              two more) or only how many. A bulk payment pays the entries of one payment run,
              perhaps without one that was held back; "ITEMS" is how many were paid.
            - Amounts that differ: two neighbouring digits of the entry swapped by whoever typed
              it (reason transposed), or a charge of up to 50 that banks kept from a receipt,
              often hinted at in the text (reason net_of_fee). Nothing else may differ.
            - No other side. Lines: charges of the bank (fee), money sent back (return; the
              payment itself and a second try do match entries), a mistake of the bank and its
              correction (both are correction), what nobody has entered (unbooked). Entries: a
              mistake and its reversal (both are void; a reissue matches instead of the entry
              that was voided), what the bank will have next month (outstanding)."""

RULE = """A wrong match hides a mistake, an open item is looked at by a person: match what is
            clearly more likely right than wrong, and call the rest open. Say unbooked or
            outstanding of what has no candidate left.

            Next month brings other lines, entries and amounts, the same customers and vendors
            and some new ones. So find rules, and learn from the data by SQL what a brand or code
            stands for; no lists of ids, amounts, or pairs of names."""


def outputs(node: str) -> dict[str, dict[str, str]]:
    return {
        f"{node}_matches": {"bank_id": "BIGINT", "ledger_id": "VARCHAR", "reason": "VARCHAR"},
        f"{node}_lines": {"bank_id": "BIGINT", "kind": "VARCHAR"},
        f"{node}_entries": {"ledger_id": "VARCHAR", "kind": "VARCHAR"},
    }


def views(node: str, bank: str, ledger: str) -> str:
    """The part of a prompt that says what has which rows."""
    return f"""- {node}_matches: a row per entry of {ledger} that a line
              of {bank} pays. reason: transposed or net_of_fee where the amounts
              differ, else the rule in a word or two
            - {node}_lines: each other line of {bank}. kind: fee, return, correction,
              unbooked or open
            - {node}_entries: each other entry of {ledger}. kind: void, outstanding
              or open"""


def checks(node: str, bank: str, ledger: str, waiting: float) -> dict[str, str]:
    """The checks on an agent that was given the lines and entries of two tables.

    Args:
        node: its name.
        bank: the table of lines.
        ledger: the table of entries.
        waiting: share of them that may be said to be unbooked or outstanding, 0 to 1.
    """
    matches, lines, entries = f"{node}_matches", f"{node}_lines", f"{node}_entries"
    items = f"""SELECT kind FROM {lines} UNION ALL SELECT kind FROM {entries}
                UNION ALL SELECT 'matched' FROM (SELECT DISTINCT bank_id FROM {matches})
                UNION ALL SELECT 'matched' FROM {matches}"""
    return {
        **of_matches(matches),
        **of_alone(lines, entries),
        **each_once(
            f"SELECT DISTINCT bank_id FROM {matches} UNION ALL SELECT bank_id FROM {lines}",
            f"SELECT ledger_id FROM {matches} UNION ALL SELECT ledger_id FROM {entries}",
            bank,
            ledger,
        ),
        "open_items": at_most(0.1, ("open", "open"), items),
        "waiting_items": at_most(waiting, ("unbooked", "outstanding"), items),
        # Without this, an answer that matches nothing would pass.
        "overlooked": overlooked(lines, entries, most=10),
    }
