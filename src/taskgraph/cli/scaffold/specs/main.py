"""Which payment pays which order, and what is still open?

`taskgraph run` runs this spec, `taskgraph show` draws it, SPEC_GUIDE.md explains every field.
"""

from pathlib import Path
from typing import Any

ORDERS = {
    "name": "orders",
    "source": "../data/orders.csv",
    "columns": ["order_id", "customer", "amount", "ordered_on"],
}

PAYMENTS = {
    "name": "payments",
    "source": "../data/payments.csv",
    "columns": ["payment_id", "paid_on", "amount", "reference"],
}

MATCH = {
    "name": "match",
    "description": "Pairs of payment and order that agree in number and amount.",
    "depends_on": ["orders", "payments"],
    "sql": r"""
        CREATE VIEW match_candidates AS
        SELECT payment_id, amount, regexp_extract(reference, '\b(\d{4})\b', 1) AS order_id
        FROM payments;

        CREATE VIEW match_pairs AS
        SELECT payment_id, orders.order_id, orders.amount
        FROM match_candidates AS candidate
        JOIN orders ON orders.order_id::VARCHAR = candidate.order_id
                   AND orders.amount = candidate.amount;

        CREATE VIEW match_open_payments AS
        FROM payments ANTI JOIN match_pairs USING (payment_id);

        CREATE VIEW match_open_orders AS
        FROM orders ANTI JOIN match_pairs USING (order_id);
    """,
    "output_columns": {
        "match_pairs": ["payment_id", "order_id", "amount"],
        "match_open_payments": ["payment_id", "amount", "reference"],
        "match_open_orders": ["order_id", "customer", "amount"],
    },
    # Nothing twice, nothing lost, and a word on what is left over.
    "validate": {
        "each_once": """
            SELECT 'fail' AS status, payment_id || ' stands in two pairs' AS message
            FROM match_pairs GROUP BY payment_id HAVING count(*) > 1
        """,
        "total": """
            WITH sums AS (
                SELECT (SELECT round(sum(amount), 2) FROM payments) AS paid,
                       (SELECT round(sum(amount), 2) FROM match_pairs) AS paired,
                       (SELECT round(sum(amount), 2) FROM match_open_payments) AS still_open
            )
            SELECT if(round(paired + still_open, 2) = paid, 'pass', 'fail') AS status,
                   format('{} paired + {} open, {} paid', paired, still_open, paid) AS message
            FROM sums
        """,
        "left_over": """
            SELECT 'warn' AS status, count(*) || ' payments match no order' AS message
            FROM match_open_payments HAVING count(*) > 0
        """,
    },
}

CUSTOMERS = {
    "name": "customers",
    "description": "What each customer still owes.",
    "depends_on": ["match"],
    "sql": """
        CREATE VIEW customers_open AS
        SELECT customer, count(*) AS open_orders, sum(amount) AS open_amount
        FROM match_open_orders GROUP BY customer ORDER BY open_amount DESC
    """,
    "output_columns": {"customers_open": {"customer": "VARCHAR", "open_orders": "BIGINT"}},
}

# The next step: an agent writes the rules for what is left over. Put a key into .env, and RESIDUAL
# into NODES below.
RESIDUAL = {
    "name": "residual",
    "depends_on": ["match"],
    "prompt": """
        Some payments in match_open_payments pay orders in match_open_orders, but name them loosely:
        by a mistyped number, by customer and date, or several orders at once. Create residual_pairs
        with one row per payment and order, `amount` being what that order gets of the payment.
        Write rules that will hold for next month's payments too; leave out what cannot be told.
    """,
    "output_columns": {"residual_pairs": ["payment_id", "order_id", "amount"]},
    "validate": {
        "total": """
            SELECT if(round(sum(pair.amount) - any_value(payment.amount), 2) = 0, 'pass', 'fail')
                       AS status,
                   format('{}: {} in pairs, {} paid', payment_id, sum(pair.amount),
                          any_value(payment.amount)) AS message
            FROM residual_pairs AS pair JOIN payments AS payment USING (payment_id)
            GROUP BY payment_id
        """,
        "left_over": """
            SELECT if(count(*) = 0, 'pass', 'warn') AS status,
                   count(*) || ' payments are still open' AS message
            FROM match_open_payments ANTI JOIN residual_pairs USING (payment_id)
        """,
    },
}

NODES = [ORDERS, PAYMENTS, MATCH, CUSTOMERS]


def write_open(connection: Any, path: Path) -> None:
    """Writes what customers owe as CSV."""
    connection.sql("FROM customers_open").write_csv(str(path))


EXPORTS = {"runs/customers_open.csv": write_open}
