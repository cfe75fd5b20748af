"""Graphs of SQL models, told once and built by everybody: Taskgraph, bare scripts, dbt, SQLMesh.

A query names what it reads in braces: `SELECT a FROM {n1}`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHAPES = ("wide", "deep", "layered")


@dataclass(frozen=True)
class Input:
    """Data that comes in."""

    name: str
    query: str
    """How DuckDB makes it."""
    source: Any
    """What a spec says for the same."""


@dataclass(frozen=True)
class Model:
    """One table that is computed, and the check that it must pass."""

    name: str
    needs: tuple[str, ...]
    query: str
    holds: str = "count(*) = 10"


@dataclass(frozen=True)
class Models:
    """A graph of them."""

    inputs: tuple[Input, ...]
    models: tuple[Model, ...]

    def query(self, model: Model, relation: Callable[[str], str]) -> str:
        """Returns a model's query with what it reads called as `relation` says."""
        return model.query.format_map({name: relation(name) for name in model.needs})


def named(graph: str) -> Models:
    """Returns the graph called `layered-1000`, say, or `heavy-10000000`."""
    shape, _, size = graph.partition("-")
    if shape == "heavy":
        return _heavy(Path(os.environ["BENCHMARK_DATA"]))
    return _small(_dependencies(shape, int(size)))


def nodes(graph: str) -> list[dict[str, Any]]:
    """Returns a graph as a spec's NODES."""
    models = named(graph)
    return [
        *({"name": one.name, "source": one.source} for one in models.inputs),
        *(_node(models, one) for one in models.models),
    ]


def _node(models: Models, model: Model) -> dict[str, Any]:
    made = {one.name for one in models.models}
    query = models.query(model, lambda name: f"{name}_t" if name in made else name)
    return {
        "name": model.name,
        "depends_on": list(model.needs),
        "sql": f"CREATE VIEW {model.name}_t AS {query}",
        "validate": {"main": check(model, f"{model.name}_t")},
    }


def check(model: Model, relation: str) -> str:
    """Returns the query that judges a model."""
    return (
        f"SELECT CASE WHEN {model.holds} THEN 'pass' ELSE 'fail' END AS status, '' AS message "
        f"FROM {relation}"
    )


def _dependencies(shape: str, count: int) -> Mapping[str, tuple[str, ...]]:
    """`wide`: all read one source; `deep`: a chain; `layered`: ten a layer, each reading two."""
    names = [f"n{number}" for number in range(count)]
    if shape == "wide":
        return dict.fromkeys(names, ("base",))
    if shape == "deep":
        return {name: (names[at - 1] if at else "base",) for at, name in enumerate(names)}
    return {
        name: (names[at - 10], names[(at // 10 - 1) * 10 + (at + 1) % 10])
        if at >= 10
        else ("base",)
        for at, name in enumerate(names)
    }


def _small(dependencies: Mapping[str, tuple[str, ...]]) -> Models:
    base = Input(
        "base",
        "SELECT range AS a, range AS b FROM range(10)",
        {"a": list(range(10)), "b": list(range(10))},
    )
    models = (Model(name, needs, _joined(needs)) for name, needs in dependencies.items())
    return Models((base,), tuple(models))


def _joined(needs: tuple[str, ...]) -> str:
    first, *others = needs
    joins = "".join(f" JOIN {{{other}}} o USING (a)" for other in others)
    return f"SELECT a, s.b + 1 AS b FROM {{{first}}} s{joins}"


ORDERS = """SELECT i AS order_id, (i * 7919) % 100000 AS customer_id, (i * 31 + i // 100000 * 17) % 1000 AS product_id,
(i * 37 % 100000) / 100.0::DOUBLE AS amount, DATE '2020-01-01' + (i % 1500)::INT AS day,
i % 100 AS quantity FROM range({rows}) r(i)"""
CUSTOMERS = """SELECT i AS customer_id, 'customer ' || i AS customer, 'region ' || (i % 50) AS region
FROM range(100000) r(i)"""
PRODUCTS = """SELECT i AS product_id, 'product ' || i AS product, i % 20 AS category,
(i % 90) / 100.0::DOUBLE AS margin FROM range(1000) r(i)"""
HEAVY_DATA = {"orders": ORDERS, "customers": CUSTOMERS, "products": PRODUCTS}


def _heavy(folder: Path) -> Models:
    inputs = tuple(
        Input(
            name,
            f"SELECT * FROM read_parquet('{folder / name}.parquet')",
            f"{folder / name}.parquet",
        )
        for name in HEAVY_DATA
    )
    return Models(inputs, tuple(_heavy_model(name, query) for name, query in HEAVY.items()))


def _heavy_model(name: str, query: str) -> Model:
    names = (*HEAVY_DATA, *HEAVY)
    needs = tuple(one for one in names if f"{{{one}}}" in query)
    return Model(name, needs, query, "count(*) > 0")


HEAVY = {
    # Four that read the orders and not one another.
    "daily": "SELECT day, sum(amount) AS total, count(*) AS orders FROM {orders} GROUP BY day",
    "enriched": """SELECT order_id, customer_id, region, category, day, amount,
        amount * margin AS profit FROM {orders} JOIN {customers} USING (customer_id)
        JOIN {products} USING (product_id)""",
    "spending": """SELECT customer_id, sum(amount) AS total, max(day) AS last_day,
        count(DISTINCT product_id) AS products FROM {orders} GROUP BY customer_id""",
    "running": """SELECT order_id, customer_id, amount,
        sum(amount) OVER (PARTITION BY customer_id ORDER BY day, order_id) AS so_far
        FROM {orders}""",
    "regions": """SELECT region, category, sum(profit) AS profit, sum(amount) AS amount
        FROM {enriched} GROUP BY region, category""",
    "monthly": """SELECT date_trunc('month', day) AS month, region, sum(profit) AS profit
        FROM {enriched} GROUP BY ALL""",
    "trend": """SELECT day, total, avg(total) OVER (ORDER BY day ROWS 29 PRECEDING) AS average
        FROM {daily}""",
    "ranked": """SELECT customer_id, total, ntile(100) OVER (ORDER BY total) AS percentile
        FROM {spending}""",
    "best": """SELECT e.* FROM {enriched} e JOIN {ranked} r USING (customer_id)
        WHERE r.percentile > 90""",
    "crossed": """SELECT customer_id, min(order_id) AS first_over FROM {running}
        WHERE so_far > 2000 GROUP BY customer_id""",
    "loyal": """SELECT s.customer_id, s.total, c.first_over FROM {spending} s
        JOIN {crossed} c USING (customer_id) WHERE s.products > 5""",
    "summary": """SELECT b.region, count(*) AS orders, sum(b.profit) AS profit,
        count(DISTINCT l.customer_id) AS loyal FROM {best} b LEFT JOIN {loyal} l
        USING (customer_id) GROUP BY b.region""",
}


def main(folder: Path, rows: int) -> None:
    """Writes the data of the heavy graph."""
    import duckdb

    for name, query in HEAVY_DATA.items():
        path = folder / f"{name}.parquet"
        duckdb.execute(f"COPY ({query.format(rows=rows)}) TO '{path}' (FORMAT PARQUET)")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
