"""What SQL decides for certain: a ladder of rules, each on what the ones before have left.

A rule says which items a payment could be for; it is, if their amounts add up to the cent, as they
stand or less the discount, and if neither payment nor items have another choice.
"""

from __future__ import annotations

from typing import Any

from checks import of_account, of_applied

COLUMNS = ["payment_id", "invoice_id", "amount", "reason", "rule"]


def rung(name: str, after: str, description: str, claims: str) -> dict[str, Any]:
    """A node that applies what `claims` leaves without another choice.

    Args:
        name: of the node.
        after: the node whose leftovers it works on.
        description: the rule, for people.
        claims: query of payment_id, way and invoice_id, from {after}_payments and {after}_items:
            the items that a payment would settle together, a way for each possibility.
    """
    return {
        "name": name,
        "depends_on": [after],
        "description": description,
        "sql": f"""
            CREATE VIEW {name}_applied AS
            WITH claims AS ({claims}),
            priced AS (
                SELECT payment_id, way, invoice_id, payment.amount AS paid, item.amount AS whole,
                    item.amount - if(booked_on - dated_on <= discount_days, discount, 0) AS net
                FROM claims
                JOIN {after}_payments AS payment USING (payment_id)
                JOIN {after}_items AS item USING (invoice_id)
                WHERE payment.currency = item.currency AND booked_on >= dated_on
            ),
            summed AS (
                SELECT *, sum(whole) OVER one_way AS all_whole, sum(net) OVER one_way AS all_net
                FROM priced WINDOW one_way AS (PARTITION BY payment_id, way)
            ),
            fitting AS (
                SELECT payment_id, way, invoice_id, if(all_whole = paid, whole, net) AS amount,
                    CASE WHEN whole < 0 THEN 'credit'
                        WHEN all_whole = paid OR net = whole THEN 'full'
                        ELSE 'discount' END AS reason
                FROM summed WHERE paid IN (all_whole, all_net)
            ),
            choices AS (
                SELECT *, count(DISTINCT way) OVER (PARTITION BY payment_id) AS ways,
                    count(DISTINCT payment_id) OVER (PARTITION BY invoice_id) AS payers
                FROM fitting
            )
            SELECT payment_id, invoice_id, amount, reason, '{name}' AS rule FROM choices
            QUALIFY max(greatest(ways, payers)) OVER (PARTITION BY payment_id) = 1;

            CREATE VIEW {name}_payments AS
            FROM {after}_payments ANTI JOIN {name}_applied USING (payment_id);

            CREATE VIEW {name}_items AS
            FROM {after}_items ANTI JOIN {name}_applied USING (invoice_id);
        """,
        "output_columns": {f"{name}_applied": COLUMNS},
    }


ASIDE: dict[str, Any] = {
    "name": "aside",
    "depends_on": ["prepare"],
    "description": "What pays no invoice: orders that have none yet, and payments made twice",
    "sql": r"""
        CREATE VIEW aside_account AS
        WITH twice AS (
            SELECT again.payment_id, again.amount, 'duplicate' AS kind
            FROM prepare_payments AS again JOIN prepare_payments AS made
            ON made.payer = again.payer AND made.amount = again.amount
                AND made.currency = again.currency AND again.text IN (made.text, '')
                AND again.booked_on - made.booked_on BETWEEN 1 AND 14
            -- Two invoices over one amount are paid by two payments, and rightly.
            WHERE (
                SELECT count(*) FROM prepare_items AS item
                WHERE again.amount IN (item.amount, item.amount - discount)
                    AND item.currency = again.currency
            ) = 1
        )
        SELECT DISTINCT * FROM twice
        UNION ALL
        SELECT payment_id, amount, 'prepayment' FROM prepare_payments
        WHERE regexp_matches(text, '^(PREPAYMENT|DEPOSIT|VORKASSE)\b');

        CREATE VIEW aside_items AS
        SELECT *, regexp_extract(invoice_id, '[0-9]+') AS number FROM prepare_items;

        CREATE VIEW aside_payments AS
        WITH numbered AS (
            SELECT *, regexp_extract_all(text, '[0-9]{5,}') AS numbers
            FROM prepare_payments ANTI JOIN aside_account USING (payment_id)
        ),
        naming AS (
            FROM (SELECT payment_id, unnest(numbers) AS number FROM numbered)
            SEMI JOIN aside_items USING (number)
        )
        SELECT *, payment_id IN (SELECT payment_id FROM naming) AS names_items FROM numbered;

        -- The bank cuts names off, or drops the vowels: their consonants begin alike.
        CREATE MACRO aside_bones(name) AS
            regexp_replace(strip_accents(upper(name)), '[^B-DF-HJ-NP-TV-Z0-9]', '', 'g');

        CREATE VIEW aside_payers AS
        SELECT payer, customer_no
        FROM (SELECT DISTINCT payer, aside_bones(payer) AS short FROM prepare_payments)
        JOIN (SELECT DISTINCT customer_no, aside_bones(customer) AS long FROM prepare_items)
        ON starts_with(long, short) AND len(short) >= 5;
    """,
    "output_columns": {
        "aside_account": ["payment_id", "amount", "kind"],
        "aside_payers": ["payer", "customer_no"],
    },
    "validate": of_account("aside_account"),
}

NUMBERS = """
    SELECT payment_id, '' AS way, invoice_id
    FROM (SELECT payment_id, unnest(numbers) AS number FROM aside_payments)
    JOIN aside_items USING (number)
    GROUP BY ALL
"""

ADVICE = r"""
    WITH written AS (
        SELECT advice_id, received_on, unnest(regexp_extract_all(text, '[0-9]{5,}')) AS number,
            list_transform(
                regexp_extract_all(text, '[0-9][0-9.,]*[.,][0-9]{2}\b'),
                lambda money: regexp_replace(money, '[.,]', '', 'g')::BIGINT / 100
            ) AS amounts
        FROM prepare_advice
    ),
    links AS (
        SELECT DISTINCT payment_id, advice_id
        FROM (SELECT advice_id, received_on, unnest(amounts)::DECIMAL(14, 2) AS amount FROM written)
        JOIN numbers_payments USING (amount)
        WHERE booked_on - received_on BETWEEN -3 AND 7
    )
    SELECT payment_id, advice_id AS way, invoice_id
    FROM links JOIN written USING (advice_id) JOIN numbers_items USING (number)
    GROUP BY ALL
"""


def single(after: str, condition: str) -> str:
    """Claims on one item: alike in amount, and by a condition on payment and item."""
    return f"""
        SELECT payment_id, invoice_id AS way, invoice_id
        FROM {after}_payments AS payment
        JOIN (SELECT *, unnest([amount, amount - discount]) AS asked FROM {after}_items) AS item
        ON payment.amount = item.asked AND payment.currency = item.currency
        WHERE {condition}
        GROUP BY ALL
    """


def named(payers: str) -> str:
    """A condition on payment and item: by a table of payers, the one pays for the other."""
    return f"""EXISTS (
        FROM {payers} AS known
        WHERE known.payer = payment.payer AND known.customer_no = item.customer_no
    )"""


UNUSUAL = "payment.amount * 100 % 50 <> 0"
"""An amount that is not on a price list: an accident would be needed for it to come up twice."""

NAMELESS = f"""{UNUSUAL} AND booked_on - dated_on <= 90
    AND NOT names_items AND payer NOT IN (SELECT payer FROM aside_payers)"""
"""Who names neither itself nor a document; with more payments, accidents do happen."""

LEARNED = ("numbers", "advised", "names", "amounts")

KNOWN: dict[str, Any] = {
    "name": "known",
    "depends_on": list(LEARNED),
    "description": "Whom each payer pays for: by its name, or because it has done so",
    "sql": f"""
        CREATE VIEW known_payers AS
        WITH done AS ({" UNION ALL ".join(f"FROM {name}_applied" for name in LEARNED)})
        FROM aside_payers
        UNION
        SELECT payer, customer_no
        FROM done JOIN prepare_payments USING (payment_id) JOIN prepare_items USING (invoice_id);

        CREATE VIEW known_payments AS FROM amounts_payments;
        CREATE VIEW known_items AS FROM amounts_items;
    """,
    "output_columns": {"known_payers": ["payer", "customer_no"]},
}

UP_TO = f"""
    WITH days AS (
        SELECT DISTINCT customer_no, currency, dated_on AS way,
            sum(amount) OVER (PARTITION BY customer_no, currency ORDER BY dated_on) AS amount
        FROM learned_items
    )
    SELECT payment_id, concat(customer_no, ' ', way) AS way, invoice_id
    FROM learned_payments AS payment JOIN days USING (currency, amount)
    JOIN learned_items AS item USING (customer_no, currency)
    WHERE dated_on <= way AND (
        EXISTS (
            FROM known_payers AS known
            WHERE known.payer = payment.payer AND known.customer_no = item.customer_no
        )
        OR (payer NOT IN (SELECT payer FROM known_payers) AND {UNUSUAL})
    )
"""
"""All that a customer has open up to a day, whatever the text says."""

SUMS = """
    WITH items AS (
        SELECT payment_id, payment.amount AS paid, customer_no, invoice_id, item.amount,
            item.amount - if(booked_on - dated_on <= discount_days, discount, 0) AS net
        FROM upto_payments AS payment
        JOIN known_payers USING (payer)
        JOIN upto_items AS item USING (customer_no, currency)
        WHERE booked_on - dated_on BETWEEN 0 AND 90
    ),
    two AS (
        SELECT one.*, other.invoice_id AS second, one.amount + other.amount AS whole_sum,
            one.net + other.net AS net_sum
        FROM items AS one JOIN items AS other USING (payment_id, customer_no)
        WHERE one.invoice_id < other.invoice_id
    ),
    sums AS (
        SELECT payment_id, [invoice_id, second] AS items FROM two WHERE paid IN (whole_sum, net_sum)
        UNION
        SELECT payment_id, [two.invoice_id, second, third.invoice_id]
        FROM two JOIN items AS third USING (payment_id, customer_no)
        WHERE second < third.invoice_id
            AND two.paid IN (whole_sum + third.amount, net_sum + third.net)
    )
    SELECT payment_id, items::VARCHAR AS way, unnest(items) AS invoice_id FROM sums
"""

LADDER: list[dict[str, Any]] = [
    ASIDE,
    rung("numbers", "aside", "The documents named in the payment's text", NUMBERS),
    rung("advised", "numbers", "The documents named in an advice of this amount", ADVICE),
    rung("names", "advised", "One item of the payer", single("advised", named("aside_payers"))),
    rung("amounts", "names", "An unusual amount that no other has", single("names", NAMELESS)),
    KNOWN,
    rung(
        "learned", "known", "One item of who was paid for", single("known", named("known_payers"))
    ),
    rung("upto", "learned", "All that somebody has open up to a day", UP_TO),
    rung("sums", "upto", "Two or three items of who was paid for", SUMS),
]
RUNGS = [node["name"] for node in LADDER if node not in (ASIDE, KNOWN)]

CERTAIN: dict[str, Any] = {
    "name": "certain",
    "depends_on": [node["name"] for node in LADDER],
    "description": "What the ladder has applied, and what it leaves",
    "sql": f"""
        CREATE VIEW certain_applied AS
        {" UNION ALL ".join(f"FROM {name}_applied" for name in RUNGS)};

        CREATE VIEW certain_open_payments AS
        SELECT payment_id, booked_on, payer, text, amount, currency FROM {RUNGS[-1]}_payments;

        CREATE VIEW certain_open_items AS
        SELECT invoice_id, customer_no, customer, dated_on, amount, currency, percent,
            discount_days, net_days, discount
        FROM {RUNGS[-1]}_items;
    """,
    "output_columns": {
        "certain_applied": COLUMNS,
        "certain_open_payments": ["payment_id", "booked_on", "payer", "text", "amount"],
        "certain_open_items": ["invoice_id", "customer_no", "dated_on", "amount", "discount"],
    },
    "validate": of_applied("certain_applied"),
}

RULES = [*LADDER, CERTAIN]
