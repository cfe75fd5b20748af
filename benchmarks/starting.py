"""The scaffold's statements in a bare script: the floor of `taskgraph run` after `taskgraph init`.

python -m benchmarks.starting PROJECT
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

FILE = "bare.db"


def main(project: Path) -> None:
    """Does what the scaffold's spec says, into `bare.db` of the working directory."""
    sys.path.insert(0, str(project))
    from specs.main import NODES

    connection = duckdb.connect(FILE, config={"storage_compatibility_version": "v1.4.0"})
    connection.execute("CREATE TABLE _trace(node VARCHAR, query VARCHAR, ms DOUBLE)")
    for node in NODES:
        if "source" in node:
            path = (project / "specs" / node["source"]).resolve()
            work = (
                f"CREATE TABLE {node['name']} AS "
                f"SELECT row_number() OVER () AS _row_id, * FROM read_csv('{path}')"
            )
            connection.execute(work)
        else:
            work = node["sql"]
            connection.execute(work)
            _keep(connection, node["name"])
        for check, query in node.get("validate", {}).items():
            table = f"{node['name']}__validation_{check}"
            connection.execute(f"CREATE TABLE {table} AS {query}")
            rows = connection.execute(f"SELECT status, message FROM {table}").fetchall()
            assert all(status != "fail" for status, _ in rows)
        connection.execute("INSERT INTO _trace VALUES (?, ?, ?)", [node["name"], work, 1.0])
    Path("runs").mkdir()
    connection.sql("FROM customers_open").write_csv("runs/customers_open.csv")
    connection.close()


def _keep(connection: duckdb.DuckDBPyConnection, node: str) -> None:
    views = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND starts_with(view_name, ?)"
        " ORDER BY view_oid",
        [f"{node}_"],
    ).fetchall()
    for (view,) in views:
        connection.execute(f"CREATE TABLE __{view} AS FROM {view}")
        connection.execute(f"DROP VIEW {view}")
        connection.execute(f"ALTER TABLE __{view} RENAME TO {view}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
