"""Keys of the data in an agent's SQL are found; words that a rule needs are not taken for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from taskgraph.database import Cursor, Database
from taskgraph.events import CheckResult
from taskgraph.literals import literal_findings, written_keys

SOURCES = ("bank", "accounts", "rates")
KEYS = [f"BNK-{number:04}" for number in range(8, 128, 8)]
NUMBERS = [number for number in range(101, 131) if number % 10]
QUOTED = ", ".join(f"'{key}'" for key in KEYS)


@pytest.fixture(scope="module")
def cursor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cursor]:
    database = Database.create(tmp_path_factory.mktemp("literals") / "l.db")
    with_rows = database.cursor()
    with_rows.execute(
        """CREATE TABLE bank AS SELECT i AS _row_id, format('BNK-{:04}', i) AS bank_id,
        'Acme ' || i % 40 AS payee, ['open', 'paid', 'void', 'late'][1 + i % 4] AS status,
        ['EUR', 'USD', 'GBP'][1 + i % 3] AS currency, (i * 1.01)::DECIMAL(9, 2) AS amount,
        DATE '2026-01-01' + (i // 9)::INTEGER AS day FROM range(1, 3001) t(i)"""
    )
    with_rows.execute(
        """CREATE TABLE accounts AS
        SELECT format('{}', 4000 + 11 * i) AS account, 'Account ' || i AS name FROM range(40) t(i)"""
    )
    with_rows.execute(
        "CREATE TABLE rates AS SELECT 1900 + i AS year, i AS rate FROM range(200) t(i)"
    )
    yield with_rows
    with_rows.close()
    database.close()


HARD_CODED = {
    "an IN list": f"CREATE VIEW m_x AS FROM bank WHERE bank_id IN ({QUOTED})",
    "pairs in VALUES": "CREATE VIEW m_x AS FROM (VALUES "
    + ", ".join(f"('{key}', 'LED-{key}')" for key in KEYS)
    + ") t(bank_id, ledger_id)",
    "a UNION of rows": "CREATE VIEW m_x AS "
    + " UNION ALL ".join(f"SELECT '{key}' AS bank_id" for key in KEYS),
    "many equalities": "CREATE VIEW m_x AS FROM bank WHERE "
    + " OR ".join(f"bank_id = '{key}'" for key in KEYS),
    "a CASE over keys": "CREATE VIEW m_x AS SELECT CASE bank_id "
    + " ".join(f"WHEN '{key}' THEN 1" for key in KEYS)
    + " END AS pair FROM bank",
    "lower case and blanks": "CREATE VIEW m_x AS FROM bank WHERE lower(bank_id) IN "
    f"({QUOTED.lower().replace('bnk', ' bnk')})",
    "a list in a macro": f"CREATE MACRO m_known(id) AS list_contains([{QUOTED}], id)",
    "one text that is split": "CREATE VIEW m_x AS SELECT unnest(string_split("
    f"'{','.join(KEYS)}', ',')) AS bank_id",
    "a pattern": "CREATE VIEW m_x AS FROM bank WHERE regexp_full_match(bank_id, "
    f"'({'|'.join(KEYS)})')",
}


@pytest.mark.parametrize("sql", HARD_CODED.values(), ids=HARD_CODED)
def test_keys_of_a_source_are_found_however_they_are_written(cursor: Cursor, sql: str) -> None:
    found = written_keys(cursor, [sql], SOURCES)

    assert found is not None
    assert (found.relation, found.column) == ("bank", "bank_id")
    assert list(found.keys) == [key.lower() for key in KEYS]


def test_numbers_of_rows_are_keys_and_are_found_over_several_views(cursor: Cursor) -> None:
    views = [
        f"CREATE VIEW m_{start} AS FROM bank WHERE _row_id IN {tuple(NUMBERS[start::3])}"
        for start in range(3)
    ]

    found = written_keys(cursor, views, SOURCES)

    assert found is not None
    assert (found.column, len(found.keys)) == ("_row_id", len(NUMBERS))


MONTHS = "January February March April May June July August September October November December"
LEGITIMATE = {
    "few exceptions": f"CREATE VIEW m_x AS FROM bank WHERE bank_id IN ({', '.join(QUOTED.split(', ')[:9])})",
    "statuses and currencies": "CREATE VIEW m_x AS FROM bank WHERE status IN ('open', 'late') AND "
    "currency IN ('EUR','USD','GBP','CHF','SEK','NOK','DKK','PLN','CZK','HUF','JPY')",
    "names that repeat": "CREATE VIEW m_x AS FROM bank WHERE payee IN ("
    + ", ".join(f"'Acme {number}'" for number in range(40))
    + ")",
    "months by name and number": "CREATE VIEW m_x AS FROM (VALUES "
    + ", ".join(f"('{name}', {at})" for at, name in enumerate(MONTHS.split(), start=1))
    + ") t(name, month)",
    "codes of a short table": "CREATE VIEW m_x AS FROM (VALUES "
    + ", ".join(f"('word {at}', '{4000 + 11 * at}')" for at in range(40))
    + ") t(word, account)",
    "results of a CASE": "CREATE VIEW m_x AS SELECT CASE "
    + " ".join(f"WHEN payee LIKE '%{at}' THEN '{key}'" for at, key in enumerate(KEYS))
    + " END AS kind FROM bank",
    "years": f"CREATE VIEW m_x AS FROM bank WHERE year(day) IN {tuple(range(2001, 2026))}",
    "steps and limits": f"CREATE VIEW m_x AS FROM (VALUES {', '.join(f'({n}, {n / 1000})' for n in range(50, 1000, 50))}) t(limit_, part)",
    "patterns of words": "CREATE VIEW m_x AS FROM bank WHERE regexp_matches(payee, "
    f"'{'|'.join(MONTHS.split() * 3)}')",
    "amounts and days": "CREATE VIEW m_x AS FROM bank WHERE amount IN ("
    + ", ".join(f"{number * 1.01:.2f}" for number in range(40, 60))
    + ") AND day <> DATE '2026-01-01'",
}


@pytest.mark.parametrize("sql", LEGITIMATE.values(), ids=LEGITIMATE)
def test_what_a_rule_needs_is_not_taken_for_keys(cursor: Cursor, sql: str) -> None:
    assert written_keys(cursor, [sql], SOURCES) is None


def test_the_policy_decides_what_follows(cursor: Cursor) -> None:
    sql = [HARD_CODED["an IN list"]]
    text = (
        "15 values of bank.bank_id stand in the SQL ('bnk-0008', 'bnk-0016', 'bnk-0024', ...): "
        "on new data it finds none of them. Write the rule that finds such rows"
    )

    assert literal_findings(cursor, sql, SOURCES, "allow") == ()
    assert literal_findings(cursor, sql, SOURCES, "warn") == (
        CheckResult("literals", "warn", text),
    )
    assert literal_findings(cursor, sql, SOURCES, "fail") == (
        CheckResult("literals", "fail", text),
    )
    assert literal_findings(cursor, sql, ["rates"], "fail") == ()
