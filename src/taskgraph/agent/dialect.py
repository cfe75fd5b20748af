"""What a model gets wrong about DuckDB, as examples that a test runs.

Each example ends in a semicolon. What stands after it is tested too: `gives` the first row as an
agent sees it, or `fails`. Verified on DuckDB 2.0.0, behind the guard.
"""

from __future__ import annotations

DIALECT = r"""# DuckDB 2.0, where it differs from what you may remember
In these examples there are orders(id INTEGER, customer VARCHAR, amount DECIMAL(18,2), day DATE, note VARCHAR, tags VARCHAR[], doc JSON) and rates(day DATE, rate DOUBLE), and your node is `job`.

Shaping queries
```sql
FROM orders WHERE id = 1;
SELECT * FROM orders QUALIFY row_number() OVER (PARTITION BY customer ORDER BY day DESC, id) = 1;
SELECT customer, sum(amount) AS total FROM orders GROUP BY ALL ORDER BY ALL; -- gives ann|17.75
SELECT customer, sum(amount) FROM orders GROUP BY ALL QUALIFY row_number() OVER (ORDER BY customer) = 1; -- fails: QUALIFY needs GROUP BY with names
SELECT amount * 2 AS twice, twice + 1 AS more FROM orders WHERE twice > 20; -- gives 21.00|22.00
SELECT * EXCLUDE (doc, tags) REPLACE (trim(note) AS note) RENAME (id AS order_id) FROM orders;
SELECT max(COLUMNS('amount|day')) FROM orders; -- gives 10.50|2026-02-03
SELECT COLUMNS(lambda c: c LIKE 'a%') FROM orders;
SELECT id, amount FROM orders UNION ALL BY NAME SELECT id, note FROM orders;
SELECT sum(amount) FILTER (WHERE customer = 'ann') AS ann, arg_max(id, amount) AS largest FROM orders; -- gives 17.75|1
SELECT customer, string_agg(id, ', ' ORDER BY id) AS ids, list(day ORDER BY day) AS days FROM orders GROUP BY ALL;
SELECT lag(amount IGNORE NULLS) OVER (PARTITION BY customer ORDER BY day) FROM orders;
SELECT o.id, r.rate FROM orders o ASOF LEFT JOIN rates r ON o.day >= r.day; -- the latest rate on or before the day
SELECT * FROM orders o ANTI JOIN rates r USING (day); -- SEMI JOIN for those that have a match
SUMMARIZE orders; -- minimum, maximum, distinct values and NULLs of each column
PIVOT orders ON customer USING sum(amount) GROUP BY day;
CREATE VIEW job_wide AS PIVOT orders ON customer IN ('ann', 'bob') USING sum(amount) GROUP BY day;
CREATE VIEW job_open AS PIVOT orders ON customer USING sum(amount) GROUP BY day; -- fails: in a view, PIVOT needs IN
UNPIVOT rates ON rate INTO NAME kind VALUE number;
```
Numbers, text and NULL
```sql
SELECT 7 / 2, 7 // 2; -- gives 3.5|3
SELECT 1 / 0, 1 / nullif(0, 0); -- gives inf|NULL
SELECT 1 % 0; -- fails: and so does 1 // 0
SELECT TRY_CAST(replace('1,234.50', ',', '') AS DECIMAL(18,2)), TRY_CAST('n/a' AS INTEGER); -- gives 1234.50|NULL
SELECT CAST('n/a' AS INTEGER); -- fails: and with it the whole view
SELECT typeof(amount / 3), typeof(avg(amount)), typeof(sum(amount)) FROM orders GROUP BY amount; -- gives DOUBLE|DOUBLE|DECIMAL(38,2)
SELECT 'a' || NULL, concat('a', NULL), concat_ws('-', 'a', NULL, 'b'); -- gives NULL|a|a-b
SELECT 1 WHERE 2 NOT IN (SELECT NULL); -- no row: NOT EXISTS is safer than NOT IN
SELECT NULL IS NOT DISTINCT FROM NULL; -- gives true
SELECT 'a' = 'A', 'a' ILIKE 'A'; -- gives false|true
SELECT split_part('a/b', '/', 2), 'abc'[1:2], lpad('7', 3, '0'); -- gives b|ab|007
SELECT jaro_winkler_similarity('acme ltd', 'acme limited') > 0.9, levenshtein('kitten', 'sitting'); -- gives true|3
SELECT jaccard('abc', 'abd'), damerau_levenshtein('ab', 'ba'), strip_accents('Müller'); -- gives 0.5|1|Muller
```
Fuzzy functions compare pairs: join on something equal first, never each row of one large table with each of another.
Regular expressions are RE2
```sql
SELECT regexp_extract('Inv. 17/2026', '(\d+)/(\d+)', 1), regexp_extract('x', '\d+'); -- gives 17|''
SELECT regexp_replace('a - b  c', '[^a-z]+', ' ', 'g'), regexp_replace('ab', '(a)(b)', '\2\1'); -- gives a b c|ba
SELECT regexp_extract_all('a1b22', '\d+'), regexp_matches('Abc', '(?i)^ab'), regexp_full_match('abc', 'b'); -- gives ['1', '22']|true|false
SELECT regexp_matches('abc', 'a(?=b)'); -- fails: no lookahead and no lookbehind
SELECT regexp_matches('aa', '(a)\1'); -- fails: no backreference in a pattern
```
Lists, structs and JSON
```sql
SELECT list_transform([1, 2, 3], lambda x: x * 10), list_filter([1, 2, 3], lambda x: x > 1); -- gives [10, 20, 30]|[2, 3]
SELECT list_transform([1, 2], x -> x + 1); -- fails: write lambda x: x + 1
SELECT list_reduce([1, 2, 3], lambda a, b: a + b), [x * 2 FOR x IN [1, 2, 3] IF x > 1]; -- gives 6|[4, 6]
SELECT [10, 20][1], len([10, 20]), list_contains([10, 20], 20), list_sum([10, 20]); -- gives 10|2|true|30
SELECT id, unnest(tags) AS tag FROM orders; -- a row per element; none for an empty list or NULL
SELECT doc->'k'->>'z', doc->>'$.l[0]', CAST(doc->>'$.k.z' AS INTEGER) + 1 FROM orders WHERE id = 1; -- gives 1|1|2
SELECT 'z is ' || (doc->>'$.k.z') FROM orders WHERE id = 1; -- gives z is 1
SELECT 'z is ' || doc->>'$.k.z' FROM orders; -- fails: || binds as tightly as ->>
SELECT o.id, e.value FROM orders o, json_each(o.doc->'l') e;
SELECT s.a FROM (SELECT {'a': 1, 'b': 'x'} AS s); -- gives 1
```
Dates
```sql
SELECT typeof(date_trunc('month', day)), typeof(day + INTERVAL 1 MONTH), typeof(day + 1) FROM orders; -- gives TIMESTAMP|TIMESTAMP|DATE
SELECT last_day(day), CAST(day + INTERVAL 1 MONTH AS DATE), day - DATE '2026-01-01' FROM orders WHERE id = 1; -- gives 2026-01-31|2026-02-28|30
SELECT date_diff('month', DATE '2026-01-31', DATE '2026-02-01'), date_sub('month', DATE '2026-01-31', DATE '2026-02-01'); -- gives 1|0
SELECT CAST(try_strptime('31.01.2026', ['%Y-%m-%d', '%d.%m.%Y']) AS DATE), strftime(DATE '2026-01-31', '%Y-%m'); -- gives 2026-01-31|2026-01
SELECT CAST(range AS DATE) AS day FROM range(DATE '2026-01-01', DATE '2026-02-01', INTERVAL 1 DAY); -- the end is left out
SELECT sum(amount) OVER (ORDER BY day RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW) FROM orders;
```
Macros
```sql
CREATE MACRO job_norm(s) AS trim(lower(regexp_replace(strip_accents(s), '[^A-Za-z0-9]+', ' ', 'g')));
SELECT job_norm('Müller & Söhne GmbH'); -- gives muller sohne gmbh
CREATE MACRO job_since(first_day) AS TABLE SELECT * FROM orders WHERE day >= first_day;
SELECT count(*) FROM job_since(DATE '2026-02-01'); -- gives 2
```
"""
