"""Which airline out of New York is punctual, once weather, airport and hour are allowed for?

Runs on the month in data/, or on the full year with FLIGHTS_DATA=<folder of nycflights13>.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from openpyxl import Workbook

FULL_YEAR = os.environ.get("FLIGHTS_DATA")
DATA = Path(FULL_YEAR).resolve() if FULL_YEAR else Path("data")

# The sample has its weather as an office would send it: a workbook with titles above the header.
WEATHER = (
    {"path": f"{DATA}/weather.csv", "null_text": "NA"}
    if FULL_YEAR
    else {"path": f"{DATA}/weather.xlsx#Hourly", "header": 3}
)

DEPARTURES = "SELECT count(*) FROM departures_all"


def agree(what: str, counted: str, expected: str = DEPARTURES) -> str:
    """A check that fails unless two queries give the same number."""
    return f"""
        SELECT if(counted = expected, 'pass', 'fail') AS status,
            format('{{:,}} {what}, {{:,}} expected', counted, expected) AS message
        FROM (SELECT ({counted}) AS counted, ({expected}) AS expected)
    """


def none(status: str, what: str, item: str, found: str) -> str:
    """A check that gives `status` if anything is found; names the first five."""
    return f"""
        WITH found AS (SELECT {item} AS item FROM {found})
        SELECT if(count(*) = 0, 'pass', '{status}') AS status,
            concat_ws(': ', count(*) || ' {what}',
                array_to_string(list(item ORDER BY item)[:5], ', ')) AS message
        FROM found
    """


NODES: list[dict[str, Any]] = [
    {
        "name": "flights",
        "source": f"{DATA}/flights.parquet",
        "columns": ["carrier", "tailnum", "origin", "dest", "dep_delay", "arr_delay", "time_hour"],
        "description": "Every scheduled departure from EWR, JFK and LGA",
    },
    {
        "name": "weather",
        "source": WEATHER,
        "columns": ["origin", "time_hour", "temp", "visib", "precip", "wind_speed", "wind_gust"],
        "description": "Hourly observations at the three airports",
    },
    {"name": "airlines", "source": f"{DATA}/airlines.csv", "columns": ["carrier", "name"]},
    {"name": "airports", "source": f"{DATA}/airports.csv", "columns": ["faa", "lat", "lon"]},
    {
        "name": "planes",
        "source": {"path": f"{DATA}/planes.csv", "null_text": "NA"},
        "columns": ["tailnum", "year", "seats"],
        "description": "Part of the US register of aircraft",
    },
    {
        "name": "departures",
        "depends_on": ["flights"],
        "description": "One row per scheduled departure, with what became of it",
        "sql": """
            CREATE MACRO departures_pct(condition) AS round(100 * avg(condition::INT), 1);

            CREATE VIEW departures_all AS
            -- On time is less than 15 minutes late at the gate, as the US Department of
            -- Transportation counts it; cancelled and diverted flights are not on time.
            SELECT
                _row_id AS flight_id, carrier, flight AS flight_number, tailnum, origin, dest,
                make_date(year, month, day) AS flight_date,
                time_hour::TIMESTAMP + to_minutes(minute) AS scheduled_utc,
                hour AS scheduled_hour,
                distance AS distance_miles,
                CASE WHEN dep_time IS NULL THEN 'cancelled' WHEN arr_delay IS NULL THEN 'diverted'
                    ELSE 'flown' END AS outcome,
                dep_delay, arr_delay, coalesce(arr_delay < 15, false) AS on_time
            FROM flights;
        """,
        "output_columns": {"departures_all": {"scheduled_utc": "TIMESTAMP", "outcome": "VARCHAR"}},
        "validate": {
            "nothing_lost": agree("departures", DEPARTURES, "SELECT count(*) FROM flights"),
            "no_duplicates": none(
                "fail",
                "flights scheduled twice for one moment",
                "format('{}{} {}', carrier, flight_number, scheduled_utc)",
                "departures_all GROUP BY carrier, flight_number, origin, scheduled_utc "
                "HAVING count(*) > 1",
            ),
            # Two independent records of the same thing: the clock times and the delay.
            "delays_match_clocks": """
                WITH clocks AS (
                    SELECT dep_delay, (dep_time // 100 * 60 + dep_time % 100)
                        - (sched_dep_time // 100 * 60 + sched_dep_time % 100) AS minutes
                    FROM flights WHERE dep_time IS NOT NULL
                )
                SELECT if(count_if(differs) = 0, 'pass', 'fail') AS status,
                    format('{:,} of {:,} delays differ from the clock times',
                        count_if(differs), count(*)) AS message
                FROM (SELECT (minutes - dep_delay) % 1440 <> 0 AS differs FROM clocks)
            """,
        },
    },
    {
        "name": "sky",
        "depends_on": ["weather"],
        "description": "Each hour's weather as one word",
        "sql": """
            CREATE VIEW sky_hourly AS
            WITH plausible AS (
                SELECT
                    origin,
                    time_hour::TIMESTAMP AS observed_utc,
                    temp AS temperature_f, visib AS visibility_miles, precip AS precipitation_in,
                    -- The published data has an hour of 1,048 mph.
                    if(wind_speed < 200, greatest(wind_speed, wind_gust), NULL) AS wind_mph
                FROM weather
            )
            SELECT *, CASE
                    WHEN temperature_f <= 35 AND (precipitation_in > 0 OR visibility_miles < 3)
                        THEN 'snow'
                    WHEN precipitation_in > 0 THEN 'rain'
                    WHEN visibility_miles < 3 THEN 'fog'
                    WHEN wind_mph >= 30 THEN 'wind'
                    ELSE 'fair'
                END AS sky
            FROM plausible;
        """,
        "output_columns": {"sky_hourly": {"observed_utc": "TIMESTAMP", "sky": "VARCHAR"}},
        "validate": {
            "one_per_hour": agree(
                "observations",
                "SELECT count(*) FROM sky_hourly",
                "SELECT count(DISTINCT (origin, observed_utc)) FROM sky_hourly",
            ),
            "hours_missing": """
                WITH spans AS (
                    SELECT count(*) AS observed,
                        date_diff('hour', min(observed_utc), max(observed_utc)) + 1 AS hours
                    FROM sky_hourly GROUP BY origin
                )
                SELECT if(sum(hours) = sum(observed), 'pass', 'warn') AS status,
                    format('{} of {:,} airport hours have no observation',
                        sum(hours) - sum(observed), sum(hours)) AS message
                FROM spans
            """,
            "implausible_wind": none(
                "warn",
                "wind speeds left out as implausible",
                "format('{} {} {:.0f} mph', origin, time_hour::TIMESTAMP, wind_speed)",
                "weather WHERE wind_speed >= 200",
            ),
        },
    },
    {
        "name": "conditions",
        "depends_on": ["departures", "sky"],
        "description": "Each departure under the last sky observed before it",
        "sql": """
            CREATE VIEW conditions_by_flight AS
            SELECT
                departures_all.*,
                date_diff('minute', observed_utc, scheduled_utc) AS sky_age_minutes,
                if(sky_age_minutes <= 180, sky, 'unknown') AS sky
            FROM departures_all
            ASOF LEFT JOIN sky_hourly
                ON departures_all.origin = sky_hourly.origin AND scheduled_utc >= observed_utc;

            CREATE VIEW conditions_effect AS
            SELECT
                sky,
                count(*) AS flights,
                departures_pct(on_time) AS on_time_pct,
                departures_pct(outcome = 'cancelled') AS cancelled_pct,
                round(avg(dep_delay), 1) AS mean_dep_delay
            FROM conditions_by_flight GROUP BY sky;

            CREATE VIEW conditions_days AS
            SELECT
                flight_date,
                count(*) AS flights,
                count(*) FILTER (outcome = 'cancelled') AS cancelled,
                departures_pct(on_time) AS on_time_pct,
                mode(sky) AS usual_sky
            FROM conditions_by_flight GROUP BY flight_date;
        """,
        "output_columns": {
            "conditions_by_flight": {"flight_id": "BIGINT", "sky": "VARCHAR"},
            "conditions_effect": ["sky", "flights", "on_time_pct", "cancelled_pct"],
            "conditions_days": {"flight_date": "DATE", "cancelled": "BIGINT"},
        },
        "validate": {
            "no_flight_twice": agree("rows", "SELECT count(*) FROM conditions_by_flight"),
            "sky_is_recent": """
                SELECT CASE WHEN count_if(sky = 'unknown') > 0.05 * count(*) THEN 'fail'
                        WHEN count_if(sky_age_minutes >= 60 OR sky = 'unknown') > 0 THEN 'warn'
                        ELSE 'pass' END AS status,
                    format('{} flights judged by a sky an hour old or older, {} left unknown',
                        count_if(sky_age_minutes >= 60 AND sky <> 'unknown'),
                        count_if(sky = 'unknown')) AS message
                FROM conditions_by_flight
            """,
        },
    },
    {
        "name": "punctuality",
        "depends_on": ["departures", "airlines"],
        "description": "Plain punctuality by carrier and by hour of the day",
        "sql": """
            CREATE VIEW punctuality_by_carrier AS
            SELECT
                carrier,
                name,
                count(*) AS flights,
                count(*) FILTER (outcome = 'cancelled') AS cancelled,
                departures_pct(on_time) AS on_time_pct,
                round(quantile_cont(arr_delay, 0.9)) AS p90_arr_delay
            FROM departures_all LEFT JOIN airlines USING (carrier) GROUP BY carrier, name;

            CREATE VIEW punctuality_by_hour AS
            SELECT
                origin,
                scheduled_hour,
                count(*) AS flights,
                departures_pct(on_time) AS on_time_pct,
                round(avg(dep_delay), 1) AS mean_dep_delay
            FROM departures_all GROUP BY origin, scheduled_hour;
        """,
        "output_columns": {
            "punctuality_by_carrier": {"flights": "BIGINT", "on_time_pct": "DOUBLE"},
            "punctuality_by_hour": ["origin", "scheduled_hour", "flights", "on_time_pct"],
        },
        "validate": {
            "carriers_add_up": agree("flights", "SELECT sum(flights) FROM punctuality_by_carrier"),
            "hours_add_up": agree("flights", "SELECT sum(flights) FROM punctuality_by_hour"),
            "carriers_named": none(
                "fail",
                "carriers without a name",
                "carrier",
                "punctuality_by_carrier WHERE name IS NULL",
            ),
        },
    },
    {
        "name": "routes",
        "depends_on": ["departures", "airports"],
        "description": "Delays and cancellations by route",
        "sql": """
            CREATE MACRO routes_miles(lat1, lon1, lat2, lon2) AS
                -- Great-circle distance (haversine) on a sphere of 3,959 miles radius.
                2 * 3959 * asin(sqrt(
                    sin(radians(lat2 - lat1) / 2) ** 2
                    + cos(radians(lat1)) * cos(radians(lat2)) * sin(radians(lon2 - lon1) / 2) ** 2
                ));

            CREATE VIEW routes_all AS
            SELECT
                origin,
                dest,
                any_value(there.name) AS destination,
                any_value(distance_miles) AS distance_miles,
                round(any_value(routes_miles(here.lat, here.lon, there.lat, there.lon)))
                    AS great_circle_miles,
                count(*) AS flights,
                count(*) FILTER (outcome = 'cancelled') AS cancelled,
                departures_pct(on_time) AS on_time_pct,
                median(arr_delay) AS median_arr_delay
            FROM departures_all
            LEFT JOIN airports AS here ON here.faa = origin
            LEFT JOIN airports AS there ON there.faa = dest
            GROUP BY origin, dest;
        """,
        "output_columns": {"routes_all": ["origin", "dest", "destination", "flights"]},
        "validate": {
            "routes_add_up": agree("flights", "SELECT sum(flights) FROM routes_all"),
            "airports_known": none(
                "warn",
                "destinations are not in the list of airports",
                "format('{} ({:,} flights)', dest, sum(flights))",
                "routes_all WHERE destination IS NULL GROUP BY dest",
            ),
            "distances_agree": none(
                "warn",
                "routes differ by over 2 % from the great circle",
                "format('{}-{}: {} for {} miles', origin, dest, distance_miles, great_circle_miles)",
                "routes_all WHERE abs(great_circle_miles / distance_miles - 1) > 0.02",
            ),
        },
    },
    {
        "name": "fleet",
        "depends_on": ["departures", "planes"],
        "description": "Do older aircraft run later?",
        "sql": """
            CREATE VIEW fleet_by_flight AS
            SELECT
                flight_id,
                carrier,
                on_time,
                planes.tailnum IS NOT NULL AS registered,
                year(flight_date) - planes.year AS age_years
            FROM departures_all LEFT JOIN planes USING (tailnum);

            CREATE VIEW fleet_by_age AS
            SELECT
                age_years // 5 * 5 AS age_from,
                count(*) AS flights,
                departures_pct(on_time) AS on_time_pct
            FROM fleet_by_flight GROUP BY age_from;

            CREATE VIEW fleet_by_carrier AS
            SELECT
                carrier,
                departures_pct(registered) AS registered_pct,
                round(avg(age_years), 1) AS mean_age_years
            FROM fleet_by_flight GROUP BY carrier;
        """,
        "output_columns": {
            "fleet_by_age": ["age_from", "flights", "on_time_pct"],
            "fleet_by_carrier": {"registered_pct": "DOUBLE", "mean_age_years": "DOUBLE"},
        },
        "validate": {
            "no_flight_twice": agree("rows", "SELECT count(*) FROM fleet_by_flight"),
            "planes_known": """
                SELECT CASE WHEN unknown > 0.25 THEN 'fail' WHEN unknown > 0.01 THEN 'warn'
                        ELSE 'pass' END AS status,
                    format('{:.1f} % of flights by aircraft outside the register, most for {}',
                        100 * unknown, worst) AS message
                FROM (SELECT 1 - avg(registered::INT) AS unknown FROM fleet_by_flight),
                    (SELECT min_by(carrier, registered_pct, 2) AS worst FROM fleet_by_carrier)
            """,
        },
    },
    {
        "name": "scorecard",
        "depends_on": ["punctuality", "conditions", "fleet"],
        "description": "Punctuality against what the circumstances would have let anyone achieve",
        "sql": """
            CREATE VIEW scorecard_expected AS
            -- What an average carrier would have achieved: the share of all flights on time from
            -- the same airport, under the same sky, in the same quarter of the day.
            SELECT
                carrier,
                avg(on_time::INT) OVER (PARTITION BY origin, sky, scheduled_hour // 6) AS expected
            FROM conditions_by_flight;

            CREATE VIEW scorecard_carriers AS
            WITH expected AS (
                SELECT carrier, round(100 * avg(expected), 1) AS expected_pct
                FROM scorecard_expected GROUP BY carrier
            )
            SELECT
                rank() OVER (ORDER BY on_time_pct - expected_pct DESC) AS rank,
                carrier, name, flights, on_time_pct, expected_pct,
                round(on_time_pct - expected_pct, 1) AS beyond_expected,
                cancelled, mean_age_years, registered_pct
            FROM punctuality_by_carrier
            JOIN expected USING (carrier)
            JOIN fleet_by_carrier USING (carrier);
        """,
        "output_columns": {
            "scorecard_carriers": {
                "rank": "BIGINT",
                "carrier": "VARCHAR",
                "on_time_pct": "DOUBLE",
                "expected_pct": "DOUBLE",
                "beyond_expected": "DOUBLE",
            }
        },
        "validate": {
            "nothing_lost": agree("flights", "SELECT sum(flights) FROM scorecard_carriers"),
            # Expectations share out what happened: over all carriers they add up to it.
            "expectations_add_up": """
                SELECT if(abs(happened - expected) < 0.1, 'pass', 'fail') AS status,
                    format('{:.2f} % on time, {:.2f} % expected', happened, expected) AS message
                FROM (
                    SELECT sum(flights * on_time_pct) / sum(flights) AS happened,
                        sum(flights * expected_pct) / sum(flights) AS expected
                    FROM scorecard_carriers
                )
            """,
            "enough_flights": none(
                "warn",
                "carriers with under 100 flights: their rank says little",
                "carrier",
                "scorecard_carriers WHERE flights < 100",
            ),
        },
    },
]

SHEETS = {
    "Scorecard": "FROM scorecard_carriers ORDER BY rank, carrier",
    "Weather": "FROM conditions_effect ORDER BY on_time_pct",
    "Days": "FROM conditions_days ORDER BY flight_date",
    "Hours": "FROM punctuality_by_hour ORDER BY origin, scheduled_hour",
    "Routes": "FROM routes_all ORDER BY flights DESC, origin, dest",
    "Aircraft age": "FROM fleet_by_age ORDER BY age_from",
    "Checks": "SELECT node, check_name, status, message FROM _checks ORDER BY ALL",
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


def write_scorecard(connection: Any, path: Path) -> None:
    connection.sql(SHEETS["Scorecard"]).write_csv(str(path))


EXPORTS = {
    "runs/flights_report.xlsx": write_workbook,
    "runs/flights_scorecard.csv": write_scorecard,
}
